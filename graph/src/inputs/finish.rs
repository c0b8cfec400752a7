//! What a finish step depends on.

use super::{Environment, StepAction};
use crate::manifest::{Field, Manifest, Visitor};

/// What a finish step depends on. It is never reused; its key only tells equal steps of several plans from different ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishInputs {
    /// What is done.
    pub action: StepAction,
    /// Variables it sees.
    pub environment: Environment,
}

impl Manifest for FinishInputs {
    fn visit(&self, visitor: &mut dyn Visitor) {
        match &self.action {
            // The keys of finishes are older than the choice of what one does.
            StepAction::Shell { script } => script.show("script", None, visitor),
            action @ StepAction::Install { .. } => action.visit(visitor),
        }
        self.environment.show("environment", None, visitor);
    }
}
