//! Tests of what is used of plans and tests: selection, sections, phases, warnings and refusals.

use std::process::Command;

use atex::compile::spec::{InstallSpec, Interface, Narrowing, PhaseAction, Request, UploadKind, Warning};
use atex::compile::{CompileError, compile, resolve, resolve_plans};

use crate::compile_plans::trial::{PLAIN, Trial, refused};

/// What a listing shows.
#[derive(Debug)]
struct Listed {
    plans: Vec<String>,
    tests: Vec<ListedTest>,
    warnings: Vec<Warning>,
}

#[derive(Debug)]
struct ListedTest {
    name: String,
    dir: String,
}

fn list(request: &Request) -> Result<Listed, CompileError> {
    let resolved = resolve(request)?;
    let listing = resolved.list(request)?;
    let tests = listing.tests().map(|test| {
        Ok(ListedTest {
            name: test.name.to_owned(),
            dir: test.dir()?,
        })
    });
    Ok(Listed {
        plans: listing.plans().map(|plan| plan.name).collect(),
        tests: tests.collect::<Result<_, CompileError>>()?,
        warnings: listing.warnings.clone(),
    })
}

fn plans(request: &Request) -> Vec<String> {
    list(request).expect("it lists").plans
}

fn tests(request: &Request) -> Vec<String> {
    let listed = list(request).expect("it lists");
    listed.tests.into_iter().map(|test| test.name).collect()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

const TESTS: (&str, &str) = (
    "tests.fmf",
    "/a:\n    test: ./a\n    tag: [fast]\n/b:\n    test: ./b\n    order: 10\n/c:\n    test: ./c\n    enabled: false\n\
     /d:\n    test: ./d\n    manual: true\n/e:\n    test: ./e\n    story: As a user\n",
);

#[test]
fn plans_are_taken_by_exact_name_then_by_regex() {
    let plan = "discover: {how: fmf}\n/x:\n    order: 60\n/x1: {}\n/off:\n    enabled: false\n";
    let trial = Trial::new(&[("plans.fmf", plan), TESTS]);
    let with = |names: &[&str]| Request {
        plans: strings(names),
        ..trial.request()
    };
    assert_eq!(plans(&with(&[])), ["/plans/x1", "/plans/x"]);
    assert_eq!(plans(&with(&["/plans/x"])), ["/plans/x"]);
    assert_eq!(plans(&with(&["x"])), ["/plans/x1", "/plans/x"]);
    assert_eq!(plans(&with(&["/plan"])), ["/plans/x1", "/plans/x"]);
    assert_eq!(plans(&with(&["/plans/off"])), ["/plans/off"]);
    let Err(CompileError::UnknownPlan { disabled, .. }) = list(&with(&["off"])) else {
        panic!("a disabled plan")
    };
    assert_eq!(disabled, ["/plans/off"]);
    let Err(error @ CompileError::UnknownPlan { .. }) = list(&with(&["/plans/x2"])) else {
        panic!("no such plan")
    };
    assert_eq!(error.to_string(), "no plan matches `/plans/x2`");
    assert!(
        error.hint().is_some_and(|hint| hint.contains("`/plans/x1`")),
        "{:?}",
        error.hint()
    );
    assert!(matches!(list(&with(&["(x"])), Err(CompileError::Tree(_))));
}

#[test]
fn a_tree_without_plans_has_the_default_plan() {
    let trial = Trial::new(&[TESTS]);
    assert_eq!(plans(&trial.request()), ["/default/plan"]);
    assert_eq!(tests(&trial.request()), ["/tests/b", "/tests/a"]);
    let named = Request {
        plans: strings(&["/default/plan"]),
        ..trial.request()
    };
    assert_eq!(plans(&named), ["/default/plan"]);
}

#[test]
fn a_plan_without_discover_has_no_tests() {
    let trial = Trial::new(&[TESTS, ("plan.fmf", "execute:\n    how: tmt\n")]);
    let listing = list(&trial.request()).expect("it lists");
    assert_eq!(
        (listing.plans.len(), listing.tests.len(), listing.warnings.len()),
        (1, 0, 1)
    );
}

#[test]
fn sections_and_the_command_line_narrow_and_never_widen() {
    let plan = "discover:\n    how: fmf\n    test: [/tests/a, /tests/b]\n";
    let trial = Trial::new(&[TESTS, ("plan.fmf", plan)]);
    let with = |narrowing: Narrowing| Request {
        narrowing,
        ..trial.request()
    };
    assert_eq!(
        tests(&trial.request()),
        ["/tests/a", "/tests/b"],
        "in the order of `test`"
    );
    assert_eq!(
        tests(&with(Narrowing {
            names: strings(&["b", "c"]),
            ..Narrowing::default()
        })),
        ["/tests/b"]
    );
    assert_eq!(
        tests(&with(Narrowing {
            exclude: strings(&["b"]),
            ..Narrowing::default()
        })),
        ["/tests/a"]
    );
    assert_eq!(
        tests(&with(Narrowing {
            filters: strings(&["tag: fast"]),
            ..Narrowing::default()
        })),
        ["/tests/a"]
    );
    assert_eq!(
        tests(&with(Narrowing {
            filters: strings(&["tag: slow"]),
            ..Narrowing::default()
        })),
        [""; 0]
    );
}

#[test]
fn a_test_that_is_selected_twice_runs_once_and_that_is_said() {
    let plan = "discover:\n    how: fmf\n    test: [/tests/b, /tests/a, /tests/b]\n";
    let trial = Trial::new(&[TESTS, ("plan.fmf", plan)]);
    let listing = list(&trial.request()).expect("it lists");
    assert_eq!(tests(&trial.request()), ["/tests/b", "/tests/a"]);
    assert_eq!(
        listing.warnings[0].to_string(),
        "plan.fmf:3: plan `/plan`, discover section 1: `test` selects tests more than once; each of them runs once, as it is selected first"
    );
}

#[test]
fn tests_asked_for_by_name_are_exact_first_and_a_name_of_nothing_is_told() {
    let trial = Trial::new(&[
        ("tests.fmf", "/a:\n    test: ./a\n/ab:\n    test: ./ab\n"),
        PLAIN,
        ("other.fmf", "execute: {how: tmt}\n"),
    ]);
    let with = |names: &[&str]| Request {
        tests: strings(names),
        ..trial.request()
    };
    assert_eq!(tests(&with(&["/tests/a"])), ["/tests/a"]);
    assert_eq!(tests(&with(&["tests/a"])), ["/tests/a", "/tests/ab"]);
    assert_eq!(
        plans(&with(&["/tests/a"])),
        ["/plan"],
        "plans without the test are left out"
    );
    let Err(error) = list(&with(&["/tests/a", "/test/abc"])) else {
        panic!("no such test")
    };
    assert!(error.is_nothing());
    assert!(
        error.hint().is_some_and(|hint| hint.contains("`/tests/ab`")),
        "{:?}",
        error.hint()
    );
}

#[test]
fn many_sections_are_prefixed_by_their_names() {
    let plan = "discover:\n  - how: fmf\n    name: one\n    test: /a\n  - how: fmf\n    name: two\n    path: PATH\n";
    let other = Trial::new(&[("x/main.fmf", "test: ./x\n"), ("x/data", "1")]);
    let plan = plan.replace("PATH", &other.dir.path().display().to_string());
    let trial = Trial::new(&[("tests/main.fmf", "/a:\n    test: ./a\n"), ("plan.fmf", &plan)]);
    let listing = list(&trial.request()).expect("it lists");
    let names: Vec<_> = listing
        .tests
        .iter()
        .map(|test| (test.name.as_str(), test.dir.as_str()))
        .collect();
    assert_eq!(names, [("/one/tests/a", "one/tests"), ("/two/x", "two/x")]);

    let workload = compile(&trial.request()).unwrap_or_else(|error| panic!("{error}"));
    let upload = workload.upload(workload.plans[0].upload);
    assert_ne!(upload.slot, "main");
    let paths: Vec<String> = upload
        .files
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    assert!(
        paths.contains(&"two/x/data".to_owned()) && paths.contains(&"one/plan.fmf".to_owned()),
        "{paths:?}"
    );
    assert_eq!(workload.tests[1].dir, "two/x");
}

#[test]
fn rules_for_tests_come_after_their_own_and_those_of_an_item_are_for_its_tests_only() {
    let tests =
        "test: x\nduration: 1m\n/one:\n  adjust: [{when: mine is not defined, duration: 2m}]\n/two: {}\n/three: {}\n";
    let plan = "discover:\n  how: fmf\n  adjust-tests:\n    - {when: mine == x, environment+: {A: all}}\n    - {when: mine == y, duration: 9m}\n\
                \x20 test:\n    - {name: one, duration: 3m, when: mine == x}\n    - two\n    - {name: one, duration: 4m}\n    - {name: three, tag: x, when: mine == y}\n\
                execute: {how: tmt}\ncontext: {mine: x}\n";
    let trial = Trial::new(&[("tests.fmf", tests), ("plan.fmf", plan)]);
    let work = compile(&trial.request()).unwrap_or_else(|error| panic!("{error}"));
    let shown = |test: &atex::compile::spec::TestSpec| {
        let environment: Vec<String> = test
            .env_before
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        format!("{} {}s {}", test.name, test.duration.as_secs(), environment.join(" "))
    };
    assert_eq!(
        work.tests.iter().map(shown).collect::<Vec<_>>(),
        [
            "/tests/one 180s A=all",
            "/tests/two 60s A=all",
            "/tests/three 60s A=all"
        ]
    );
    assert!(
        work.warnings[0].text.contains("as it is selected first"),
        "{:?}",
        work.warnings
    );
    let wrong = "discover: {how: fmf, adjust-tests: [x]}\nexecute: {how: tmt}\n";
    let error = refused(&Trial::new(&[("plan.fmf", wrong)]).request());
    assert_eq!(
        error,
        "plan.fmf:1: plan `/plan`, discover section 1: `adjust-tests` must be a mapping or a list of mappings, not a text"
    );
}

#[test]
fn sections_without_a_name_are_numbered_and_all_sections_count() {
    let trial = Trial::new(&[("tests.fmf", "test: ./a\n")]);
    let names = |sections: &str| {
        trial.write("plan.fmf", &format!("discover:\n{sections}"));
        tests(&trial.request())
    };
    let unnamed = "  - {how: fmf}\n";
    assert_eq!(names(unnamed), ["/tests"]);
    assert_eq!(
        names(&format!("{unnamed}  - {{how: fmf, name: zz}}\n{unnamed}")),
        ["/default-0/tests", "/zz/tests", "/default-1/tests"]
    );
    assert_eq!(
        names(&format!("{unnamed}  - {{how: fmf, name: default-0}}\n")),
        ["/default-1/tests", "/default-0/tests"]
    );
    assert_eq!(
        names(&format!("{unnamed}  - {{how: fmf, when: a == b}}\n")),
        ["/default-0/tests"],
        "one that is left out counts"
    );
}

#[test]
fn two_phases_of_one_name_are_an_error_of_the_plan() {
    for step in ["discover", "prepare", "finish"] {
        let phases = "\n  - {how: shell, name: b, script: x}\n  - {how: shell, name: b, script: y, when: a == b}\n";
        let trial = Trial::new(&[("plan.fmf", &format!("execute: {{how: tmt}}\n{step}:{phases}")), TESTS]);
        let error = trial.refused();
        assert_eq!(
            error.to_string(),
            format!("plan.fmf:4: plan `/plan`: two phases of `{step}` are named `b`")
        );
    }
}

#[test]
fn a_test_with_execute_is_a_plan_too_and_one_with_discover_is_not() {
    let trial = Trial::new(&[
        ("both.fmf", "test: ./x\nexecute: {how: tmt}\ndiscover: {how: fmf}\n"),
        ("test.fmf", "test: ./x\ndiscover: {how: fmf}\n"),
        ("null.fmf", "execute:\ndiscover: {how: fmf, test: /both}\n"),
    ]);
    assert_eq!(plans(&trial.request()), ["/both", "/null"]);
    assert_eq!(tests(&trial.request()), ["/both", "/test", "/both"]);
}

#[test]
fn a_section_with_a_url_brings_the_files_of_that_repository() {
    let other = Trial::new(&[
        ("nested/.fmf/version", "1\n"),
        ("nested/x/main.fmf", "test: ./x\n"),
        ("nested/x/data", "1"),
    ]);
    let git = |arguments: &[&str]| {
        let identity = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "-c",
            "init.defaultBranch=main",
        ];
        let mut command = Command::new("git");
        let status = command
            .arg("-C")
            .arg(other.dir.path())
            .args(identity)
            .args(arguments)
            .status();
        assert!(status.expect("git runs").success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "tests"]);
    let url = format!("file://{}", other.dir.path().display());
    let plan = format!("discover:\n    how: fmf\n    url: {url}\n    ref: main\n    path: nested\n");
    let trial = Trial::new(&[TESTS, ("plan.fmf", &plan)]);
    let cache = tempfile::tempdir().expect("a directory");
    let request = Request {
        fetch_cache: cache.path().to_owned(),
        ..trial.request()
    };
    assert_eq!(tests(&request), ["/x"]);
    let workload = compile(&request).unwrap_or_else(|error| panic!("{error}"));
    let upload = workload.upload(workload.plans[0].upload);
    let paths: Vec<String> = upload
        .files
        .iter()
        .map(|file| file.path.display().to_string())
        .collect();
    assert_eq!(paths, [".fmf/version", "x/data", "x/main.fmf"]);
    let nowhere = trial.request();
    let plans = resolve_plans(&nowhere).and_then(|resolved| resolved.list_plans(&nowhere));
    let plans = plans.expect("nothing is fetched").plans;
    assert_eq!((plans.len(), plans[0].tests), (1, None));
}

