//! The inputs of a prepare step.

use super::{Base, Environment, InputFiles, Sourced};
use crate::manifest::{Field, Manifest, Visitor};

/// The inputs of a prepare step, apart from the step before it. The plan's name is not among them, so equal steps of several
/// plans are one node.
#[derive(Clone, Debug, PartialEq)]
pub struct PrepareInputs {
    /// The kind of machine. Only the first step of a chain has it; the other steps depend on it through the first one.
    pub base: Option<Base>,
    /// What the plan's probe printed. Only the first step of a chain has it.
    pub probe: Option<String>,
    /// What the step does.
    pub action: StepAction,
    /// The variables that the step sees.
    pub environment: Environment,
    /// The files that the step may read.
    pub files: InputFiles,
    /// Further files that the chain up to this step was seen to read, with their present content.
    pub observed: InputFiles,
}

/// What a prepare or finish step does.
#[derive(Clone, Debug, PartialEq)]
pub enum StepAction {
    /// It installs packages with the SUT's own package manager.
    Install {
        /// The names of the packages, in the order in which the package manager gets them.
        packages: Sourced<Vec<String>>,
    },
    /// It runs a script.
    Shell {
        /// The script's text.
        script: Sourced<String>,
    },
}

impl Default for StepAction {
    /// Returns a script that does nothing.
    fn default() -> Self {
        Self::Shell {
            script: Sourced::default(),
        }
    }
}

impl StepAction {
    /// Returns the word for the action in names and transcripts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Install { .. } => "install",
            Self::Shell { .. } => "shell",
        }
    }

    /// Returns the number that stands for the action in a key. It never changes.
    const fn ordinal(&self) -> u64 {
        match self {
            Self::Install { .. } => 1,
            Self::Shell { .. } => 2,
        }
    }
}

impl Manifest for StepAction {
    fn visit(&self, visitor: &mut dyn Visitor) {
        visitor.choice("how", self.ordinal(), self.word());
        match self {
            Self::Install { packages } => packages.show("package", None, visitor),
            Self::Shell { script } => script.show("script", None, visitor),
        }
    }
}

impl Manifest for PrepareInputs {
    fn visit(&self, visitor: &mut dyn Visitor) {
        if let Some(base) = &self.base {
            base.visit(visitor);
        }
        if let Some(probe) = &self.probe {
            probe.show("probe", None, visitor);
        }
        self.action.visit(visitor);
        self.environment.show("environment", None, visitor);
        visitor.files("files", &self.files);
        if !self.observed.is_empty() {
            visitor.files("observed", &self.observed);
        }
    }
}
