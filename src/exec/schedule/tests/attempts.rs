//! Laws of the attempts of a test: when it runs again, when it does not start any more, and when another process runs it.

use super::*;

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
