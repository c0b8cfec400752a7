//! Laws about how jobs end, and that nothing is left of them.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use atex::sut::{Cut, End, OnHeld, TroubleKind, Urgency};
use rustix::fs::{FlockOperation, flock};

use crate::sut_support::{HANG, Running, World, eventually, lives, run, test, tty_test};

/// Returns a test that starts processes which are hard to end, and prints their pids one a line before it runs `then`.
fn company(then: &str) -> String {
    let children = "bash -c 'trap \"\" TERM HUP INT; echo $$ >&7; while :; do sleep 0.1; done' & sleep 1000 & echo $! >&7; (sleep 1001 & echo $BASHPID >&7; wait) &";
    format!("{children} echo $$ >&7; while read -r n </dev/null; do :; done; sleep 0.2; echo ready >&7; {then}")
}

/// Returns the numbers on the control stream.
fn pids(control: &str) -> Vec<String> {
    control
        .lines()
        .filter(|line| line.parse::<u32>().is_ok())
        .map(str::to_owned)
        .collect()
}

fn all_gone(pids: &[String]) {
    assert!(!pids.is_empty());
    for pid in pids {
        eventually(&format!("{pid} is gone"), || !lives(pid));
    }
}

pub(crate) fn what_a_test_leaves_in_its_group_is_killed_when_it_ends(world: &mut World<'_>) {
    let mut sut = world.open();
    for (job, code) in [
        (test(&company("exit 3")), 3),
        (tty_test(&company("exit 3")), 3),
        (test(&company("kill -9 $$")), 137),
    ] {
        let outcome = run(&mut *sut, &job);
        assert_eq!(outcome.exit_code(), code);
        let pids = pids(&outcome.control());
        assert_eq!(pids.len(), 4);
        let left: Vec<_> = pids.iter().filter(|pid| lives(pid)).collect();
        assert!(left.is_empty(), "{left:?} live when the exit code is told");
    }
}

pub(crate) fn a_job_whose_runner_is_gone_when_its_turn_comes_does_not_start(world: &mut World<'_>) {
    let dir = world.dir.clone();
    let mut runner = world.runner_with("late", "sleep 1000".as_ref());
    let open = |name| File::options().write(true).open(dir.join(name)).unwrap();
    let job = open("run.lock");
    flock(&job, FlockOperation::LockExclusive).unwrap();
    std::fs::write(dir.with_file_name("go"), "").unwrap();
    let waits = || users(&dir.join("run.lock")).len() > 1;
    eventually("the wrapper waits for the job that runs", waits);
    runner.kill();
    let free = || flock(open("lease"), FlockOperation::NonBlockingLockExclusive).is_ok();
    eventually("nobody has the lease", free);
    drop(job);
    eventually("the wrapper ends", || users(&dir.join("run.lock")).is_empty());
    // A job that had begun would be named there, however soon it was ended.
    let unended = std::fs::read_to_string(dir.join("v1/unended")).unwrap_or_default();
    assert_eq!(
        unended.lines().next().unwrap_or_default(),
        "",
        "nobody wanted this job any more"
    );
    assert_eq!(run(&mut *world.open(), &test("exit 5")).exit_code(), 5);
}

/// Returns the processes that have a file open.
fn users(file: &Path) -> Vec<String> {
    let entries = |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let has_it =
        |dir: &Path| entries(&dir.join("fd")).any(|open| std::fs::read_link(open.path()).is_ok_and(|to| to == file));
    let processes = entries(Path::new("/proc")).filter(|process| has_it(&process.path()));
    processes
        .map(|process| process.file_name().to_string_lossy().into_owned())
        .collect()
}

pub(crate) fn terminate_ends_the_whole_group_also_what_ignores_term(world: &mut World<'_>) {
    let mut sut = world.open();
    for job in [
        test(&company("sleep 1000")),
        test(&company("trap '' TERM; sleep 1000; sleep 1000")),
        tty_test(&company("sleep 1000")),
    ] {
        let mut running = Running::start(&mut *sut, &job);
        running.said("ready");
        running.channel.terminate(Cut::Wanted);
        let outcome = running.finish();
        assert_eq!(outcome.end, Some(End::Clean));
        assert!(outcome.exit_code() >= 128, "{}", outcome.control());
        all_gone(&pids(&outcome.control()));
    }
}

pub(crate) fn test_may_clean_up_when_it_is_terminated(world: &mut World<'_>) {
    let mut sut = world.open();
    let mut running = Running::start(
        &mut *sut,
        &test("trap 'echo cleaned up; exit 5' TERM; echo ready >&7; while :; do sleep 0.1; done"),
    );
    running.said("ready");
    running.channel.terminate(Cut::Wanted);
    let outcome = running.finish();
    assert_eq!(
        (outcome.output().lines().last(), outcome.exit_code()),
        (Some("cleaned up"), 5)
    );
}

