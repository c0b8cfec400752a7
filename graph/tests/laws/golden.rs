//! Keys and transcripts of fixed inputs. If one of these fails, every record that anybody has is forgotten: do not adapt the test, make a
//! new version of the encoding.

use std::collections::BTreeMap;
use std::sync::Arc;

use atex_graph::{
    Base, BlobDigest, DiscoverInputs, EnvValue, Environment, FileMode, FileSet, FinishInputs, Graph, GraphBuilder,
    InputFile, InputFiles, Inputs, NodeId, NodeName, PrepareInputs, Sourced, StepAction, StepOptions, TestInputs,
    transcript,
};
use serde_json::{Value, json};

fn files() -> InputFiles {
    let file = |path: &str, mode| InputFile {
        path: path.to_owned(),
        digest: BlobDigest::of(path.as_bytes()),
        mode,
    };
    let shared = FileSet::new(vec![
        file("lib/common.sh", FileMode::Regular),
        file("lib/run", FileMode::Executable),
    ]);
    InputFiles::union([shared, FileSet::new(vec![file("a/link", FileMode::Symlink)])])
}

fn environment() -> Environment {
    let secret = EnvValue::secret(&[7; 32], "hunter2");
    [
        ("TOKEN".to_owned(), Sourced::at(secret, "-e")),
        ("FOO".to_owned(), Sourced::at(EnvValue::from("1"), "plans/main.fmf:12")),
    ]
    .into()
}

fn base() -> Base {
    let text = str::to_owned;
    Base {
        os: text("fedora"),
        version: text("41"),
        arch: text("x86_64"),
        base: text("lab"),
        ..Base::default()
    }
}

fn discover() -> Inputs {
    DiscoverInputs {
        plan: "/plans/x".to_owned(),
        files: files(),
        context: [("distro".to_owned(), vec!["fedora-41".to_owned()])].into(),
        selection: [("filter".to_owned(), vec!["tag: a".to_owned(), "tag: b".to_owned()])].into(),
    }
    .into()
}

fn install() -> Inputs {
    let packages = vec!["make".to_owned(), "gcc".to_owned()];
    let action = StepAction::Install {
        packages: Sourced::at(packages, "plans/main.fmf:3"),
        options: StepOptions::new(),
    };
    let probe = Some("c0ffee\n".to_owned());
    PrepareInputs {
        base: Some(base()),
        probe,
        action,
        environment: environment(),
        files: InputFiles::default(),
        observed: InputFiles::default(),
    }
    .into()
}

fn shell() -> Inputs {
    let action = StepAction::Shell {
        script: Sourced::at("make\nmake install\n".to_owned(), "plans/main.fmf:7"),
        options: StepOptions::new(),
    };
    PrepareInputs {
        base: None,
        probe: None,
        action,
        environment: Environment::new(),
        files: files(),
        observed: InputFiles::default(),
    }
    .into()
}

fn test() -> Inputs {
    let field =
        |name: &str, value: Value, line: u32| (name.to_owned(), Sourced::at(value, format!("a/main.fmf:{line}")));
    TestInputs {
        base: None,
        name: "/a".to_owned(),
        dir: "a".to_owned(),
        metadata: Arc::new(BTreeMap::from([
            field("test", json!("./test.sh"), 2),
            field("require", json!(["bash", {"type": "library"}]), 3),
            field(
                "extra",
                json!({"none": null, "yes": true, "no": false, "ints": [0, -1, u64::MAX], "half": 0.5, "a.b": {}}),
                4,
            ),
        ])),
        environment: environment(),
        files: files(),
        observed: InputFiles::default(),
        interface: None,
    }
    .into()
}

fn finish() -> Inputs {
    FinishInputs {
        action: StepAction::Shell {
            script: Sourced::at("true".to_owned(), "plans/main.fmf:9"),
            options: StepOptions::new(),
        },
        environment: environment(),
    }
    .into()
}

