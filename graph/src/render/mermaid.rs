//! Draws the graph in the language of Mermaid.

use std::fmt::Write as _;

use super::caption;
use crate::dag::Graph;
use crate::name::Kind;
use crate::node::NodeId;

/// Draws the graph as a Mermaid flowchart. Edges lead to what comes later. Edges that only order nodes are dotted.
pub fn mermaid(graph: &Graph, mut note: impl FnMut(NodeId) -> Option<String>) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (id, node) in graph.nodes() {
        let (open, close) = shape(node.kind());
        let label = escaped(&caption(graph, id, note(id).as_deref()));
        let _ = writeln!(text, "  n{}{open}\"{label}\"{close}", id.index());
    }
    for (id, node) in graph.nodes() {
        for dep in node.deps() {
            let _ = writeln!(text, "  n{} --> n{}", dep.index(), id.index());
        }
        for earlier in node.after() {
            let _ = writeln!(text, "  n{} -.-> n{}", earlier.index(), id.index());
        }
    }
    text
}

const fn shape(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Discover => ("[/", "/]"),
        Kind::Prepare => ("[", "]"),
        Kind::Test => ("(", ")"),
        Kind::Finish => ("{{", "}}"),
    }
}

/// Replaces characters that have a meaning in a quoted label by entity codes, as Mermaid writes them.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | ';' | '\\' | '\n' => {
                let _ = write!(out, "#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}
