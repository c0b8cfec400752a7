//! What is asked for by hand: the seed, and how many cases.

use std::env;
use std::str::FromStr;

use crate::random::Random;

/// Begins a sequence of its own for each language.
pub(crate) fn random(language: u64) -> Random {
    Random::stream(asked("ATEX_REFERENCE_SEED").unwrap_or(1), language)
}

/// Returns how many cases to generate for a language.
pub(crate) fn cases(default: usize) -> usize {
    asked("ATEX_REFERENCE_CASES").unwrap_or(default)
}

fn asked<T: FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}