fn graph() -> (Graph, [NodeId; 5]) {
    let mut builder = GraphBuilder::new();
    let mut add =
        |name, inputs, deps: &[NodeId], after: &[NodeId]| builder.add(name, inputs, deps, after).expect("a fine graph");
    let discover = add(NodeName::discover("/plans/x"), discover(), &[], &[]);
    let install = add(NodeName::prepare("/plans/x", 1, "install"), install(), &[], &[discover]);
    let shell = add(NodeName::prepare("/plans/x", 2, "shell"), shell(), &[install], &[]);
    let test = add(NodeName::test("/a"), test(), &[shell], &[discover]);
    let finish = add(NodeName::finish("/plans/x", 1), finish(), &[], &[test]);
    (
        builder.seal().expect("a fine graph"),
        [discover, install, shell, test, finish],
    )
}

fn explained(node: usize) -> String {
    let (graph, ids) = graph();
    let line = |entry: atex_graph::Entry| {
        let origin = entry.origin.map(|origin| format!("   {origin}")).unwrap_or_default();
        format!("{}: {}{origin}\n", entry.path, entry.value)
    };
    transcript(graph.node(ids[node])).into_iter().map(line).collect()
}

#[test]
fn keys_of_fixed_inputs_never_change() {
    let (graph, ids) = graph();
    let keys = ids.map(|id| graph.node(id).key().to_string());
    assert_eq!(
        keys,
        [
            "b717c501619a223f6b4a788b5b9eb561b3186cfa2452e66af30978479c6f2a57",
            "8ae9ab02d7ea1ff7783c02b3114c0f471c5baf6e1d7f16de55a634dc5a233e04",
            "43ee892fa34a4b53a21ec0626eb4c16b19fdeea51e659f63d27db0ea414f7352",
            "d8664fc93f4dcdd9a22eb608d9c68d77a5214315bce4894b27b74d7ee68178a8",
            "90bf11ea4f0ddc2d003600b8189c887f7226f125ffe5286bb66e25d1549b12c8",
        ]
    );
}

#[test]
fn transcript_of_discover() {
    assert_eq!(
        explained(0),
        r#"
encoding: atex.action 1
kind: discover
plan: "/plans/x"
context.distro: ["fedora-41"]
selection.filter: ["tag: a","tag: b"]
files/a/link: 93fd97e33bd3 symlink
files/lib/common.sh: 727b20bca910 regular
files/lib/run: 31b10c99a3a7 executable
"#
        .trim_start()
    );
}

#[test]
fn transcript_of_install() {
    assert_eq!(
        explained(1),
        r#"
encoding: atex.action 1
kind: prepare
base.os: "fedora"
base.version: "41"
base.arch: "x86_64"
base.base: "lab"
probe: "c0ffee\n"
how: install
package: ["make","gcc"]   plans/main.fmf:3
environment.FOO: "1"   plans/main.fmf:12
environment.TOKEN: (secret b9724048f733)   -e
"#
        .trim_start()
    );
}

#[test]
fn transcript_of_shell() {
    assert_eq!(
        explained(2),
        r#"
encoding: atex.action 1
kind: prepare
how: shell
script: "make\nmake install\n"   plans/main.fmf:7
files/a/link: 93fd97e33bd3 symlink
files/lib/common.sh: 727b20bca910 regular
files/lib/run: 31b10c99a3a7 executable
deps.0: 8ae9ab02d7ea   prepare /plans/x#1 install
"#
        .trim_start()
    );
}

