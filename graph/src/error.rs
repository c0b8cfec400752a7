//! The errors for which a graph is refused.

use crate::name::{Kind, NodeName};

/// The reason why a graph is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two different nodes would have the same name.
    #[error("`{name}` is given to two different nodes, which differ in {}", list(.differs))]
    DuplicateName {
        /// The name.
        name: NodeName,
        /// The paths of the differences, as in a transcript.
        differs: Vec<String>,
    },
    /// An edge leads to a node that is not in the graph.
    #[error("`{name}` refers to node {index}, and there is no such node")]
    Dangling {
        /// The node that has the edge.
        name: String,
        /// The position of the missing node.
        index: usize,
    },
    /// Some nodes wait for each other.
    #[error("nodes wait for each other: {}", .path.join(" -> "))]
    Cycle {
        /// The names along the cycle, each waiting for the next. The first one is repeated at the end.
        path: Vec<String>,
    },
    /// A node's name is of one kind, and its inputs are of another.
    #[error("`{name}` names a node of kind {kind}")]
    KindMismatch {
        /// The name.
        name: NodeName,
        /// The kind of the inputs.
        kind: Kind,
    },
    /// There are more nodes than can be numbered.
    #[error("`{name}` is one node too many: a graph holds {limit} at most", limit = u32::MAX)]
    TooMany {
        /// The node that was refused.
        name: NodeName,
    },
}

/// Returns the first few of the paths, quoted.
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