#[test]
fn a_section_of_the_root_lies_in_the_root() {
    let trial = Trial::new(&[("main.fmf", "/a:\n    test: ./a\n")]);
    let listing = list(&trial.request()).expect("it lists");
    assert_eq!(listing.tests[0].dir, ".");
    let workload = compile(&trial.request()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(workload.tests[0].dir, "");
}

#[test]
fn phases_are_ordered_and_a_phase_without_how_is_a_script() {
    let plan = "discover: {how: fmf}\nprepare:\n  - script: [one, two]\n    name: last\n    order: 70\n  - how: install\n    package: tar\n  \
                - script: first\n    order: 10\n  - script: never\n    when: distro == rhel\n";
    let trial = Trial::new(&[TESTS, ("plan.fmf", plan)]);
    let workload = compile(&trial.request()).unwrap_or_else(|error| panic!("{error}"));
    let steps: Vec<_> = workload.plans[0]
        .chain
        .iter()
        .map(|step| workload.step(*step))
        .collect();
    let actions: Vec<_> = steps.iter().map(|step| step.action.clone()).collect();
    let shell = |scripts: &[&str]| PhaseAction::Shell {
        scripts: strings(scripts),
    };
    assert_eq!(
        actions,
        [
            shell(&["first"]),
            PhaseAction::Install(InstallSpec {
                packages: strings(&["tar"]),
                ..InstallSpec::default()
            }),
            shell(&["one", "two"])
        ]
    );
    assert_eq!(steps[2].label, "last");
    assert!(workload.warnings.is_empty(), "{:?}", workload.warnings);
}

#[test]
fn what_is_not_supported_is_one_warning_each_and_an_error_when_strict() {
    let plan = "discover:\n    how: fmf\n    dist-git-source: true\nprepare:\n  - how: install\n    package: tar\n    copr: a/b\n\
                \x20   directory: rpms\n  - how: artifact\n    playbook: x.yml\n    name: book\n\
                provision: {how: virtual}\nreport: {how: junit}\n";
    let trial = Trial::new(&[TESTS, ("plan.fmf", plan)]);
    let listing = list(&trial.request()).expect("it lists");
    let warnings: Vec<String> = listing.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "plan.fmf:3: plan `/plan`, discover section 1: `dist-git-source` is not supported and ignored",
            "plan.fmf:9: plan `/plan`, prepare phase 2 (`book`): `how: artifact` is not supported, the phase is ignored",
        ]
    );
    let strict = Request {
        strict: true,
        ..trial.request()
    };
    assert!(matches!(list(&strict), Err(CompileError::Strict { warnings }) if warnings.len() == 2));
}

