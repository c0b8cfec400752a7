//! Laws of the choice of lanes, and of the estimate that depends on it.

use super::*;

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
