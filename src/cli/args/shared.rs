//! Options that several commands share: what is selected, what it is compiled with, and where it runs.

use std::path::PathBuf;

use clap::Args;

/// Which plans and tests.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectArgs {
    /// Only this plan: its name, or a regular expression (repeatable)
    #[arg(long, value_name = "PLAN")]
    pub(crate) plan: Vec<String>,

    /// Only tests that this fmf filter selects, as in `tag:smoke & tier:1` (repeatable)
    #[arg(long = "filter", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,

    /// Only tests for which this Python expression holds, as in `'smoke' in tag` (repeatable)
    #[arg(long = "condition", value_name = "EXPR")]
    pub(crate) conditions: Vec<String>,

    /// Only tests whose name this regular expression finds (repeatable)
    #[arg(long = "name", value_name = "REGEX")]
    pub(crate) names: Vec<String>,

    /// Not the tests whose name this regular expression finds (repeatable)
    #[arg(long = "exclude", value_name = "REGEX")]
    pub(crate) exclude: Vec<String>,
}

/// What plans and tests are compiled with.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Environment and context")]
pub(crate) struct CompileArgs {
    /// Set a variable for scripts and tests, or those of a file; wins over plans and tests (repeatable)
    #[arg(short = 'e', long = "environment", value_name = "KEY=VALUE|@FILE")]
    pub(crate) environment: Vec<String>,

    /// Set the variables of a file, whose path is relative to the root of the tree; `-e` wins over it (repeatable)
    #[arg(long = "environment-file", value_name = "FILE")]
    pub(crate) environment_file: Vec<String>,

    /// Set a dimension of the context for adjust rules, as in `distro=fedora-41` (repeatable)
    #[arg(short = 'c', long = "context", value_name = "DIM=VALUE[,VALUE]")]
    pub(crate) context: Vec<String>,

    /// Treat this variable as a secret: it is stored and printed nowhere (repeatable)
    #[arg(long = "secret-env", value_name = "NAME")]
    pub(crate) secret_env: Vec<String>,

    /// Refuse what a plan asks for and atex does not honour, instead of warning
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Where things run.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Machines")]
pub(crate) struct SutArgs {
    /// Run on this machine: `local`, `local*4`, `[user@]host[:port]`, `podman:IMAGE`, `exec:COMMAND`, `provision:PROGRAM`, a
    /// name or group from the configuration, or `plan` for what the plan's `provision` says (repeatable: a pool) [default: local]
    #[arg(short = 's', long = "sut", value_name = "TARGET")]
    pub(crate) suts: Vec<String>,

    /// Run also on the machines of this file, one a line; those that are added while the run goes on join it
    #[arg(long, value_name = "FILE")]
    pub(crate) sut_file: Option<PathBuf>,

    /// Where atex keeps its files on the machine
    #[arg(long, value_name = "DIR")]
    pub(crate) sut_dir: Option<PathBuf>,

    /// Read this instead of `~/.ssh/config` and the system's file; `none` reads nothing
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_config: Option<PathBuf>,

    /// Take and remember host keys that are not known; a changed one is refused all the same
    #[arg(long)]
    pub(crate) accept_new_host_keys: bool,

    /// Look again at a machine whose kind was found out longer ago, as in `12h` [default: 1d]
    #[arg(long, value_name = "AGE")]
    pub(crate) max_facts_age: Option<String>,

    /// Count a machine as dead that says nothing for so long, as in `30s` [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub(crate) dead_after: Option<String>,
}
