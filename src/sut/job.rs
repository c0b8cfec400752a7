//! A job: a script to run on a SUT under the wrapper, with its environment and working directory.

use super::interface::{PlanData, TmtTest};

/// What the wrapper is asked to run. Values never appear on a command line there.
#[derive(Clone, Debug)]
pub struct Job {
    /// Whether this is a test or another script.
    pub kind: JobKind,
    /// The bash text, run as `set -eo pipefail`.
    pub script: String,
    /// The slot whose tree is used; `TMT_TREE` is its directory.
    pub slot: String,
    /// The working directory, relative to the slot's tree; empty for its root.
    pub dir: String,
    /// The plan's environment, set before the plan environment file is sourced.
    pub env_before: Vec<(String, String)>,
    /// The environment set after that file was sourced, so it wins: the test's, then the command line's.
    pub env_after: Vec<(String, String)>,
    /// Which plan environment file the job sees.
    pub env_file: EnvFile,
}

/// The kinds of jobs.
#[derive(Clone, Debug)]
pub enum JobKind {
    /// A test, which has a control stream.
    Test {
        /// The test's name: `TMT_TEST_NAME`.
        name: String,
        /// The text of the YAML file that `TMT_TEST_METADATA` names.
        metadata: String,
        /// `TMT_REBOOT_COUNT` and `TMT_TEST_RESTART_COUNT`.
        restarts: u32,
        /// Whether the test gets a terminal.
        tty: bool,
        /// What it is given beyond that where its interface is tmt's.
        tmt: Option<TmtTest>,
    },
    /// A prepare or finish script: its control stream carries only `exitcode N` from the wrapper.
    Script {
        /// The data of the plan that it sees, with what else tmt promises scripts; `None` for package managers, which are no scripts
        /// of a plan.
        plan_data: Option<PlanData>,
        /// The prepare step that it is a part of, if what it leaves running is to live on.
        step: Option<PrepareStep>,
    },
    /// Sends the data of a plan over the control stream, as the files of a test that lie below `data`.
    SendPlanData(PlanData),
}

/// A prepare step, as the machine is to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrepareStep {
    /// Its position in its chain.
    pub index: usize,
    /// Its name for people.
    pub name: String,
}

/// Which plan environment file a job sees as `TMT_PLAN_ENVIRONMENT_FILE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvFile {
    /// The file that belongs to the prepared chain.
    Prepared,
    /// The file of plans without any prepare step; it is never shared with a prepared chain.
    Base,
}

impl EnvFile {
    /// Returns the name of a project's plan environment file.
    pub(crate) fn name(self, project: &str) -> String {
        match self {
            Self::Prepared => format!("{project}.prepared"),
            Self::Base => format!("{project}.base"),
        }
    }
}