pub(crate) fn dropped_channel_ends_the_job(world: &mut World<'_>) {
    let mut sut = world.open();
    let mut running = Running::start(&mut *sut, &test(&company("sleep 1000")));
    running.said("ready");
    let pids = pids(&running.seen.control());
    drop(running);
    all_gone(&pids);
}

pub(crate) fn killed_runner_leaves_nothing_behind(world: &mut World<'_>) {
    let said = world.dir.with_file_name("said");
    for (mode, then) in [
        ("test", "sleep 1000"),
        ("tty", "sleep 1000"),
        ("test", "trap '' TERM HUP PIPE; while :; do sleep 1; echo x || :; done"),
    ] {
        let _none = std::fs::remove_file(&said);
        let text = company(then).replace(">&7", &format!(">>'{}'", said.display()));
        let mut runner = world.runner_with(mode, text.as_ref());
        let content = || std::fs::read_to_string(&said).unwrap_or_default();
        eventually("the test runs", || content().contains("ready"));
        runner.kill();
        all_gone(&pids(&content()));
        drop(world.open_waiting());
    }
}

pub(crate) fn machine_is_taken_only_when_the_last_job_is_gone(world: &mut World<'_>) {
    let said = world.dir.with_file_name("said");
    let text = company("sleep 1000").replace(">&7", &format!(">>'{}'", said.display()));
    let mut runner = world.runner_with("test", text.as_ref());
    eventually("the test runs", || {
        std::fs::read_to_string(&said).unwrap_or_default().contains("ready")
    });
    runner.kill();
    let _sut = world.open_waiting();
    for pid in pids(&std::fs::read_to_string(&said).unwrap()) {
        assert!(!lives(&pid), "{pid} lives while somebody else has the machine");
    }
}

pub(crate) fn wrapper_that_is_killed_is_a_broken_end_and_its_job_dies(world: &mut World<'_>) {
    let mut sut = world.open();
    // The job's parent is the wrapper.
    let mut running = Running::start(&mut *sut, &test(&company("kill -9 $PPID; sleep 1000")));
    running.said("ready");
    let outcome = running.finish();
    // An engine tells a signal as a shell does.
    let signal = if world.kind == "podman" { "137" } else { "signal 9" };
    assert!(
        matches!(&outcome.end, Some(End::Broken(how)) if how.contains(signal)),
        "{:?}",
        outcome.end
    );
    assert!(!outcome.control().contains("exitcode"));
    all_gone(&pids(&outcome.control()));
    assert_eq!(run(&mut *sut, &test("exit 0")).exit_code(), 0);
}

pub(crate) fn wrapper_and_watcher_killed_leave_their_job_to_the_next_open(world: &mut World<'_>) {
    let mut sut = world.open();
    let everyone = "for p in /proc/[0-9]*; do read -r -a f <$p/stat && [ ${f[3]} = $PPID ] && [ ${p#/proc/} != $$ ] && kill -9 ${p#/proc/}; done 2>/dev/null; kill -9 $PPID";
    let mut running = Running::start(&mut *sut, &test(&company(&format!("{everyone}; sleep 1000"))));
    running.said("ready");
    let outcome = running.finish();
    let pids = pids(&outcome.control());
    sut.close();
    let _sut = world.open_waiting();
    all_gone(&pids);
}

/// The loop of PROTOCOL.md. What is added behind it runs once the runner has let go.
const NOOP_LOOP: &str =
    "echo disconnect >&$ATEX_TEST_CONTROL; while :; do echo noop >&$ATEX_TEST_CONTROL || break; sleep 0.1; done;";

pub(crate) fn detached_test_sees_epipe_and_goes_on(world: &mut World<'_>) {
    let mut sut = world.open();
    for job in [test, tty_test] {
        let mark = world.tree("mark");
        let _none = std::fs::remove_file(&mark);
        let mut running = Running::start(&mut *sut, &job(&format!("{NOOP_LOOP} echo went on >mark")));
        running.said("noop\nnoop\n");
        running.channel.detach();
        sut.reopen(Instant::now() + HANG).expect("the machine comes back");
        assert_eq!(std::fs::read_to_string(&mark).unwrap(), "went on\n");
        assert_eq!(run(&mut *sut, &job("exit 6")).exit_code(), 6);
    }
}

