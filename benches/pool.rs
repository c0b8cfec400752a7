//! Benchmark of a pool of real SUTs: `cargo bench --bench pool [-- local | ssh | TARGET…]`.
//!
//! 1,000 tests that sleep 0.1 to 2 s run on 50 local SUTs and then on 50 SUTs over SSH, or on the given targets. The ideal is
//! that all tests are spread evenly. The time for starting atex and for opening, preparing and releasing SUTs is part of the run,
//! and counts against it. In the first run nothing is known of the SUTs and of the durations of tests; the second run uses what
//! the first one measured.
//!
//! The sshd belongs to the benchmark and runs on loopback with its default limits. The 50 SUTs are 50 directories there.

#[path = "support/lab.rs"]
mod lab;
#[expect(dead_code, reason = "tests do more with an sshd")]
#[path = "../tests/machines/sut_support/sshd.rs"]
mod sshd;

use std::fmt::Write as _;
use std::process::{Command, ExitCode};
use std::time::Instant;

use lab::{Lab, PLAIN_BASH};

const TESTS: u32 = 1000;
const SUTS: usize = 50;

/// From 0.1 to 2 s in steps that look random and sum up to the same in each run.
fn millis(number: u32) -> u32 {
    100 + number * 7919 % 1901
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let passed = match words.as_slice() {
        [] => local() && ssh(),
        ["local"] => local(),
        ["ssh"] => ssh(),
        targets => {
            let lab = lab();
            both_runs("as given", targets.len(), &mut lab.atex_as_here(&arguments(targets)))
        }
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn local() -> bool {
    let lab = lab();
    let target = format!("local*{SUTS}?dir={}", lab.path("suts").display());
    both_runs("local", SUTS, &mut lab.atex(&arguments(&[&target])))
}

fn ssh() -> bool {
    let lab = lab();
    lab.host("host", lab.port());
    let target = |number| format!("host?name=sut-{number}&dir={}/{number}", lab.path("suts").display());
    let targets: Vec<String> = (0..SUTS).map(target).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    both_runs("ssh", SUTS, &mut lab.atex(&arguments(&targets)))
}

fn arguments<'a>(targets: &[&'a str]) -> Vec<&'a str> {
    let targets = targets.iter().flat_map(|&target| ["-s", target]);
    ["build", "--quiet", "--rerun"].into_iter().chain(targets).collect()
}

fn lab() -> Lab {
    let lab = Lab::new(PLAIN_BASH);
    let mut tests = String::new();
    for number in 0..TESTS {
        let time = millis(number);
        let (seconds, rest, limit) = (time / 1000, time % 1000, 60 + time / 10);
        let _infallible = write!(
            tests,
            "/t{number}:\n    test: sleep {seconds}.{rest:03}\n    duration: {limit}s\n"
        );
    }
    lab.tree(&[("tests.fmf", &tests)]);
    lab
}

/// Says whether all tests passed.
fn both_runs(kind: &str, suts: usize, call: &mut Command) -> bool {
    ["first", "measured"].iter().all(|run| {
        let begun = Instant::now();
        let output = call.output().expect("atex runs");
        let took = begun.elapsed().as_secs_f64();
        let suts = f64::from(u32::try_from(suts).unwrap_or(u32::MAX));
        let ideal = f64::from((0..TESTS).map(millis).sum::<u32>()) / 1000.0 / suts;
        println!(
            "{kind}, {run}: {TESTS} tests on {suts} SUTs in {took:.1} s; ideal {ideal:.1} s: {:.0} %",
            ideal / took * 100.0
        );
        if !output.status.success() {
            println!("{}", String::from_utf8_lossy(&output.stdout));
            println!("{}", String::from_utf8_lossy(&output.stderr));
        }
        output.status.success()
    })
}
