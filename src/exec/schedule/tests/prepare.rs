//! Laws of lanes that a SUT could not enter.

use super::*;

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
