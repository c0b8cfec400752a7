//! Tests of the schedule: thousands of seeded simulations with failures at random moments check its invariants, and single tests
//! its rules.

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

#[test]
fn exactly_those_that_owe_are_opened_where_nothing_has_to_run() {
    let mut schedule = schedule(&[0], 3);
    let owing = SutId(1);
    schedule.owe(owing);
    assert_eq!(schedule.start(0), [Decision::Tell(owing, WorkerCommand::Open)]);
    assert_eq!(
        schedule.handle(0, owing, Input::Opened(None)),
        [Decision::Tell(owing, WorkerCommand::Close)]
    );
    assert!(!schedule.is_over());
    schedule.handle(0, owing, Input::Closed);
    assert!(schedule.is_over());
}

#[test]
fn a_sut_whose_prepare_failed_leaves_the_tests_to_the_others() {
    let mut schedule = schedule(&[3], 2);
    assert_eq!(schedule.start(0).len(), 2);
    let (one, two) = (SutId(0), SutId(1));
    assert_eq!(
        schedule.handle(0, one, Input::Opened(None)),
        [Decision::Tell(one, WorkerCommand::Enter(LaneId(0)))]
    );
    let failed = schedule.handle(0, one, Input::EnterFailed(no()));
    assert_eq!(failed, [Decision::Tell(one, WorkerCommand::Leave(LaneId(0)))]);
    schedule.handle(0, two, Input::Opened(None));
    let decisions = schedule.handle(0, two, Input::Entered);
    assert_eq!(decisions, [Decision::Tell(two, WorkerCommand::Run(JobId(0)))]);
}

#[test]
fn prepare_that_fails_on_every_sut_skips_its_tests_and_no_others() {
    let mut schedule = schedule(&[1, 1], 1);
    schedule.start(0);
    let sut = SutId(0);
    schedule.handle(0, sut, Input::Opened(None));
    let decisions = schedule.handle(0, sut, Input::EnterFailed(no()));
    assert_eq!(
        decisions,
        [
            Decision::Skip(JobId(0), no()),
            Decision::Tell(sut, WorkerCommand::Leave(LaneId(0)))
        ]
    );
    let decisions = schedule.handle(0, sut, Input::Left);
    assert_eq!(decisions, [Decision::Tell(sut, WorkerCommand::Enter(LaneId(1)))]);
}

#[test]
fn prepare_that_fails_the_same_way_on_two_suts_does_not_eat_the_other_fifty() {
    let lanes = lanes(&[500]);
    let rules = ScheduleRules { connecting: 1, ..RULES };
    let broken = |_, command| match command {
        WorkerCommand::Enter(_) => Fate::Unprepared(1),
        _ => Fate::Well,
    };
    let truth = Truth {
        prepare: vec![60_000],
        ..truth(&lanes)
    };
    let slow = Truth { open: 100_000, ..truth };
    let report = Simulation::new(lanes, 50, rules, slow, broken).run();
    assert_eq!((report.skipped, report.entries), (500, 2));
}

#[test]
fn prepare_that_fails_in_different_ways_goes_on_to_the_next_sut() {
    let mut seen = 0;
    let broken = move |_, command| match command {
        WorkerCommand::Enter(_) if seen < 3 => {
            seen += 1;
            Fate::Unprepared(seen)
        }
        _ => Fate::Well,
    };
    let lanes = lanes(&[5]);
    let report = Simulation::new(lanes.clone(), 4, RULES, truth(&lanes), broken).run();
    assert_eq!((report.passed, report.entries), (5, 4));
}

#[test]
fn a_lane_that_is_closed_goes_on_where_it_was_entered() {
    let broken = |sut: SutId, command| match command {
        WorkerCommand::Enter(_) if sut.0 > 0 => Fate::Unprepared(1),
        _ => Fate::Well,
    };
    let lanes = lanes(&[20]);
    let report = Simulation::new(lanes.clone(), 10, RULES, truth(&lanes), broken).run();
    assert_eq!(report.passed, 20);
}

