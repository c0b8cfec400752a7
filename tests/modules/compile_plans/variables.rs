//! Tests of the variables of plans: environment files, which value wins, and expansion in the texts of a plan.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::thread;

use atex::compile::spec::{PhaseAction, Request, Secrets, Workload};
use atex::compile::{compile, resolve_plans};

use crate::compile_plans::trial::Trial;

const PLAN: &str = "discover: {how: fmf}\nexecute: {how: tmt}\n";

fn trial(plan: &str, files: &[(&str, &str)]) -> Trial {
    let trial = Trial::new(files);
    trial.write("plan.fmf", &format!("{PLAN}{plan}"));
    trial.write("t.fmf", "test: x\nenvironment: {T: $A}\n");
    trial
}

fn compiled(trial: &Trial, command_line: &[(&str, &str)]) -> Workload {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let request = Request {
        environment: command_line.iter().map(pair).collect(),
        ..trial.request()
    };
    compile(&request).unwrap_or_else(|error| panic!("{error}"))
}

/// Returns the variables of the only plan, as words.
fn environment(work: &Workload) -> String {
    let words = work.plans[0]
        .environment
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn environment_files_come_before_the_environment_and_later_ones_win() {
    let trial = trial(
        "environment-file: [env, more.yaml]\nenvironment: {D: plan}\n",
        &[("env", "A=1 B=2 # no\nD=file\n"), ("more.yaml", "B: 3\nC: true\n")],
    );
    assert_eq!(environment(&compiled(&trial, &[])), "A=1 B=3 C=True D=plan");
    let key = |work: &Workload| work.graph.node(work.tests[0].node).key().to_string();
    let before = key(&compiled(&trial, &[]));
    trial.write("env", "A=2 B=2\nD=other\n");
    assert_ne!(key(&compiled(&trial, &[])), before, "the values are in the key");
}

#[test]
fn a_bad_environment_file_is_refused_with_file_and_line() {
    for (files, content, message) in [
        (
            "env",
            "A=1\nB\n",
            "environment file `env`, line 2: `B` is not of the form `KEY=VALUE`",
        ),
        (
            "env.yml",
            "A: 1\nB: [1]\n",
            "environment file `env.yml`, line 2: the value of `B` must be a text",
        ),
        (
            "../env",
            "A=1",
            "environment file `../env`: No such file or directory (os error 2)",
        ),
        ("/etc/hosts", "", "environment file `/etc/hosts` is outside the tree"),
        ("link", "", "environment file `link` is outside the tree"),
        (
            "'http://x y/env'",
            "",
            "environment file: cannot fetch `http://x y/env`: `http://x y/env` cannot be used as `url`",
        ),
        (
            "{a: b}",
            "",
            "`environment-file` must be a text or a list of texts, not a mapping",
        ),
    ] {
        let trial = trial(&format!("environment-file: {files}\n"), &[]);
        symlink("/etc/hosts", trial.dir.path().join("link")).expect("made");
        if !content.is_empty() && !files.starts_with("..") {
            trial.write(files, content);
        }
        let error = trial.refused().to_string();
        assert_eq!(error, format!("plan.fmf:3: plan `/plan`: {message}"));
    }
}

#[test]
fn an_environment_file_may_be_a_page_and_its_variables_are_in_the_key() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    let url = format!("http://{address}/vars.YAML");
    let trial = trial(&format!("environment-file: {url}\nenvironment: {{B: x$A}}\n"), &[]);
    let plans = resolve_plans(&trial.request()).expect("nothing is fetched");
    assert!(plans.list_plans(&trial.request()).expect("listed").unusable.is_empty());
    let server = thread::spawn(move || {
        for body in ["A: one", "A: two"] {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut lines = BufReader::new(stream.try_clone().expect("a copy")).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).expect("answered");
        }
    });
    let first = compiled(&trial, &[]);
    assert_eq!(environment(&first), "A=one B=xone");
    let second = compiled(&trial, &[]);
    let key = |work: &Workload| work.graph.node(work.tests[0].node).key().to_string();
    assert_ne!(key(&first), key(&second));
    server.join().expect("served");
    // Nobody answers there any more.
    let error = trial.refused().to_string();
    let expected = format!("plan.fmf:3: plan `/plan`: environment file: cannot fetch `{url}`: ");
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn an_empty_environment_file_is_a_warning() {
    let trial = trial("environment-file: env\n", &[("env", "# nothing\n")]);
    let warnings: Vec<String> = compiled(&trial, &[]).warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["plan.fmf:3: plan `/plan`: environment file `env` is empty"]);
}

