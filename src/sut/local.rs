//! This machine as a SUT, for the user that runs atex.
//!
//! Never touches anything outside its directory by itself; the scripts that it runs may.

use std::path::PathBuf;

use crate::sut::link::local::LocalLink;
use crate::sut::shell::Machine;
use crate::sut::{Cancel, Trouble, TroubleKind};

/// The local machine.
pub type Local = Machine<LocalLink>;

impl Local {
    /// Makes the local machine, with its things below `dir`, or where they are by default: `/var/lib/atex` for root, else
    /// `$XDG_STATE_HOME/atex` or `~/.local/state/atex`.
    pub fn new(dir: Option<PathBuf>, cancel: Cancel) -> Result<Self, Trouble> {
        let dir = dir.or_else(default_dir).ok_or_else(|| {
            let trouble = Trouble::new(
                TroubleKind::Setup,
                "`local`: neither `XDG_STATE_HOME` nor `HOME` is set",
            );
            trouble.with_hint("give a directory with `--sut-dir`")
        })?;
        let absolute = std::path::absolute(&dir).map_err(|error| {
            Trouble::new(
                TroubleKind::Setup,
                format!("`local`: cannot use `{}`: {error}", dir.display()),
            )
        })?;
        Ok(Self::over(LocalLink::default(), Some(absolute), cancel))
    }
}

fn default_dir() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/atex"));
    }
    let var = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    var("XDG_STATE_HOME")
        .filter(|dir| dir.is_absolute())
        .or_else(|| var("HOME").map(|home| home.join(".local/state")))
        .map(|dir| dir.join("atex"))
}
