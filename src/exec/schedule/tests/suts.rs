//! Laws of SUTs: which of them are opened, which join, and which come back.

use super::*;

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
