//! A pool of real SUTs at work: `cargo bench --bench pool [-- TARGET…]`.
//!
//! 1,000 tests that sleep 0.1 to 2 s, on the targets that are given, else on 50 local ones. The ideal is all tests spread evenly; what
//! starting atex, opening, preparing and letting go takes is part of the run, and counts against it.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, ExitCode};
use std::time::Instant;

const TESTS: u32 = 1000;
const SUTS: u32 = 50;

/// From 0.1 to 2 s in steps that look random and sum up to the same in each run.
fn millis(number: u32) -> u32 {
    100 + number * 7919 % 1901
}

fn main() -> ExitCode {
    let targets: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let dir = tempfile::tempdir().expect("a directory");
    let tree = dir.path().join("tree");
    fs::create_dir_all(tree.join(".fmf")).expect("a tree");
    fs::write(tree.join(".fmf/version"), "1\n").expect("a file");
    let mut tests = String::new();
    for number in 0..TESTS {
        let time = millis(number);
        let (seconds, rest, limit) = (time / 1000, time % 1000, 60 + time / 10);
        let _infallible = write!(
            tests,
            "/t{number}:\n    test: sleep {seconds}.{rest:03}\n    duration: {limit}s\n"
        );
    }
    fs::write(tree.join("tests.fmf"), tests).expect("a file");
    let mut call = Command::new(env!("CARGO_BIN_EXE_atex"));
    call.args(["build", "--quiet", "--rerun"]).current_dir(&tree);
    call.env("ATEX_CACHE", dir.path().join("cache"))
        .env("XDG_STATE_HOME", dir.path().join("state"))
        .env("XDG_CONFIG_HOME", dir.path().join("config"));
    let suts = if targets.is_empty() {
        call.args(["-s", &format!("local*{SUTS}"), "--sut-dir"])
            .arg(dir.path().join("suts"));
        SUTS
    } else {
        for target in &targets {
            call.args(["-s", target]);
        }
        u32::try_from(targets.len()).expect("few targets")
    };
    for run in ["first", "measured"] {
        let begun = Instant::now();
        let status = call.status().expect("atex runs");
        let took = begun.elapsed().as_secs_f64();
        let ideal = f64::from((0..TESTS).map(millis).sum::<u32>()) / 1000.0 / f64::from(suts);
        println!(
            "{run}: {TESTS} tests on {suts} SUTs in {took:.1} s; ideal {ideal:.1} s: {:.0} %",
            ideal / took * 100.0
        );
        if !status.success() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