pub(crate) fn failed_write_is_an_error_of_the_command_and_children_die_of_it(world: &mut World<'_>) {
    let mut sut = world.open();
    let after = "rc=0; bash -c 'while :; do echo noop >&7; done' || rc=$?; echo $rc >mark";
    let mut running = Running::start(&mut *sut, &test(&format!("{NOOP_LOOP} {after}")));
    running.said("noop\n");
    running.channel.detach();
    sut.reopen(Instant::now() + HANG).unwrap();
    assert_eq!(std::fs::read_to_string(world.tree("mark")).unwrap(), "141\n");
}

pub(crate) fn reopening_waits_for_the_old_job_and_ends_it_when_the_time_is_over(world: &mut World<'_>) {
    let mut sut = world.open();
    for job in [test, tty_test] {
        let mut running = Running::start(
            &mut *sut,
            &job(&company(&format!(
                "{NOOP_LOOP} trap '' TERM HUP; while :; do sleep 1; done"
            ))),
        );
        running.said("noop\n");
        let pids = pids(&running.seen.control());
        running.channel.detach();
        sut.reopen(Instant::now() + Duration::from_millis(300))
            .expect("the machine comes back");
        let left: Vec<_> = pids.iter().filter(|pid| lives(pid)).collect();
        assert!(left.is_empty(), "{left:?} live");
        assert_eq!(run(&mut *sut, &test("exit 6")).exit_code(), 6);
    }
}

pub(crate) fn detached_job_of_a_dead_runner_is_ended_by_the_next_one(world: &mut World<'_>) {
    let mut sut = world.open();
    let mut running = Running::start(&mut *sut, &test(&company(&format!("{NOOP_LOOP} sleep 1000"))));
    running.said("noop\n");
    let pids = pids(&running.seen.control());
    running.channel.detach();
    sut.close();
    let _sut = world.open_waiting();
    all_gone(&pids);
}

pub(crate) fn wait_comes_back_for_deadlines_and_for_each_cancellation(world: &mut World<'_>) {
    let mut sut = world.open();
    let mut running = Running::start(&mut *sut, &test("echo ready >&7; sleep 1000"));
    running.said("ready\n");
    let channel = &mut running.channel;
    let ready = channel.wait(Some(Instant::now()), Urgency::None).unwrap();
    assert!(ready.timed_out && !ready.cancelled && !ready.control);
    // A stream that was never read counts as ready, so it is read first.
    let nothing = channel.read_output(&mut [0; 64]).map_err(|error| error.kind());
    assert_eq!(nothing, Err(std::io::ErrorKind::WouldBlock));
    for (known, urgency) in [(Urgency::None, Urgency::Graceful), (Urgency::Graceful, Urgency::Now)] {
        let cancel = world.cancel.clone();
        let waker = std::thread::spawn(move || cancel.raise(urgency));
        let ready = channel.wait(Some(Instant::now() + HANG), known).unwrap();
        assert!(ready.cancelled && !ready.timed_out);
        waker.join().unwrap();
    }
    channel.terminate(Cut::Wanted);
    assert_eq!(running.finish().exit_code(), 143);
}

pub(crate) fn state_is_written_also_after_a_cancellation(world: &mut World<'_>) {
    let mut sut = world.open();
    world.cancel.raise(Urgency::Graceful);
    let state = atex::sut::SutState {
        layers: 9,
        ..atex::sut::SutState::default()
    };
    sut.set_state(&state).unwrap();
    assert_eq!(run(&mut *sut, &test("exit 2")).exit_code(), 2, "a finish step runs");
    world.cancel.raise(Urgency::Now);
    sut.set_state(&state).unwrap();
    let trouble = (world.make)().open(OnHeld::Wait, &mut |_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::Cancelled);
}

pub(crate) fn test_that_deletes_the_list_of_its_groups_leaves_nothing_behind(world: &mut World<'_>) {
    for whole in ["rm -rf \"${TMT_TREE%/*/*}/job\";", "rm -rf \"${TMT_TREE%/*/*}\";"] {
        let mut sut = world.open();
        let outcome = run(&mut *sut, &test(&format!("{whole} {}", company("exit 3"))));
        assert_eq!(outcome.exit_code(), 3);
        all_gone(&pids(&outcome.control()));
        sut = world.open_again(sut);
        for drops in [false, true] {
            let mut running = Running::start(&mut *sut, &test(&format!("{whole} {}", company("sleep 1000"))));
            running.said("ready");
            let pids = pids(&running.seen.control());
            if drops {
                drop(running);
            } else {
                running.channel.terminate(Cut::Wanted);
                running.finish();
            }
            all_gone(&pids);
            sut = world.open_again(sut);
        }
    }
}