#[test]
fn suts_without_use_are_not_opened() {
    assert_eq!(schedule(&[2], 5).start(0).len(), 2);
    let mut idle = schedule(&[0], 5);
    assert_eq!(idle.start(0), []);
    assert!(idle.is_over());
}

#[test]
fn suts_are_connected_to_a_few_at_a_time_and_those_that_are_held_do_not_count() {
    let rules = ScheduleRules { connecting: 2, ..RULES };
    let mut schedule = Schedule::new(lanes(&[10]), 5, rules);
    assert_eq!(schedule.start(0).len(), 2);
    assert_eq!(
        schedule.held(0, SutId(0)),
        [Decision::Tell(SutId(2), WorkerCommand::Open)]
    );
    let decisions = schedule.handle(0, SutId(1), Input::Opened(None));
    assert!(
        decisions.contains(&Decision::Tell(SutId(3), WorkerCommand::Open)),
        "{decisions:?}"
    );
}

#[test]
fn a_spare_is_opened_in_place_of_a_sut_that_was_lost() {
    let mut schedule = schedule(&[1], 2);
    let (one, two) = (SutId(0), SutId(1));
    assert_eq!(schedule.start(0), [Decision::Tell(one, WorkerCommand::Open)]);
    let decisions = schedule.handle(0, one, Input::Lost(unplugged()));
    assert_eq!(decisions, [Decision::Tell(two, WorkerCommand::Open)]);
    let decisions = schedule.handle(0, two, Input::Lost(unplugged()));
    assert_eq!(decisions, [Decision::Skip(JobId(0), unplugged())]);
    assert!(schedule.is_over());
}

#[test]
fn a_spare_is_opened_where_prepare_failed_on_the_others() {
    let mut schedule = schedule(&[1], 2);
    let (one, two) = (SutId(0), SutId(1));
    schedule.start(0);
    schedule.handle(0, one, Input::Opened(None));
    let decisions = schedule.handle(0, one, Input::EnterFailed(no()));
    assert!(
        decisions.contains(&Decision::Tell(two, WorkerCommand::Open)),
        "{decisions:?}"
    );
}

#[test]
fn a_sut_that_joins_takes_work_at_once() {
    let lanes = lanes(&[100]);
    let alone = Simulation::new(lanes.clone(), 1, RULES, truth(&lanes), |_, _| Fate::Well).run();
    let joined = Simulation::new(lanes.clone(), 1, RULES, truth(&lanes), |_, _| Fate::Well);
    let joined = joined.joined_at(10_000).run();
    assert_eq!((alone.passed, joined.passed), (100, 100));
    assert!(joined.makespan < alone.makespan * 6 / 10, "{joined:?} {alone:?}");
}

#[test]
fn a_sut_that_was_let_go_comes_back_where_all_others_are_lost() {
    let mut schedule = schedule(&[2], 2);
    let (one, two) = (SutId(0), SutId(1));
    schedule.start(0);
    for sut in [one, two] {
        schedule.handle(0, sut, Input::Opened(None));
        schedule.handle(0, sut, Input::Entered);
    }
    schedule.verdict(0, one, AttemptOutcome::Passed);
    schedule.handle(0, one, Input::Ended(After::Clean));
    schedule.handle(0, one, Input::Left);
    schedule.handle(0, one, Input::Closed);
    let mut rules = RULES;
    rules.retry_infra = 1;
    schedule.rules = rules;
    assert_eq!(schedule.verdict(0, two, AttemptOutcome::Broken).0, Ruling::Again);
    let decisions = schedule.handle(0, two, Input::Lost(unplugged()));
    assert_eq!(decisions, [Decision::Tell(one, WorkerCommand::Open)]);
}

