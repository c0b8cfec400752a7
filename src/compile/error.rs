//! Why a request cannot be compiled. Every error is found before anything runs.

use std::io;

use atex_graph::GraphError;

use crate::compile::fetch::FetchError;
use crate::compile::metadata::location::{ValueOrigin, prefix};
use crate::compile::spec::Warning;

/// Why a tree, or what is wanted of it, cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// It cannot be read, adjusted or selected from.
    #[error(transparent)]
    Fmf(#[from] atex_fmf::Error),
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl TreeError {
    /// Returns advice, where there is some.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Fmf(error) => error.hint(),
            Self::Fetch(error) => Some(error.hint()),
        }
    }

    /// Returns the expression that the error is about: a pattern, a filter or a condition.
    pub fn expression(&self) -> Option<&str> {
        match self {
            Self::Fmf(error) => error.expression(),
            Self::Fetch(_) => None,
        }
    }
}

/// Why there is no workload.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The tree cannot be read, adjusted, selected from or fetched.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A plan's or a test's metadata say something that cannot be obeyed.
    #[error("{}{subject}: {problem}", prefix(cause.location.as_ref()))]
    Metadata {
        /// Where.
        cause: Box<ValueOrigin>,
        /// What it is about: ``plan `/plans/a`, prepare phase 2 (`install`)``.
        subject: String,
        /// What is wrong.
        problem: MetadataProblem,
    },
    /// The tests that a discover section means cannot be found.
    #[error("{}{subject}: {source}", prefix(cause.location.as_ref()))]
    Section {
        /// Where.
        cause: Box<ValueOrigin>,
        /// What it is about: ``plan `/plans/a`, discover section 1``.
        subject: String,
        /// Which key of the section says it.
        key: &'static str,
        /// Why.
        source: Box<TreeError>,
    },
    /// A plan that was asked for does not exist.
    #[error("no plan matches `{name}`")]
    UnknownPlan {
        /// As given.
        name: String,
        /// Names that look like it, nearest first.
        nearest: Vec<String>,
        /// Disabled plans that match.
        disabled: Vec<String>,
    },
    /// A test that was asked for is in none of the plans: there is nothing to run.
    #[error("no test matches `{name}`")]
    NothingMatched {
        /// As given.
        name: String,
        /// Names that look like it, nearest first.
        nearest: Vec<String>,
    },
    /// A plan's probe failed.
    #[error("{}plan `{plan}`: probe `{command}` {problem}", prefix(cause.location.as_ref()))]
    Probe {
        /// Where it stands.
        cause: Box<ValueOrigin>,
        /// The plan.
        plan: String,
        /// The command.
        command: String,
        /// How.
        problem: ProbeProblem,
    },
    /// With `--strict`, something would have been ignored.
    #[error("{}", listed(.warnings))]
    Strict {
        /// What; not empty.
        warnings: Vec<Warning>,
    },
    /// The nodes do not make a graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// What is wrong with metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataProblem {
    /// A value of the wrong type.
    #[error("`{key}` must be {expected}, not {found}")]
    Type {
        /// The key.
        key: String,
        /// Types that would do.
        expected: &'static str,
        /// The type it has.
        found: &'static str,
    },
    /// A duration that is none.
    #[error("duration `{0}` is none")]
    Duration(String),
    /// Not a variable's name, or a value that a variable cannot have.
    #[error("environment variable `{name}` {problem}")]
    Variable {
        /// The name as it stands.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A word that names no interface.
    #[error("`{0}` is no interface: it is `atex` or `tmt`")]
    Interface(String),
    /// A text that should be `KEY=VALUE`.
    #[error("`{0}` in `environment` is not of the form `KEY=VALUE`")]
    Assignment(String),
    /// One of several sections has no name.
    #[error("discover has several sections, and one has no `name`")]
    NamelessSection,
    /// Two sections have one name.
    #[error("two discover sections are named `{0}`")]
    SameSection(String),
    /// A section's name that cannot be a directory's.
    #[error("`{0}` cannot be the name of a section, because it becomes a directory's")]
    SectionName(String),
    /// A phase without what it should do.
    #[error("`{0}` is missing or empty")]
    Empty(&'static str),
    /// A directory that leads out of the tree.
    #[error("`path` `{0}` leads out of the tree")]
    Outside(String),
    /// A pattern that cannot be used.
    #[error("`{pattern}` cannot be used as a glob: {problem}")]
    Glob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A regular expression or a context rule that cannot be used.
    #[error("`{key}` cannot be evaluated: {problem}")]
    Expression {
        /// The key that holds it.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// How a probe failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeProblem {
    /// It could not be started, or its output could not be read.
    #[error("cannot run: {0}")]
    Start(#[from] io::Error),
    /// It failed by itself.
    #[error("failed with {status}{}", indented(.stderr))]
    Failed {
        /// `exit status: 1`, `signal: 9 (SIGKILL)`.
        status: String,
        /// The end of what it said.
        stderr: String,
    },
    /// It did not end in time.
    #[error("did not end within {seconds} s{}", indented(.stderr))]
    Timeout {
        /// How long it had.
        seconds: u64,
        /// The end of what it said.
        stderr: String,
    },
    /// It printed more than a probe should.
    #[error("printed more than {limit} bytes")]
    TooMuch {
        /// How much is allowed.
        limit: u64,
    },
}

impl ProbeProblem {
    /// The problem with another wording of what the probe said.
    #[must_use]
    pub fn map_text(self, change: impl FnOnce(&String) -> String) -> Self {
        match self {
            Self::Failed { status, stderr } => Self::Failed {
                stderr: change(&stderr),
                status,
            },
            Self::Timeout { seconds, stderr } => Self::Timeout {
                seconds,
                stderr: change(&stderr),
            },
            problem @ (Self::Start(_) | Self::TooMuch { .. }) => problem,
        }
    }
}

impl From<atex_fmf::Error> for CompileError {
    fn from(error: atex_fmf::Error) -> Self {
        Self::Tree(error.into())
    }
}

impl From<FetchError> for CompileError {
    fn from(error: FetchError) -> Self {
        Self::Tree(error.into())
    }
}

impl CompileError {
    /// Advice, where there is some.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tree(error) => error.hint().map(str::to_owned),
            Self::Section { source, .. } => source.hint().map(str::to_owned),
            Self::UnknownPlan { disabled, .. } if !disabled.is_empty() => Some(format!(
                "{} not enabled: name it exactly to run it anyway",
                quoted(disabled, "is", "are")
            )),
            Self::UnknownPlan { nearest, .. } => Some(did_you_mean(nearest, "`atex ls plans` shows all")),
            Self::NothingMatched { nearest, .. } => Some(did_you_mean(nearest, "`atex ls tests` shows all")),
            Self::Metadata { problem, .. } => problem.hint().map(str::to_owned),
            Self::Probe { .. } => {
                Some("the command of `extra-atex-probe` runs in the tree's root, on this host".to_owned())
            }
            Self::Strict { .. } => Some("without `--strict` these are warnings".to_owned()),
            Self::Graph(_) => None,
        }
    }

    /// Returns the line of the metadata that is at fault, with marks below it, and what made the value that stands there. Reads
    /// the file again.
    pub fn excerpt(&self) -> Option<String> {
        match self {
            Self::Metadata { cause, problem, .. } => cause.excerpt(problem.word()),
            Self::Probe { cause, command, .. } => cause.excerpt(command),
            Self::Section { cause, key, source, .. } => cause.excerpt(source.expression().unwrap_or(key)),
            _ => None,
        }
    }

    /// Whether this says that there is nothing to run (exit code 4), and not that something is wrong (2).
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::NothingMatched { .. })
    }
}

