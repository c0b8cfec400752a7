//! Tests of the keys of whole trees: what changes them, and what does not.
//!
//! Each test compiles a small tree, changes one thing, compiles again, and compares the keys of all prepare, test and finish
//! nodes by name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use atex::compile::spec::{Interface, Request, Secrets, Workload};
use atex::compile::{CompileError, compile};
use atex_graph::{Base, Kind};

const PLANS: &str = "\
discover:
    how: fmf
execute:
    how: tmt
environment:
    COLOR: red
prepare:
  - how: install
    package: [tar, gzip]
  - how: shell
    script: ./lib/setup.sh
finish:
    how: shell
    script: echo bye
";

/// A tree with a plan of two prepare steps and two tests, which can be changed.
struct Trial {
    dir: tempfile::TempDir,
    request: Request,
}

impl Trial {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let trial = Self {
            request: request(dir.path()),
            dir,
        };
        trial.write(".fmf/version", "1\n");
        trial.write("plans/basic.fmf", PLANS);
        trial.write("tests/a/main.fmf", "test: ./run.sh\nsummary: the first\n");
        trial.write("tests/a/run.sh", "#!/bin/bash\n");
        trial.write("tests/b/main.fmf", "test: ./run.sh\nenvironment:\n    SIZE: 3\n");
        trial.write("tests/b/run.sh", "#!/bin/bash\ntrue\n");
        trial.write("lib/setup.sh", "touch /done\n");
        trial
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a file in a directory")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn replace(&self, file: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(file)).expect("read");
        assert!(text.contains(old), "{file} has {old}");
        self.write(file, &text.replace(old, new));
    }

    fn compile(&self) -> Workload {
        compile(&self.request).unwrap_or_else(|error| panic!("{error}"))
    }

    fn keys(&self) -> BTreeMap<String, String> {
        keys(&self.compile())
    }

    /// The names of the nodes whose keys a change changes.
    fn changed_by(&mut self, change: impl FnOnce(&mut Self)) -> Vec<String> {
        let before = self.keys();
        change(self);
        differing(&before, &self.keys())
    }
}

fn request(start: &Path) -> Request {
    Request {
        start: start.to_owned(),
        default_context: BTreeMap::from([("distro".to_owned(), vec!["fedora-41".to_owned()])]),
        base: Base {
            os: "fedora".into(),
            version: "41".into(),
            arch: "x86_64".into(),
            base: String::new(),
            ..Base::default()
        },
        fetch_cache: PathBuf::from("/nonexistent"),
        ..Request::default()
    }
}

fn keys(workload: &Workload) -> BTreeMap<String, String> {
    let nodes = workload.graph.nodes().filter(|(_, node)| node.kind() != Kind::Discover);
    nodes
        .flat_map(|(_, node)| {
            node.names()
                .iter()
                .map(|name| (name.to_string(), node.key().to_string()))
        })
        .collect()
}

fn differing(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| before.get(name) != after.get(name));
    names
}

const INSTALL: &str = "prepare /plans/basic#1 install";
const SETUP: &str = "prepare /plans/basic#2 shell";
const FINISH: &str = "finish /plans/basic#1";
const A: &str = "test /tests/a";
const B: &str = "test /tests/b";

#[test]
fn a_plan_becomes_a_chain_its_tests_and_its_finish() {
    let workload = Trial::new().compile();
    let names: Vec<String> = keys(&workload).into_keys().collect();
    assert_eq!(names, [FINISH, INSTALL, SETUP, A, B]);
    let plan = &workload.plans[0];
    assert_eq!((plan.chain.len(), plan.finish.len(), plan.tests.len()), (2, 1, 2));
    let test = workload.test(plan.tests[1]);
    assert_eq!(
        (test.name.as_str(), test.dir.as_str(), test.script.as_str()),
        ("/tests/b", "tests/b", "./run.sh")
    );
    // It has tmt's interface, by which a plan knows better than its test.
    assert_eq!(test.interface, Interface::Tmt);
    assert_eq!(test.env_before, [("SIZE".to_owned(), "3".to_owned())]);
    assert_eq!(test.env_after, [("COLOR".to_owned(), "red".to_owned())]);
    assert_eq!(test.duration.as_secs(), 300);
    assert_eq!(workload.upload(plan.upload).slot, "main");
    assert!(workload.warnings.is_empty(), "{:?}", workload.warnings);
}

#[test]
fn what_does_not_run_changes_no_key() {
    let mut trial = Trial::new();
    let changed = trial.changed_by(|trial| {
        trial.replace("tests/a/main.fmf", "the first", "another summary");
        trial.replace(
            "tests/b/main.fmf",
            "test:",
            "# a comment\ntag: [x]\ntier: 1\norder: 10\ntest:",
        );
        let run = fs::File::options()
            .write(true)
            .open(trial.path("tests/a/run.sh"))
            .expect("opened");
        run.set_modified(SystemTime::UNIX_EPOCH).expect("touched");
        for (file, text) in [("HEAD", "ref: refs/heads/main\n"), ("objects/x", ""), ("refs/x", "")] {
            trial.write(&format!(".git/{file}"), text);
        }
        trial.write("notes.txt~", "ignored\n");
        trial.write(".git/info/exclude", "*~\n");
    });
    assert_eq!(changed, [""; 0]);
}

