//! The inputs of a discover node: what resolving the tests of a plan depends on.

use std::collections::BTreeMap;

use super::InputFiles;
use crate::manifest::{Field, Manifest, Visitor};

/// The inputs of a discover node: the metadata files and everything that chooses among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiscoverInputs {
    /// The name of the plan.
    pub plan: String,
    /// All metadata files, including `.fmf/config`.
    pub files: InputFiles,
    /// The values of each dimension of the context.
    pub context: BTreeMap<String, Vec<String>>,
    /// Filters, conditions and names, by the option that gave them.
    pub selection: BTreeMap<String, Vec<String>>,
}

impl Manifest for DiscoverInputs {
    fn visit(&self, visitor: &mut dyn Visitor) {
        self.plan.show("plan", None, visitor);
        self.context.show("context", None, visitor);
        self.selection.show("selection", None, visitor);
        visitor.files("files", &self.files);
    }
}
