//! Selection of nodes: fmf's `prune()`.

/// What nodes to select. Everything given must hold; an empty selection gives all leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Take branches too, not only leaves and nodes with `select: true`.
    pub whole: bool,
    /// Regular expressions, one of which must be found in the node's name.
    pub names: Vec<String>,
    /// Keys that must all be there.
    pub keys: Vec<String>,
    /// fmf filters, which must all match.
    pub filters: Vec<String>,
    /// Python expressions, which must all be true.
    pub conditions: Vec<String>,
}
