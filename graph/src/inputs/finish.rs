//! What a finish step depends on.

use super::{Environment, Sourced};
use crate::manifest::{Field, Manifest, Visitor};

/// What a finish step depends on. It is never reused; its key only tells equal steps of several plans from different ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishInputs {
    /// The script's text.
    pub script: Sourced<String>,
    /// Variables it sees.
    pub environment: Environment,
}

impl Manifest for FinishInputs {
    fn visit(&self, visitor: &mut dyn Visitor) {
        self.script.show("script", None, visitor);
        self.environment.show("environment", None, visitor);
    }
}
