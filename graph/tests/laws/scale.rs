//! Large graphs: nothing recurses along the graph, and nothing is quadratic in its size (that would not end here).

use atex_graph::{
    BlobDigest, FileMode, FileSet, FinishInputs, GraphBuilder, InputFile, InputFiles, NodeId, NodeName, PrepareInputs,
    Selection, StepAction, StepOptions, TestInputs, render,
};

const NODES: u32 = 100_000;

#[test]
fn a_chain_of_100_000_steps_is_sealed_selected_and_drawn_without_recursion() {
    let mut builder = GraphBuilder::new();
    let mut last = None;
    for step in 0..NODES {
        let inputs = PrepareInputs {
            base: None,
            probe: None,
            action: StepAction::Shell {
                options: StepOptions::new(),
                script: String::new().into(),
            },
            environment: [].into(),
            files: InputFiles::default(),
            observed: InputFiles::default(),
        };
        let deps: Vec<_> = last.into_iter().collect();
        last = Some(
            builder
                .add(NodeName::prepare("/p", step, "shell"), inputs.into(), &deps, &[])
                .expect("a new node"),
        );
    }
    let target = last.expect("there are nodes");
    let graph = builder.seal().expect("no cycle");

    let selection = Selection::of(&graph, &[target], |_| false);
    assert!(
        graph.ids().all(|id| selection.runs(id)),
        "the last step needs all others"
    );
    // Indentation alone makes a deep tree quadratic: it is drawn from a shorter chain.
    assert!(render::dot(&graph, |_| None).lines().count() > graph.len());
}

#[test]
fn tests_that_share_their_files_share_the_hashing() {
    let file = |number: u32| InputFile {
        path: format!("lib/{number}"),
        digest: BlobDigest::of(&number.to_le_bytes()),
        mode: FileMode::Regular,
    };
    let shared: FileSet = (0..5_000).map(file).collect();
    let mut builder = GraphBuilder::new();
    let mut tests = Vec::new();
    for number in 0..NODES {
        let name = format!("/test/{number}");
        let files = InputFiles::union([shared.clone()]);
        let inputs = TestInputs {
            name: name.clone(),
            files,
            ..TestInputs::default()
        };
        tests.push(
            builder
                .add(NodeName::test(name), inputs.into(), &[], &[])
                .expect("a new node"),
        );
    }
    let finish = builder
        .add(NodeName::finish("/p", 1), FinishInputs::default().into(), &[], &tests)
        .expect("a new node");
    let graph = builder.seal().expect("no cycle");
    tests.push(finish);

    let selection = Selection::of(&graph, &tests, |_| false);
    let runs = graph.topological().iter().copied().filter(|&id| selection.runs(id));
    assert_eq!(runs.collect::<Vec<NodeId>>(), tests);
    assert_eq!(render::tree(&graph, |_| None).lines().count(), graph.len());
}
