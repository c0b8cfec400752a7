//! Tests of the schedule: thousands of seeded simulations with failures at random moments check its invariants, and single tests
//! its rules.

mod attempts;
mod lanes;
mod prepare;
mod suts;

use proptest::prelude::*;

use super::*;
use crate::exec::schedule::simulation::{Dice, Fate, Simulation, Truth};

const RULES: ScheduleRules = ScheduleRules {
    retries: 0,
    retry_infra: 0,
    max_failures: None,
    same_failures: 2,
    connecting: 32,
};

fn unplugged() -> Skip {
    Skip::Unreachable("unplugged".to_owned())
}

fn no() -> Skip {
    Skip::Prepare("no".to_owned())
}

fn task(job: u32, expected: u32) -> Task {
    Task {
        job: JobId(job),
        expected,
        priority: 0,
    }
}

/// Makes lanes with these numbers of tests, each of one second, and with a chain of one step that takes `prepare`.
fn lanes_with(sizes: &[usize], prepare: u64) -> Vec<Lane> {
    let mut next = 0..;
    let lane = |(size, step): (&usize, u32)| Lane {
        tasks: next.by_ref().take(*size).map(|job| task(job, 1000)).collect(),
        entries: 0,
        chain: vec![ChainStep {
            step: StepNo(step),
            expected: prepare,
        }],
        finishes: false,
    };
    sizes.iter().zip(0..).map(lane).collect()
}

fn lanes(sizes: &[usize]) -> Vec<Lane> {
    lanes_with(sizes, 0)
}

fn schedule(sizes: &[usize], suts: usize) -> Schedule {
    Schedule::new(lanes(sizes), suts, RULES)
}

fn truth(lanes: &[Lane]) -> Truth {
    let mut times: Vec<_> = lanes.iter().flat_map(|lane| &lane.tasks).collect();
    times.sort_by_key(|task| task.job);
    Truth {
        times: times.iter().map(|task| task.expected.into()).collect(),
        prepare: lanes
            .iter()
            .map(|lane| lane.chain.iter().map(|step| step.expected).sum())
            .collect(),
        open: 10,
        finish: 100,
    }
}

/// How often things go wrong in a simulation, in thousandths.
#[derive(Clone, Copy, Debug)]
struct Weather {
    loss: u64,
    unprepared: u64,
    trouble: u64,
}

/// Decides what happens to each command by the given frequencies. The decisions are the same for the same seed.
fn fates(seed: u64, weather: Weather) -> impl FnMut(SutId, WorkerCommand) -> Fate {
    let mut dice = Dice(seed);
    move |_, command| {
        let luck = dice.below(1000);
        match command {
            WorkerCommand::Close => Fate::Well,
            _ if luck < weather.loss => Fate::Lost(u16::try_from(dice.below(1001)).unwrap()),
            WorkerCommand::Enter(_) if luck < weather.loss + weather.unprepared => {
                Fate::Unprepared(u8::try_from(dice.below(3)).unwrap())
            }
            WorkerCommand::Run(_) if luck < weather.loss + weather.trouble => match dice.below(4) {
                0 => Fate::Fails,
                1 => Fate::Overruns,
                2 => Fate::Breaks,
                _ => Fate::Busy,
            },
            _ => Fate::Well,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// The invariants themselves are checked in the simulation.
    #[test]
    fn every_test_is_answered_once_whatever_befalls_the_suts(
        sizes in proptest::collection::vec(0_usize..8, 0..6),
        suts in 0_usize..6,
        seed in any::<u64>(),
        (loss, unprepared, trouble) in (0_u64..150, 0_u64..500, 0_u64..400),
        (retries, retry_infra) in (0_u32..3, 0_u32..3),
        max_failures in proptest::option::weighted(0.2, 1_u32..4),
        (same_failures, connecting) in (1_u32..4, 1_u32..4),
        prepare in prop_oneof![Just(0_u64), Just(500), Just(60_000)],
        (finishes, entries) in (any::<bool>(), prop_oneof![3 => Just(0_u32), 1 => 1_u32..4]),
        joins in proptest::collection::vec(0_u64..20_000, 0..3),
        cancel_at in proptest::option::weighted(0.2, 0_u64..20_000),
        owing in proptest::collection::btree_set(0_u32..6, 0..4),
        give_ups in proptest::collection::vec((0_u64..20_000, 1_u32..5), 0..3),
    ) {
        let mut lanes = lanes_with(&sizes, prepare);
        for lane in &mut lanes {
            (lane.finishes, lane.entries) = (finishes, entries);
        }
        let rules = ScheduleRules { retries, retry_infra, max_failures, same_failures, connecting };
        let weather = Weather { loss, unprepared, trouble };
        let mut simulation = Simulation::new(lanes.clone(), suts, rules, truth(&lanes), fates(seed, weather));
        if let Some(at) = cancel_at {
            simulation = simulation.cancelled_at(at);
        }
        for (at, every) in give_ups {
            simulation = simulation.given_up_at(at, every);
        }
        for at in joins {
            simulation = simulation.joined_at(at);
        }
        for sut in owing.into_iter().filter(|&sut| (sut as usize) < suts) {
            simulation = simulation.owing(SutId(sut));
        }
        let report = simulation.run();
        prop_assert_eq!(report.passed + report.failed + report.skipped, sizes.iter().sum::<usize>() as u64);
    }

    #[test]
    fn where_all_goes_well_every_test_passes_and_each_sut_enters_few_lanes(
        sizes in proptest::collection::vec(1_usize..40, 1..6),
        suts in 1_usize..12,
        prepare in 0_u64..20_000,
    ) {
        let lanes = lanes_with(&sizes, prepare);
        let report = Simulation::new(lanes.clone(), suts, RULES, truth(&lanes), |_, _| Fate::Well).run();
        prop_assert_eq!(report.passed, sizes.iter().sum::<usize>() as u64);
        prop_assert!(report.entries <= (suts + sizes.len()) as u64 * 2, "{:?}", report);
    }
}