#[test]
fn a_phase_becomes_a_step_or_a_warning_with_its_place() {
    for step in ["prepare", "finish"] {
        for how in ["install", "shell", "shel", "instal", "ansible", "feature", "''"] {
            for keys in [
                "script: x",
                "package: x",
                "script: x, package: x",
                "playbook: x",
                "order: 1",
            ] {
                let plan = format!("discover:\n    how: fmf\n{step}:\n  - {{how: {how}, {keys}}}\n");
                let trial = Trial::new(&[TESTS, ("plan.fmf", &plan)]);
                let workload = compile(&trial.request()).expect("it compiles");
                let plan = &workload.plans[0];
                let runs = plan.chain.len() + plan.finish.len();
                let is_told = |warning: &Warning| warning.line == Some(4) && warning.text.contains(step);
                let told = workload.warnings.iter().any(is_told);
                let case = format!("{step}: {{how: {how}, {keys}}}: {:?}", workload.warnings);
                assert!(told || runs == 1, "{case}");
                let shell = how == "shell" && keys.contains("script");
                let install = how == "install" && keys.contains("package") && step == "prepare";
                let ansible = how == "ansible" && keys.contains("playbook");
                assert_eq!(runs, usize::from(shell || install || ansible), "{case}");
            }
        }
    }
}

