//! What can go wrong between a directory and its selected nodes.
//!
//! Every error names the file or node it is about; where the place in a file is known, the line is shown with a caret.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::condition::ConditionError;
use super::filter::FilterError;
use super::regex::PatternError;

/// Why a tree cannot be read, merged, adjusted or selected from. Where Python's fmf raises an exception, this is returned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `.fmf` directory where one was looked for, nor above.
    #[error("no fmf tree: `{}` and the directories above it have no `.fmf`", .start.display())]
    NoTree {
        /// Where the search started.
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
        /// Why.
        source: io::Error,
    },
    /// `.fmf/version` does not hold an integer.
    #[error("`{}` does not hold an integer", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
    },
    /// A file is not valid YAML, or not YAML that fmf accepts.
    #[error("{spot}: {problem}{}", spot.snippet())]
    Yaml {
        /// Where.
        spot: Box<Spot>,
        /// What.
        problem: String,
    },
    /// `.fmf/config` is valid YAML with the wrong content.
    #[error("`{}`: {problem}", .path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What.
        problem: String,
    },
    /// A node's data has a form that fmf refuses: directives, keys, adjust rules.
    #[error("{}{problem} in node `{node}`{}", place(.spot.as_deref()), snippet(.spot.as_deref()))]
    Format {
        /// The node's name.
        node: String,
        /// What.
        problem: String,
        /// Where, if known.
        spot: Option<Box<Spot>>,
    },
    /// Data of a parent and a child, or of a node and an adjust rule, cannot be merged.
    #[error("{}cannot merge key `{key}` in node `{node}`: {problem}{}", place(.spot.as_deref()), snippet(.spot.as_deref()))]
    Merge {
        /// The node's name.
        node: String,
        /// The key, with its suffix.
        key: String,
        /// What.
        problem: String,
        /// Where the key stands, if known.
        spot: Option<Box<Spot>>,
    },
    /// A pattern for names cannot be used.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A filter cannot be evaluated.
    #[error("filter `{filter}`: {source}")]
    Filter {
        /// The filter.
        filter: String,
        /// Why.
        source: FilterError,
    },
    /// A condition cannot be evaluated.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// A remote tree cannot be fetched.
    #[error("cannot fetch `{url}`: {problem}")]
    Fetch {
        /// The repository.
        url: String,
        /// What, with git's own words.
        problem: String,
    },
}

impl Error {
    /// Returns advice, where there is some.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoTree { .. } => {
                Some("`fmf init` in the directory of your metadata, or `-C` with a directory of a tree")
            }
            Self::Version { .. } => Some("the version file of a tree holds `1`"),
            Self::Fetch { .. } => {
                Some("check `url` and `ref`, and that git can reach it without asking for a password")
            }
            _ => None,
        }
    }

    /// Returns the place in a file that the error is about, where it is known.
    pub fn spot(&self) -> Option<&Spot> {
        match self {
            Self::Yaml { spot, .. } => Some(spot),
            Self::Format { spot, .. } | Self::Merge { spot, .. } => spot.as_deref(),
            _ => None,
        }
    }
}

/// A place in a file, with the text of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The file, relative to the tree's root where it lies below.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The line's text, shortened where it is very long.
    pub text: String,
}

/// Longest part of a line that is shown.
const SHOWN: usize = 120;

impl Spot {
    /// Makes the spot at a line and column (both from 1) of a file's text.
    pub(crate) fn new(file: PathBuf, text: &str, line: u32, column: u32) -> Self {
        let wanted = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
        let text = text
            .split('\n')
            .nth(wanted)
            .unwrap_or_default()
            .chars()
            .take(SHOWN)
            .collect();
        Self {
            file,
            line,
            column,
            text,
        }
    }

    /// Returns the line with a caret below it, on lines of their own; nothing where there is no text.
    pub fn snippet(&self) -> String {
        if self.text.trim().is_empty() {
            return String::new();
        }
        let column = usize::try_from(self.column).unwrap_or(1).saturating_sub(1);
        // Tabs stay tabs, so that the caret stands below its character.
        let before: String = self
            .text
            .chars()
            .take(column)
            .map(|c| if c == '\t' { c } else { ' ' })
            .collect();
        let number = self.line.to_string();
        let caret = if column <= self.text.chars().count() {
            format!("\n{:1$} | {before}^", "", number.len())
        } else {
            String::new()
        };
        format!("\n{number} | {}{caret}", self.text)
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

fn place(spot: Option<&Spot>) -> String {
    spot.map_or_else(String::new, |spot| format!("{spot}: "))
}

fn snippet(spot: Option<&Spot>) -> String {
    spot.map_or_else(String::new, Spot::snippet)
}
