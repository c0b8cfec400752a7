//! A test that does not know the control stream gets tmt's rules: its outcomes, its variables, its commands.

use serde_json::Value;

use crate::e2e_main::scene::{Scene, report, results};
use crate::e2e_ssh::lab::Lab;

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n";

/// What a result of a test says, of its parts first: name and status.
fn told(results: &[Value]) -> Vec<(&str, &str)> {
    let told = results.iter().map(|result| (&result["name"], &result["status"]));
    told.map(|(name, status)| (name.as_str().unwrap_or_default(), status.as_str().unwrap_or_default()))
        .collect()
}

#[test]
fn outcomes_are_those_of_tmt() {
    let cases = [
        ("pass", "exit 0", "respect", "pass", 0),
        ("fail", "exit 1", "respect", "fail", 1),
        ("error", "exit 2", "respect", "error", 1),
        ("killed", "kill -9 $$", "respect", "error", 1),
        ("expected", "false", "xfail", "pass", 0),
        ("unexpected", "true", "xfail", "fail", 1),
        ("info", "exit 9", "info", "info", 0),
        ("warn", "true", "warn", "warn", 1),
        ("forced", "false", "pass", "pass", 0),
        ("unknown", "true", "skip", "error", 1),
        ("nothing", "true", "custom", "error", 1),
        ("silent", "true", "restraint", "error", 1),
    ];
    let files = cases
        .iter()
        .map(|(name, script, result, ..)| (format!("{name}.fmf"), format!("test: '{script}'\nresult: {result}\n")));
    let scene = Scene::new(files.chain([("plan.fmf".to_owned(), PLAN.to_owned())]));
    let ran = scene.run(1, ["build"]);
    assert!(!ran.said("not obeyed"), "{ran:?}");
    let run = scene.latest();
    for (name, _, _, status, code) in cases {
        let name = format!("/{name}");
        let results = results(&run, &name);
        assert_eq!(told(&results), [("", status)], "{name}");
        let alone = scene.atex(["test", &name]).run();
        assert_eq!(alone.code, code, "{name}: {alone:?}");
    }
    let cached = scene.run(1, ["build"]);
    assert!(cached.said("4 cached"), "what passed or informs stands: {cached:?}");
}

#[test]
fn reports_are_parts_of_the_test_and_decide_over_the_exit_code() {
    let test = r"test: |
    echo text >log
    tmt-report-result -o log 'first one:' PASS 7
    rstrnt-report-result second SKIP
    rhts-report-result /third/a PASS log 3
    tmt-file-submit -l log
    exit 5
";
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("one.fmf", test.to_owned()),
        ("bad.fmf", "test: tmt-report-result /x FAIL\n".to_owned()),
        ("lost.fmf", "test: tmt-report-result /x INFO\n".to_owned()),
        ("usage.fmf", "test: tmt-report-result --nothing /x PASS\n".to_owned()),
        ("skip.fmf", "test: tmt-report-result /x SKIP; false\n".to_owned()),
        (
            "each.fmf",
            "test: tmt-report-result /x PASS; tmt-report-result /y INFO\nresult: restraint\n".to_owned(),
        ),
    ]);
    scene.run(1, ["build"]);
    let results = scene.results("/one");
    assert_eq!(
        told(&results),
        [
            ("first one", "pass"),
            ("second", "skip"),
            ("third/a", "pass"),
            ("", "pass")
        ]
    );
    assert_eq!(results[0]["log"], serde_json::json!(["data/first_one/log.txt"]));
    let files = scene.latest().join("tests/one/files/data");
    for kept in ["first_one/log.txt", "third_a/output.txt", "log"] {
        assert_eq!(
            std::fs::read_to_string(files.join(kept)).expect("it is kept"),
            "text\n",
            "{kept}"
        );
    }
    assert_eq!(told(&scene.results("/bad")), [("x", "fail"), ("", "fail")]);
    assert_eq!(told(&scene.results("/lost")), [("x", "info"), ("", "error")]);
    assert_eq!(told(&scene.results("/usage")), [("", "error")]);
    assert_eq!(told(&scene.results("/skip")), [("x", "skip"), ("", "skip")]);
    assert_eq!(
        told(&scene.results("/each")),
        [("x", "pass"), ("y", "info"), ("", "pass")]
    );
}

#[test]
fn custom_results_come_from_the_file_that_the_test_writes() {
    let custom =
        |text: &str| format!("test: |\n    printf -- '{text}' >$TMT_TEST_DATA/results.yaml; exit 5\nresult: custom\n");
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        (
            "good.fmf",
            custom("- {name: /, result: pass}\\n- {name: /s, result: info}\\n"),
        ),
        (
            "bad.fmf",
            custom("- {name: /, result: pass}\\n- {name: /s, result: fail}\\n"),
        ),
        ("broken.fmf", custom("- {name: /, result: pass, what: else}\\n")),
    ]);
    scene.run(1, ["build"]);
    assert_eq!(told(&scene.results("/good")), [("s", "info"), ("", "pass")]);
    assert_eq!(told(&scene.results("/bad")), [("s", "fail"), ("", "pass")]);
    assert_eq!(told(&scene.results("/broken")), [("", "error")]);
    scene.run(0, ["build", "--name", "/good"]);
    scene.run(1, ["build", "--name", "/bad"]);
}

