//! Compares the fmf engine with Python's fmf: trees of a corpus, trees for each feature, and generated ones.
//!
//! The interpreter is `$ATEX_FMF_PYTHON`, else `python3`; it must be able to import fmf 1.7.0, otherwise the tests fail.
//! `ATEX_SKIP_REFERENCE=1` leaves the comparison out. `ATEX_CORPUS` is a directory of trees, `ATEX_FMF_TREES` the number of
//! generated trees, `ATEX_FMF_LARGE` of those with values of a megabyte, `ATEX_FMF_SEED` where the generator begins.

#[path = "fmf_reference/cases.rs"]
mod cases;
#[path = "fmf_reference/corpus.rs"]
mod corpus;
#[path = "fmf_reference/generated.rs"]
mod generated;
#[path = "fmf_reference/large.rs"]
mod large;
#[path = "fmf_reference/oracle.rs"]
mod oracle;
#[path = "fmf_reference/packed.rs"]
mod packed;
#[path = "reference/python.rs"]
mod python;
#[path = "fmf_reference/random.rs"]
mod random;
#[path = "fmf_reference/soup.rs"]
mod soup;
#[path = "fmf_reference/trees.rs"]
mod trees;
#[path = "fmf_reference/typed.rs"]
mod typed;
#[path = "fmf_reference/words.rs"]
mod words;
