//! Compares the languages inside fmf with Python's fmf, over generated cases and over those that once differed.
//!
//! The interpreter is `$ATEX_FMF_PYTHON`, else `python3`; it must be able to import fmf 1.7.0, otherwise the tests fail.
//! `ATEX_SKIP_REFERENCE=1` leaves the comparison out. `ATEX_REFERENCE_CASES` sets the number of generated cases for each
//! language, `ATEX_REFERENCE_SEED` where the generator begins.

#[path = "fmflang_reference/conditions.rs"]
mod conditions;
#[path = "fmflang_reference/filters.rs"]
mod filters;
#[path = "fmflang_reference/oracle.rs"]
mod oracle;
#[path = "fmflang_reference/patterns.rs"]
mod patterns;
#[path = "reference/python.rs"]
mod python;
#[path = "fmflang_reference/random.rs"]
mod random;
#[path = "fmflang_reference/rules.rs"]
mod rules;
#[path = "fmflang_reference/typed.rs"]
mod typed;
