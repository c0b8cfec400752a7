//! Benchmark of the schedule, which gives tests to SUTs: how good its makespans are, and how fast it is: `cargo bench --bench
//! schedule`.
//!
//! The pools are simulated by the unit tests' model (`src/exec/schedule/simulation.rs`), which also checks the schedule's
//! invariants. The lower bound of a makespan is the longest test, or all tests spread evenly, whichever is more; the time for
//! opening and preparing a SUT is added to both.

use std::time::Instant;

// The simulation is test code of atex and names the scheduler by its path there.
use atex::exec;
use atex::exec::schedule::{ChainStep, JobId, Lane, LaneId, ScheduleRules, StepNo, Task};
use simulation::{Dice, Fate, Simulation, SimulationReport, Truth};

#[expect(
    dead_code,
    unreachable_pub,
    reason = "it is a part of the unit tests, which simulate more than is measured here"
)]
#[path = "../src/exec/schedule/simulation.rs"]
mod simulation;

/// Times with a heavy tail, in milliseconds: Pareto with α = 1.3 from 2 s, cut at `longest`.
fn heavy_tailed(count: usize, longest: f64, dice: &mut Dice) -> Vec<u64> {
    let one = |dice: &mut Dice| (2_000.0 * (1.0 - dice.unit()).powf(-1.0 / 1.3)).min(longest);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds")]
    let times = (0..count).map(|_| one(dice) as u64).collect();
    times
}

/// A `duration` as people write it: a round limit, two to ten times of what the test takes.
fn declared(time: u64, dice: &mut Dice) -> u64 {
    let limits = [1, 5, 10, 15, 30, 60, 120, 240, 480, 960].map(|minutes| minutes * 60_000);
    let generous = time * (2 + dice.below(9));
    limits.into_iter().find(|limit| *limit >= generous).unwrap_or(generous)
}

/// One lane of tests, the longest expected first.
fn lane(times: &[u64], expected: impl Fn(usize) -> u64) -> Lane {
    let mut tasks: Vec<Task> = (0..times.len())
        .map(|at| Task {
            job: JobId(u32::try_from(at).expect("few tests")),
            expected: u32::try_from(expected(at)).unwrap_or(u32::MAX),
            priority: 0,
        })
        .collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(task.expected));
    Lane {
        tasks,
        ..Lane::default()
    }
}

fn simulate(lanes: Vec<Lane>, suts: usize, truth: Truth) -> SimulationReport {
    let rules = ScheduleRules {
        connecting: u32::MAX,
        ..ScheduleRules::default()
    };
    Simulation::new(lanes, suts, rules, truth, |_, _| Fate::Well).run()
}

/// By how many percent a makespan is over its lower bound.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a run")]
fn over(makespan: u64, bound: u64) -> f64 {
    (makespan as f64 / bound as f64 - 1.0) * 100.0
}

fn bound(times: &[u64], suts: usize) -> u64 {
    let total: u64 = times.iter().sum();
    total
        .div_ceil(suts as u64)
        .max(times.iter().copied().max().unwrap_or_default())
}

fn makespans() {
    println!("makespan over max(total / SUTs, longest), worst of 20 pools; 100 tests a SUT, times with a heavy tail");
    println!(
        "{:>6} {:>10} {:>10} {:>22} {:>22}",
        "SUTs", "tests", "known", "only `duration` known", "nothing known"
    );
    for suts in [1, 2, 5, 10, 50, 100, 500, 1000] {
        let mut worst = [0.0_f64; 3];
        for seed in 0..20 {
            let mut dice = Dice(seed * 7919 + suts as u64);
            let times = heavy_tailed(suts * 100, 3_600_000.0, &mut dice);
            let hints: Vec<u64> = times.iter().map(|&time| declared(time, &mut dice)).collect();
            let ways: [&dyn Fn(usize) -> u64; 3] = [&|at| times[at], &|at| hints[at], &|_| 300_000];
            for (worst, expected) in worst.iter_mut().zip(ways) {
                let truth = Truth {
                    times: times.clone(),
                    prepare: vec![0],
                    ..Truth::default()
                };
                let report = simulate(vec![lane(&times, expected)], suts, truth);
                *worst = worst.max(over(report.makespan, bound(&times, suts)));
            }
        }
        let [known, hinted, blind] = worst;
        println!(
            "{suts:>6} {:>10} {known:>8.1} % {hinted:>20.1} % {blind:>20.1} %",
            suts * 100
        );
    }
}

