//! Laws about daemons: what prepare steps leave running lives on, is told, and is ended when it is not wanted any more.

use std::time::Instant;

use atex::sut::{Cut, Daemon, DaemonCondition, Job, JobKind, PrepareStep, Sut};

use crate::sut_support::{HANG, Running, World, eventually, lives, run, script, test, tty_test};

/// Makes a script of the prepare step at a position of its chain.
fn prepare(index: usize, text: &str) -> Job {
    let step = PrepareStep {
        index,
        name: format!("step {index}"),
    };
    Job {
        kind: JobKind::Script {
            plan_data: None,
            step: Some(step),
        },
        ..script(text)
    }
}

/// Starts processes in all the ways in which they can outlive a script, and prints their pids.
const SERVERS: &str = "sleep 1001 & echo $!
    nohup sleep 1002 >/dev/null 2>&1 & echo $!
    env -i sleep 1003 & echo $!
    setsid bash -c 'echo $$; exec sleep 1004' &
    (setsid bash -c '(setsid bash -c \"echo \\$\\$; exec sleep 1005\" &)' &)
    sleep 0.3";

/// Runs a job that prints pids, and returns them.
fn pids_of(sut: &mut dyn Sut, job: &Job) -> Vec<String> {
    let outcome = run(sut, job);
    assert_eq!(outcome.exit_code(), 0, "{}", outcome.output());
    outcome.output().lines().map(str::to_owned).collect()
}