#[test]
fn the_interface_is_decided_by_metadata_configuration_or_files_and_changes_the_key() {
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("a/main.fmf", "test: ./run\n".to_owned()),
        ("a/run", "#!/bin/sh\nexit 2\n".to_owned()),
    ]);
    let interface = |scene: &Scene| {
        let listed = scene.atex(["ls", "tests", "--json"]).run().expect(0).json();
        listed[0]["interface"].as_str().expect("it is told").to_owned()
    };
    let status = |scene: &Scene| {
        scene.run(1, ["build"]);
        scene.results("/a")[0]["status"].as_str().expect("a status").to_owned()
    };
    assert_eq!(
        (interface(&scene), status(&scene)),
        ("tmt".to_owned(), "error".to_owned())
    );
    scene.write("atex.toml", "[defaults]\ninterface = \"atex\"\n");
    assert!(scene.why(["/a"]).contains("interface"), "the key holds it");
    assert_eq!(
        (interface(&scene), status(&scene)),
        ("atex".to_owned(), "fail".to_owned())
    );
    scene.write("plan.fmf", format!("{PLAN}extra-atex-interface: tmt\n"));
    assert_eq!(
        (interface(&scene), status(&scene)),
        ("tmt".to_owned(), "error".to_owned())
    );
    scene.write("a/main.fmf", "test: ./run\nextra-atex-interface: atex\n");
    assert_eq!(
        (interface(&scene), status(&scene)),
        ("atex".to_owned(), "fail".to_owned())
    );
    scene.write("plan.fmf", PLAN);
    scene.write("atex.toml", "");
    scene.write("a/main.fmf", "test: ./run\n");
    scene.write("a/run", "#!/bin/sh\n# knows ATEX_TEST_CONTROL\nexit 2\n");
    assert_eq!(
        (interface(&scene), status(&scene)),
        ("atex".to_owned(), "fail".to_owned())
    );
    scene.write("a/main.fmf", "test: ./run\nextra-atex-interface: beaker\n");
    assert!(scene.run(2, ["build"]).said("`beaker` is no interface"));
}

#[test]
fn what_a_test_of_tmt_says_over_the_control_stream_counts_too() {
    let fails = report(r#"{"name": "x", "status": "fail"}"#);
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        (
            "one.fmf",
            format!("test: |\n    {fails}\n    tmt-report-result /y PASS\nextra-atex-interface: tmt\n"),
        ),
    ]);
    scene.run(1, ["build"]);
    assert_eq!(
        told(&scene.results("/one")),
        [("x", "fail"), ("y", "pass"), ("", "pass")]
    );
}

#[test]
fn a_test_finds_nothing_of_another_and_may_end_its_shell_in_any_way() {
    let test = r#"test: |
    [ -z "$(ls -A "$TMT_TEST_DATA")" ] || exit 7
    echo kept >"$TMT_TEST_DATA/kept"; echo shared >"$TMT_PLAN_DATA/shared-$TMT_TEST_SERIAL_NUMBER"
    ln -s / "$TMT_TEST_DATA/root"; mkdir "$TMT_TEST_DATA/empty"
    [ "$TMT_TEST_SERIAL_NUMBER" -gt 0 ] && [ "$REBOOTCOUNT$RSTRNT_REBOOTCOUNT" = 00 ]
    rhts-abort
    sleep 60
"#;
    // An abort ends its plan.
    let plans = "/first: {discover: {how: fmf, test: [/one]}, execute: {how: tmt}}
/second: {discover: {how: fmf, test: [/two]}, execute: {how: tmt}}
";
    let scene = Scene::new([("plan.fmf", plans), ("one.fmf", test), ("two.fmf", test)]);
    scene.run(1, ["build"]);
    for name in ["one", "two"] {
        let results = scene.results(&format!("/{name}"));
        assert_eq!(results[0]["note"], "exit code 143");
        let files = results[0]["files"].as_array().expect("files");
        assert_eq!(files[..4], ["output.txt", "data/abort", "data/kept", "plan-data.txt"]);
        let shared = files[4].as_str().unwrap_or_default();
        assert!(shared.starts_with("plan-data/shared-") && files.len() == 5, "{files:?}");
    }
}

