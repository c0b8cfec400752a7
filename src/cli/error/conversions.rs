//! Conversions of other modules' errors into errors of the command line, which give each one its class.
//!
//! They apply to a command that has not run anything yet. What happens during a run is reported by its events.

use std::io::{self, ErrorKind};

use atex_cache::CacheError;

use crate::cli::error::CliError;
use crate::compile::CompileError;

use crate::sut::{Trouble, TroubleKind};

impl From<atex_fmf::Error> for CliError {
    fn from(error: atex_fmf::Error) -> Self {
        Self::usage(error.to_string()).hint_if(error.hint())
    }
}

impl From<CacheError> for CliError {
    fn from(error: CacheError) -> Self {
        let (message, hint) = (error.to_string(), error.hint());
        match error {
            CacheError::Io { source, .. } if is_full(&source) => Self::infra(message),
            CacheError::InUse { .. } | CacheError::MissingBlob { .. } => Self::infra(message),
            CacheError::WrongKey { .. } | CacheError::BadOutputPath { .. } | CacheError::Encode { .. } => {
                Self::defect(message)
            }
            CacheError::Io { .. }
            | CacheError::Outside { .. }
            | CacheError::ReadOnly { .. }
            | CacheError::Foreign { .. }
            | CacheError::Mounted { .. }
            | CacheError::NotAFile { .. }
            | CacheError::NoRecord { .. }
            | CacheError::Ambiguous { .. } => Self::usage(message),
        }
        .hint_if(hint)
    }
}

impl From<CompileError> for CliError {
    fn from(error: CompileError) -> Self {
        Self::from(&error)
    }
}

impl From<&CompileError> for CliError {
    fn from(error: &CompileError) -> Self {
        let (message, excerpt) = (error.to_string(), error.excerpt());
        let kind = match error {
            error if error.is_nothing() => Self::nothing(message),
            CompileError::Graph(_) => Self::defect(message),
            _ => Self::usage(message),
        };
        kind.excerpt_if(excerpt).hint_if(error.hint())
    }
}

/// Returns whether a write failed because the disk is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

impl From<Trouble> for CliError {
    fn from(trouble: Trouble) -> Self {
        match trouble.kind {
            TroubleKind::Cancelled => Self::interrupted(trouble.message),
            TroubleKind::Unreachable | TroubleKind::Aborted | TroubleKind::Setup | TroubleKind::Held => {
                Self::infra(trouble.message)
            }
        }
        .hint_if(trouble.hint)
    }
}
