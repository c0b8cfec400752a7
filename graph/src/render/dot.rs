//! Draws the graph in the DOT language of Graphviz.

use std::fmt::Write as _;

use super::caption;
use crate::dag::Graph;
use crate::name::Kind;
use crate::node::NodeId;

/// Draws the graph for Graphviz. Edges lead to what comes later. Edges that only order nodes are dashed.
pub fn dot(graph: &Graph, mut note: impl FnMut(NodeId) -> Option<String>) -> String {
    let mut text = "digraph atex {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n".to_owned();
    for (id, node) in graph.nodes() {
        let label = quoted(&caption(graph, id, note(id).as_deref()));
        let _ = writeln!(text, "  n{} [label={label}, shape={}];", id.index(), shape(node.kind()));
    }
    for (id, node) in graph.nodes() {
        for dep in node.deps() {
            let _ = writeln!(text, "  n{} -> n{};", dep.index(), id.index());
        }
        for earlier in node.after() {
            let _ = writeln!(text, "  n{} -> n{} [style=dashed];", earlier.index(), id.index());
        }
    }
    text.push_str("}\n");
    text
}

const fn shape(kind: Kind) -> &'static str {
    match kind {
        Kind::Discover => "folder",
        Kind::Prepare => "box",
        Kind::Test => "ellipse",
        Kind::Finish => "octagon",
    }
}

/// Returns a text as a quoted string of the DOT language.
fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
    )
}
