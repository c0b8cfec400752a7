//! What a test depends on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Base, Environment, InputFiles, Sourced};
use crate::manifest::{Field, Manifest, Visitor};

/// What a test depends on, apart from the last prepare step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestInputs {
    /// The kind of machine, for tests of plans without prepare; the others have it through the chain.
    pub base: Option<Base>,
    /// The test's name, which it sees.
    pub name: String,
    /// Its working directory, relative to the tree's root.
    pub dir: String,
    /// Its metadata, without what does not run. Shared with the nodes of other plans that hold the test.
    pub metadata: Arc<BTreeMap<String, Sourced<Value>>>,
    /// Variables it sees.
    pub environment: Environment,
    /// Files it may read.
    pub files: InputFiles,
    /// Files beside them that it and its prepare chain were seen to read, as they are now.
    pub observed: InputFiles,
    /// The interface by whose rules it speaks and is judged, where that is not atex's own.
    pub interface: Option<String>,
}

impl Manifest for TestInputs {
    fn visit(&self, visitor: &mut dyn Visitor) {
        if let Some(base) = &self.base {
            base.visit(visitor);
        }
        self.name.show("name", None, visitor);
        self.dir.show("dir", None, visitor);
        self.metadata.show("metadata", None, visitor);
        self.environment.show("environment", None, visitor);
        visitor.files("files", &self.files);
        if !self.observed.is_empty() {
            visitor.files("observed", &self.observed);
        }
        if let Some(interface) = &self.interface {
            interface.show("interface", None, visitor);
        }
    }
}