/// Several chains that compete for the SUTs: what is paid beyond the work and one prepare of each SUT.
fn chains() {
    println!(
        "\nmakespan with five chains, each entered in 60 s, over (work + chains entered once a SUT) / SUTs or the longest"
    );
    for suts in [2, 10, 100] {
        let mut dice = Dice(suts as u64);
        let (mut lanes, mut times) = (Vec::new(), Vec::new());
        for chain in 0..5_u32 {
            let own = heavy_tailed(suts * 10 * (chain as usize + 1), 600_000.0, &mut dice);
            let first = u32::try_from(times.len()).expect("few tests");
            let mut lane = lane(&own, |at| own[at]);
            for task in &mut lane.tasks {
                task.job.0 += first;
            }
            lane.chain = vec![ChainStep {
                step: StepNo(chain),
                expected: 60_000,
            }];
            lanes.push(lane);
            times.extend(own);
        }
        let total: u64 = times.iter().sum::<u64>() + 60_000 * suts.max(5) as u64;
        let longest = times.iter().copied().max().unwrap_or_default() + 60_000;
        let least = longest.max(total / suts as u64);
        let truth = Truth {
            times,
            prepare: vec![60_000; 5],
            ..Truth::default()
        };
        let report = simulate(lanes, suts, truth);
        println!(
            "{suts:>6} SUTs {:>8.1} %  chains entered {} times",
            over(report.makespan, least),
            report.entries
        );
    }
}

/// The memory of this process in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * rustix::param::page_size()
}

fn speed() {
    use atex::exec::schedule::{After, AttemptOutcome, Decision, Input, Schedule, WorkerCommand};
    let (tests, suts) = (100_000, 1000);
    let times = heavy_tailed(tests, 3_600_000.0, &mut Dice(1));
    let lanes: Vec<Lane> = (0..100_usize)
        .map(|chain| {
            let mut lane = lane(&times, |at| times[at]);
            lane.tasks.retain(|task| task.job.0 as usize % 100 == chain);
            lane.chain = vec![ChainStep {
                step: StepNo(u32::try_from(chain).expect("few chains")),
                expected: 60_000,
            }];
            lane
        })
        .collect();
    let mut schedule = Schedule::new(lanes, suts, ScheduleRules::default());
    let begun = Instant::now();
    let (mut now, mut decided, mut ran) = (0, 0_u64, 0_u64);
    let mut queue: std::collections::VecDeque<Decision> = schedule.start(0).into();
    while let Some(decision) = queue.pop_front() {
        decided += 1;
        now += 3;
        let Decision::Tell(sut, command) = decision else {
            continue;
        };
        let input = match command {
            WorkerCommand::Open => Input::Opened(None),
            WorkerCommand::Enter(_) => Input::Entered,
            WorkerCommand::Run(_) => {
                ran += 1;
                queue.extend(schedule.verdict(now, sut, AttemptOutcome::Passed).1);
                Input::Ended(After::Clean)
            }
            WorkerCommand::Leave(_) => Input::Left,
            WorkerCommand::Close => Input::Closed,
        };
        queue.extend(schedule.handle(now, sut, input));
    }
    let took = begun.elapsed().as_secs_f64();
    assert!(schedule.is_over() && ran == tests as u64, "all tests ran");
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let per_second = |count: u64| count as f64 / took;
    println!("\n{tests} tests of 100 chains on {suts} SUTs, on one core:");
    println!(
        "  {:.0} tests a second, {:.0} decisions a second",
        per_second(ran),
        per_second(decided)
    );
}

/// What a waiting test takes, with the list that it came in: of a million, as memory comes in pages.
fn weight() {
    use atex::exec::schedule::Schedule;
    const TESTS: u32 = 1_000_000;
    let before = resident();
    let tasks = (0..TESTS).map(|job| Task {
        job: JobId(job),
        expected: TESTS - job,
        priority: 0,
    });
    let lane = Lane {
        tasks: tasks.collect(),
        ..Lane::default()
    };
    let schedule = Schedule::new(vec![lane], 1000, ScheduleRules::default());
    let memory = resident().saturating_sub(before);
    assert_eq!(schedule.pending(LaneId(0)).count(), TESTS as usize, "all tests wait");
    println!("  {} bytes for each of {TESTS} waiting tests", memory / TESTS as usize);
}

fn main() {
    speed();
    weight();
    makespans();
    chains();
}
