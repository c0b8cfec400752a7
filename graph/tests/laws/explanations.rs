//! Why a node is new: down to the node that changed.

use std::collections::HashMap;

use atex_graph::{
    BlobDigest, Entry, FileMode, Graph, GraphBuilder, InputFile, NodeId, NodeName, PrepareInputs, Sourced, StepAction,
    StepOptions, TestInputs, explain, transcript,
};
use proptest::prelude::{prop_assert_eq, proptest};

use crate::model::{edits, worlds};

/// A chain of two steps and a test.
fn graph(install: &str, library: &str, variable: &str) -> (Graph, NodeId) {
    let mut builder = GraphBuilder::new();
    let step = |action| PrepareInputs {
        base: None,
        probe: None,
        action,
        environment: [].into(),
        files: Vec::new().into(),
        observed: atex_graph::InputFiles::default(),
    };
    let packages = Sourced::at(vec![install.to_owned()], "plans/main.fmf:3");
    let install = step(StepAction::Install {
        packages,
        options: StepOptions::new(),
    });
    let install = builder
        .add(NodeName::prepare("/x", 1, "install"), install.into(), &[], &[])
        .expect("fine");
    let script = "make\n./configure --with-everything\nmake install\n".to_owned();
    let shell = step(StepAction::Shell {
        script: script.into(),
        options: StepOptions::new(),
    });
    let shell = builder
        .add(NodeName::prepare("/x", 2, "shell"), shell.into(), &[install], &[])
        .expect("fine");
    let digest = BlobDigest::of(library.as_bytes());
    let file = InputFile {
        path: "lib/common.sh".to_owned(),
        digest,
        mode: FileMode::Regular,
    };
    let test = TestInputs {
        name: "/a".to_owned(),
        environment: [("FOO".to_owned(), Sourced::at(variable.into(), "plans/main.fmf:12"))].into(),
        files: vec![file].into(),
        ..TestInputs::default()
    };
    let test = builder
        .add(NodeName::test("/a"), test.into(), &[shell], &[])
        .expect("fine");
    (builder.seal().expect("no cycle"), test)
}

/// What a cache would hold of a graph: transcripts by short key.
fn records(graph: &Graph) -> HashMap<String, Vec<Entry>> {
    graph
        .nodes()
        .map(|(_, node)| (node.key().short(), transcript(node)))
        .collect()
}

#[test]
fn a_test_names_what_changed_in_it_and_in_the_steps_below_it() {
    let (old, old_test) = graph("gcc", "1", "1");
    let (new, test) = graph("clang", "2", "2");
    let records = records(&old);
    let causes = explain::causes(&new, test, &transcript(old.node(old_test)), |key| {
        records.get(key).cloned()
    });
    assert_eq!(
        explain::render_causes(&new, test, &causes),
        r#"
environment.FOO: "1" -> "2"   plans/main.fmf:12
files/lib/common.sh: d63bd9a826af regular -> 813e9b729141 regular
prepare /x#1 install:
  package: ["gcc"] -> ["clang"]   plans/main.fmf:3
"#
        .trim_start()
    );
}

#[test]
fn where_the_old_step_is_not_known_its_key_is_told() {
    let (old, old_test) = graph("gcc", "1", "1");
    let (new, test) = graph("clang", "1", "1");
    let causes = explain::causes(&new, test, &transcript(old.node(old_test)), |_| None);
    let text = explain::render_causes(&new, test, &causes);
    assert!(
        text.starts_with("deps.0: ") && text.ends_with("   prepare /x#2 shell\n"),
        "{text}"
    );
}

proptest! {
    #[test]
    fn the_cause_is_the_node_that_was_changed(world in worlds(12), edit in edits()) {
        let mut changed = world.clone();
        let position = changed.edit(&edit);
        let ((old, old_ids), (new, new_ids)) = (world.build(), changed.build());
        let records = records(&old);
        for (&old_id, &new_id) in old_ids.iter().zip(&new_ids) {
            let was = transcript(old.node(old_id));
            let causes = explain::causes(&new, new_id, &was, |key| records.get(key).cloned());
            let nodes: Vec<_> = causes.iter().map(|cause| cause.node).collect();
            let is_new = old.node(old_id).key() != new.node(new_id).key();
            prop_assert_eq!(nodes, if is_new { vec![new_ids[position]] } else { vec![] });
        }
    }
}
