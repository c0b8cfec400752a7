//! Random trees, random edits, and an oracle that knows nothing of the code: after each build, is each verdict what a fresh run on
//! exactly these files would say, and did nothing run without need?
//!
//! `docs/trust.md` tells what it tries, what it does not, and how it is run for longer or for one seed.

mod edits;
mod oracle;
mod random;
mod suite;
#[path = "../support/mod.rs"]
mod support;

use oracle::Oracle;
use random::Random;
use suite::Suite;

/// The seeds and the rounds of each that every run of the tests does.
const SEEDS: std::ops::Range<u64> = 1..5;
const ROUNDS: u64 = 10;

/// Returns a number that was asked for by hand.
fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("`{name}` must be a number, not `{text}`")),
    )
}

#[test]
fn each_verdict_is_that_of_a_fresh_run_and_nothing_runs_without_need() {
    let rounds = asked("ATEX_HARNESS_ROUNDS").unwrap_or(ROUNDS);
    let first = asked("ATEX_HARNESS_SEED");
    let count = asked("ATEX_HARNESS_SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS.end - SEEDS.start });
    let first = first.unwrap_or(SEEDS.start);
    for seed in first..first + count {
        play(seed, rounds);
    }
}

/// Plays one seed; a failure says how it is repeated.
fn play(seed: u64, rounds: u64) {
    let mut random = Random::new(seed);
    let mut suite = Suite::new();
    let mut oracle = Oracle::default();
    let mut edits = Vec::new();
    for round in 0..=rounds {
        if round > 0 {
            edits.push(format!("{round}: {}", suite.edit(&mut random)));
        }
        let damaged = round > 0 && random.one_in(12);
        if damaged {
            edits.push(format!("{round}: {}", suite.damage(&mut random)));
            oracle.forget();
        }
        let options: &[&str] = if random.one_in(4) { &["--retries", "1"] } else { &[] };
        let build = suite.build(options);
        if let Err(wrong) = oracle.judge(&suite, &build) {
            panic!(
                "{wrong}\nin round {round} of seed {seed}; the edits were\n{}\nit is repeated by \
                 ATEX_HARNESS_SEED={seed} ATEX_HARNESS_ROUNDS={round}\n{:?}",
                edits.join("\n"),
                build.ran,
            );
        }
    }
}
