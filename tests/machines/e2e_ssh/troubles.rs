//! Tests of machines that are not there or go away: which failure is reported, and that everything else goes on.

use std::fs;
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::e2e_ssh::lab::{Lab, eventually, start};
use crate::sut_support::proxy::Proxy;
use crate::sut_support::sshd::free_port;

#[test]
fn a_machine_that_is_not_there_is_exit_code_3() {
    let lab = Lab::new();
    let gone = lab
        .target("")
        .replace(&lab.port().to_string(), &free_port().to_string());
    let ran = lab.on(&gone, ["test", "/a"]).run().expect(3);
    assert!(ran.stderr.contains("`lab`: cannot connect to"), "{ran:?}");
    let ran = lab.on("nobody@no-such-host.invalid", ["test", "/a"]).run().expect(3);
    assert!(ran.stderr.contains("`nobody@no-such-host.invalid`"), "{ran:?}");
}

#[test]
fn a_machine_that_is_known_and_gone_leaves_a_result_for_each_test() {
    let mut lab = Lab::new();
    lab.run(0, ["test", "/a"]);
    lab.sshd.stop();
    let ran = lab.run(3, ["test", "/a", "/b", "-o", "../out"]);
    for test in ["a", "b"] {
        let results = lab.world.read(format!("out/tests/{test}/results.jsonl"));
        assert!(results.contains("unreachable"), "{results} {ran:?}");
    }
}

#[test]
fn a_name_of_no_test_is_told_before_a_machine_has_answered() {
    let lab = Lab::new();
    lab.configure("Host *\n ConnectTimeout 600\n");
    lab.run(0, ["test", "/a"]);
    // It takes connections, and says nothing.
    lab.sshd.signal(Signal::STOP);
    let ran = lab.run(4, ["test", "/nosuch"]);
    assert!(ran.stderr.contains("no test matches `/nosuch`"), "{ran:?}");
}

#[test]
fn one_machine_of_two_that_is_not_there_leaves_the_work_to_the_other() {
    let lab = Lab::new();
    let gone = lab
        .target("2")
        .replace(&lab.port().to_string(), &free_port().to_string());
    let ran = lab.atex(["build"]).args(["-s", &gone]).run();
    assert!(ran.stderr.contains("`lab2`: cannot connect to"), "{ran:?}");
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
}

#[test]
fn a_machine_that_dies_in_the_middle_is_exit_code_3_and_costs_only_what_ran_there() {
    let lab = Lab::new();
    lab.world
        .write("tree/b/main.fmf", "test: touch $COUNTER.up; sleep 600\nduration: 1h\n");
    let started = lab.world.path("ran.up");
    let atex = lab.atex(["build", "-o", "../out", "--dead-after", "5s"]);
    let running = start(&atex);
    eventually("the test runs", || started.exists().then_some(()));
    lab.sshd.signal(Signal::KILL);
    let ran = atex.ran(&running.wait_with_output().unwrap()).expect(3);
    let results = lab.world.read("out/tests/b/results.jsonl");
    assert!(
        results.contains("infra") || results.contains("aborted") || results.contains("unreachable"),
        "{results} {ran:?}"
    );
    let results = lab.world.read("out/tests/a/results.jsonl");
    assert!(!results.is_empty(), "{ran:?}");
}

/// The machine through a proxy, and the target that leads there.
fn through_proxy(lab: &Lab) -> (Proxy, String) {
    let proxy = Proxy::to(lab.port());
    lab.configure(&format!("Host *\n HostKeyAlias [127.0.0.1]:{}\n", lab.port()));
    let target = lab
        .target("")
        .replace(&lab.port().to_string(), &proxy.port().to_string());
    (proxy, target)
}

