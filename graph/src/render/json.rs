//! Writes the graph as JSON for other programs.

use serde::Serialize;

use crate::dag::Graph;
use crate::digest::{ActionKey, OutputDigest};
use crate::name::Kind;
use crate::node::Node;

/// Describes the graph for other programs: `{"nodes":[{"names","kind","key","output","deps","after"}]}`. The nodes are in the
/// order in which they were added. `deps` and `after` are keys, and `output` is left out if it is not known.
pub fn json(graph: &Graph) -> impl Serialize + use<> {
    let describe = |node: &Node| NodeJson {
        names: node.names().iter().map(ToString::to_string).collect(),
        kind: node.kind(),
        key: node.key(),
        output: node.output(),
        deps: node.deps().map(|id| graph.node(id).key()).collect(),
        after: node.after().iter().map(|&id| graph.node(id).key()).collect(),
    };
    GraphJson {
        nodes: graph.nodes().map(|(_, node)| describe(node)).collect(),
    }
}

#[derive(Serialize)]
struct GraphJson {
    nodes: Vec<NodeJson>,
}

#[derive(Serialize)]
struct NodeJson {
    names: Vec<String>,
    kind: Kind,
    key: ActionKey,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<OutputDigest>,
    deps: Vec<ActionKey>,
    after: Vec<ActionKey>,
}
