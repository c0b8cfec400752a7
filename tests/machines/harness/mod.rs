//! The trust harness: random trees, random edits, planned faults, and an oracle that does not know the code. After each build it
//! checks that each verdict is the one of a fresh run on exactly these files, and that nothing ran without need.
//!
//! `docs/trust.md` says what it tries and what it does not, and how to run it for longer, for one seed, or for some kinds of
//! events only.

mod disk;
mod edits;
mod faults;
mod files;
mod machines;
mod oracle;
mod project;
mod random;
mod round;
mod running;
mod suite;

use std::time::{Duration, Instant};

use disk::on_a_small_disk;
use faults::Kinds;
use files::as_git_says;
use oracle::Oracle;
use project::Shape;
use random::Random;
use round::Round;
use suite::Suite;

/// The seeds and the rounds of each that every run of the tests does.
const SEEDS: std::ops::Range<u64> = 1..5;
const ROUNDS: u64 = 6;

/// For so long a sequence that fails is shortened.
const SHORTENING: u64 = 300;

/// All that a seed says: how its suite is, and what happens to it.
struct Play {
    shape: Shape,
    rounds: Vec<Round>,
}

/// What was wrong, in which round.
struct Wrong {
    round: usize,
    what: String,
}

#[test]
fn each_verdict_is_that_of_a_fresh_run_and_nothing_runs_without_need() {
    if on_a_small_disk("harness::each_verdict_is_that_of_a_fresh_run_and_nothing_runs_without_need") {
        play_all(&Kinds::of(&["git", "pools", "ssh", "damage", "machines", "projects"]));
    }
}

#[test]
fn after_any_fault_each_verdict_is_that_of_a_fresh_run() {
    if on_a_small_disk("harness::after_any_fault_each_verdict_is_that_of_a_fresh_run") {
        play_all(&Kinds::of(&[
            "git",
            "pools",
            "ssh",
            "damage",
            "machines",
            "projects",
            "signals",
            "cuts",
            "disks",
            "meanwhile",
        ]));
    }
}

/// Returns a number that was asked for by hand.
fn asked(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("`{name}` must be a number, not `{text}`")),
    )
}

fn play_all(kinds: &Kinds) {
    let rounds = asked("ATEX_HARNESS_ROUNDS").unwrap_or(ROUNDS);
    let first = asked("ATEX_HARNESS_SEED");
    let count = asked("ATEX_HARNESS_SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS.end - SEEDS.start });
    let first = first.unwrap_or(SEEDS.start);
    for seed in first..first + count {
        let mut play = Play::random(seed, rounds, kinds);
        match play.run() {
            Ok(oracle) => println!("seed {seed}: {oracle}, {:?}", play.shape),
            Err(wrong) => {
                let first = format!("round {} of seed {seed}: {}", wrong.round, wrong.what);
                eprintln!("{first}\nit is made shorter");
                let what = play.shorten(wrong);
                panic!("{first}\nthe shortest that fails is\n{play}and it fails so: {what}");
            }
        }
    }
}

impl std::fmt::Display for Play {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}", self.shape)?;
        let mut rounds = self.rounds.iter().enumerate();
        rounds.try_for_each(|(number, round)| writeln!(f, "{number}:{round}"))
    }
}

impl Play {
    /// Makes one of a seed. More rounds of a seed begin as fewer do.
    fn random(seed: u64, rounds: u64, kinds: &Kinds) -> Self {
        let mut random = Random::new(seed);
        let shape = Shape::of(seed, kinds);
        let first = Round::default();
        let others = (0..rounds).map(|_| Round::random(&mut random, &shape, kinds));
        let rounds = std::iter::once(first).chain(others).collect();
        Self { shape, rounds }
    }

    /// Plays it with a suite of its own.
    fn run(&self) -> Result<Oracle, Wrong> {
        let mut suite = Suite::new(&self.shape);
        let mut oracle = Oracle::default();
        for (number, round) in self.rounds.iter().enumerate() {
            let wrong = |what| Wrong { round: number, what };
            round.prepare(&mut suite);
            if round.damage.is_some() {
                oracle.forget();
            }
            let call = &round.call;
            let before = as_git_says(&suite.projects[call.project].tree);
            let build = suite.build(call).map_err(wrong)?;
            if std::env::var_os("ATEX_HARNESS_VERBOSE").is_some() {
                println!("{number}:{round}\n{build}");
            }
            oracle
                .judge(&suite, call, &before, &build)
                .map_err(|what| wrong(format!("{what}\n{build}")))?;
            suite.projects[call.project].remember();
        }
        oracle.struck = suite.struck;
        Ok(oracle)
    }

    /// Takes parts away as long as it still fails, and returns how it fails then.
    fn shorten(&mut self, wrong: Wrong) -> String {
        let until = Instant::now() + Duration::from_secs(asked("ATEX_HARNESS_SHORTENING").unwrap_or(SHORTENING));
        self.rounds.truncate(wrong.round + 1);
        let mut what = wrong.what;
        let mut attempt = |play: &mut Self, rounds: Vec<Round>| {
            if Instant::now() > until {
                return false;
            }
            let shape = play.shape.clone();
            let shorter = Self { shape, rounds };
            let Err(wrong) = shorter.run() else { return false };
            *play = shorter;
            play.rounds.truncate(wrong.round + 1);
            what = wrong.what;
            true
        };
        let mut at = self.rounds.len() - 1;
        while at > 0 {
            at = (at - 1).min(self.rounds.len() - 1);
            let mut rounds = self.rounds.clone();
            rounds.remove(at);
            attempt(self, rounds);
        }
        for at in (0..self.rounds.len()).rev() {
            while let Some(round) = self.rounds.get(at) {
                let all = round.shorter().into_iter().map(|round| {
                    let mut rounds = self.rounds.clone();
                    rounds[at] = round;
                    rounds
                });
                let all: Vec<_> = all.collect();
                if !all.into_iter().any(|rounds| attempt(self, rounds)) {
                    break;
                }
            }
        }
        what
    }
}
