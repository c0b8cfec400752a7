//! A script to run on a SUT, under the wrapper.

use super::interface::TmtTest;

/// What the wrapper is asked to run. Values never appear on a command line there.
#[derive(Clone, Debug)]
pub struct Job {
    /// Test or script.
    pub kind: JobKind,
    /// The bash text, run as `set -eo pipefail`.
    pub script: String,
    /// The slot whose tree is used; `TMT_TREE` is its directory.
    pub slot: String,
    /// The working directory, relative to the slot's tree; empty for its root.
    pub dir: String,
    /// Environment set before the plan environment file is sourced (the plan's).
    pub env_before: Vec<(String, String)>,
    /// Environment set after it (the test's, then the command line's), so it wins.
    pub env_after: Vec<(String, String)>,
    /// Which plan environment file.
    pub env_file: EnvFile,
}

/// The kinds of jobs.
#[derive(Clone, Debug)]
pub enum JobKind {
    /// A test: has a control stream.
    Test {
        /// Its name: `TMT_TEST_NAME`.
        name: String,
        /// The text of the YAML file that `TMT_TEST_METADATA` names.
        metadata: String,
        /// `TMT_REBOOT_COUNT` and `TMT_TEST_RESTART_COUNT`.
        restarts: u32,
        /// Whether it gets a terminal.
        tty: bool,
        /// What it is given beyond that where its interface is tmt's.
        tmt: Option<TmtTest>,
    },
    /// A prepare or finish script: its control stream carries only `exitcode N` from the wrapper.
    Script,
}

/// Which plan environment file a job sees as `TMT_PLAN_ENVIRONMENT_FILE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvFile {
    /// The one that belongs to the prepared chain.
    Prepared,
    /// The one of plans without any prepare step; never shared with a prepared chain.
    Base,
}

impl EnvFile {
    /// What a project's is called.
    pub(crate) fn name(self, project: &str) -> String {
        match self {
            Self::Prepared => format!("{project}.prepared"),
            Self::Base => format!("{project}.base"),
        }
    }
}