#[test]
fn a_test_that_its_sut_broke_off_goes_to_another_one_before_all_that_waits() {
    let rules = ScheduleRules {
        retry_infra: 1,
        ..RULES
    };
    let mut schedule = Schedule::new(lanes(&[6]), 2, rules);
    let (one, two) = (SutId(0), SutId(1));
    schedule.start(0);
    for sut in [one, two] {
        schedule.handle(0, sut, Input::Opened(None));
        schedule.handle(0, sut, Input::Entered);
    }
    assert_eq!(schedule.verdict(0, one, AttemptOutcome::Broken).0, Ruling::Again);
    assert_eq!(schedule.attempt(JobId(0)), 2);
    let same = schedule.handle(0, one, Input::Ended(After::Clean));
    assert_eq!(same, [Decision::Tell(one, WorkerCommand::Run(JobId(2)))]);
    schedule.verdict(0, two, AttemptOutcome::Passed);
    let other = schedule.handle(0, two, Input::Ended(After::Clean));
    assert_eq!(other, [Decision::Tell(two, WorkerCommand::Run(JobId(0)))]);
    assert_eq!(
        schedule.verdict(0, two, AttemptOutcome::Broken).0,
        Ruling::Final { flaky: false }
    );
}

#[test]
fn a_test_that_passes_after_it_failed_is_flaky_and_one_that_fails_always_is_not() {
    let rules = ScheduleRules { retries: 1, ..RULES };
    let mut schedule = Schedule::new(lanes(&[2]), 1, rules);
    let sut = SutId(0);
    schedule.start(0);
    schedule.handle(0, sut, Input::Opened(None));
    schedule.handle(0, sut, Input::Entered);
    assert_eq!(schedule.verdict(0, sut, AttemptOutcome::Failed).0, Ruling::Again);
    let again = schedule.handle(0, sut, Input::Ended(After::Clean));
    assert_eq!(
        again,
        [Decision::Tell(sut, WorkerCommand::Run(JobId(0)))],
        "reruns come as early as they can"
    );
    assert_eq!(
        schedule.verdict(0, sut, AttemptOutcome::Passed).0,
        Ruling::Final { flaky: true }
    );
    schedule.handle(0, sut, Input::Ended(After::Clean));
    assert_eq!(schedule.verdict(0, sut, AttemptOutcome::Failed).0, Ruling::Again);
    schedule.handle(0, sut, Input::Ended(After::Clean));
    assert_eq!(
        schedule.verdict(0, sut, AttemptOutcome::Failed).0,
        Ruling::Final { flaky: false }
    );
}

#[test]
fn after_enough_failures_nothing_starts_and_what_runs_goes_on() {
    let rules = ScheduleRules {
        max_failures: Some(1),
        ..RULES
    };
    let mut schedule = Schedule::new(lanes(&[3]), 2, rules);
    let (one, two) = (SutId(0), SutId(1));
    schedule.start(0);
    for sut in [one, two] {
        schedule.handle(0, sut, Input::Opened(None));
        schedule.handle(0, sut, Input::Entered);
    }
    let (ruling, decisions) = schedule.verdict(0, one, AttemptOutcome::Failed);
    assert_eq!(ruling, Ruling::Final { flaky: false });
    assert!(
        matches!(decisions[..], [Decision::Skip(JobId(2), Skip::Stopped(_))]),
        "{decisions:?}"
    );
    assert_eq!(
        schedule.handle(0, one, Input::Ended(After::Clean)),
        [Decision::Tell(one, WorkerCommand::Leave(LaneId(0)))]
    );
    assert_eq!(schedule.job_on(two), Some(JobId(1)));
}