#[test]
fn a_slip_in_how_is_told_with_the_word_of_the_step_that_is_like_it() {
    let plan = "discover:\n    how: fmf\nprepare:\n  how: instal\n  package: x\nfinish:\n  - {how: shel, script: x}\n  - {how: instal, package: x}\n";
    let trial = Trial::new(&[TESTS, ("plan.fmf", plan)]);
    let warnings = list(&trial.request()).expect("it lists").warnings;
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "plan.fmf:4: plan `/plan`, prepare phase 1 (`instal`): `how: instal` is not supported, the phase is ignored (did you mean `install`?)",
            "plan.fmf:7: plan `/plan`, finish phase 1 (`shel`): `how: shel` is not supported, the phase is ignored (did you mean `shell`?)",
            "plan.fmf:8: plan `/plan`, finish phase 2 (`instal`): `how: instal` is not supported, the phase is ignored",
        ]
    );
}

#[test]
fn values_become_text_as_in_tmt() {
    let environment = "environment:\n  - A: 1\n    B: true\n    C: 1.50\n    D:\n  - E: \" x \"\n  - F=a=b\n";
    let trial = Trial::new(&[("plan.fmf", &format!("discover: {{how: fmf}}\n{environment}")), TESTS]);
    let workload = compile(&trial.request()).unwrap_or_else(|error| panic!("{error}"));
    let expected = [
        ("A", "1"),
        ("B", "True"),
        ("C", "1.5"),
        ("D", "None"),
        ("E", "x"),
        ("F", "a=b"),
    ];
    let expected: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    assert_eq!(workload.plans[0].environment, expected);
}