#[test]
fn another_path_changes_no_key() {
    assert_eq!(Trial::new().keys(), Trial::new().keys());
}

#[test]
fn the_digest_cache_changes_no_key_and_sees_every_change() {
    let mut trial = Trial::new();
    let plain = trial.keys();
    let cache = tempfile::tempdir().expect("a directory");
    trial.request.digest_cache = Some(cache.path().to_owned());
    assert_eq!(trial.keys(), plain);
    assert_eq!(trial.keys(), plain);
    let changed = trial.changed_by(|trial| trial.write("tests/a/run.sh", "#!/bin/zsh_\n"));
    assert_eq!(changed, [A]);
}

#[test]
fn a_file_of_a_test_changes_that_test_only() {
    assert_eq!(
        Trial::new().changed_by(|trial| trial.write("tests/a/run.sh", "exit 1\n")),
        [A]
    );
    assert_eq!(
        Trial::new().changed_by(|trial| trial.write("tests/b/new/data", "")),
        [B]
    );
    let executable = |trial: &mut Trial| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(trial.path("tests/b/run.sh"), fs::Permissions::from_mode(0o755)).expect("set");
    };
    assert_eq!(Trial::new().changed_by(executable), [B]);
}

#[test]
fn metadata_that_matter_change_that_test_only() {
    for (old, new) in [
        ("./run.sh", "./run.sh --all"),
        ("SIZE: 3", "SIZE: 4"),
        ("test:", "duration: 1h\ntest:"),
        ("test:", "require: [make]\ntest:"),
        ("test:", "extra-anything: [make]\ntest:"),
    ] {
        assert_eq!(
            Trial::new().changed_by(|trial| trial.replace("tests/b/main.fmf", old, new)),
            [B],
            "{new}"
        );
    }
}

#[test]
fn a_shared_file_changes_scripts_and_tests_but_no_installation() {
    assert_eq!(
        Trial::new().changed_by(|trial| trial.write("lib/setup.sh", "false\n")),
        [SETUP, A, B]
    );
}

#[test]
fn a_prepare_script_changes_what_is_behind_it() {
    let script = |trial: &mut Trial| trial.replace("plans/basic.fmf", "./lib/setup.sh", "./lib/setup.sh --more");
    assert_eq!(Trial::new().changed_by(script), [SETUP, A, B]);
    let packages = |trial: &mut Trial| trial.replace("plans/basic.fmf", "gzip", "zstd");
    assert_eq!(Trial::new().changed_by(packages), [INSTALL, SETUP, A, B]);
    let order = |trial: &mut Trial| trial.replace("plans/basic.fmf", "[tar, gzip]", "[gzip, tar, tar]");
    assert_eq!(Trial::new().changed_by(order), [""; 0]);
    let finish = |trial: &mut Trial| trial.replace("plans/basic.fmf", "echo bye", "echo good bye");
    assert_eq!(Trial::new().changed_by(finish), [FINISH]);
}

#[test]
fn a_file_of_a_test_that_a_prepare_script_names_changes_the_script() {
    let mut trial = Trial::new();
    trial.replace("plans/basic.fmf", "./lib/setup.sh", "bash tests/a/run.sh");
    assert_eq!(trial.changed_by(|trial| trial.write("tests/b/run.sh", "")), [B]);
    assert_eq!(
        trial.changed_by(|trial| trial.write("tests/a/run.sh", "")),
        [SETUP, A, B]
    );
}

#[test]
fn the_environment_changes_all_that_sees_it() {
    let all = [FINISH, INSTALL, SETUP, A, B];
    assert_eq!(
        Trial::new().changed_by(|trial| trial.replace("plans/basic.fmf", "COLOR: red", "COLOR: blue")),
        all
    );
    let option = |trial: &mut Trial| trial.request.environment = vec![("COLOR".to_owned(), "blue".to_owned())];
    assert_eq!(Trial::new().changed_by(option), all);
}

#[test]
fn the_context_changes_only_what_it_changes() {
    let mut trial = Trial::new();
    let context = |trial: &mut Trial| {
        trial.request.context = BTreeMap::from([("distro".to_owned(), vec!["rhel-9".to_owned()])]);
    };
    assert_eq!(trial.changed_by(context), [""; 0]);
    let mut trial = Trial::new();
    trial.replace(
        "tests/a/main.fmf",
        "test:",
        "adjust:\n  - when: distro == rhel\n    duration: 1h\ntest:",
    );
    assert_eq!(trial.changed_by(context), [A]);
    let mut trial = Trial::new();
    trial.replace(
        "plans/basic.fmf",
        "    script: ./lib",
        "    when: distro == rhel\n    script: ./lib",
    );
    assert_eq!(
        trial.changed_by(context),
        [SETUP, A, B],
        "the phase applies under the new context only"
    );
}

