//! Tests of arbitrary plans and tests: compiling them ends with a workload or with an error, never with a panic.

use std::fs;
use std::path::{Path, PathBuf};

use atex::compile::compile;
use atex::compile::spec::Request;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const PLAN_KEYS: [&str; 9] = [
    "discover",
    "prepare",
    "finish",
    "environment",
    "enabled",
    "order",
    "execute",
    "extra-atex-inputs",
    "environment-file",
];
const TEST_KEYS: [&str; 15] = [
    "test",
    "duration",
    "environment",
    "require",
    "recommend",
    "tty",
    "path",
    "order",
    "tag",
    "enabled",
    "manual",
    "extra-atex-inputs",
    "extra-destructive",
    "extra-priority",
    "adjust",
];
const PHASE_KEYS: [&str; 15] = [
    "how",
    "name",
    "order",
    "when",
    "script",
    "package",
    "test",
    "filter",
    "exclude",
    "url",
    "ref",
    "path",
    "summary",
    "where",
    "condition",
];

fn scalar() -> impl Strategy<Value = Value> {
    let texts = [
        "fmf",
        "shell",
        "install",
        "",
        " ",
        "/",
        "..",
        "../x",
        "a",
        "a=b",
        "=",
        "5m",
        "*2",
        "t",
        "[",
        "(",
        "**",
        "./x",
        "tag: a",
        "distro == x",
        "distro ==",
        "a\u{0}b",
        "ä",
        "99999999999999999999",
        "name == '/t'",
        "1",
        "true",
    ];
    prop_oneof![
        proptest::sample::select(texts.to_vec()).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!(1.5)),
    ]
}

fn mapping(keys: &'static [&'static str], values: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let keys = proptest::sample::select(keys);
    proptest::collection::vec((keys, values), 0..5).prop_map(|entries| {
        let entries = entries.into_iter().filter(|(key, _)| *key != "url");
        Value::Object(
            entries
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Map<_, _>>(),
        )
    })
}

fn value() -> impl Strategy<Value = Value> {
    let flat = prop_oneof![
        scalar(),
        proptest::collection::vec(scalar(), 0..3).prop_map(Value::from)
    ];
    let phase = mapping(&PHASE_KEYS, flat.clone());
    let phase = prop_oneof![phase, flat];
    prop_oneof![
        phase.clone(),
        proptest::collection::vec(phase, 0..3).prop_map(Value::from)
    ]
}

fn write(root: &Path, file: &str, data: &Value) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().expect("a file in a directory")).expect("made");
    fs::write(path, data.to_string()).expect("written");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn compiling_ends_with_a_workload_or_an_error(
        plan in mapping(&PLAN_KEYS, value()),
        other in mapping(&PLAN_KEYS, value()),
        test in mapping(&TEST_KEYS, value()),
        how in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path();
        write(root, ".fmf/version", &json!(1));
        let mut plan = plan;
        if how {
            plan["discover"] = json!({"how": "fmf"});
        }
        write(root, "plan.fmf", &plan);
        write(root, "other.fmf", &other);
        write(root, "t/main.fmf", &test);
        write(root, "u/main.fmf", &json!({"test": "./run"}));
        let request = Request {
            start: root.to_owned(),
            fetch_cache: PathBuf::from("/nonexistent"),
            ..Request::default()
        };
        match compile(&request) {
            Ok(workload) => {
                for unusable in &workload.unusable {
                    prop_assert!(!unusable.error.to_string().is_empty());
                    unusable.error.hint();
                }
                // Every id leads somewhere, and every test is in its plan.
                for (id, test) in (0..).zip(&workload.tests) {
                    let plan = workload.plan(test.plan);
                    prop_assert!(plan.tests.contains(&atex::compile::spec::TestId(id)));
                    prop_assert!(workload.graph.node(test.node).names().len() <= workload.plans.len());
                }
                for plan in &workload.plans {
                    for step in plan.chain.iter().chain(&plan.finish) {
                        prop_assert!(!workload.graph.node(workload.step(*step).node).names().is_empty());
                    }
                    workload.upload(plan.upload);
                }
            }
            Err(error) => {
                prop_assert!(!error.to_string().is_empty());
                error.hint();
            }
        }
    }
}
