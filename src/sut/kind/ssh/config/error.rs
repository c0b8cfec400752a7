//! What can be wrong with an SSH configuration, and where.

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
        /// Why not.
        source: std::io::Error,
    },
    /// A line cannot be understood.
    #[error("{problem} (`{at}`)")]
    Line {
        /// Where it stands.
        at: ConfigPlace,
        /// What is wrong.
        problem: String,
    },
    /// Files include each other, or machines are reached through each other.
    #[error("{0}")]
    Endless(String),
}