#[test]
fn transcript_of_test() {
    assert_eq!(
        explained(3),
        r#"
encoding: atex.action 1
kind: test
name: "/a"
dir: "a"
metadata.extra."a.b": {}   a/main.fmf:4
metadata.extra.half: 0.5   a/main.fmf:4
metadata.extra.ints: [0,-1,18446744073709551615]   a/main.fmf:4
metadata.extra.no: false   a/main.fmf:4
metadata.extra.none: null   a/main.fmf:4
metadata.extra.yes: true   a/main.fmf:4
metadata.require: ["bash",{"type":"library"}]   a/main.fmf:3
metadata.test: "./test.sh"   a/main.fmf:2
environment.FOO: "1"   plans/main.fmf:12
environment.TOKEN: (secret b9724048f733)   -e
files/a/link: 93fd97e33bd3 symlink
files/lib/common.sh: 727b20bca910 regular
files/lib/run: 31b10c99a3a7 executable
deps.0: 43ee892fa34a   prepare /plans/x#2 shell
"#
        .trim_start()
    );
}

#[test]
fn transcript_of_finish() {
    assert_eq!(
        explained(4),
        r#"
encoding: atex.action 1
kind: finish
script: "true"   plans/main.fmf:9
environment.FOO: "1"   plans/main.fmf:12
environment.TOKEN: (secret b9724048f733)   -e
"#
        .trim_start()
    );
}

#[test]
fn the_digest_of_a_base_is_part_of_the_key() {
    let key = |digest: Option<&str>| {
        let base = Base {
            digest: digest.map(str::to_owned),
            ..base()
        };
        let mut builder = GraphBuilder::new();
        let inputs = PrepareInputs {
            base: Some(base),
            probe: None,
            action: StepAction::default(),
            environment: Environment::new(),
            files: InputFiles::default(),
            observed: InputFiles::default(),
        };
        let node = builder.add(NodeName::prepare("/p", 1, "shell"), inputs.into(), &[], &[]);
        let node = node.expect("a fine graph");
        builder.seal().expect("a fine graph").node(node).key().to_string()
    };
    assert_eq!(
        key(Some("sha256:1")),
        "840bb1d0f500839883c9333783dc80123725787c8a3a12f166c9896291be0148"
    );
    assert_ne!(key(None), key(Some("")));
    assert_ne!(key(Some("sha256:1")), key(Some("sha256:2")));
}

/// A test without a prepare step, on a machine that tells who jobs run as and what they find there.
fn unprepared() -> (Graph, NodeId) {
    let mut builder = GraphBuilder::new();
    let environment = [("LANG", "C.UTF-8"), ("PATH", "/usr/bin:/bin")];
    let told = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let inputs = TestInputs {
        base: Some(Base {
            user: "tester as root".to_owned(),
            environment: environment.map(told).into(),
            ..base()
        }),
        name: "/b".to_owned(),
        dir: "b".to_owned(),
        metadata: Arc::default(),
        environment: Environment::new(),
        files: InputFiles::default(),
        observed: files(),
        interface: None,
    };
    let node = builder.add(NodeName::test("/b"), inputs.into(), &[], &[]);
    let node = node.expect("a fine graph");
    (builder.seal().expect("a fine graph"), node)
}

#[test]
fn a_base_with_a_user_and_an_environment_and_observed_files_never_change_a_key() {
    let (graph, id) = unprepared();
    assert_eq!(
        graph.node(id).key().to_string(),
        "0bf686196f4a387f20327d5a63cfb28b9b7990858566c5b1cfec1fa3e6ab51c8"
    );
    let line = |entry: atex_graph::Entry| format!("{}: {}\n", entry.path, entry.value);
    let explained: String = transcript(graph.node(id)).into_iter().map(line).collect();
    assert_eq!(
        explained,
        r#"
encoding: atex.action 1
kind: test
base.os: "fedora"
base.version: "41"
base.arch: "x86_64"
base.base: "lab"
base.user: "tester as root"
base.environment.LANG: "C.UTF-8"
base.environment.PATH: "/usr/bin:/bin"
name: "/b"
dir: "b"
observed/a/link: 93fd97e33bd3 symlink
observed/lib/common.sh: 727b20bca910 regular
observed/lib/run: 31b10c99a3a7 executable
"#
        .trim_start()
    );
}