#[test]
fn a_connection_that_is_reset_in_the_middle_aborts_the_test_and_the_machine_is_prepared_again() {
    let lab = Lab::new();
    let (proxy, target) = through_proxy(&lab);
    // Only the first time.
    lab.world.write(
        "tree/b/main.fmf",
        "test: |\n    echo b >>$COUNTER\n    echo said from afar\n    test -e $COUNTER.up || { touch $COUNTER.up; sleep 600; }\n\
         duration: 1h\n",
    );
    let started = lab.world.path("ran.up");
    let reset_once = |args: [&str; 3], out: &str| {
        // Silence is not what tells: it would take longer than the test may.
        let atex = lab
            .on(&target, args)
            .args(["--dead-after", "30m", "-o", &format!("../{out}")]);
        let running = start(&atex);
        // What has arrived is kept, and nothing else.
        let output = lab.world.path(out).join("tests/b/files/output.txt");
        eventually("the test runs", || {
            let said = fs::read_to_string(&output).unwrap_or_default();
            (started.exists() && said == "said from afar\n").then_some(())
        });
        proxy.reset();
        atex.ran(&running.wait_with_output().unwrap())
    };
    let result = |file: &str| lab.world.read(file);
    let ran = reset_once(["build", "--retry-infra", "1"], "out").expect(0);
    let why = "aborted: `lab`: the connection ended (the other side closed it)";
    assert!(ran.said(&format!("{why}; it runs again")), "{ran:?}");
    assert!(ran.said("`lab` is prepared again from the first step"), "{ran:?}");
    assert_eq!(lab.ran(), ["prepare", "a", "b", "prepare", "b", "finish"]);
    let first = result("out/tests/b/results.jsonl");
    assert!(first.contains(r#""error":"aborted""#), "{first}");
    let second = result("out/tests/b/attempt-2/results.jsonl");
    assert!(second.contains(r#""status":"pass""#), "{second}");

    fs::remove_file(&started).unwrap();
    let ran = reset_once(["build", "--rerun", "--retry-infra=0"], "none").expect(3);
    assert!(ran.said(why), "{ran:?}");
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
    assert!(result("none/tests/b/results.jsonl").contains(r#""error":"aborted""#));
    assert!(result("none/tests/a/results.jsonl").contains(r#""status":"pass""#));
    let ran = lab.on(&target, ["sut", "ls"]).run().expect(0);
    assert!(ran.said("tainted"), "{ran:?}");
}

/// Stops a running atex for longer than its machine may be silent, as the sleep of its host does, and lets it go on.
fn sleeps(running: &Child, meanwhile: impl FnOnce()) {
    let pid = Pid::from_child(running);
    kill_process(pid, Signal::STOP).unwrap();
    meanwhile();
    std::thread::sleep(DEAD_AFTER + Duration::from_secs(3));
    kill_process(pid, Signal::CONT).unwrap();
}

/// How long a machine may be silent where the runner sleeps.
const DEAD_AFTER: Duration = Duration::from_secs(5);

#[test]
fn a_runner_whose_host_slept_goes_on_with_a_machine_that_is_there() {
    let lab = Lab::new();
    let gate = lab.world.path("gate");
    let script = format!(
        "test: touch $COUNTER.up; until [[ -e {} ]]; do sleep 0.1; done; echo said\n",
        gate.display()
    );
    lab.world.write("tree/b/main.fmf", script);
    let atex = lab.atex(["test", "/b", "-o", "../out", "--dead-after", "5s"]);
    let running = start(&atex);
    let started = lab.world.path("ran.up");
    eventually("the test runs", || started.exists().then_some(()));
    sleeps(&running, || ());
    lab.world.write("gate", "");
    atex.ran(&running.wait_with_output().unwrap()).expect(0);
    assert_eq!(lab.world.read("out/tests/b/files/output.txt"), "said\n");
}

#[test]
fn a_connection_that_was_lost_while_the_host_slept_is_found_out_by_its_silence() {
    let lab = Lab::new();
    let (proxy, target) = through_proxy(&lab);
    lab.world.write(
        "tree/b/main.fmf",
        "duration: 1h\ntest: echo said; touch $COUNTER.up; sleep 600\n",
    );
    let atex = lab
        .on(&target, ["test", "/b", "-o", "../out", "--dead-after", "5s"])
        .args(["--retry-infra", "0"]);
    let running = start(&atex);
    let started = lab.world.path("ran.up");
    let output = lab.world.path("out/tests/b/files/output.txt");
    eventually("the test runs", || {
        let said = fs::read_to_string(&output).unwrap_or_default();
        (started.exists() && said == "said\n").then_some(())
    });
    sleeps(&running, || proxy.leave_half_open());
    let ran = atex.ran(&running.wait_with_output().unwrap()).expect(3);
    assert!(ran.said("no sign of life for 5 s"), "{ran:?}");
    let result = lab.world.read("out/tests/b/results.jsonl");
    assert!(result.contains(r#""error":"aborted""#), "{result}");
    assert_eq!(fs::read_to_string(&output).unwrap(), "said\n");
    // The machine has ended the test, and is free.
    let ran = lab.run(0, ["test", "/a"]);
    assert!(ran.said("is prepared again from the first step"), "{ran:?}");
}

#[test]
fn what_a_login_says_instead_of_starting_bash_is_shown_with_what_to_do() {
    let lab = Lab::new();
    let key = lab.world.read("sshd/authorized_keys");
    let said = "Please login as the user fedora rather than the user root.";
    lab.world.write(
        "sshd/authorized_keys",
        format!("command=\"printf '\\033[1m{said}\\n'; exit 142\" {key}"),
    );
    let ran = lab.run(3, ["test", "/a"]);
    // Whether the exit code is known by then depends on what comes first.
    assert!(ran.said("cannot start bash ("), "{ran:?}");
    assert!(ran.said(&format!(": [1m{said}")), "{ran:?}");
    assert!(ran.said("`ssh://fedora@HOST?become=sudo`"), "{ran:?}");
}

#[test]
fn what_a_server_offers_is_shown_where_nothing_fits() {
    let kex = "sntrup761x25519-sha512@openssh.com";
    for (option, offer) in [
        ("KexAlgorithms", kex),
        ("Ciphers", "chacha20-poly1305@openssh.com"),
        ("MACs", "umac-128@openssh.com"),
    ] {
        let lab = Lab::with(&format!("{option} {offer}\n"));
        let ran = lab.atex(["sut", "show"]).run();
        // A libssh2 that has it is as good.
        assert!(
            ran.code == 0 || ran.said(&format!("it offers `{offer}")),
            "{option}: {ran:?}"
        );
        assert!(ran.code == 0 || ran.code == 3, "{ran:?}");
    }
}

#[test]
fn a_machine_that_owes_a_finish_and_cannot_be_reached_is_told_and_pays_when_it_is_back() {
    let mut lab = Lab::new();
    lab.run(0, ["test", "/a", "/b"]);
    assert_eq!(lab.ran(), ["prepare", "a", "b"]);
    lab.sshd.stop();
    for _ in 0..2 {
        let ran = lab.run(3, ["build"]);
        assert!(ran.said("finish /plan#1"), "{ran:?}");
        assert!(ran.said("2 passed (2 cached)"), "{ran:?}");
    }
    assert!(lab.run(3, ["sut", "ls"]).said("finish owed: /plan"));
    assert!(lab.sshd.resume());
    lab.run(0, ["build"]);
    assert_eq!(lab.ran(), ["finish"]);
    lab.sshd.stop();
    lab.run(0, ["build"]);
}
