//! Errors of configuration files, with their places.

use std::path::PathBuf;

use atex_fmf::MarkedLine;

use crate::cli::error::CliError;

/// An error in a configuration file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AtexConfigError {
    /// The file exists and cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// The file is not TOML, or contains something unknown or of the wrong type.
    #[error("{problem} in `{at}`")]
    Content {
        at: MarkedLine,
        problem: String,
        hint: Option<String>,
    },
}

impl From<AtexConfigError> for CliError {
    fn from(error: AtexConfigError) -> Self {
        let message = error.to_string();
        match error {
            AtexConfigError::Unreadable { .. } => Self::usage(message),
            AtexConfigError::Content { at, hint, .. } => Self::usage(message).excerpt_if(at.excerpt()).hint_if(hint),
        }
    }
}
