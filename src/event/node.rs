//! The form in which events name a node of the graph.

use std::fmt;
use std::sync::Arc;

use atex_graph::{Kind, Node};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name and kind of a node for people: `test /a/b`, `prepare /plans/x#2 install`.
///
/// In `events.jsonl` it is that text. Its first word is the kind, and nothing else of it is ever parsed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeRef {
    kind: Kind,
    label: Arc<str>,
}

impl NodeRef {
    /// Names a test by the label of its node.
    pub(crate) fn test(label: &str) -> Self {
        Self {
            kind: Kind::Test,
            label: label.into(),
        }
    }

    /// Parses a label, whose first word is the kind.
    pub fn from_label(label: &str) -> Option<Self> {
        let word = label.split(' ').next()?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
        Some(Self {
            kind,
            label: label.into(),
        })
    }

    /// Returns what the node does.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the whole text, kind included.
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl From<&Node> for NodeRef {
    fn from(node: &Node) -> Self {
        Self {
            kind: node.kind(),
            label: Arc::clone(node.label()),
        }
    }
}

impl fmt::Display for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.label)
    }
}

impl fmt::Debug for NodeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.label, f)
    }
}

impl Serialize for NodeRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.label)
    }
}

impl<'de> Deserialize<'de> for NodeRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let label = String::deserialize(deserializer)?;
        Self::from_label(&label)
            .ok_or_else(|| serde::de::Error::custom(format!("`{label}` does not begin with the kind of a node")))
    }
}

#[cfg(test)]
mod tests {
    use atex_graph::NodeName;

    use super::*;

    #[test]
    fn a_label_begins_with_the_kind_of_its_node() {
        let names = [
            NodeName::discover("/p"),
            NodeName::prepare("/p", 2, "install"),
            NodeName::test_of("/p", "/a b"),
            NodeName::finish("/p", 1),
        ];
        for name in names {
            let node = NodeRef::from_label(&name.to_string()).unwrap();
            assert_eq!((node.kind(), node.label()), (name.kind(), &*name.to_string()));
        }
        assert_eq!(NodeRef::from_label("tests /a"), None);
    }

    #[test]
    fn the_wire_has_the_label() {
        let node = NodeRef::test("test /a (/p)");
        let json = serde_json::to_string(&node).unwrap();
        assert_eq!(json, r#""test /a (/p)""#);
        assert_eq!(serde_json::from_str::<NodeRef>(&json).unwrap(), node);
    }
}