fn kill(pid: &str) {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

fn condition(daemons: &[Daemon], pid: &str) -> Option<DaemonCondition> {
    let daemon = daemons.iter().find(|daemon| daemon.pid.to_string() == pid)?;
    Some(daemon.condition)
}

pub(crate) fn what_a_prepare_step_leaves_running_lives_on_until_it_is_ended(world: &mut World<'_>) {
    let mut sut = world.open();
    let pids = pids_of(&mut *sut, &prepare(0, SERVERS));
    assert_eq!(pids.len(), 5, "{pids:?}");
    assert_eq!(run(&mut *sut, &test("setsid sleep 1006 & exit 0")).exit_code(), 0);
    sut.close();
    let hello = sut.open(atex::sut::OnHeld::Fail, &mut |_| ()).unwrap();
    assert_eq!(hello.daemons, sut.daemons().unwrap());
    assert_eq!(hello.daemons.len(), 5, "{:?}", hello.daemons);
    for pid in &pids {
        assert_eq!(
            condition(&hello.daemons, pid),
            Some(DaemonCondition::Runs),
            "{pid} of {:?}",
            hello.daemons
        );
        assert!(lives(pid));
    }
    let first = hello.daemons.iter().find(|daemon| daemon.pid.to_string() == pids[0]);
    let first = first.unwrap();
    assert_eq!(
        (first.step, first.of.as_str(), first.command.as_str()),
        (0, "step 0", "sleep 1001")
    );
    sut.end_daemons(0).unwrap();
    assert!(pids.iter().all(|pid| !lives(pid)));
    assert_eq!(sut.daemons().unwrap(), []);
}

pub(crate) fn what_later_steps_left_running_is_ended_alone(world: &mut World<'_>) {
    let mut sut = world.open();
    let first = pids_of(&mut *sut, &prepare(0, "sleep 1000 & echo $!; trap '' TERM"));
    let second = pids_of(
        &mut *sut,
        &prepare(
            1,
            "setsid bash -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done' & sleep 0.2",
        ),
    );
    sut.end_daemons(1).unwrap();
    assert!(lives(&first[0]) && !lives(&second[0]));
    let daemons = sut.daemons().unwrap();
    assert_eq!(daemons.len(), 1);
    assert!(daemons[0].runs());
    sut.remove().unwrap();
    assert!(
        !lives(&first[0]),
        "what is removed from the machine leaves nothing running"
    );
}

pub(crate) fn a_step_that_fails_or_is_cut_off_leaves_nothing_running(world: &mut World<'_>) {
    let mut sut = world.open();
    let outcome = run(&mut *sut, &prepare(0, &format!("{SERVERS}; exit 3")));
    assert_eq!(outcome.exit_code(), 3);
    let output = outcome.output();
    assert_eq!(output.lines().count(), 5, "{output}");
    assert!(output.lines().all(|pid| !lives(pid)), "{output}");
    let mut running = Running::start(&mut *sut, &prepare(0, &format!("{SERVERS}; echo ready; sleep 1000")));
    running.until(|seen| seen.output().contains("ready"));
    running.channel.terminate(Cut::Wanted);
    let output = running.finish().output();
    assert!(
        output.lines().filter(|line| *line != "ready").all(|pid| !lives(pid)),
        "{output}"
    );
    assert_eq!(sut.daemons().unwrap(), []);
}

pub(crate) fn a_daemon_that_has_ended_is_told_and_another_process_is_not_taken_for_it(world: &mut World<'_>) {
    let mut sut = world.open();
    let pids = pids_of(&mut *sut, &prepare(0, "sleep 1001 & echo $!; sleep 1002 & echo $!"));
    kill(&pids[0]);
    eventually("it is gone", || !lives(&pids[0]));
    let daemons = sut.daemons().unwrap();
    assert_eq!(condition(&daemons, &pids[0]), Some(DaemonCondition::Ended));
    assert_eq!(condition(&daemons, &pids[1]), Some(DaemonCondition::Runs));
    // The number of a daemon belongs to another process now, and the list has what is none.
    let mut other = std::process::Command::new("sleep").arg("1003").spawn().unwrap();
    let list = world.dir.join("v1/daemons");
    let content = std::fs::read_to_string(&list).unwrap();
    let content = content.replacen(&format!("\n{}\t", pids[0]), &format!("\n{}\t", other.id()), 1);
    let odd = "0\t0\t0\t0\tx\tx\n-1\t1\t0\t1\tx\tx\na[$(id)]\t1\t0\t1\tx\tx\n1\n";
    std::fs::write(&list, format!("{content}{odd}")).unwrap();
    let daemons = sut.daemons().unwrap();
    assert_eq!(
        condition(&daemons, &other.id().to_string()),
        Some(DaemonCondition::Ended)
    );
    sut.end_daemons(0).unwrap();
    assert!(!lives(&pids[1]));
    assert_eq!(other.try_wait().unwrap(), None, "it is nobody's business");
    other.kill().unwrap();
    other.wait().unwrap();
}

pub(crate) fn daemons_of_another_boot_are_told_and_the_processes_with_their_numbers_live_on(world: &mut World<'_>) {
    let mut sut = world.open();
    assert_eq!(run(&mut *sut, &prepare(0, "true")).exit_code(), 0);
    let mut other = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = other.id();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let since = stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap();
    let list = world.dir.join("v1/daemons");
    std::fs::write(&list, format!("another boot\n{pid}\t{since}\t0\t1\tx\tx\n")).unwrap();
    let daemons = sut.daemons().unwrap();
    assert_eq!(condition(&daemons, &pid.to_string()), Some(DaemonCondition::Booted));
    sut.end_daemons(0).unwrap();
    assert_eq!(sut.daemons().unwrap(), []);
    assert_eq!(other.try_wait().unwrap(), None);
    other.kill().unwrap();
    other.wait().unwrap();
}

pub(crate) fn a_daemon_that_prints_neither_hangs_its_step_nor_dies_of_it(world: &mut World<'_>) {
    let mut sut = world.open();
    let mark = world.tree("ticks");
    let text = "setsid bash -c 'echo $$; while :; do echo tick || exit; bash -c \"echo tock\"; echo >>ticks; sleep 0.05; done' &
        sleep 0.2; head -c 300000 /dev/zero | tr '\\0' x; echo; echo end";
    let begun = Instant::now();
    let outcome = run(&mut *sut, &prepare(0, text));
    assert_eq!(outcome.exit_code(), 0);
    assert!(begun.elapsed() < HANG);
    let output = outcome.output();
    assert!(
        output.lines().any(|line| line.ends_with("end")),
        "{} bytes: {}",
        output.len(),
        &output[..80]
    );
    assert!(output.matches('x').count() >= 300_000);
    let pid = output.lines().next().unwrap().to_owned();
    let ticks = || std::fs::read_to_string(&mark).unwrap().len();
    let before = ticks();
    eventually("it goes on", || ticks() > before + 10);
    assert!(lives(&pid));
    sut.end_daemons(0).unwrap();
    assert!(!lives(&pid));
}

pub(crate) fn what_a_test_leaves_outside_of_its_group_ends_with_it(world: &mut World<'_>) {
    let mut sut = world.open();
    let daemon = pids_of(&mut *sut, &prepare(0, "setsid sleep 1000 & echo $!"));
    for job in [test, tty_test] {
        let outcome = run(
            &mut *sut,
            &job(
                "setsid bash -c 'trap \"\" TERM; echo $$ >&7; while :; do sleep 0.1; done' & setsid sleep 1000 & echo $! >&7; sleep 0.3; echo printed",
            ),
        );
        assert_eq!(outcome.output().trim_end(), "printed");
        let pids: Vec<String> = outcome
            .control()
            .lines()
            .filter(|line| line.parse::<u32>().is_ok())
            .map(str::to_owned)
            .collect();
        assert_eq!(pids.len(), 2);
        assert!(pids.iter().all(|pid| !lives(pid)), "{pids:?}");
    }
    assert!(lives(&daemon[0]), "what a prepare step left is not the test's");
    sut.end_daemons(0).unwrap();
}

pub(crate) fn what_left_the_group_of_a_job_that_was_cut_off_is_ended_by_the_next_runner(world: &mut World<'_>) {
    let mut sut = world.open();
    let daemon = pids_of(&mut *sut, &prepare(0, "setsid sleep 1000 & echo $!"));
    let everyone = "for p in /proc/[0-9]*; do read -r -a f <$p/stat && [ ${f[3]} = $PPID ] && [ ${p#/proc/} != $$ ] && kill -9 ${p#/proc/}; done 2>/dev/null; kill -9 $PPID";
    let text = format!("setsid sleep 1001 & echo $! >&7; sleep 0.2; echo ready >&7; {everyone}; sleep 1000");
    let mut running = Running::start(&mut *sut, &test(&text));
    running.said("ready");
    let control = running.finish().control();
    let pid = control.lines().next().unwrap();
    assert!(lives(pid));
    sut.close();
    let mut sut = world.open_waiting();
    eventually("it is gone", || !lives(pid));
    assert!(lives(&daemon[0]));
    sut.end_daemons(0).unwrap();
}
