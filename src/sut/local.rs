//! This machine as a SUT, for the user that runs atex.
//!
//! Never touches anything outside its directory by itself; the scripts that it runs may.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::host::ownership;
use crate::sut::link::local::LocalLink;
use crate::sut::shell::{FORMAT, Machine};
use crate::sut::{Cancel, SutState, Trouble, TroubleKind};

/// The file that marks a directory of an agent.
const MARK: &str = ".atex";

/// The local machine.
pub type Local = Machine<LocalLink>;

impl Local {
    /// Makes the local machine under a name for people, with its things below `dir`, or where they are by default:
    /// `/var/lib/atex` for root, else `$XDG_STATE_HOME/atex` or `~/.local/state/atex`.
    pub fn new(name: &str, dir: Option<PathBuf>, cancel: Cancel) -> Result<Self, Trouble> {
        let dir = dir.or_else(default_dir).ok_or_else(|| {
            let trouble = Trouble::new(
                TroubleKind::Setup,
                format!("`{name}`: neither `XDG_STATE_HOME` nor `HOME` is set"),
            );
            trouble.with_hint("give a directory with `--sut-dir`")
        })?;
        let absolute = std::path::absolute(&dir).map_err(|error| {
            Trouble::new(
                TroubleKind::Setup,
                format!("`{name}`: cannot use `{}`: {error}", dir.display()),
            )
        })?;
        Ok(Self::over(LocalLink::new(name), Some(absolute), cancel))
    }
}

/// Where the local machine keeps its things if nobody says otherwise.
pub fn default_dir() -> Option<PathBuf> {
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

/// What the local machine says of itself, read without taking it: it may be about to change. Nothing where there is no state, or
/// none that can be read.
pub fn peek_state(dir: Option<&Path>) -> Option<SutState> {
    let text = crate::host::file::read(&used_dir(dir)?.join(FORMAT).join("state")).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The directory that agents of the local machine work in where `dir` was given, or nothing was: that one, or their own below it.
/// Nothing where no agent was there yet, or others can write there.
pub(crate) fn used_dir(dir: Option<&Path>) -> Option<PathBuf> {
    let default = default_dir();
    let used = match dir {
        Some(dir) => place(dir),
        None => default.clone()?,
    };
    let is_ours = is_marked(&used) || default.as_ref() == Some(&used);
    (is_ours && ownership::check(&used).is_ok()).then_some(used)
}

/// The directory that an agent of the local machine takes where `dir` was given: that one, or `atex` below it where somebody has something
/// else there; as `place` of `agent.bash`.
pub(crate) fn place(dir: &Path) -> PathBuf {
    let holds_nothing =
        || fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none()) && ownership::check(dir).is_ok();
    if default_dir().as_deref() == Some(dir) || !dir.is_dir() || is_marked(dir) || holds_nothing() {
        dir.to_owned()
    } else {
        dir.join("atex")
    }
}

/// Returns whether an agent marked a directory, or an older one left it; as `ours` of `agent.bash`.
fn is_marked(dir: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    let own = |name: &str, file: bool| {
        let found = fs::symlink_metadata(dir.join(name));
        found.is_ok_and(|found| found.uid() == me && if file { found.is_file() } else { found.is_dir() })
    };
    own(MARK, true) || own("lease", true) && [FORMAT, "v1/tree", "v1/manifest"].iter().all(|name| own(name, false))
}