#[test]
fn texts_of_a_plan_are_expanded_and_those_of_tests_are_not() {
    let trial = trial("", &[("env", "F=$A\n")]);
    let request = Request {
        context: [("sel".to_owned(), vec!["/t".to_owned()])].into(),
        environment: vec![("CLI".to_owned(), "$A".to_owned())],
        ..trial.request()
    };
    let plan = "execute: {how: tmt}\nenvironment-file: env\nenvironment: {A: a, B: $A-$F, C: $CLI, D: $B}\n\
                context: {own: [x, y]}\nprepare: {how: shell, script: 'echo $A ${CLI} $@own $NOPE'}\n\
                discover: {how: fmf, test: [\"$@{sel}\"]}\n";
    trial.write("plan.fmf", plan);
    let work = compile(&request).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(environment(&work), "A=a B=a-$A C=$A D=$A-$F F=$A", "it is done once");
    let script = PhaseAction::Shell {
        scripts: vec!["echo a $A x,y $NOPE".to_owned()],
    };
    assert_eq!(work.steps[0].action, script);
    assert_eq!(work.tests.len(), 1);
    let of_test = |name: &str| {
        work.tests[0]
            .env_before
            .iter()
            .chain(&work.tests[0].env_after)
            .rev()
            .find(|(of, _)| of == name)
            .map(|(_, value)| value.clone())
    };
    assert_eq!(of_test("T").as_deref(), Some("$A"));
}

#[test]
fn what_is_expanded_is_in_the_keys() {
    let trial = trial("environment: {A: '1'}\nprepare: {how: shell, script: echo $A}\n", &[]);
    let key = |value: &str| {
        let work = compiled(&trial, &[("A", value)]);
        let node = work.graph.node(work.steps[0].node);
        (node.key().to_string(), format!("{:?}", work.steps[0].action))
    };
    assert_eq!(key("2"), key("2"));
    assert_ne!(key("2").0, key("3").0);
    assert!(key("2").1.contains("echo 2"));
}

#[test]
fn no_secret_gets_into_a_key_by_expansion() {
    let trial = trial(
        "environment: {A: 'Bearer $TOKEN'}\nsummary: $TOKEN\nprepare: {how: shell, script: 'use ${TOKEN} $A'}\n",
        &[],
    );
    let with = |value: &str| {
        let request = Request {
            environment: vec![("TOKEN".to_owned(), value.to_owned())],
            secrets: Secrets {
                names: ["TOKEN".to_owned()].into(),
                key: [1; 32],
            },
            ..trial.request()
        };
        compile(&request).unwrap_or_else(|error| panic!("{error}"))
    };
    let work = with("hunter2");
    assert_eq!(environment(&work), "A=Bearer hunter2", "a job gets it");
    let script = PhaseAction::Shell {
        scripts: vec!["use ${TOKEN} Bearer $TOKEN".to_owned()],
    };
    assert_eq!(work.steps[0].action, script);
    for id in work.graph.ids() {
        let shown = format!("{:?}", work.graph.node(id));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let key = |work: &Workload| work.graph.node(work.tests[0].node).key().to_string();
    assert_eq!(key(&work), key(&with("hunter2")));
    assert_ne!(key(&work), key(&with("hunter3")), "the keyed hash of `A` is in the key");
}
