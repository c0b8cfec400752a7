//! Why a graph is refused.

use crate::name::{Kind, NodeName};

/// Why a graph is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two different nodes would have one name.
    #[error("`{name}` is given to two different nodes, which differ in {}", list(.differs))]
    DuplicateName {
        /// The name.
        name: NodeName,
        /// Paths of what differs, as in a transcript.
        differs: Vec<String>,
    },
    /// An edge leads to a node that is not in the graph.
    #[error("`{name}` refers to node {index}, and there is no such node")]
    Dangling {
        /// The node the edge belongs to.
        name: String,
        /// Position of the missing node.
        index: usize,
    },
    /// Nodes that wait for each other.
    #[error("nodes wait for each other: {}", .path.join(" -> "))]
    Cycle {
        /// Names along the cycle, each waiting for the next; the first is the last.
        path: Vec<String>,
    },
    /// A name of one kind for inputs of another.
    #[error("`{name}` names a node of kind {kind}")]
    KindMismatch {
        /// The name.
        name: NodeName,
        /// The kind of the inputs.
        kind: Kind,
    },
    /// More nodes than can be numbered.
    #[error("`{name}` is one node too many: a graph holds {limit} at most", limit = u32::MAX)]
    TooMany {
        /// The node that was refused.
        name: NodeName,
    },
}

/// The first few of the paths, quoted.
fn list(paths: &[String]) -> String {
    const SHOWN: usize = 3;
    let text = paths
        .iter()
        .take(SHOWN)
        .map(|path| format!("`{path}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match paths.len().saturating_sub(SHOWN) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