#[test]
fn what_a_test_does_to_the_commands_changes_nothing_for_the_next() {
    let scene = Scene::new([("plan.fmf", PLAN), ("one.fmf", ""), ("two.fmf", "")]);
    let commands = "$TMT_SCRIPTS_DIR";
    for (number, tampers) in [
        "printf 'exit 0\\n' >tmt-report-result",
        "printf '#!/bin/sh\\n' | dd of=tmt-report-result conv=notrunc",
        "ln -sf /bin/true tmt-report-result",
        "rm tmt-report-result",
        "rm rstrnt-abort; mkdir rstrnt-abort",
        "chmod a-x *",
        "cp /bin/true false; chmod +x false",
        "cp /bin/true .false; ln .false ../tool",
        "echo exit >>../commands",
        "rm ../commands; ln -s /dev/null ../commands",
        "printf '\\0' >>../commands",
        "rm -r ../bin; ln -s /bin ../bin",
        "rm -r ../state; ln -s /proc ../state",
    ]
    .into_iter()
    .enumerate()
    {
        scene.write("one.fmf", format!("order: 1\ntest: |\n    cd {commands}; {tampers}\n"));
        // What is passed over is that there are more commands, or less.
        let two = format!(
            "order: 2\ntest: |\n    : {number}\n    [ \"$(ls -A {commands} | wc -l)\" = 13 ] && [ \"$(ls -A {commands}/..)\" = \"$(printf \
             'bin\\ncommands\\nstate\\ntest')\" ] || exit 7\n    false || tmt-report-result /x FAIL\n"
        );
        scene.write("two.fmf", two);
        scene.run(1, ["build"]);
        assert_eq!(told(&scene.results("/two")), [("x", "fail"), ("", "fail")], "{tampers}");
    }
}

#[test]
fn a_plan_knows_variables_better_than_its_test_and_what_prepare_found_out_is_between_them() {
    let plan =
        "environment: {A: plan}\nprepare: {script: 'printf \"A=file\\nB=file\\n\" >>$TMT_PLAN_ENVIRONMENT_FILE'}\n";
    let scene = Scene::new([
        ("plan.fmf", format!("{PLAN}{plan}")),
        (
            "one.fmf",
            "test: echo \"$A $B $C $D $TMT_VERSION\"\nenvironment: {A: test, B: test, C: test, D: test, TMT_VERSION: x}\n"
                .to_owned(),
        ),
    ]);
    scene.run(0, ["build", "-e", "D=line"]);
    assert_eq!(scene.output("/one"), "plan file test line 1.78.0\n");
}

#[test]
fn a_test_whose_exit_code_says_so_is_started_again_with_what_it_left() {
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        (
            "again.fmf",
            "test: |\n    echo \"$TMT_TEST_RESTART_COUNT $TMT_REBOOT_COUNT\" | tee -a $TMT_TEST_DATA/runs\n    \
             [ $TMT_TEST_RESTART_COUNT = 2 ] || exit 7\nrestart-on-exit-code: [5, 7]\nrestart-max-count: 2\n"
                .to_owned(),
        ),
        (
            "once.fmf",
            "test: echo run; exit 5\nrestart-on-exit-code: 5\nresult: xfail\n".to_owned(),
        ),
        (
            "never.fmf",
            "test: echo run\nrestart-on-exit-code: 0\nrestart-max-count: 0\n".to_owned(),
        ),
        (
            "late.fmf",
            "test: sleep 3; exit 1\nduration: 5s\nrestart-on-exit-code: 1\nrestart-max-count: 5\n".to_owned(),
        ),
    ]);
    let ran = scene.run(3, ["build"]);
    assert!(!ran.said("not obeyed"), "{ran:?}");
    assert_eq!(told(&scene.results("/again")), [("", "pass")]);
    assert_eq!(scene.output("/again"), "0 0\n1 0\n2 0\n");
    let data = scene.latest().join("tests/again/files/data/runs");
    assert_eq!(std::fs::read_to_string(data).expect("it is kept"), "0 0\n1 0\n2 0\n");
    assert_eq!(told(&scene.results("/once")), [("", "error")]);
    assert_eq!(scene.output("/once"), "run\nrun\n");
    assert_eq!(told(&scene.results("/never")), [("", "error")]);
    assert_eq!(scene.output("/never"), "run\n");
    let late = scene.results("/late");
    assert_eq!(late[0]["error"], "timeout", "the time is that of all runs: {late:?}");
    scene.write("again.fmf", "test: 'true'\nrestart-on-exit-code: soon\n");
    assert!(
        scene.run(2, ["test", "/again"]).said("again.fmf:2"),
        "it names the place"
    );
}