#[test]
fn what_is_given_up_does_not_start_and_is_not_tried_again() {
    let rules = ScheduleRules { retries: 1, ..RULES };
    let mut schedule = Schedule::new(lanes(&[4]), 2, rules);
    let (one, two) = (SutId(0), SutId(1));
    schedule.start(0);
    for sut in [one, two] {
        schedule.handle(0, sut, Input::Opened(None));
        schedule.handle(0, sut, Input::Entered);
    }
    let ended = Skip::Stopped("its plan ended".to_owned());
    assert_eq!(
        schedule.give_up(0, &[JobId(1), JobId(2)], &ended),
        [Decision::Skip(JobId(2), ended)],
        "the first runs"
    );
    let (ruling, _) = schedule.verdict(0, two, AttemptOutcome::Failed);
    assert_eq!(ruling, Ruling::Final { flaky: false });
    assert_eq!(
        schedule.handle(0, two, Input::Ended(After::Clean)),
        [Decision::Tell(two, WorkerCommand::Run(JobId(3)))],
        "what was not given up runs"
    );
    assert!(!schedule.is_stopped());
}

#[test]
fn a_test_that_was_given_up_and_that_another_process_runs_is_not_waited_for() {
    let mut schedule = schedule(&[1], 1);
    schedule.start(0);
    schedule.handle(0, SutId(0), Input::Opened(None));
    schedule.handle(0, SutId(0), Input::Entered);
    let ended = Skip::Stopped("its plan ended".to_owned());
    assert_eq!(schedule.give_up(0, &[JobId(0)], &ended), []);
    let decisions = schedule.handle(0, SutId(0), Input::Ended(After::Busy));
    assert!(decisions.contains(&Decision::Skip(JobId(0), ended)), "{decisions:?}");
    assert_eq!(schedule.busy(), []);
}

#[test]
fn an_attempt_that_passes_after_the_end_is_flaky_where_one_before_it_failed() {
    let rules = ScheduleRules { retries: 1, ..RULES };
    let mut schedule = Schedule::new(lanes(&[1]), 1, rules);
    schedule.start(0);
    schedule.handle(0, SutId(0), Input::Opened(None));
    schedule.handle(0, SutId(0), Input::Entered);
    assert_eq!(schedule.verdict(0, SutId(0), AttemptOutcome::Failed).0, Ruling::Again);
    schedule.handle(0, SutId(0), Input::Ended(After::Clean));
    schedule.cancel(0);
    let (ruling, _) = schedule.verdict(0, SutId(0), AttemptOutcome::Passed);
    assert_eq!(ruling, Ruling::Final { flaky: true });
}

#[test]
fn suts_that_are_prepared_for_a_lane_serve_that_lane() {
    let lanes = lanes_with(&[40, 40], 100_000);
    let simulation = Simulation::new(lanes.clone(), 4, RULES, truth(&lanes), |_, _| Fate::Well);
    let homes = [1, 0, 1, 0];
    let simulation = homes.iter().zip(0..).fold(simulation, |simulation, (&lane, sut)| {
        simulation.prepared(SutId(sut), LaneId(lane))
    });
    let report = simulation.run();
    assert_eq!((report.passed, report.entries), (80, 4));
    assert!(
        report.makespan < 25_000,
        "nobody was prepared for another lane: {report:?}"
    );
}

#[test]
fn lanes_get_suts_by_the_work_they_hold() {
    let lanes = lanes_with(&[300, 100], 1_000);
    let report = Simulation::new(lanes.clone(), 4, RULES, truth(&lanes), |_, _| Fate::Well).run();
    assert_eq!(
        report.entries, 4,
        "three for the one, one for the other, and nobody changes: {report:?}"
    );
    assert!(report.makespan < 103_000, "{report:?}");
}

#[test]
fn a_sut_does_not_change_its_lane_where_that_takes_longer_than_what_is_left() {
    let lanes = lanes_with(&[10, 20], 60_000);
    let report = Simulation::new(lanes.clone(), 2, RULES, truth(&lanes), |_, _| Fate::Well).run();
    assert_eq!((report.passed, report.entries), (30, 2));
}