#[test]
fn a_phase_that_says_nothing_to_do_is_ignored_with_a_warning() {
    let plan = "discover: {how: fmf}\nprepare:\n  - how: shell\n  - how: install\n    package: [' ']\n";
    let trial = Trial::new(&[TESTS, ("plan.fmf", plan)]);
    let workload = compile(&trial.request()).unwrap_or_else(|error| panic!("{error}"));
    let warnings: Vec<String> = workload.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "plan.fmf:3: plan `/plan`, prepare phase 1 (`shell`): has no `script`, so there is nothing to do",
            "plan.fmf:5: plan `/plan`, prepare phase 2 (`install`): has no `package`, so there is nothing to do",
        ]
    );
    assert!(workload.plans[0].chain.is_empty());
}

#[test]
fn include_selects_by_name_and_leaves_the_order_alone() {
    let all = "/one: {test: x}\n/two: {test: x, order: 10}\n/twofold: {test: x}\n/three: {test: x}\n";
    for (section, expected) in [
        ("include: [/one$, two]", &["/t/two", "/t/one", "/t/twofold"][..]),
        ("include: two, exclude: fold", &["/t/two"]),
        ("include: two, test: [/twofold, /one, /two$]", &["/t/twofold", "/t/two"]),
        ("include: []", &["/t/two", "/t/one", "/t/three", "/t/twofold"]),
    ] {
        let plan = format!("execute: {{how: tmt}}\ndiscover: {{how: fmf, {section}}}\n");
        let trial = Trial::new(&[("t.fmf", all), ("plan.fmf", &plan)]);
        assert_eq!(tests(&trial.request()), expected, "{section}");
    }
}

