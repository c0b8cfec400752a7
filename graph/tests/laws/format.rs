//! The documented format against the bytes that are hashed.

use std::collections::BTreeMap;
use std::sync::Arc;

use atex_graph::{
    Base, BlobDigest, EnvValue, Environment, FileMode, GraphBuilder, InputFile, InputFiles, NodeName, PrepareInputs,
    Sourced, StepAction, StepOptions, TestInputs,
};
use serde_json::json;

fn integer(number: u64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

fn text(text: &str) -> Vec<u8> {
    [integer(text.len() as u64), text.as_bytes().to_vec()].concat()
}

/// An item as `encode` describes it, written without its code.
fn item(tag: u8, field: &str, payload: &[Vec<u8>]) -> Vec<u8> {
    [vec![tag], text(field), payload.concat()].concat()
}

fn digest(bytes: &[Vec<u8>]) -> Vec<u8> {
    blake3::hash(&bytes.concat()).as_bytes().to_vec()
}

/// What the format says of the prepare step below.
fn described_prepare() -> Vec<Vec<u8>> {
    vec![
        item(1, "atex.action", &[integer(1)]),
        item(2, "kind", &[integer(2)]),
        item(2, "how", &[integer(1)]),
        item(4, "package", &[integer(2), text("a"), text("b")]),
        item(9, "environment", &[integer(0)]),
        item(7, "files", &[integer(0)]),
    ]
}

/// What the format says of the test below.
fn described_test() -> Vec<Vec<u8>> {
    let numbers = [
        vec![3],
        integer(u64::MAX),
        vec![4],
        integer(5),
        vec![5],
        integer(0.5_f64.to_bits()),
    ]
    .concat();
    let list = [vec![7], integer(7), vec![0, 1, 2], numbers, vec![6], text("é")];
    let map = [vec![8], integer(2), text("x"), vec![0], text("y"), vec![1]];
    let file = [text("lib/x"), integer(2), blake3::hash(b"x").as_bytes().to_vec()].concat();
    let set = [item(1, "atex.files", &[integer(1)]), integer(1), file];
    vec![
        item(1, "atex.action", &[integer(1)]),
        item(2, "kind", &[integer(3)]),
        item(9, "base", &[integer(4)]),
        item(3, "os", &[text("o")]),
        item(3, "version", &[text("v")]),
        item(3, "arch", &[text("a")]),
        item(3, "base", &[text("b")]),
        item(3, "name", &[text("/n")]),
        item(3, "dir", &[text("d")]),
        item(9, "metadata", &[integer(2)]),
        item(6, "a", &list),
        item(6, "b", &map),
        item(9, "environment", &[integer(2)]),
        item(3, "P", &[text("1")]),
        item(5, "S", &[vec![9; 32]]),
        item(7, "files", &[integer(1), digest(&set)]),
        item(8, "", &[integer(0), digest(&described_prepare())]),
    ]
}

#[test]
fn a_key_is_the_digest_of_what_the_format_says() {
    let mut builder = GraphBuilder::new();
    let action = StepAction::Install {
        packages: Sourced::new(vec!["a".to_owned(), "b".to_owned()]),
        options: StepOptions::new(),
    };
    let environment = Environment::new();
    let prepare = PrepareInputs {
        base: None,
        probe: None,
        action,
        environment,
        files: InputFiles::default(),
        observed: InputFiles::default(),
    };
    let prepare = builder
        .add(NodeName::prepare("/p", 1, "install"), prepare.into(), &[], &[])
        .expect("one node");
    let [os, version, arch, base] = ["o", "v", "a", "b"].map(str::to_owned);
    let file = InputFile {
        path: "lib/x".to_owned(),
        digest: BlobDigest::of(b"x"),
        mode: FileMode::Executable,
    };
    let inputs = TestInputs {
        base: Some(Base {
            os,
            version,
            arch,
            base,
            ..Base::default()
        }),
        name: "/n".to_owned(),
        dir: "d".to_owned(),
        metadata: Arc::new(BTreeMap::from([
            ("b".to_owned(), json!({"y": false, "x": null}).into()),
            ("a".to_owned(), json!([null, false, true, -1, 5, 0.5, "é"]).into()),
        ])),
        environment: [
            ("S".to_owned(), EnvValue::Secret([9; 32]).into()),
            ("P".to_owned(), EnvValue::from("1").into()),
        ]
        .into(),
        files: vec![file].into(),
        observed: InputFiles::default(),
        interface: None,
    };
    let id = builder
        .add(NodeName::test("/n"), inputs.into(), &[prepare], &[])
        .expect("names differ");
    let key = builder.key(id).expect("it was added");
    assert_eq!(key.as_bytes().to_vec(), digest(&described_test()));
}