#[test]
fn a_lane_that_lost_its_only_sut_gets_another_one_before_the_large_one_is_over() {
    let lanes = lanes_with(&[1000, 3], 1_000);
    let mut lost = false;
    let fate = move |_, command| {
        if command == WorkerCommand::Enter(LaneId(1)) && !lost {
            lost = true;
            return Fate::Lost(500);
        }
        Fate::Well
    };
    let report = Simulation::new(lanes.clone(), 5, RULES, truth(&lanes), fate).run();
    assert_eq!(report.passed, 1003);
    assert!(report.makespan < 256_000, "{report:?}");
}

#[test]
fn a_lane_with_a_test_of_higher_priority_goes_first() {
    let mut lanes = lanes(&[5, 1]);
    lanes[1].tasks[0].priority = 1;
    let mut schedule = Schedule::new(lanes, 1, RULES);
    schedule.start(0);
    let decisions = schedule.handle(0, SutId(0), Input::Opened(None));
    assert_eq!(decisions, [Decision::Tell(SutId(0), WorkerCommand::Enter(LaneId(1)))]);
}

#[test]
fn a_test_that_another_process_runs_is_not_lost_when_the_sut_has_done_all_else() {
    let mut schedule = schedule(&[1, 1], 1);
    let sut = SutId(0);
    schedule.start(0);
    schedule.handle(0, sut, Input::Opened(None));
    schedule.handle(0, sut, Input::Entered);
    let decisions = schedule.handle(0, sut, Input::Ended(After::Busy));
    assert_eq!(decisions, [Decision::Tell(sut, WorkerCommand::Leave(LaneId(0)))]);
    schedule.handle(0, sut, Input::Left);
    schedule.handle(0, sut, Input::Entered);
    schedule.verdict(0, sut, AttemptOutcome::Passed);
    assert_eq!(schedule.handle(0, sut, Input::Ended(After::Clean)), []);
    assert_eq!(schedule.busy(), [JobId(0)]);
    let decisions = schedule.offer_again(0, JobId(0));
    assert_eq!(decisions, [Decision::Tell(sut, WorkerCommand::Leave(LaneId(1)))]);
    let decisions = schedule.handle(0, sut, Input::Left);
    assert_eq!(decisions, [Decision::Tell(sut, WorkerCommand::Enter(LaneId(0)))]);
}

#[test]
fn a_lane_that_wants_two_suts_for_itself_is_not_entered_twice_by_one() {
    let lane = Lane {
        entries: 2,
        ..Lane::default()
    };
    let mut schedule = Schedule::new(vec![lane], 2, RULES);
    let (one, two) = (SutId(0), SutId(1));
    assert_eq!(schedule.start(0).len(), 2);
    schedule.handle(0, one, Input::Opened(None));
    let decisions = schedule.handle(0, one, Input::Entered);
    assert_eq!(decisions, [Decision::Tell(one, WorkerCommand::Leave(LaneId(0)))]);
    assert_eq!(
        schedule.handle(0, one, Input::Left),
        [Decision::Tell(one, WorkerCommand::Close)]
    );
    let decisions = schedule.handle(0, two, Input::Opened(None));
    assert_eq!(decisions, [Decision::Tell(two, WorkerCommand::Enter(LaneId(0)))]);
}

#[test]
fn the_estimate_counts_what_waits_and_tells_the_end_by_the_pace_of_the_run() {
    let mut schedule = schedule(&[101], 1);
    schedule.start(0);
    schedule.handle(0, SutId(0), Input::Opened(None));
    schedule.handle(0, SutId(0), Input::Entered);
    let estimate = schedule.estimate(0);
    assert_eq!((estimate.waiting, estimate.running, estimate.left), (100, 1, 101_000));
    for number in 1..=50 {
        schedule.verdict(number * 10, SutId(0), AttemptOutcome::Passed);
        schedule.handle(number * 10, SutId(0), Input::Ended(After::Clean));
    }
    let estimate = schedule.estimate(500);
    assert_eq!((estimate.waiting, estimate.running), (50, 1));
    assert!(
        estimate.left < 1_000,
        "tests take ten milliseconds, not a second: {estimate:?}"
    );
}
