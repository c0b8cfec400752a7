//! What is no graph, and how that is said.

use atex_graph::{FinishInputs, GraphBuilder, GraphError, Inputs, NodeId, NodeName, Sourced, TestInputs};

fn test_inputs(name: &str) -> Inputs {
    TestInputs {
        name: name.to_owned(),
        ..TestInputs::default()
    }
    .into()
}

fn add(builder: &mut GraphBuilder, name: &str) -> NodeId {
    builder
        .add(NodeName::test(name), test_inputs(name), &[], &[])
        .expect("names differ")
}

/// An id that only a larger graph has.
fn foreign() -> NodeId {
    let mut larger = GraphBuilder::new();
    (0..10)
        .map(|number| add(&mut larger, &format!("/{number}")))
        .last()
        .expect("ten nodes")
}

#[test]
fn nodes_that_wait_for_each_other_are_refused_with_the_path() {
    let mut builder = GraphBuilder::new();
    let [a, b, c, d] = ["/a", "/b", "/c", "/d"].map(|name| add(&mut builder, name));
    for (earlier, later) in [(c, b), (d, c), (b, d), (a, b), (b, a)] {
        builder.order(earlier, later).expect("both are there");
    }
    let error = builder.seal().expect_err("a cycle");
    assert_eq!(
        error.to_string(),
        "nodes wait for each other: test /a -> test /b -> test /a"
    );
}

#[test]
fn the_path_of_a_cycle_is_in_the_order_of_waiting() {
    let mut builder = GraphBuilder::new();
    let [a, b, c, _] = ["/a", "/b", "/c", "/d"].map(|name| add(&mut builder, name));
    for (earlier, later) in [(b, a), (c, b), (a, c)] {
        builder.order(earlier, later).expect("both are there");
    }
    let Err(GraphError::Cycle { path }) = builder.seal() else {
        panic!("a cycle")
    };
    assert_eq!(path, ["test /a", "test /b", "test /c", "test /a"]);
}

#[test]
fn a_node_that_waits_for_itself_is_refused() {
    let mut builder = GraphBuilder::new();
    let a = add(&mut builder, "/a");
    builder.order(a, a).expect("it is there");
    let Err(GraphError::Cycle { path }) = builder.seal() else {
        panic!("a cycle")
    };
    assert_eq!(path, ["test /a", "test /a"]);
}

#[test]
fn merging_equal_nodes_cannot_hide_a_cycle() {
    let mut builder = GraphBuilder::new();
    let a = add(&mut builder, "/a");
    let b = builder
        .add(NodeName::test("/b"), test_inputs("/b"), &[], &[a])
        .expect("names differ");
    builder
        .add(NodeName::test("/a again"), test_inputs("/a"), &[], &[b])
        .expect("the same node as the first");
    assert!(matches!(builder.seal(), Err(GraphError::Cycle { .. })));
}

#[test]
fn edges_to_nodes_that_are_not_there_are_refused() {
    let mut builder = GraphBuilder::new();
    let a = add(&mut builder, "/a");
    for (deps, after) in [(&[foreign()][..], &[][..]), (&[], &[foreign()])] {
        let error = builder
            .add(NodeName::test("/b"), test_inputs("/b"), deps, after)
            .expect_err("dangling");
        assert_eq!(
            error.to_string(),
            "`test /b` refers to node 9, and there is no such node"
        );
    }
    assert!(matches!(builder.order(foreign(), a), Err(GraphError::Dangling { .. })));
    assert!(matches!(builder.order(a, foreign()), Err(GraphError::Dangling { .. })));
    assert_eq!(builder.seal().expect("what was refused left nothing behind").len(), 1);
}

#[test]
fn a_name_for_two_different_nodes_is_refused_with_the_difference() {
    let mut builder = GraphBuilder::new();
    let a = add(&mut builder, "/a");
    assert_eq!(add(&mut builder, "/a"), a, "the same again is no contradiction");
    let other = TestInputs {
        name: "/a".to_owned(),
        dir: "elsewhere".to_owned(),
        environment: [("X".to_owned(), Sourced::new("1".into()))].into(),
        ..TestInputs::default()
    };
    let error = builder
        .add(NodeName::test("/a"), other.into(), &[], &[])
        .expect_err("two nodes, one name");
    assert_eq!(
        error.to_string(),
        "`test /a` is given to two different nodes, which differ in `dir`, `environment.X`"
    );
}

#[test]
fn a_name_of_another_kind_is_refused() {
    let mut builder = GraphBuilder::new();
    let error = builder
        .add(NodeName::test("/a"), FinishInputs::default().into(), &[], &[])
        .expect_err("not a test");
    assert_eq!(error.to_string(), "`test /a` names a node of kind finish");
}
