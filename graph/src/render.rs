//! Draws the graph for people and for other programs: as a tree, for Graphviz, for Mermaid, and as JSON.
//!
//! The output depends only on the graph and on the notes that the caller adds to nodes, so equal graphs give equal text.

mod dot;
mod json;
mod mermaid;
mod tree;

pub use dot::dot;
pub use json::json;
pub use mermaid::mermaid;
pub use tree::tree;

use crate::dag::Graph;
use crate::explain::visible;
use crate::node::NodeId;

/// Returns the caption of a node in a drawing: its first name, how many other names it has, and the caller's note.
fn caption(graph: &Graph, id: NodeId, note: Option<&str>) -> String {
    let name = visible(graph.node(id).label());
    let more = match graph.node(id).names().len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let note = note.map(|note| format!("  {note}")).unwrap_or_default();
    format!("{name}{more}{note}")
}