#[test]
fn the_base_changes_the_chain_and_tests_without_one() {
    let base = |trial: &mut Trial| trial.request.base.version = "42".into();
    assert_eq!(Trial::new().changed_by(base), [INSTALL, SETUP, A, B]);
    let mut trial = Trial::new();
    trial.write("plans/basic.fmf", "discover:\n    how: fmf\n");
    assert_eq!(trial.changed_by(base), [A, B]);
}

#[test]
fn what_a_probe_prints_is_in_the_first_prepare_key() {
    let mut trial = Trial::new();
    trial.write(
        "plans/basic.fmf",
        &format!("{PLANS}extra-atex-probe: cat ../state 2>/dev/null || echo none\n"),
    );
    trial.replace(
        "plans/basic.fmf",
        "../state",
        &trial.path(".git/state").display().to_string(),
    );
    trial.write(".git/state", "one");
    assert_eq!(
        trial.changed_by(|trial| trial.write(".git/state", "two")),
        [INSTALL, SETUP, A, B]
    );
    assert_eq!(trial.changed_by(|_| ()), [""; 0]);
    trial.replace("plans/basic.fmf", "|| echo none", "&& false");
    let failed = compile(&trial.request).expect("the others could run").unusable;
    assert!(
        failed
            .iter()
            .any(|failed| failed.test.is_none() && matches!(*failed.error, CompileError::Probe { .. })),
        "{failed:?}"
    );
}

#[test]
fn what_a_link_leads_to_is_an_input_of_the_test_that_has_the_link() {
    let mut trial = Trial::new();
    std::os::unix::fs::symlink("../b/data", trial.path("tests/a/data")).expect("linked");
    trial.write("tests/b/data/x", "1");
    assert_eq!(trial.changed_by(|trial| trial.write("tests/b/data/x", "2")), [A, B]);
}

#[test]
fn extra_atex_inputs_replace_the_files_of_a_test_or_a_plan() {
    let mut trial = Trial::new();
    trial.replace("tests/a/main.fmf", "test:", "extra-atex-inputs: [./run.sh]\ntest:");
    trial.replace("plans/basic.fmf", "execute:", "extra-atex-inputs: [lib/*.sh]\nexecute:");
    assert_eq!(trial.changed_by(|trial| trial.write("README", "text\n")), [B]);
    assert_eq!(
        trial.changed_by(|trial| trial.write("tests/a/other", "text\n")),
        [""; 0]
    );
    assert_eq!(trial.changed_by(|trial| trial.write("tests/a/run.sh", "text\n")), [A]);
    assert_eq!(
        trial.changed_by(|trial| trial.write("lib/new.sh", "text\n")),
        [SETUP, A, B]
    );
}

#[test]
fn a_directory_belongs_to_a_disabled_test_too() {
    let mut trial = Trial::new();
    trial.write("tests/c/main.fmf", "test: ./run.sh\nenabled: false\n");
    trial.write(
        "tests/d/main.fmf",
        "adjust:\n  - when: arch == never\n    test: ./run.sh\n",
    );
    let changed = trial.changed_by(|trial| {
        trial.write("tests/c/file", "text\n");
        trial.write("tests/d/file", "text\n");
    });
    assert_eq!(changed, [""; 0]);
}

#[test]
fn secrets_are_in_keys_and_in_no_text() {
    let mut trial = Trial::new();
    trial.request.secrets = Secrets {
        names: ["TOKEN".to_owned()].into(),
        key: [7; 32],
    };
    trial.request.environment = vec![("TOKEN".to_owned(), "hunter2".to_owned())];
    let workload = trial.compile();
    for (_, node) in workload.graph.nodes() {
        let text = format!("{:?}", atex_graph::transcript(node));
        assert!(!text.contains("hunter2"), "{text}");
    }
    let other = |trial: &mut Trial| trial.request.environment[0].1 = "hunter3".into();
    assert_eq!(trial.changed_by(other), [FINISH, INSTALL, SETUP, A, B]);
}

#[test]
fn equal_chains_of_many_plans_are_one() {
    let trial = Trial::new();
    fs::remove_file(trial.path("plans/basic.fmf")).expect("removed");
    let common = "discover:\n    how: fmf\n    test: /tests/a\nexecute:\n    how: tmt\n";
    let plans = (0..75).map(|number| {
        let script = number % 3;
        let install = "  - how: install\n        package: tar\n";
        format!("/p{number:02}:\n    prepare:\n    {install}      - how: shell\n        script: echo {script}\n")
    });
    let plans = format!("{common}{}", plans.collect::<String>());
    trial.write("plans.fmf", &plans);
    let workload = trial.compile();
    assert_eq!(workload.plans.len(), 75);
    assert_eq!(workload.tests.len(), 75);
    let count = |kind: Kind| workload.graph.nodes().filter(|(_, node)| node.kind() == kind).count();
    assert_eq!(count(Kind::Prepare), 4, "one installation, three scripts");
    assert_eq!(count(Kind::Test), 3, "the test behind each of the three chains");
    assert_eq!(workload.steps.len(), 4);
    assert_eq!(workload.uploads.len(), 1);
}
