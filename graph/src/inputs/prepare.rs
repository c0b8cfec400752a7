//! What a prepare step depends on.

use super::{Base, Environment, InputFiles, Sourced};
use crate::manifest::{Field, Manifest, Visitor};

/// What a prepare step depends on, apart from the step before it. No plan's name: equal steps of several plans are one node.
#[derive(Clone, Debug, PartialEq)]
pub struct PrepareInputs {
    /// The kind of machine; the first step of a chain has it, and the others through it.
    pub base: Option<Base>,
    /// What the plan's probe printed; in the first step of a chain.
    pub probe: Option<String>,
    /// What is done.
    pub action: StepAction,
    /// Variables the step sees.
    pub environment: Environment,
    /// Files the step may read.
    pub files: InputFiles,
    /// Files beside them that the chain up to it was seen to read, as they are now.
    pub observed: InputFiles,
}

/// What a prepare or finish step does.
#[derive(Clone, Debug, PartialEq)]
pub enum StepAction {
    /// Installs packages with the SUT's own manager.
    Install {
        /// Their names, in the order in which the manager gets them.
        packages: Sourced<Vec<String>>,
    },
    /// Runs a script.
    Shell {
        /// The script's text.
        script: Sourced<String>,
    },
}

impl Default for StepAction {
    /// A script that does nothing.
    fn default() -> Self {
        Self::Shell {
            script: Sourced::default(),
        }
    }
}

impl StepAction {
    /// The word for it in names and transcripts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Install { .. } => "install",
            Self::Shell { .. } => "shell",
        }
    }

    /// The number that stands for it in a key; fixed for ever.
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
