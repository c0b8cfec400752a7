//! What drawings look like.

use atex_graph::{DiscoverInputs, OutputDigest};
use atex_graph::{
    FinishInputs, Graph, GraphBuilder, InputFiles, NodeName, PrepareInputs, StepAction, StepOptions, TestInputs, render,
};

/// Two plans that share a prepare step and a test.
fn graph(quote: &str) -> Graph {
    let mut builder = GraphBuilder::new();
    for plan in ["/x", "/y"] {
        let inputs = DiscoverInputs {
            plan: plan.to_owned(),
            ..DiscoverInputs::default()
        };
        let discover = builder
            .add(NodeName::discover(plan), inputs.into(), &[], &[])
            .expect("fine");
        builder
            .set_output(discover, OutputDigest::of(plan.as_bytes()))
            .expect("it is there");
        let prepare = PrepareInputs {
            base: None,
            probe: None,
            action: StepAction::Shell {
                script: "make".to_owned().into(),
                options: StepOptions::new(),
            },
            environment: [].into(),
            files: InputFiles::default(),
            observed: InputFiles::default(),
        };
        let prepare = builder
            .add(NodeName::prepare(plan, 1, "shell"), prepare.into(), &[], &[discover])
            .expect("fine");
        let mut tests = Vec::new();
        for test in ["/both", plan] {
            let name = format!("/t{test}{quote}");
            let inputs = TestInputs {
                name: name.clone(),
                ..TestInputs::default()
            };
            tests.push(
                builder
                    .add(NodeName::test(name), inputs.into(), &[prepare], &[discover])
                    .expect("fine"),
            );
        }
        let script = format!("echo {plan}").into();
        let inputs = FinishInputs {
            action: StepAction::Shell {
                script,
                options: StepOptions::new(),
            },
            ..FinishInputs::default()
        };
        builder
            .add(NodeName::finish(plan, 1), inputs.into(), &[], &tests)
            .expect("fine");
    }
    builder.seal().expect("no cycle")
}

#[test]
fn a_tree_draws_every_node_once_and_refers_to_it_elsewhere() {
    let text = render::tree(&graph(""), |_| None);
    assert_eq!(
        text,
        r"
discover /x
└── prepare /x#1 shell (and 1 more)
    ├── test /t/both
    ├── test /t/x
    ├── test /t/y
    ├── finish /x#1
    └── finish /y#1
discover /y
├── → prepare /x#1 shell (and 1 more)
├── → test /t/both
└── → test /t/y
"
        .trim_start()
    );
}

#[test]
fn a_tree_shows_what_the_caller_notes() {
    let text = render::tree(&graph(""), |id| (id.index() == 2).then(|| "cached".to_owned()));
    assert!(text.contains("test /t/both  cached\n"), "{text}");
}

#[test]
fn dot_draws_order_dashed_and_quotes_names() {
    assert_eq!(
        render::dot(&graph("\"\\\n"), |_| None),
        r#"
digraph atex {
  rankdir=LR;
  node [fontname="sans-serif"];
  n0 [label="discover /x", shape=folder];
  n1 [label="prepare /x#1 shell (and 1 more)", shape=box];
  n2 [label="test /t/both\"\\\\n", shape=ellipse];
  n3 [label="test /t/x\"\\\\n", shape=ellipse];
  n4 [label="finish /x#1", shape=octagon];
  n5 [label="discover /y", shape=folder];
  n6 [label="test /t/y\"\\\\n", shape=ellipse];
  n7 [label="finish /y#1", shape=octagon];
  n0 -> n1 [style=dashed];
  n5 -> n1 [style=dashed];
  n1 -> n2;
  n0 -> n2 [style=dashed];
  n5 -> n2 [style=dashed];
  n1 -> n3;
  n0 -> n3 [style=dashed];
  n2 -> n4 [style=dashed];
  n3 -> n4 [style=dashed];
  n1 -> n6;
  n5 -> n6 [style=dashed];
  n2 -> n7 [style=dashed];
  n6 -> n7 [style=dashed];
}
"#
        .trim_start()
    );
}

#[test]
fn mermaid_draws_order_dotted_and_escapes_names() {
    assert_eq!(
        render::mermaid(&graph("\"<#`\n"), |_| None),
        r#"
flowchart LR
  n0[/"discover /x"/]
  n1["prepare /x#35;1 shell (and 1 more)"]
  n2("test /t/both#34;#60;#35;#96;#92;n")
  n3("test /t/x#34;#60;#35;#96;#92;n")
  n4{{"finish /x#35;1"}}
  n5[/"discover /y"/]
  n6("test /t/y#34;#60;#35;#96;#92;n")
  n7{{"finish /y#35;1"}}
  n0 -.-> n1
  n5 -.-> n1
  n1 --> n2
  n0 -.-> n2
  n5 -.-> n2
  n1 --> n3
  n0 -.-> n3
  n2 -.-> n4
  n3 -.-> n4
  n1 --> n6
  n5 -.-> n6
  n2 -.-> n7
  n6 -.-> n7
"#
        .trim_start()
    );
}

#[test]
fn json_names_nodes_by_key_and_keeps_the_order_of_fields() {
    let graph = graph("");
    let text = serde_json::to_string(&render::json(&graph)).expect("JSON");
    let key = |index: usize| {
        graph
            .ids()
            .nth(index)
            .map(|id| graph.node(id).key().to_string())
            .expect("there are eight")
    };
    let output = OutputDigest::of(b"/x");
    let names = r#"["prepare /x#1 shell","prepare /y#1 shell"]"#;
    let (first, second, other) = (key(0), key(1), key(5));
    let expected = format!(
        "{{\"nodes\":[{{\"names\":[\"discover /x\"],\"kind\":\"discover\",\"key\":\"{first}\",\"output\":\"{output}\",\
         \"deps\":[],\"after\":[]}},\
         {{\"names\":{names},\"kind\":\"prepare\",\"key\":\"{second}\",\"deps\":[],\"after\":[\"{first}\",\"{other}\"]}},"
    );
    assert!(text.starts_with(&expected), "{text}\n{expected}");
    assert_eq!(text.matches("\"names\"").count(), graph.len());
}

#[test]
fn an_empty_graph_draws_nothing() {
    let graph = GraphBuilder::new().seal().expect("no cycle");
    assert_eq!(render::tree(&graph, |_| None), "");
    assert_eq!(
        serde_json::to_string(&render::json(&graph)).expect("JSON"),
        r#"{"nodes":[]}"#
    );
}
