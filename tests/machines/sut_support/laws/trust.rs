//! Laws about jobs whose end nobody saw: the machine itself remembers them, and only them.

use std::time::Instant;

use atex::sut::{Cut, OnHeld, Sut, SutState};

use crate::sut_support::{HANG, Running, World, eventually, run, script, test};

/// Opens the machine anew, and returns why it is not trusted.
fn doubt(world: &mut World<'_>, sut: Box<dyn Sut>) -> Option<String> {
    drop(sut);
    let mut sut = (world.make)();
    let hello = sut.open(OnHeld::Wait, &mut |_| ()).expect("the machine opens");
    hello.state.taint.map(|taint| taint.reason)
}

pub(crate) fn job_of_a_runner_that_was_killed_is_a_taint_until_a_state_is_written(world: &mut World<'_>) {
    let said = world.dir.with_file_name("said");
    let text = format!("echo ready >'{}'; sleep 1000", said.display());
    let mut runner = world.runner_with("test", text.as_ref());
    eventually("the test runs", || said.exists());
    runner.kill();
    for _ in 0..2 {
        let sut = (world.make)();
        let reason = doubt(world, sut).expect("it is tainted");
        assert!(reason.contains("`/a/b`"), "{reason}");
    }
    let mut sut = world.open();
    sut.set_state(&SutState::default()).unwrap();
    assert_eq!(doubt(world, sut), None);
}

pub(crate) fn job_whose_wrapper_was_killed_is_a_taint(world: &mut World<'_>) {
    for (job, name) in [
        (test("kill -9 $PPID; sleep 1000"), "`/a/b`"),
        (script("kill -9 $PPID; sleep 1000"), "a script"),
    ] {
        let mut sut = world.open();
        Running::start(&mut *sut, &job).finish();
        let reason = doubt(world, sut).expect("it is tainted");
        assert!(reason.contains(name), "{reason}");
        world.open().set_state(&SutState::default()).unwrap();
    }
}

pub(crate) fn job_that_was_let_go_is_a_taint_unless_its_runner_comes_back(world: &mut World<'_>) {
    let let_go = "echo disconnect >&7; while echo noop >&7; do sleep 0.1; done || :";
    for comes_back in [true, false] {
        let mut sut = world.open();
        let mut running = Running::start(&mut *sut, &test(let_go));
        running.said("noop\n");
        running.channel.detach();
        if comes_back {
            sut.reopen(Instant::now() + HANG).expect("the machine comes back");
            assert_eq!(run(&mut *sut, &test("exit 1")).exit_code(), 1);
        }
        assert_eq!(doubt(world, sut).is_none(), comes_back);
    }
}

pub(crate) fn overdue_job_is_a_taint_and_one_that_nobody_wants_is_none(world: &mut World<'_>) {
    for why in [Cut::Wanted, Cut::Overdue] {
        let mut sut = world.open();
        let mut running = Running::start(&mut *sut, &test("echo ready >&7; sleep 1000"));
        running.said("ready");
        running.channel.terminate(why);
        running.finish();
        assert_eq!(doubt(world, sut).is_some(), why == Cut::Overdue);
    }
}

pub(crate) fn job_that_came_to_its_end_is_no_taint(world: &mut World<'_>) {
    let mut sut = world.open();
    for job in [test("exit 3"), script("exit 0"), test("kill -9 $$"), test("sleep 1.5")] {
        run(&mut *sut, &job);
    }
    assert!(
        sut.start(&atex::sut::Job {
            dir: "nowhere".into(),
            ..test("true")
        })
        .is_err()
    );
    assert_eq!(doubt(world, sut), None);
}
