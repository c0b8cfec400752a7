//! Tests of the engine as its users see it, and its comparison with Python's fmf.
//!
//! The interpreter is `$ATEX_FMF_PYTHON`, else `python3`; it must be able to import fmf 1.7.0, otherwise the tests fail.
//! `ATEX_SKIP_REFERENCE=1` leaves the comparison out. `ATEX_CORPUS` is a directory of trees, `ATEX_FMF_TREES` the number of
//! generated trees, `ATEX_FMF_LARGE` of those with values of a megabyte, `ATEX_FMF_SEED` where the generator begins.
//! `ATEX_REFERENCE_CASES` is the number of generated cases for each language, `ATEX_REFERENCE_SEED` where that generator begins.

mod languages;
mod python;
mod random;
mod reference;
mod seeds;
mod tree;
