//! Tests that building, testing and finishing work on a machine behind SSH as they do on the local one.

use atex::sut::kind::ssh::{Ssh, SshLink};
use atex::sut::{Cancel, OnHeld, Sut as _};
use serde_json::Value;

use crate::e2e_ssh::lab::Lab;
use crate::sut_support::sshd::login;

#[test]
fn a_build_prepares_tests_and_finishes_and_the_next_one_needs_no_machine() {
    let mut lab = Lab::new();
    lab.run(0, ["build"]);
    assert_eq!(lab.ran(), ["prepare", "a", "b", "finish"]);
    lab.sshd.stop();
    let ran = lab.run(0, ["build"]);
    assert!(ran.stdout.contains("2 cached"), "{ran:?}");
    assert!(lab.ran().is_empty());
}

#[test]
fn an_edit_runs_only_what_depends_on_it() {
    let lab = Lab::new();
    lab.run(0, ["build", "--until", "test"]);
    lab.ran();
    lab.world.write("tree/b/file", "changed");
    lab.run(0, ["build", "--until", "test"]);
    assert_eq!(lab.ran(), ["b"]);
}

#[test]
fn a_test_runs_on_the_prepared_machine_which_finish_lets_go() {
    let lab = Lab::new();
    lab.run(0, ["test", "/a"]);
    assert_eq!(lab.ran(), ["prepare", "a"]);
    lab.run(0, ["test", "/b"]);
    assert_eq!(lab.ran(), ["b"]);
    let ran = lab.run(0, ["sut", "ls"]);
    assert!(ran.stdout.contains("prepared"), "{ran:?}");
    lab.run(0, ["finish"]);
    assert_eq!(lab.ran(), ["finish"]);
    lab.run(0, ["finish"]);
    assert!(lab.ran().is_empty(), "it is finished already");
}

#[test]
fn two_projects_on_one_machine_prepare_it_for_themselves_and_pay_for_themselves() {
    let lab = Lab::new();
    for file in ["plan.fmf", "a/main.fmf", "b/main.fmf", "b/file", ".fmf/version"] {
        let text = lab.world.read(format!("tree/{file}"));
        lab.world.write(format!("other/{file}"), text);
    }
    let in_other = |args: &[&str]| {
        let [command, rest @ ..] = args else {
            panic!("a command")
        };
        let call = lab.atex([command]).args(rest).cwd("other");
        call.run().expect(0)
    };
    lab.run(0, ["test", "/a"]);
    in_other(&["test", "/a"]);
    assert_eq!(lab.ran(), ["prepare", "a", "prepare", "a"]);
    let told = in_other(&["build", "--name", "/b"]);
    assert_eq!(
        lab.ran(),
        ["b", "finish"],
        "prepared once, and what the other owes is not its"
    );
    assert!(
        told.said("finish is due for another project, which pays: `/plan` of [TMP]/tree"),
        "{told:?}"
    );
    in_other(&["finish"]);
    assert!(lab.ran().is_empty());
    lab.run(0, ["finish"]);
    assert_eq!(lab.ran(), ["finish"]);
}

#[test]
fn a_failed_test_is_exit_code_1_and_its_output_is_kept() {
    let lab = Lab::new();
    lab.world
        .write("tree/b/main.fmf", "test: echo said from afar; exit 7\n");
    let ran = lab.run(1, ["test", "/b", "-o", "../out"]);
    assert!(ran.stdout.contains("/b"), "{ran:?}");
    let output = lab.world.read("out/tests/b/files/output.txt");
    assert!(output.contains("said from afar"), "{output:?}");
}

#[test]
fn quiet_verbose_and_json_say_what_they_say_of_this_machine() {
    let lab = Lab::new();
    lab.world.write("tree/a/main.fmf", "test: echo said from afar\n");
    let quiet = lab.run(0, ["test", "/a", "-q"]);
    assert!(!quiet.stdout.contains("test /a"), "{quiet:?}");
    let verbose = lab.run(0, ["test", "/a", "-v"]);
    assert!(verbose.stdout.contains("said from afar"), "{verbose:?}");
    let events = lab.run(0, ["test", "/a", "--json"]).json();
    let of_lab = |event: &Value| event["sut"] == "lab";
    assert!(events.iter().any(of_lab), "{events:?}");
}

#[test]
fn values_of_the_environment_are_on_no_command_line_there() {
    let lab = Lab::new();
    // The test looks at all command lines of the machine, which is this one: those of the runner are there, too, and hold
    // the value that was given to it, so it comes from the runner's own environment.
    lab.world.write(
        "tree/a/main.fmf",
        "test: |\n    test \"$TOKEN\" = hidden-in-plain-sight\n    want=hidden-in-plain\n    \
         for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f 2>/dev/null; echo; done >$TMPDIR/ps || true\n    \
         ! grep -q \"$want-sight\" $TMPDIR/ps\n",
    );
    let ran = lab
        .atex(["test", "/a", "--secret-env", "TOKEN", "-v"])
        .env("TOKEN", "hidden-in-plain-sight")
        .env("TMPDIR", lab.world.path("tmp"))
        .args(["-e", &format!("TMPDIR={}", lab.world.path("tmp").display())])
        .run();
    let ran = ran.expect(0);
    assert!(!format!("{ran:?}").contains("hidden-in-plain-sight"), "{ran:?}");
    assert!(lab.world.path("tmp/ps").exists(), "it looked");
}

#[test]
fn two_directories_of_one_host_are_two_machines() {
    let lab = Lab::new();
    let second = lab.target("2").replace("/sut&", "/sut-2&");
    let ran = lab.atex(["build", "--json"]).args(["-s", &second]).run().expect(0);
    let suts: Vec<&str> = ran
        .json()
        .iter()
        .find(|event| event["event"] == "run-started")
        .map_or_else(Vec::new, |event| {
            let suts = event["suts"].as_array().unwrap();
            suts.iter()
                .map(|sut| if sut == "lab" { "lab" } else { "lab2" })
                .collect()
        });
    assert_eq!(suts, ["lab", "lab2"]);
    assert!(lab.world.path("sut/v1").is_dir() && lab.world.path("sut-2/v1").is_dir());
    let same = lab.target("2");
    let ran = lab.atex(["build"]).args(["-s", &same]).run().expect(2);
    assert!(ran.stderr.contains("has the directory of another one"), "{ran:?}");
}

#[test]
fn a_machine_that_somebody_holds_is_looked_at_and_not_waited_for_on_demand() {
    let lab = Lab::new();
    let (login, cancel) = (login(&lab.file(""), "other"), Cancel::new().unwrap());
    let mut holder = Ssh::over(SshLink::new(login, cancel.clone()), Some(lab.world.sut()), cancel);
    holder.open(OnHeld::Fail, &mut |_| {}).unwrap();
    lab.run(0, ["ls"]);
    let ran = lab.run(3, ["test", "/a", "--no-wait"]);
    assert!(ran.said("held by pid"), "{ran:?}");
    assert!(lab.run(0, ["sut", "ls"]).said("held by pid"));
    holder.close();
    lab.run(0, ["test", "/a", "--no-wait"]);
}