#[test]
fn a_test_says_what_it_needs() {
    let test = "test: ./run\nrequire: [make, {type: library, nick: here, name: /of}, {type: file, pattern: lib}]\nrecommend: gcc\nduration: 10m *2\ntty: true\n\
                tag: destructive\npath: /lib\nextra-priority: 5\n";
    let trial = Trial::new(&[
        ("t/main.fmf", test),
        ("lib/f", ""),
        ("of/main.fmf", "require: sed"),
        PLAIN,
    ]);
    let workload = compile(&trial.request()).unwrap_or_else(|error| panic!("{error}"));
    let test = &workload.tests[0];
    assert_eq!(
        (test.requires.as_slice(), test.recommends.as_slice()),
        (&strings(&["make", "sed"])[..], &strings(&["gcc"])[..])
    );
    assert_eq!(
        (test.duration.as_secs(), test.tty, test.dir.as_str(), test.priority),
        (1200, true, "lib", 5)
    );
    assert_eq!(test.tags, ["destructive"]);
    assert_eq!(test.origin.as_deref(), Some("t/main.fmf:1"));
    assert!(
        ["name: /t", "test: ./run"]
            .iter()
            .all(|line| test.metadata.lines().any(|other| other == *line)),
        "{}",
        test.metadata
    );
    let upload = workload.upload(workload.plans[0].upload);
    let kinds = upload
        .files
        .iter()
        .filter(|file| matches!(file.kind, UploadKind::File { .. }));
    assert_eq!(kinds.count(), upload.files.len());
    assert!(
        upload.files.iter().any(|file| file.path.ends_with(".fmf/version")),
        "the SUT gets the metadata too"
    );
}

#[test]
fn a_test_that_plans_run_differently_has_a_node_for_each() {
    let plan = "discover: {how: fmf}\n/one: {}\n/two:\n    environment:\n        A: 1\n";
    let trial = Trial::new(&[("t.fmf", "test: a\n"), ("plans.fmf", plan)]);
    let workload = compile(&trial.request()).unwrap_or_else(|error| panic!("{error}"));
    let names: Vec<String> = workload
        .tests
        .iter()
        .map(|test| workload.graph.node(test.node).to_string())
        .collect();
    assert_eq!(names, ["test /t (/plans/one)", "test /t (/plans/two)"]);
}

#[test]
fn what_could_change_a_verdict_and_is_not_obeyed_is_one_warning_a_kind_with_a_count() {
    let trial = Trial::new(&[
        (
            "plan.fmf",
            "execute: {how: tmt, exit-first: true, interactive: true}\ndiscover: {how: fmf}\nreboot: true\n",
        ),
        (
            "t/main.fmf",
            "test: 'true'\nframework: beakerlib\n/a:\n  result: xfail\n/c:\n  check: avc\nextra-atex-interface: atex\n",
        ),
        ("of_tmt.fmf", "test: 'true'\nresult: xfail\nframework: beakerlib\n"),
        (
            "u.fmf",
            "test: 'true'\nframework: shell\nresult: respect\nrequire: [tar, {type: file, pattern: x}]\n",
        ),
    ]);
    let listing = list(&trial.request()).expect("it lists");
    let warnings: Vec<String> = listing.warnings.iter().map(ToString::to_string).collect();
    let alone = "their exit code and their own results are the verdict, and a pass is not recorded";
    assert_eq!(
        warnings,
        [
            "plan.fmf:3: 1 plan says `reboot`, which is not obeyed: their machines are not rebooted for it".to_owned(),
            "plan.fmf:1: 1 plan says `execute: interactive`, which is not obeyed: nobody can type what a test asks for, and the \
             durations of tests count"
                .to_owned(),
            format!("t/main.fmf:2: 2 tests say `framework: beakerlib`, which is not obeyed: {alone}"),
            format!("t/main.fmf:4: 1 test says `result: xfail`, which is not obeyed: {alone}"),
            format!("t/main.fmf:6: 1 test says `check`, which is not obeyed: {alone}"),
        ]
    );
}

