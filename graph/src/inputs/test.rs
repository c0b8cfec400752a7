//! The inputs of a test.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Base, Environment, InputFiles, Sourced};
use crate::manifest::{Field, Manifest, Visitor};

/// The inputs of a test, apart from the last prepare step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TestInputs {
    /// The kind of machine, for tests of plans without prepare. Other tests depend on it through the prepare chain.
    pub base: Option<Base>,
    /// The test's name, which the test sees.
    pub name: String,
    /// The working directory, relative to the tree's root.
    pub dir: String,
    /// The metadata, without the keys that do not affect what runs. Nodes of other plans that contain the test share it.
    pub metadata: Arc<BTreeMap<String, Sourced<Value>>>,
    /// The variables that the test sees.
    pub environment: Environment,
    /// The files that the test may read.
    pub files: InputFiles,
    /// Further files that the test and its prepare chain were seen to read, with their present content.
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