impl MetadataProblem {
    /// What of the value is at fault: a text in it, or a key.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Duration(text) | Self::Assignment(text) | Self::Outside(text) | Self::Interface(text) => text,
            Self::Variable { name, .. } => name,
            Self::Glob { pattern, .. } => pattern,
            Self::Type { key, .. } => key,
            Self::Empty(key) | Self::Expression { key, .. } => key,
            Self::NamelessSection | Self::SameSection(_) | Self::SectionName(_) => "name",
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Duration(_) => Some("`90`, `5m`, `1h 30m`, `10m *2`"),
            Self::NamelessSection => Some("give each section a `name`: its tests are then `/name/…`"),
            Self::Glob { .. } => {
                Some("globs are relative to the tree's root; `./` stands for the directory of the .fmf file")
            }
            _ => None,
        }
    }
}

fn did_you_mean(nearest: &[String], otherwise: &str) -> String {
    if nearest.is_empty() {
        return otherwise.to_owned();
    }
    let names: Vec<_> = nearest.iter().map(|name| format!("`{name}`")).collect();
    format!("did you mean {}?", names.join(" or "))
}

fn quoted(names: &[String], one: &str, many: &str) -> String {
    let verb = if names.len() == 1 { one } else { many };
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{} {verb}", names.join(", "))
}

fn listed(warnings: &[Warning]) -> String {
    warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The text on lines of its own.
fn indented(text: &str) -> String {
    text.trim_end()
        .lines()
        .fold(String::new(), |all, line| format!("{all}\n    {line}"))
}
