//! What can be wrong with a configuration file, and where.

use std::path::PathBuf;

use atex_fmf::MarkedLine;

use crate::cli::error::CliError;

/// An error in a configuration file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AtexConfigError {
    /// The file is there and cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    /// The file is no TOML, or holds something that is not known or not of the right type.
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