#[test]
fn an_interface_other_than_that_of_atex_is_in_the_key_and_never_changes_it() {
    let Inputs::Test(inputs) = test() else {
        panic!("it is a test");
    };
    let key = |interface: Option<&str>| {
        let interface = interface.map(str::to_owned);
        let inputs = TestInputs {
            base: Some(base()),
            interface,
            ..inputs.clone()
        };
        let mut builder = GraphBuilder::new();
        let node = builder.add(NodeName::test("/a"), inputs.into(), &[], &[]);
        let node = node.expect("a fine graph");
        builder.seal().expect("a fine graph").node(node).key().to_string()
    };
    assert_ne!(key(None), key(Some("tmt")));
    assert_eq!(
        key(Some("tmt")),
        "6dc1af59c529a9165e9481fce595754f6c4617fb28aebaf523fdd03735d06d77"
    );
}

/// The key and the transcript of a prepare step with an action, and the key of a finish step with it.
fn of_action(action: StepAction) -> (String, String, String) {
    let mut builder = GraphBuilder::new();
    let finish = FinishInputs {
        action: action.clone(),
        environment: Environment::new(),
    };
    let prepare = PrepareInputs {
        base: None,
        probe: None,
        action,
        environment: Environment::new(),
        files: InputFiles::default(),
        observed: InputFiles::default(),
    };
    let mut add = |name, inputs| builder.add(name, inputs, &[], &[]).expect("a fine graph");
    let prepare = add(NodeName::prepare("/p", 1, "x"), prepare.into());
    let finish = add(NodeName::finish("/p", 1), finish.into());
    let graph = builder.seal().expect("a fine graph");
    let line = |entry: atex_graph::Entry| format!("{}: {}\n", entry.path, entry.value);
    let explained = transcript(graph.node(prepare)).into_iter().skip(2).map(line).collect();
    let key = |node| graph.node(node).key().to_string();
    (key(prepare), explained, key(finish))
}

/// Texts as an action has them.
fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[test]
fn the_options_of_an_action_are_in_its_key_and_never_change_it() {
    let install = StepAction::Install {
        packages: texts(["make"]).into(),
        options: StepOptions::from([("copr", texts(["a/b"])), ("missing", texts(["skip"]))]),
    };
    let ansible = StepAction::Ansible {
        playbooks: texts(["ansible/web.yml", "ns.coll.play"]).into(),
        options: StepOptions::from([("extra-args", texts(["-e", "a=b"]))]),
    };
    let feature = StepAction::Feature {
        features: texts(["crb enabled", "epel disabled"]).into(),
    };
    let found = [install, ansible, feature].map(of_action);
    let explained = [
        "how: install\npackage: [\"make\"]\ncopr: [\"a/b\"]\nmissing: [\"skip\"]\n",
        "how: ansible\nplaybook: [\"ansible/web.yml\",\"ns.coll.play\"]\nextra-args: [\"-e\",\"a=b\"]\n",
        "how: feature\nfeature: [\"crb enabled\",\"epel disabled\"]\n",
    ];
    assert_eq!(found.each_ref().map(|(_, explained, _)| explained.as_str()), explained);
    assert_eq!(
        found.each_ref().map(|(prepare, _, finish)| [prepare.as_str(), finish]),
        [
            [
                "427534d3336007f128380151bd23e535cb8c4c5f14e6da2f5731aa98e86b9064",
                "87cc4e86a2e722aaabcf44b74efa7e5edd620685c9bd62781b2f81aaeed944f9"
            ],
            [
                "9480fc329f3eb0c608319231dded9423b4feb4cfd94857b1d98d49c69028be42",
                "b674d27103176cf97037871abec5ea1576710d65b9d089536827de7f78e32e79"
            ],
            [
                "adeead23246ea7618a5cea145cd9e82d25ee2611a48888ef60b4aa0869433733",
                "394203b96eac6744de61e04d7ef73c0e4eaf1c4bb49a5ea5dd83e6af13c1ac7a"
            ],
        ]
    );
}
