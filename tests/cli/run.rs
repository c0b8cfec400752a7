//! Tests of what a user sees of real runs on this machine: in a pipe, on a terminal, as JSON, and in the run's directory.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::fd::OwnedFd;

use crate::support::{Ran, World};

const PLAN: &str = "\
discover: {how: fmf}
execute: {how: tmt}
prepare: {how: shell, script: echo preparing}
finish: {how: shell, script: echo finishing}
";

const TESTS: &str = "\
/good:
  test: echo fine
/picky:
  test: '[ -z \"$BROKEN\" ]'
";

fn world() -> World {
    let world = World::new();
    world.write("tree/plan.fmf", PLAN);
    world.write("tree/tests.fmf", TESTS);
    world
}

fn atex<const N: usize>(world: &World, args: [&str; N]) -> crate::support::Atex {
    world.atex().args(args).args(["--sut-dir"]).args([world.sut()])
}

/// Replaces what differs between runs: durations, ages, ids of runs.
fn steady(mut ran: Ran) -> Ran {
    let is_time = |word: &str| {
        let number = word.strip_suffix('s').unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    let line = |line: &str| {
        if let Some(at) = line.find("/runs/2") {
            let id = line[at + 6..].split('/').next().unwrap_or_default().to_owned();
            return line.replace(&id, "RUN");
        }
        let words: Vec<_> = line
            .split_whitespace()
            .map(|word| if is_time(word) { "TIME" } else { word })
            .collect();
        words.join(" ").replace("TIME ago", "TIME").replace("just now", "TIME")
    };
    ran.stdout = ran.stdout.lines().map(line).collect::<Vec<_>>().join("\n");
    ran
}

#[test]
fn a_pipe_sees_a_line_for_each_node_and_a_summary() {
    let world = world();
    insta::assert_debug_snapshot!(steady(atex(&world, ["build"]).run().expect(0)), @"
    exit 0
    --- stdout
    build /plan on local: 2 tests; to run: up to 1 prepare step, 2 tests, 1 finish step
    done TIME prepare /plan#1 shell
    pass TIME test /tests/good
    pass TIME test /tests/picky
    done TIME finish /plan#1

    2 tests: 2 passed in TIME
    exit 0: all passed
    results in [TMP]/home/.local/state/atex/runs/RUN
    ");
    insta::assert_debug_snapshot!(steady(atex(&world, ["build"]).run().expect(0)), @"
    exit 0
    --- stdout
    build /plan on local: 2 tests; nothing to run
    cached TIME test /tests/good local as of now
    cached TIME test /tests/picky local as of now

    2 tests: 2 passed (2 cached) in TIME
    exit 0: all passed
    results in [TMP]/home/.local/state/atex/runs/RUN
    ");
}

#[test]
fn a_failure_shows_its_log_and_where_it_lies() {
    let world = world();
    let ran = atex(&world, ["build", "-e", "BROKEN=1"]).run().expect(1);
    let log = ran
        .stdout
        .lines()
        .find(|line| line.trim_start().starts_with("[TMP]/"))
        .expect("a log")
        .trim();
    assert!(world.path(log.strip_prefix("[TMP]/").unwrap()).is_file());
    insta::assert_debug_snapshot!(steady(ran), @"
    exit 1
    --- stdout
    build /plan on local: 2 tests; to run: up to 1 prepare step, 2 tests, 1 finish step
    done TIME prepare /plan#1 shell
    pass TIME test /tests/good
    fail TIME test /tests/picky
    done TIME finish /plan#1

    fail test /tests/picky
               [TMP]/home/.local/state/atex/runs/RUN/tests/tests/picky/files/output.txt

    2 tests: 1 passed, 1 failed in TIME
    exit 1: at least one test failed
    results in [TMP]/home/.local/state/atex/runs/RUN
    ");
    let failed = world.atex().args(["results", "--failed"]).run().expect(0);
    assert_eq!(failed.stdout.lines().count(), 2, "{failed:?}");
}

#[test]
fn quiet_says_only_how_it_ended() {
    insta::assert_debug_snapshot!(steady(atex(&world(), ["build", "-q"]).run().expect(0)), @"
    exit 0
    --- stdout
    2 tests: 2 passed in TIME
    exit 0: all passed
    results in [TMP]/home/.local/state/atex/runs/RUN
    ");
}

#[test]
fn verbose_shows_what_was_printed() {
    let ran = atex(&world(), ["build", "-v"]).run().expect(0);
    for printed in ["preparing", "fine", "finishing"] {
        assert!(
            ran.stdout.lines().any(|line| line.trim() == printed),
            "{printed} in {ran:?}"
        );
    }
}

#[test]
fn json_begins_and_ends_with_the_run_and_equals_what_is_recorded() {
    let world = world();
    let ran = atex(&world, ["build", "--json", "-o", "../out"]).run().expect(0);
    let events = ran.json();
    assert_eq!(events[0]["event"], "run-started");
    assert_eq!(events[events.len() - 1]["event"], "run-finished");
    let recorded = world.read("out/events.jsonl");
    assert_eq!(recorded.lines().count(), events.len());
    let end: serde_json::Value = serde_json::from_str(&world.read("out/run.json")).unwrap();
    assert_eq!(end["exit-code"], 0);
    assert_eq!(end["tests"]["pass"], 2);
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let world = world();
    let call = atex(&world, ["build", "-o", "../out"]);
    let mut child = call.command().stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(world.path("out/run.json").exists());
}

#[test]
fn a_terminal_shows_what_runs_and_is_clean_afterwards() {
    let world = world();
    world.write(
        "tree/tests.fmf",
        "/waits:\n  test: until [ -e \"$GO\" ]; do sleep 0.02; done\n",
    );
    let go = world.path("go");
    let (mut terminal, tty) = pseudo_terminal();
    let stdio = || std::process::Stdio::from(tty.try_clone().unwrap());
    let call = atex(&world, ["build"])
        .args(["-e".to_owned(), format!("GO={}", go.display())])
        .env("TERM", "xterm");
    let mut command = call.command();
    let mut child = command.stdout(stdio()).stderr(stdio()).spawn().unwrap();
    drop((command, tty));
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match terminal.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => seen.extend_from_slice(&buffer[..length]),
            // The last one that had it open ended.
            Err(error) if error.raw_os_error() == Some(5) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
        let text = String::from_utf8_lossy(&seen);
        if text.contains("test /tests/waits") && text.contains("left, 1 running") {
            world.write("go", "");
        }
    }
    assert!(child.wait().unwrap().success());
    let text = String::from_utf8_lossy(&seen);
    let (_, after) = text.rsplit_once("\x1b[J").expect("the live region was drawn and wiped");
    assert!(after.contains("exit 0: all passed"), "{after}");
    assert!(!after.contains("running"), "{after}");
}

/// Everything that a process says to a terminal until it ends.
fn said_to(mut terminal: File) -> String {
    let mut seen = Vec::new();
    // The last read fails once nobody has the other side open any more.
    let _hung_up = terminal.read_to_end(&mut seen);
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn a_log_does_not_act_on_a_terminal() {
    let world = world();
    world.write(
        "tree/tests.fmf",
        "/evil:\n  test: printf '\\033]0;title\\007shown\\033[2J\\n\\tnext\\n'\n",
    );
    let run = atex(&world, ["build"]).run().expect(0);
    let list = world.atex().args(["cache", "ls", "--json"]).run().expect(0).stdout;
    let key = list
        .lines()
        .find(|line| line.contains("test /tests/evil"))
        .unwrap_or_else(|| panic!("{run:?} {list}"));
    let key: serde_json::Value = serde_json::from_str(key).unwrap();
    let call = world.atex().args(["cache", "log", key["key"].as_str().unwrap()]);
    assert!(
        call.run().stdout.contains('\x1b'),
        "other programs get what was printed"
    );
    let (terminal, tty) = pseudo_terminal();
    let mut child = call.command().stdout(tty).spawn().unwrap();
    assert_eq!(said_to(terminal), "shown\r\n    next\r\n");
    assert!(child.wait().unwrap().success());
}

/// Makes a pseudo-terminal of 80 columns: the side to read from, and the side for the process.
fn pseudo_terminal() -> (File, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let tty = ioctl_tiocgptpeer(&terminal, OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    let size = rustix::termios::Winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&tty, size).unwrap();
    (File::from(terminal), tty)
}

#[test]
fn names_that_bash_keeps_are_refused_wherever_they_are_given() {
    for name in ["UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS", "GROUPS", "RANDOM", "_"] {
        let world = World::new();
        world.write("tree/a.fmf", format!("test: 'true'\nenvironment: {{{name}: '7'}}\n"));
        let ran = atex(&world, ["build"]).run().expect(2);
        assert!(ran.said(&format!("`{name}`")), "{ran:?}");
        world.write("tree/a.fmf", "test: 'true'\n");
        let given = format!("{name}=7");
        let ran = atex(&world, ["build", "-e", &given]).run().expect(2);
        assert!(ran.said("bash keeps"), "{ran:?}");
    }
}

#[test]
fn jobs_start_with_default_signals_whatever_atex_was_started_with() {
    // 32 and 33 belong to the C library, whose `posix_spawn` ignores them in the child.
    let world = World::new();
    world.write(
        "tree/a.fmf",
        "test: '! grep -E \"Sig(Blk|Ign):\" /proc/self/status | grep -vE \"0{7}[01][08]0{7}$\"'\n",
    );
    let plain = atex(&world, ["build"]).command();
    let mut through = std::process::Command::new("env");
    through.args(["--ignore-signal=CHLD,QUIT,USR1,HUP,TSTP", "--block-signal=USR2,ALRM"]);
    through.arg(plain.get_program()).args(plain.get_args());
    through.env_clear();
    for (name, value) in plain.get_envs() {
        through.envs(value.map(|value| (name, value)));
    }
    through.current_dir(plain.get_current_dir().expect("a world"));
    let output = through.output().expect("coreutils");
    let printed = world.read("home/.local/state/atex/runs/latest/tests/a/files/output.txt");
    assert_eq!((output.status.code(), printed.as_str()), (Some(0), ""), "{output:?}");
}

#[test]
fn fresh_prepares_and_tests_where_all_stand_by_their_records() {
    let world = world();
    world.write(
        "tree/plan.fmf",
        PLAN.replace("echo preparing", "echo x >>$HOME/prepared"),
    );
    atex(&world, ["build"]).run().expect(0);
    assert!(atex(&world, ["build"]).run().expect(0).said("2 cached"));
    let ran = atex(&world, ["build", "--fresh"]).run().expect(0);
    assert!(ran.said("2 passed") && !ran.said("cached"), "{ran:?}");
    assert_eq!(world.read("home/prepared"), "x\nx\n");
}