#[test]
fn a_listing_and_a_build_give_each_test_the_same_interface() {
    const SPEAKS: &str = "echo noop >&$ATEX_TEST_CONTROL\n";
    let trial = Trial::new(&[
        ("plan/files.fmf", "discover: {how: fmf}\nexecute: {how: tmt}\n"),
        (
            "plan/of_atex.fmf",
            "discover: {how: fmf}\nexecute: {how: tmt}\nextra-atex-interface: atex\n",
        ),
        (
            "plan/sections.fmf",
            "discover:\n  - {how: fmf, name: s, test: [/in_file]}\n  - {how: fmf, name: t, test: [/silent]}\nexecute: {how: tmt}\n",
        ),
        ("t/main.fmf", "framework: beakerlib\ntest: ./run.sh\n"),
        ("t/silent/main.fmf", "{}\n"),
        ("t/silent/run.sh", "true\n"),
        ("t/in_file/main.fmf", "{}\n"),
        ("t/in_file/run.sh", SPEAKS),
        ("t/in_metadata/main.fmf", "test: echo noop >&$ATEX_TEST_CONTROL\n"),
        ("t/said/main.fmf", "extra-atex-interface: tmt\n"),
        ("t/said/run.sh", SPEAKS),
        ("t/by_glob/main.fmf", "extra-atex-inputs: [/t/in_file]\n"),
        ("t/by_glob/run.sh", "true\n"),
        ("t/other_glob/main.fmf", "extra-atex-inputs: [/t/silent]\n"),
        ("t/other_glob/run.sh", SPEAKS),
    ]);
    let of_files = [
        ("by_glob", Interface::Atex),
        ("in_file", Interface::Atex),
        ("in_metadata", Interface::Atex),
        ("other_glob", Interface::Tmt),
        ("said", Interface::Tmt),
        ("silent", Interface::Tmt),
    ];
    for configured in [None, Some(Interface::Atex), Some(Interface::Tmt)] {
        let request = Request {
            interface: configured,
            ..trial.request()
        };
        let resolved = resolve(&request).expect("a tree");
        let listing = resolved.list(&request).expect("a listing");
        let interfaces = listing.interfaces(&request).expect("interfaces");
        let listed: Vec<_> = listing.tests().zip(interfaces).collect();
        let listed: Vec<_> = listed
            .iter()
            .map(|(test, found)| (test.plan, test.name, *found))
            .collect();
        let workload = compile(&request).expect("a workload");
        let built = workload.tests.iter();
        let built: Vec<_> = built
            .map(|test| (&*workload.plan(test.plan).name, &*test.name, test.interface))
            .collect();
        assert_eq!(listed, built, "{configured:?}");

        let expected = |name: &str, plan: &str| match (name, plan, configured) {
            ("said", ..) => Interface::Tmt,
            (_, "/plan/of_atex", _) => Interface::Atex,
            (_, _, Some(configured)) => configured,
            _ => of_files.iter().find(|(test, _)| *test == name).expect("a test").1,
        };
        assert_eq!(built.len(), 14);
        for (plan, test, found) in built {
            let name = test.rsplit('/').next().expect("a name");
            assert_eq!(found, expected(name, plan), "{plan} {test} {configured:?}");
        }
        // Only with atex's interface `framework: beakerlib` is not obeyed.
        let doubted = |test: &&atex::compile::spec::TestSpec| test.doubt.is_some();
        let of_atex = workload.tests.iter().filter(|test| test.interface == Interface::Atex);
        assert_eq!(of_atex.count(), workload.tests.iter().filter(doubted).count());
    }
}

/// Only under tmt's interface is a skip an error, so only there is it in the key.
#[test]
fn a_required_test_must_be_found_and_its_key_says_that_it_is_required() {
    let trial = Trial::new(&[
        ("t.fmf", "/a: {test: x}\n/off: {test: x, enabled: false}\n"),
        ("plan.fmf", "discover: {how: fmf}\nexecute: {how: tmt}\n"),
    ]);
    let keys = |request: &Request| {
        let work = compile(request).expect("it compiles");
        work.tests
            .iter()
            .map(|test| (work.graph.node(test.node).key().to_string(), test.is_required))
            .collect::<Vec<_>>()
    };
    let without = keys(&trial.request());
    let plan = |required: &str| {
        let text = format!("discover: {{how: fmf, require-test: {required}}}\nexecute: {{how: tmt}}\n");
        trial.write("plan.fmf", &text);
    };
    plan("[/t/a]");
    let with = keys(&trial.request());
    assert_eq!((without[0].1, with[0].1), (false, true));
    assert_ne!(without[0].0, with[0].0);
    for lost in ["t/a", "/t/off", "/t"] {
        plan(&format!("[/t/a, {lost}]"));
        assert_eq!(
            trial.refused().to_string(),
            format!("plan.fmf:1: plan `/plan`, discover section 1: the required test `{lost}` is not found")
        );
    }
}
