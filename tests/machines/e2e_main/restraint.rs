//! What tests of a plan with `restraint-compatible` find beside what tmt promises all.

use crate::e2e_main::scene::Scene;

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt, restraint-compatible: true}\n";

const TEST: &str = "/name:
    test: echo \"$RSTRNT_TASKNAME $TMT_RESTRAINT_COMPATIBLE\"
/log:
    test: |
        echo own >own
        echo default >default
        export OUTPUTFILE=$PWD/default
        tmt-report-result /x PASS
        rstrnt-report-result -o own /y PASS
        rhts-report-result /z PASS own
        OUTPUTFILE=$PWD/nowhere tmt-report-result /n PASS || echo 'no such file'
        ls -d $TMT_TEST_DATA/*/*
";

#[test]
fn a_restraint_compatible_plan_names_the_task_and_takes_the_log_from_outputfile() {
    let scene = Scene::new([("plan.fmf", PLAN), ("t.fmf", TEST)]);
    let ran = scene.run(0, ["build"]);
    assert!(!ran.said("not obeyed"), "{ran:?}");
    assert_eq!(scene.output("/t/name"), "/t/name 1\n");
    let output = scene.output("/t/log");
    for (text, is_there) in [
        ("/data/x/default.txt\n", true),
        ("/data/y/own.txt\n", true),
        ("/data/z/resultoutputfile.log\n", true),
        ("no such file\n", true),
        ("/data/n/", false),
    ] {
        assert_eq!(output.contains(text), is_there, "{text}: {output}");
    }
    let logs: Vec<_> = scene
        .results("/t/log")
        .iter()
        .map(|result| result["log"].clone())
        .collect();
    assert_eq!(logs[0], serde_json::json!(["data/x/default.txt"]), "{logs:?}");
}

#[test]
fn without_it_outputfile_is_not_read_and_a_change_runs_the_tests_again() {
    let scene = Scene::new([("plan.fmf", PLAN), ("t.fmf", TEST)]);
    scene.run(0, ["build"]);
    scene.edit("plan.fmf", ", restraint-compatible: true", "");
    let why = scene.why(["/t/name"]);
    assert!(why.contains("TMT_RESTRAINT_COMPATIBLE"), "{why}");
    let ran = scene.run(0, ["build"]);
    assert!(!ran.said("cached"), "{ran:?}");
    assert_eq!(scene.output("/t/name"), " 0\n");
    let output = scene.output("/t/log");
    assert!(!output.contains("/data/x/"), "{output}");
    assert!(output.contains("/data/z/output.txt\n"), "{output}");
}

#[test]
fn a_test_with_the_interface_of_atex_has_nothing_of_it_and_keeps_its_key() {
    let test = "test: '[ -z \"$RSTRNT_TASKNAME$TMT_RESTRAINT_COMPATIBLE\" ]'\nextra-atex-interface: atex\n";
    let scene = Scene::new([("plan.fmf", PLAN), ("t.fmf", test)]);
    scene.run(0, ["build"]);
    scene.edit("plan.fmf", ", restraint-compatible: true", "");
    let again = scene.run(0, ["build"]);
    assert!(again.said("1 cached"), "{again:?}");
}
