//! Benchmark of the cost of a test beside its own work, if it is one of many in a row on one machine.

use std::fmt::Write as _;
use std::process::Command;

use crate::lab::Lab;
use crate::proxy::delaying;
use crate::timing::{LATENCY, middle, round_trips, timed};

/// How often each is done.
const ROUNDS: usize = 7;

/// Tests of the shorter run; the longer one has as many more.
const TESTS: u32 = 50;

/// Prints the table.
pub(crate) fn row() {
    let lab = Lab::new(&crate::server());
    lab.host("near", lab.port());
    lab.host("far", delaying(lab.port(), LATENCY));
    let mut tests = String::new();
    for number in 0..2 * TESTS {
        let half = if number < TESTS { "first" } else { "second" };
        let _infallible = writeln!(tests, "/{half}/t{number}:\n  test: 'true'");
    }
    lab.tree(&[
        (
            "plans.fmf",
            "execute: {how: tmt}\n/half:\n  discover: {how: fmf, test: [/first/]}\n/whole:\n  discover: {how: fmf}\n",
        ),
        ("tests.fmf", &tests),
    ]);
    let each = ["near", "far"].map(|host| {
        timed(&mut build(&lab, host, "/plans/whole"));
        let cost = |_| {
            let half = timed(&mut build(&lab, host, "/plans/half"));
            (timed(&mut build(&lab, host, "/plans/whole")) - half) / f64::from(TESTS)
        };
        middle(&(0..ROUNDS).map(cost).collect::<Vec<_>>())
    });
    println!(
        "\na test after another, {TESTS} in a row       {:>10.1} ms {:>9.1} ms {:>13.1}",
        each[0],
        each[1],
        round_trips(each[0], each[1])
    );
}

fn build(lab: &Lab, host: &str, plan: &str) -> Command {
    let target = format!("{host}?dir={}", lab.path("sut").display());
    lab.atex(&["build", "--rerun", "--quiet", plan, "-s", &target])
}
