//! Errors of an SSH configuration: what is wrong, and in which file and line.

use std::path::PathBuf;

use super::ConfigPlace;

/// An error in an SSH configuration file, or in what a target makes of it.
#[derive(Debug, thiserror::Error)]
pub enum SshConfigError {
    /// The file cannot be read.
    #[error("cannot read the SSH configuration `{}`: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A line cannot be parsed.
    #[error("{problem} (`{at}`)")]
    Line {
        /// The file and line.
        at: ConfigPlace,
        /// What is wrong.
        problem: String,
    },
    /// Files include each other, or machines are reached through each other, without end.
    #[error("{0}")]
    Endless(String),
}
