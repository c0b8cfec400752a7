//! Trees of nodes that no file defines as nodes, but that somebody made of the data of another tree.

use std::sync::Arc;

use super::origin::History;
use super::{Aliases, Body, Grown, Record, Shape, Tree};
use crate::value::Map;

impl Tree {
    /// Returns a tree of nodes made from data of this one, such as tests that are written in a plan. It has the root and the files
    /// of this tree, and so the marks in the data still tell their places. The nodes are leaves in the directory of the root, in
    /// the given order.
    #[must_use]
    pub fn beside(&self, nodes: impl IntoIterator<Item = (String, Map)>) -> Self {
        let record = |name: String| Record {
            name: name.into(),
            sources: Arc::from([]),
            file: None,
            children: Vec::new(),
            selected: true,
        };
        let (records, data): (Vec<Record>, Vec<Arc<Map>>) = nodes
            .into_iter()
            .map(|(name, data)| (record(name), Arc::new(data)))
            .unzip();
        let aliases = Aliases {
            identities: false,
            repeated: false,
        };
        Self(Body::Grown(Grown {
            aliases: Arc::new(vec![aliases; records.len()]),
            data,
            history: match &self.0 {
                Body::Grown(grown) => Arc::clone(&grown.history),
                Body::Packed(_) => Arc::new(History::default()),
            },
            shape: Arc::new(Shape {
                root: self.root().to_owned(),
                files: self.metadata_files().to_vec(),
                order: (0..).take(records.len()).collect(),
                nodes: records,
            }),
        }))
    }
}