#[test]
fn a_test_cannot_reboot_this_host_and_those_after_it_run() {
    let scene = Scene::new([
        ("plan.fmf", PLAN),
        (
            "a.fmf",
            "test: rstrnt-reboot -c 'echo rebooted >>$COUNTER'; echo after\n",
        ),
        (
            "b.fmf",
            "test: exit 5\nrestart-on-exit-code: 5\nrestart-with-reboot: true\n",
        ),
        ("c.fmf", "test: tmt-reboot -x; echo after\n"),
        ("d.fmf", "test: tmt-reboot -h; echo test >>$COUNTER\n"),
    ]);
    scene.run(1, ["build"]);
    for name in ["/a", "/b"] {
        assert_eq!(
            told(&scene.results(name)),
            [("check/internal/guest", "fail"), ("", "error")],
            "{name}"
        );
    }
    assert!(scene.output("/a").ends_with("after\n"), "it runs to its own end");
    assert_eq!(told(&scene.results("/c")), [("", "fail")]);
    assert_eq!(told(&scene.results("/d")), [("", "pass")]);
    assert_eq!(scene.ran(), ["test"], "nothing was rebooted");
}

#[test]
fn a_check_sees_what_the_kernel_said_during_the_test_alone() {
    let said = |what: &str| format!("test: |\n    echo '[1.0] {what}' >>$COUNTER\n");
    let scene = Scene::new([
        ("plan.fmf", PLAN.to_owned()),
        ("bad.fmf", format!("{}check: dmesg\n", said("Call Trace: x"))),
        ("good.fmf", format!("{}check: [{{how: dmesg}}, avc]\n", said("fine"))),
        (
            "expected.fmf",
            format!(
                "{}check: {{how: dmesg, result: xfail, failure-pattern: blue}}\n",
                said("blue")
            ),
        ),
        (
            "other.fmf",
            "test: 'true'\ncheck: [{how: dmesg, enabled: false}, {how: nosuch}]\nresult: pass\n".to_owned(),
        ),
        (
            "cleared.fmf",
            "test: |\n    : >$COUNTER\n    echo again >>$COUNTER\ncheck: dmesg\n".to_owned(),
        ),
        ("broken.fmf", "test: rm $COUNTER\ncheck: dmesg\norder: 99\n".to_owned()),
    ]);
    // A stand-in for the kernel's log, which belongs to all tests of this host.
    let bin = scene.world.path("bin");
    scene.world.write(
        "bin/dmesg",
        format!("#!/bin/sh\nexec cat {}\n", scene.world.path("ran").display()),
    );
    scene.world.bash(&format!("chmod +x {}/dmesg", bin.display())).expect(0);
    scene.world.write("ran", "[0.1] an old Call Trace: y\n");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
    let ran = scene.atex(["build"]).env("PATH", &path).run().expect(1);
    assert!(!ran.said("not obeyed"), "{ran:?}");
    assert_eq!(told(&scene.results("/bad")), [("check/dmesg", "fail"), ("", "fail")]);
    let evidence = scene.latest().join("tests/bad/files/checks/dmesg-after-test.txt");
    assert_eq!(
        std::fs::read_to_string(evidence).expect("the evidence"),
        "[1.0] Call Trace: x\n"
    );
    let good = scene.results("/good");
    assert_eq!(told(&good)[0], ("check/dmesg", "pass"));
    assert!(matches!(told(&good)[1], ("check/avc", "skip" | "pass" | "error")));
    assert_eq!(
        told(&scene.results("/expected")),
        [("check/dmesg", "fail"), ("", "pass")]
    );
    assert_eq!(told(&scene.results("/other")), [("", "error")]);
    assert_eq!(
        told(&scene.results("/cleared")),
        [("check/dmesg", "pass"), ("", "pass")]
    );
    assert_eq!(
        told(&scene.results("/broken")),
        [("check/dmesg", "error"), ("", "error")]
    );
    scene.world.write("ran", "");
    let again = scene.atex(["build", "--name", "/expected"]).env("PATH", &path).run();
    assert!(again.expect(0).said("1 cached"), "a pass with its checks is recorded");
    scene.edit("expected.fmf", "blue}", "blue, ignore: x}");
    assert!(scene.why(["/expected"]).contains("check"), "the key holds it");
}

#[test]
fn the_rules_are_the_same_behind_ssh() {
    let lab = Lab::new();
    lab.world.write(
        "tree/a/main.fmf",
        "test: tmt-report-result /x PASS; echo 1 >$TMT_TEST_DATA/one; exit 3\nresult: respect\n",
    );
    lab.world.write("tree/b/main.fmf", "test: 'false'\nresult: xfail\n");
    let ran = lab.run(0, ["build", "--until", "test"]);
    assert!(ran.said("2 passed"), "{ran:?}");
    let run = std::fs::canonicalize(lab.world.path("home/.local/state/atex/runs/latest")).expect("a run");
    let text = std::fs::read_to_string(run.join("tests/a/results.jsonl")).expect("results");
    assert!(text.contains(r#""name":"x""#) && text.contains("data/one"), "{text}");
}
