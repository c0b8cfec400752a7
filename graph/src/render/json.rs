//! The graph as JSON, for other programs.

use serde_json::{Value, json as value};

use crate::dag::Graph;
use crate::node::NodeId;

/// Describes the graph for other programs: `{"nodes":[{"names","kind","key","output","deps","after"}]}`, nodes in the order in
/// which they were added; `deps` and `after` are keys, `output` is null where it is not known.
pub fn json(graph: &Graph) -> Value {
    let keys =
        |ids: &mut dyn Iterator<Item = NodeId>| ids.map(|id| graph.node(id).key().to_string()).collect::<Vec<_>>();
    let nodes = graph.nodes().map(|(_, node)| {
        value!({
            "names": node.names().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "kind": node.kind(),
            "key": node.key(),
            "output": node.output(),
            "deps": keys(&mut node.deps()),
            "after": keys(&mut node.after().iter().copied()),
        })
    });
    value!({ "nodes": nodes.collect::<Vec<_>>() })
}
