//! The inputs of a prepare step.

use std::collections::BTreeMap;

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
        /// What else it is told.
        options: StepOptions,
    },
    /// It runs a script.
    Shell {
        /// The script's text.
        script: Sourced<String>,
        /// What else it is told.
        options: StepOptions,
    },
    /// It runs playbooks of Ansible against the SUT.
    Ansible {
        /// The playbooks, in the order in which they run.
        playbooks: Sourced<Vec<String>>,
        /// What else it is told.
        options: StepOptions,
    },
    /// It switches features of the operating system.
    Feature {
        /// The features with what becomes of them, such as `epel enabled`.
        features: Sourced<Vec<String>>,
    },
}

/// What an action is told beside its main value, by name. An option that is not given is not there, so that an action gets no
/// other key when there is one more option.
pub type StepOptions = BTreeMap<&'static str, Vec<String>>;

impl Default for StepAction {
    /// Returns a script that does nothing.
    fn default() -> Self {
        Self::Shell {
            script: Sourced::default(),
            options: StepOptions::new(),
        }
    }
}

impl StepAction {
    /// Returns the word for the action in names and transcripts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Install { .. } => "install",
            Self::Shell { .. } => "shell",
            Self::Ansible { .. } => "ansible",
            Self::Feature { .. } => "feature",
        }
    }

    /// Returns the number that stands for the action in a key. It never changes.
    const fn ordinal(&self) -> u64 {
        match self {
            Self::Install { .. } => 1,
            Self::Shell { .. } => 2,
            Self::Ansible { .. } => 3,
            Self::Feature { .. } => 4,
        }
    }

    /// Shows the main value and the options, without the kind of action.
    pub(super) fn visit_values(&self, visitor: &mut dyn Visitor) {
        let options = match self {
            Self::Install { packages, options } => {
                packages.show("package", None, visitor);
                Some(options)
            }
            Self::Shell { script, options } => {
                script.show("script", None, visitor);
                Some(options)
            }
            Self::Ansible { playbooks, options } => {
                playbooks.show("playbook", None, visitor);
                Some(options)
            }
            Self::Feature { features } => {
                features.show("feature", None, visitor);
                None
            }
        };
        for (name, values) in options.into_iter().flatten() {
            values.show(name, None, visitor);
        }
    }
}

impl Manifest for StepAction {
    fn visit(&self, visitor: &mut dyn Visitor) {
        visitor.choice("how", self.ordinal(), self.word());
        self.visit_values(visitor);
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
