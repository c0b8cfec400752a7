//! The configuration files: `atex.toml` beside `.fmf/`, and then the user's `atex/config.toml`.
//!
//! This module finds, reads and merges them. The first file that sets a key wins; a named SUT or group is taken as a whole from
//! the first file that has it. Values are validated here, so that an error names the line. The command line wins over both files.

pub(crate) mod directories;
mod error;
mod parse;
pub(crate) mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::args::ColorWhen;
use crate::compile::lint::LintCode;
use crate::compile::spec::Interface;
use crate::exec::options::{OnReboot, OnTaint};
use crate::sut::kind::Parameters;

pub(crate) use error::AtexConfigError;

/// The name of the file beside `.fmf/`.
const PROJECT_FILE: &str = "atex.toml";

/// The content of all configuration files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AtexConfig {
    pub(crate) defaults: Defaults,
    /// Named SUTs.
    pub(crate) suts: BTreeMap<String, SutConfig>,
    /// Groups of SUTs.
    pub(crate) groups: BTreeMap<String, GroupConfig>,
    /// `[lint] allow`: the codes of findings that are not reported.
    pub(crate) lint_allow: Option<BTreeSet<LintCode>>,
}

/// `[defaults]`: each key sets the default of the option of its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) sut: Option<Vec<String>>,
    pub(crate) plan: Option<Vec<String>>,
    pub(crate) environment: Option<BTreeMap<String, String>>,
    pub(crate) context: Option<BTreeMap<String, Vec<String>>>,
    pub(crate) secret_env: Option<Vec<String>>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) max_facts_age: Option<Duration>,
    pub(crate) max_output: Option<u64>,
    pub(crate) on_taint: Option<OnTaint>,
    pub(crate) on_reboot: Option<OnReboot>,
    pub(crate) color: Option<ColorWhen>,
    pub(crate) strict: Option<bool>,
    /// The interface of tests that say nothing of it themselves.
    pub(crate) interface: Option<Interface>,
    pub(crate) dead_after: Option<Duration>,
    /// A path, `none`, or nothing.
    pub(crate) ssh_config: Option<String>,
}

/// The table `[sut.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SutConfig {
    /// A target in the form that `-s` takes.
    pub(crate) target: String,
    /// The parameters that a target has after its `?`, each as a key of its own.
    pub(crate) parameters: Parameters,
    /// The file that defines the SUT, for messages and for relative paths.
    pub(crate) file: PathBuf,
}

/// The table `[group.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupConfig {
    /// Targets in the form that `-s` takes, including named SUTs and other groups.
    pub(crate) suts: Vec<String>,
}

impl AtexConfig {
    /// Reads the project's and the user's file, as far as they exist.
    pub(crate) fn load(tree_root: Option<&Path>, user_dir: Option<&Path>) -> Result<Self, AtexConfigError> {
        let project = tree_root.map(|root| root.join(PROJECT_FILE));
        let user = user_dir.map(|dir| dir.join("atex").join("config.toml"));
        let mut config = Self::default();
        for path in [project, user].into_iter().flatten() {
            if let Some(text) = read(&path)? {
                config.fill_from(parse::parse(&path, &text)?);
            }
        }
        Ok(config)
    }

    /// Takes from `other` the values that are not set here.
    fn fill_from(&mut self, other: Self) {
        let (mine, theirs) = (&mut self.defaults, other.defaults);
        mine.sut = mine.sut.take().or(theirs.sut);
        mine.plan = mine.plan.take().or(theirs.plan);
        mine.environment = mine.environment.take().or(theirs.environment);
        mine.context = mine.context.take().or(theirs.context);
        mine.secret_env = mine.secret_env.take().or(theirs.secret_env);
        mine.max_age = mine.max_age.or(theirs.max_age);
        mine.max_facts_age = mine.max_facts_age.or(theirs.max_facts_age);
        mine.max_output = mine.max_output.or(theirs.max_output);
        mine.on_taint = mine.on_taint.or(theirs.on_taint);
        mine.on_reboot = mine.on_reboot.or(theirs.on_reboot);
        mine.color = mine.color.or(theirs.color);
        mine.strict = mine.strict.or(theirs.strict);
        mine.interface = mine.interface.or(theirs.interface);
        mine.dead_after = mine.dead_after.or(theirs.dead_after);
        mine.ssh_config = mine.ssh_config.take().or(theirs.ssh_config);
        self.lint_allow = self.lint_allow.take().or(other.lint_allow);
        for (name, sut) in other.suts {
            self.suts.entry(name).or_insert(sut);
        }
        for (name, group) in other.groups {
            self.groups.entry(name).or_insert(group);
        }
    }
}

/// Reads a file; `None` if there is none.
fn read(path: &Path) -> Result<Option<String>, AtexConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(source) => {
            let path = path.to_owned();
            Err(AtexConfigError::Unreadable { path, source })
        }
    }
}

#[cfg(test)]
mod tests;
