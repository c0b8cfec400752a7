//! The commands that show something, or tidy up.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::select::{CompileArgs, SelectArgs, SutArgs};

/// List tests or plans
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex ls                               the tests of all plans
  atex ls plans                         the plans
  atex ls -c distro=rhel-9              as on another system
  atex ls --filter tag:smoke --json     for scripts")]
pub(crate) struct LsArgs {
    /// What to list
    #[arg(value_enum, default_value_t = LsWhat::Tests)]
    pub(crate) what: LsWhat,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    #[command(flatten)]
    pub(crate) sut: SutArgs,
}

/// What `ls` lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LsWhat {
    /// Tests that plans discover
    Tests,
    /// Plans
    Plans,
}

/// Look at fmf metadata
#[derive(Debug, Subcommand)]
#[command(after_help = "Example: atex fmf show --filter tag:smoke")]
pub(crate) enum FmfCommand {
    Show(FmfShowArgs),
}

/// Show fmf nodes with their data, after inheritance and adjust
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex fmf show                         all leaves, as they are before adjust
  atex fmf show --context distro=rhel-9 after adjust rules
  atex fmf show /tests/smoke --origin   one node, and where each value comes from
  atex fmf show --name /smoke --json    for scripts")]
pub(crate) struct FmfShowArgs {
    /// Nodes by their full names, leaves or not [default: all leaves]
    #[arg(value_name = "NAME")]
    pub(crate) nodes: Vec<String>,

    /// Also show where each value comes from: files and lines, merges and adjust rules that made it
    #[arg(long)]
    pub(crate) origin: bool,

    /// Also nodes that are not leaves
    #[arg(long)]
    pub(crate) whole: bool,

    /// Only nodes whose name this regular expression finds (repeatable)
    #[arg(long = "name", value_name = "REGEX")]
    pub(crate) names: Vec<String>,

    /// Only nodes that this fmf filter selects (repeatable)
    #[arg(long = "filter", value_name = "FILTER")]
    pub(crate) filters: Vec<String>,

    /// Only nodes for which this Python expression holds (repeatable)
    #[arg(long = "condition", value_name = "EXPR")]
    pub(crate) conditions: Vec<String>,

    /// Only nodes that have this key (repeatable)
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<String>,

    /// Apply adjust rules for this dimension of the context (repeatable)
    #[arg(short = 'c', long = "context", value_name = "DIM=VALUE[,VALUE]")]
    pub(crate) context: Vec<String>,

    /// Apply adjust rules, also without a context
    #[arg(long)]
    pub(crate) adjust: bool,
}

/// Show the graph that plans compile to
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex graph                            all plans, as a tree
  atex graph /plans/smoke --format dot | dot -Tsvg > graph.svg")]
pub(crate) struct GraphArgs {
    /// Plans by name, or regular expressions [default: all]
    #[arg(value_name = "PLAN")]
    pub(crate) plans: Vec<String>,

    /// How to draw it
    #[arg(long, value_enum, default_value_t = GraphFormat::Tree)]
    pub(crate) format: GraphFormat,
    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    #[command(flatten)]
    pub(crate) sut: SutArgs,
}

/// The forms of a drawn graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// Text
    Tree,
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
    /// JSON
    Json,
}

/// Say why a node would run now, or would not
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex why /smoke/install               what changed since the test's latest record
  atex why 'prepare /plans/smoke#2'     a prepare step, named as in `atex graph`")]
pub(crate) struct WhyArgs {
    /// A test or another node, by name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Distrust what stands on an older preparation, as a build with the same option
    #[arg(long, value_name = "AGE")]
    pub(crate) max_age: Option<String>,

    #[command(flatten)]
    pub(crate) select: SelectArgs,
    #[command(flatten)]
    pub(crate) compile: CompileArgs,
    #[command(flatten)]
    pub(crate) sut: SutArgs,
}

