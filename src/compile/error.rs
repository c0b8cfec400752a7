//! Errors of compilation: why a request cannot become a workload. Every error is found before anything runs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use atex_fmf::Location;
use atex_graph::GraphError;

use crate::compile::fetch::FetchError;
use crate::compile::metadata::location::{ValueOrigin, prefix};
use crate::compile::plan::environment_file::EnvironmentFileError;
use crate::compile::plan::import::ImportError;
use crate::compile::plan::modified::ModifiedError;
use crate::compile::spec::Warning;

/// Why a tree, or the tests that are wanted from it, cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The tree cannot be read or adjusted, or nothing can be selected from it.
    #[error(transparent)]
    Fmf(#[from] atex_fmf::Error),
    /// The tree cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl TreeError {
    /// Returns advice, if there is any.
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

/// Why a request cannot be compiled into a workload.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The tree cannot be read, adjusted, selected from or fetched.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The metadata of a plan or a test contain something that cannot be obeyed.
    #[error("{}{subject}: {problem}", prefix(cause.location.as_ref()))]
    Metadata {
        /// The place of the value.
        cause: Box<ValueOrigin>,
        /// What the problem is about, such as ``plan `/plans/a`, prepare phase 2 (`install`)``.
        subject: String,
        /// What is wrong.
        problem: MetadataProblem,
    },
    /// The tests that a discover section selects cannot be found.
    #[error("{}{subject}: {source}", prefix(cause.location.as_ref()))]
    Section {
        /// The place of the section.
        cause: Box<ValueOrigin>,
        /// What the problem is about, such as ``plan `/plans/a`, discover section 1``.
        subject: String,
        /// The key of the section that is to blame.
        key: &'static str,
        /// Why the tests cannot be found.
        source: Box<TreeError>,
    },
    /// What a prepare or finish phase names elsewhere cannot be fetched.
    #[error("{}{subject}: {source}", prefix(cause.location.as_ref()))]
    Phase {
        /// The place of the phase.
        cause: Box<ValueOrigin>,
        /// What the problem is about, such as ``plan `/plans/a`, prepare phase 1 (`ansible`)``.
        subject: String,
        /// Why it cannot be fetched.
        source: FetchError,
    },
    /// A plan that was asked for does not exist.
    #[error("no plan matches `{name}`")]
    UnknownPlan {
        /// The name as the user gave it.
        name: String,
        /// Similar names, the nearest first.
        nearest: Vec<String>,
        /// Disabled plans that match the name.
        disabled: Vec<String>,
    },
    /// A test that was asked for is in none of the plans, so there is nothing to run.
    #[error("no test matches `{name}`")]
    NothingMatched {
        /// The name as the user gave it.
        name: String,
        /// Similar names, the nearest first.
        nearest: Vec<String>,
    },
    /// A plan's probe failed.
    #[error("{}plan `{plan}`: probe `{command}` {problem}", prefix(cause.location.as_ref()))]
    Probe {
        /// The place of the probe.
        cause: Box<ValueOrigin>,
        /// The name of the plan.
        plan: String,
        /// The command of the probe.
        command: String,
        /// How it failed.
        problem: ProbeProblem,
    },
    /// With `--strict`, an error: something in the metadata would have been ignored.
    #[error("{}", listed(.warnings))]
    Strict {
        /// What would have been ignored. It is never empty.
        warnings: Vec<Warning>,
    },
    /// The nodes do not form a valid graph.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

/// What is wrong with metadata.
#[derive(Debug, thiserror::Error)]
pub enum MetadataProblem {
    /// A value has the wrong type.
    #[error("`{key}` must be {expected}, not {found}")]
    Type {
        /// The key of the value.
        key: String,
        /// The types that are accepted.
        expected: &'static str,
        /// The type that the value has.
        found: &'static str,
    },
    /// A text is not a valid duration.
    #[error("duration `{0}` is none")]
    Duration(String),
    /// A text is not a variable's name, or a variable cannot have this value.
    #[error("environment variable `{name}` {problem}")]
    Variable {
        /// The name as it is written.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A text is not of the form `KEY=VALUE`.
    #[error("`{0}` is no interface: it is `atex` or `tmt`")]
    Interface(String),
    /// A text that should be `KEY=VALUE`.
    #[error("`{0}` in `environment` is not of the form `KEY=VALUE`")]
    Assignment(String),
    /// A plan requires a test that its section does not find.
    #[error("the required test `{0}` is not found")]
    RequiredTest(String),
    /// Two phases of a step, or two sections of discover, have the same name.
    #[error("two phases of `{step}` are named `{name}`")]
    SameName {
        /// The key of the step.
        step: String,
        /// The name.
        name: String,
    },
    /// The name of a section cannot be the name of a directory.
    #[error("`{0}` cannot be the name of a section, because it becomes a directory's")]
    SectionName(String),
    /// An environment file cannot be used.
    #[error(transparent)]
    EnvironmentFile(EnvironmentFileError),
    /// What a plan imports cannot be used.
    #[error(transparent)]
    Import(ImportError),
    /// It cannot be known what was modified.
    #[error("`modified-only`: {0}")]
    Modified(ModifiedError),
    /// The values of variables make the texts of a plan too long.
    #[error("its variables make its texts longer by more than 16 MiB")]
    Expansion,
    /// A test that is written in a plan has no name or no script.
    #[error("the test has no `{0}`")]
    Incomplete(&'static str),
    /// The name of a test that is written in a plan cannot be one.
    #[error("`{0}` cannot be the name of a test: a part of it is empty, `.` or `..`, or it has a control character")]
    TestName(String),
    /// A plan has tests in two places.
    #[error("`script` of `execute` is for plans whose `discover` finds no tests")]
    ScriptBesideDiscover,
    /// A phase does not say what it should do.
    #[error("`{0}` is missing or empty")]
    Empty(&'static str),
    /// A directory leads out of the tree.
    #[error("`path` `{0}` leads out of the tree")]
    Outside(String),
    /// A directory is not there.
    #[error("`path`: there is no directory `{0}`")]
    NoDirectory(String),
    /// An item of `require` or `recommend` cannot be obeyed.
    #[error("{0}")]
    Requirement(String),
    /// A library would lie where the tree has a file.
    #[error("a library would lie at `{}`, where the tree has `{}`: give it another `nick`", place.display(), file.display())]
    LibraryPlace {
        /// The place of the library's file.
        place: PathBuf,
        /// The file of the tree.
        file: PathBuf,
    },
    /// There is no kind of machine for what a plan asks for.
    #[error("`provision` asks for `how: {0}`, and atex has no such machines")]
    NoMachine(String),
    /// The metadata have a password.
    #[error("the `password` in the metadata is not used")]
    Password,
    /// The metadata have options of the SSH client.
    #[error("`ssh-option` cannot be obeyed")]
    SshOption,
    /// A text is not the name or the address of a host.
    #[error("`guest` `{0}` names no host")]
    Host(String),
    /// There are several keys for one machine.
    #[error("`key` names several keys, and a target has one")]
    SeveralKeys,
    /// A plan asks for several guests.
    #[error("`provision` asks for several guests (`{}`), and atex would run all on one machine", .0.join("`, `"))]
    SeveralGuests(Vec<String>),
    /// A part of a plan is for another guest than the only one.
    #[error("`where` names `{0}`, and the plan has no such guest")]
    OtherGuest(String),
    /// The path of a file leads out of the tree.
    #[error("`{key}` `{text}` leads out of the tree")]
    LeadsOut {
        /// The key of the path.
        key: &'static str,
        /// The path.
        text: String,
    },
    /// A file is read on this host although git ignores it, so that the key would not tell its content.
    #[error("`{path}` is not in the key: {rule} leaves it out")]
    NotInKey {
        /// The path of the file.
        path: String,
        /// The place of git's rule.
        rule: Arc<str>,
    },
    /// A text cannot be split into words.
    #[error("`{0}` has an open quote or a backslash at its end")]
    OpenQuote(String),
    /// A pattern is not a valid glob.
    #[error("`{pattern}` cannot be used as a glob: {problem}")]
    Glob {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A regular expression or a context rule is not valid.
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
    /// The probe could not be started, or its output could not be read.
    #[error("cannot run: {0}")]
    Start(#[from] io::Error),
    /// The probe ended with a failure.
    #[error("failed with {status}{}", indented(.stderr))]
    Failed {
        /// The status as text: `exit status: 1`, `signal: 9 (SIGKILL)`.
        status: String,
        /// The end of its stderr.
        stderr: String,
    },
    /// The probe did not end in time.
    #[error("did not end within {seconds} s{}", indented(.stderr))]
    Timeout {
        /// How long it was allowed to run.
        seconds: u64,
        /// The end of its stderr.
        stderr: String,
    },
    /// The probe printed more than a probe may print.
    #[error("printed more than {limit} bytes")]
    TooMuch {
        /// How many bytes are allowed.
        limit: u64,
    },
}

impl ProbeProblem {
    /// Returns the problem with another wording of the probe's stderr.
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
    /// Returns advice, if there is any.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Tree(error) => error.hint().map(str::to_owned),
            Self::Section { source, .. } => source.hint().map(str::to_owned),
            Self::Phase { source, .. } => Some(source.hint().to_owned()),
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

    /// Returns where in the metadata the fault is, if that is known.
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::Metadata { cause, .. } | Self::Section { cause, .. } | Self::Probe { cause, .. } => {
                cause.location.as_ref()
            }
            Self::Tree(TreeError::Fmf(error)) => error.location(),
            _ => None,
        }
    }

    /// Returns the line of the metadata that is at fault with marks below it, and the origins of the value. It reads the file
    /// again.
    pub fn excerpt(&self) -> Option<String> {
        match self {
            // The line would show the password.
            Self::Metadata {
                problem: MetadataProblem::Password,
                ..
            } => None,
            Self::Metadata { cause, problem, .. } => cause.excerpt(problem.word()),
            Self::Probe { cause, command, .. } => cause.excerpt(command),
            Self::Section { cause, key, source, .. } => cause.excerpt(source.expression().unwrap_or(key)),
            Self::Phase { cause, source, .. } => cause.excerpt(source.url()),
            _ => None,
        }
    }

    /// Returns whether something that a plan says is to blame.
    pub(crate) fn is_of_plan(&self) -> bool {
        matches!(self, Self::Metadata { .. } | Self::Section { .. })
    }

    /// Whether there is simply nothing to run (exit code 4), rather than something wrong (exit code 2).
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::NothingMatched { .. })
    }
}

impl MetadataProblem {
    /// The word to mark in the value: a part of its text, or the key.
    pub(crate) fn word(&self) -> &str {
        match self {
            Self::Duration(text)
            | Self::Assignment(text)
            | Self::Outside(text)
            | Self::Interface(text)
            | Self::LeadsOut { text, .. }
            | Self::OpenQuote(text)
            | Self::RequiredTest(text)
            | Self::NoMachine(text)
            | Self::Host(text) => text,
            Self::NoDirectory(_) => "path",
            Self::Variable { name, .. } | Self::Modified(ModifiedError::UnknownReference(name)) => name,
            Self::EnvironmentFile(error) => error.path(),
            Self::Expansion => "environment",
            Self::Import(ImportError::Word { word, .. }) => word,
            Self::Modified(_) => "modified-only",
            Self::NotInKey { path, .. } => path,
            Self::SeveralGuests(_) => "provision",
            Self::Password => "password",
            Self::SshOption => "ssh-option",
            Self::SeveralKeys => "key",
            Self::OtherGuest(_) => "where",
            Self::Glob { pattern, .. } => pattern,
            Self::Type { key, .. } => key,
            Self::Empty(key) | Self::Expression { key, .. } => key,
            Self::Requirement(_) | Self::LibraryPlace { .. } => "library",
            Self::SameName { .. } | Self::SectionName(_) | Self::TestName(_) | Self::Import(_) => "name",
            Self::ScriptBesideDiscover => "script",
            Self::Incomplete(_) => "tests",
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Duration(_) => Some("`90`, `5m`, `1h 30m`, `10m *2`"),
            Self::NoMachine(_) => {
                Some("`-s TARGET` names a machine; `-s plan` takes `local`, `connect` and `container` from the plan")
            }
            Self::Password => Some("`-s 'HOST?password_env=NAME'` names a variable that holds it; a key needs none"),
            Self::SshOption | Self::SeveralKeys => Some("`~/.ssh/config` may say it, or `-s TARGET`"),
            Self::Host(_) => Some("a name or an address, and the port in `port`"),
            Self::SeveralGuests(_) => Some("roles of machines are missing in atex: `--plan` selects the other plans"),
            Self::OtherGuest(_) => {
                Some("`provision` gives the guest its `name` and its `role`; without a name it is `default-0`")
            }
            Self::NotInKey { .. } => Some("`git add -f` brings it, as a rule `!…` in the same list does"),
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

/// Returns the text on indented lines of its own.
fn indented(text: &str) -> String {
    text.trim_end()
        .lines()
        .fold(String::new(), |all, line| format!("{all}\n    {line}"))
}
