//! The errors on the way from a directory to its selected nodes.
//!
//! Every error names the file or node that it is about. If the place in a file is known, the line is shown with a caret.

use std::io;
use std::path::PathBuf;

use super::condition::ConditionError;
use super::filter::FilterError;
use super::location::{Location, MarkedLine};
use super::regex::PatternError;
use super::tree::{AdjustRule, Chain, Origin};

/// The reason why a tree cannot be read, merged, adjusted or selected from. It is returned where Python's fmf raises an
/// exception.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `.fmf` directory in the start directory, nor above it.
    #[error("no fmf tree: `{}` and the directories above it have no `.fmf`", .start.display())]
    NoTree {
        /// The directory in which the search started.
        start: PathBuf,
    },
    /// The start directory cannot be listed.
    #[error("cannot list directory `{}`", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `.fmf/version` does not hold an integer.
    #[error("`{}` does not hold an integer", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
    },
    /// A file is not valid YAML, or not YAML that fmf accepts.
    #[error("{marked}: {problem}{}", marked.below())]
    Yaml {
        /// The place.
        marked: Box<MarkedLine>,
        /// What is wrong.
        problem: String,
    },
    /// `.fmf/config` is valid YAML with the wrong content.
    #[error("`{}`: {problem}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A node's data has a form that fmf refuses, in directives, keys or adjust rules.
    #[error("{}{problem} in node `{node}`{}", place(.marked.as_deref()), below(.marked.as_deref()))]
    Format {
        /// The node's name.
        node: String,
        /// What is wrong.
        problem: String,
        /// The place, if it is known.
        marked: Option<Box<MarkedLine>>,
    },
    /// Data of a parent and a child, or of a node and an adjust rule, cannot be merged.
    #[error(
        "{}cannot merge key `{key}` in node `{node}`: {problem}{}{}",
        place(.marked.as_deref()), below(.marked.as_deref()), history(.rule.as_deref(), .before)
    )]
    Merge {
        /// The node's name.
        node: String,
        /// The key, with its suffix.
        key: String,
        /// What is wrong.
        problem: String,
        /// The place of the key, if it is known.
        marked: Option<Box<MarkedLine>>,
        /// The adjust rule that it is part of.
        rule: Option<Box<AdjustRule>>,
        /// Everything that made the value that it should be merged into, from first to last.
        before: Vec<Origin>,
    },
    /// A pattern for names cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A filter cannot be evaluated.
    #[error("filter `{filter}`: {source}")]
    Filter {
        /// The filter.
        filter: String,
        /// The cause.
        source: FilterError,
    },
    /// A condition cannot be evaluated.
    #[error(transparent)]
    Condition(#[from] ConditionError),
}

impl Error {
    /// Returns advice, if there is some.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoTree { .. } => {
                Some("`fmf init` in the directory of your metadata, or `-C` with a directory of a tree")
            }
            Self::Version { .. } => Some("the version file of a tree holds `1`"),
            _ => None,
        }
    }

    /// Returns the place that the error is about, if it is known.
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::Yaml { marked, .. } => Some(&marked.location),
            Self::Format { marked, .. } | Self::Merge { marked, .. } => marked.as_ref().map(|marked| &marked.location),
            _ => None,
        }
    }

    /// Returns the expression that the error is about: a pattern, a filter or a condition.
    pub fn expression(&self) -> Option<&str> {
        match self {
            Self::Pattern(error) => Some(error.pattern()),
            Self::Condition(error) => Some(error.expression()),
            Self::Filter { filter, .. } => Some(filter),
            _ => None,
        }
    }

    /// Returns the place in a file that the error is about, if it is known.
    pub fn marked_line(&self) -> Option<&MarkedLine> {
        match self {
            Self::Yaml { marked, .. } => Some(marked),
            Self::Format { marked, .. } | Self::Merge { marked, .. } => marked.as_deref(),
            _ => None,
        }
    }
}

fn place(marked: Option<&MarkedLine>) -> String {
    marked.map_or_else(String::new, |marked| format!("{marked}: "))
}

fn below(marked: Option<&MarkedLine>) -> String {
    marked.map_or_else(String::new, MarkedLine::below)
}

/// Returns the rule and the origins that an error is about, on lines of their own.
fn history(rule: Option<&AdjustRule>, before: &[Origin]) -> String {
    let rule = rule.map_or_else(String::new, |rule| format!("\nadjust rule: {rule}"));
    match before {
        [] => rule,
        before => format!("{rule}\nmerged into: {}", Chain(before).brief()),
    }
}