/// Look at recorded results, or remove them
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  atex cache ls                         what is recorded
  atex cache diff 3f2a 91bc             why two records differ
  atex cache gc --keep 30d              remove what was not used for a month

A key can be cut to any length that names one record.")]
pub(crate) enum CacheCommand {
    /// List records: key, kind, name, SUT, age, size, outcome
    #[command(after_help = "Example: atex cache ls --json")]
    Ls,
    /// Show the inputs and outputs of a record
    #[command(after_help = "Example: atex cache show 3f2a")]
    Show {
        /// The record's key, or its beginning
        key: String,
    },
    /// Print what the node of a record printed
    #[command(after_help = "Example: atex cache log 3f2a")]
    Log {
        /// The record's key, or its beginning
        key: String,
    },
    /// Print where the files of a record lie in the store
    #[command(after_help = "Example: less $(atex cache path 3f2a files/output.txt)")]
    Path {
        /// The record's key, or its beginning
        key: String,
        /// Print only the path of this file
        file: Option<String>,
    },
    /// Show which inputs of two records differ, value by value
    #[command(after_help = "Example: atex cache diff 3f2a 91bc")]
    Diff {
        /// The older record's key, or its beginning
        old: String,
        /// The newer record's key, or its beginning
        new: String,
    },
    /// Say how much space the store takes
    #[command(after_help = "Example: atex cache du")]
    Du,
    /// Remove old records, and what no record needs
    #[command(after_help = "Example: atex cache gc --keep 30d --max-size 10G")]
    Gc {
        /// Keep records and fetched trees used since then, as in `30d` [default: all records, trees of 30 days]
        #[arg(long, value_name = "AGE")]
        keep: Option<String>,
        /// Remove the least recently used records beyond this size, as in `10G`
        #[arg(long, value_name = "SIZE")]
        max_size: Option<String>,
    },
    /// Read everything and report what is damaged
    #[command(after_help = "Example: atex cache verify")]
    Verify,
    /// Remove records
    #[command(after_help = "Example: atex cache rm 3f2a")]
    Rm {
        /// Keys, or their beginnings
        #[arg(required = true)]
        keys: Vec<String>,
    },
}

/// Look at machines
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  atex sut ls                           what the machines say of themselves
  atex sut shell -s lab1                a shell there
  atex sut reset                        forget what this machine was prepared for")]
pub(crate) enum SutCommand {
    /// List machines: name, system, what is prepared, who uses it
    ///
    /// Without `-s`, those of the configuration or `local`, and the machines of `local*N` that were used.
    #[command(after_help = "Example: atex sut ls -s lab1 -s lab2")]
    Ls(SutArgs),
    /// Show all that a machine says of itself
    #[command(after_help = "Example: atex sut show")]
    Show(SutArgs),
    /// Open a shell on a machine, or run a command there, as the user that atex is there
    #[command(after_help = "\
Examples:
  atex sut shell -s lab1                a shell
  atex sut shell -s lab1 -- dmesg -T    a command; its exit code is passed on")]
    Shell {
        /// What to run instead of a shell
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
        #[command(flatten)]
        sut: SutArgs,
    },
    /// Forget what a machine was prepared for, and that it was tainted
    #[command(after_help = "Example: atex sut reset -s lab1")]
    Reset(SutArgs),
    /// Remove everything that atex keeps on a machine
    #[command(after_help = "Example: atex sut rm -s lab1")]
    Rm(SutArgs),
}

/// Show the results of a run
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex results                          of the latest run
  atex results --failed                 only what failed
  atex results ./out --json | jq .note  of a run's directory, for scripts")]
pub(crate) struct ResultsArgs {
    /// A run's directory, or its name below the runs directory [default: the latest]
    #[arg(value_name = "RUN")]
    pub(crate) run: Option<PathBuf>,

    /// Only results that did not pass
    #[arg(long)]
    pub(crate) failed: bool,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "Example: atex completions bash > ~/.local/share/bash-completion/completions/atex")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}
