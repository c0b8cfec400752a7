//! The inputs of a finish step.

use super::{Environment, StepAction};
use crate::manifest::{Field, Manifest, Visitor};

/// The inputs of a finish step. The step is never reused; its key only tells equal steps of several plans from different ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FinishInputs {
    /// What the step does.
    pub action: StepAction,
    /// The variables that the step sees.
    pub environment: Environment,
}

impl Manifest for FinishInputs {
    fn visit(&self, visitor: &mut dyn Visitor) {
        match &self.action {
            // A script enters the key without the kind of action, because finish steps could only run scripts when their keys
            // were defined.
            action @ StepAction::Shell { .. } => action.visit_values(visitor),
            action => action.visit(visitor),
        }
        self.environment.show("environment", None, visitor);
    }
}
