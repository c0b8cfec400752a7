//! The local machine: this host as a SUT, for the user that runs atex.
//!
//! atex itself changes nothing outside the machine's directory; the scripts that it runs may.

pub mod lease;

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use super::target::TargetText;
use super::{Access, Means, NoAccess, Peek, TargetError, UsedMachine};
use crate::host::ownership;
use crate::sut::agent::link::child::ChildLink;
use crate::sut::agent::session::{FORMAT, Machine};
use crate::sut::{Cancel, Facts, Sut, SutState, Trouble, TroubleKind, local_facts};

/// The file by which an agent marks a directory as atex's.
const MARK: &str = ".atex";

/// The kind `local`.
#[derive(Debug)]
pub struct LocalKind;

/// The address of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LocalAddress;

/// This host, under a name for people.
#[derive(Clone, Debug)]
struct LocalAccess {
    name: String,
}

impl super::SutKind for LocalKind {
    fn name(&self) -> &'static str {
        "local"
    }

    fn forms(&self) -> &'static [&'static str] {
        &["local", "local*4"]
    }

    fn is_here(&self) -> bool {
        true
    }

    fn read(&self, target: &TargetText<'_>) -> Option<Result<Box<dyn super::Address>, TargetError>> {
        (target.machine == "local").then(|| Ok(Box::new(LocalAddress) as Box<dyn super::Address>))
    }

    fn number<'t>(&self, machine: &'t str) -> Option<&'t str> {
        machine.strip_prefix("local*")
    }

    fn numbered_below(&self) -> Option<PathBuf> {
        Some(default_dir()?.join("pool"))
    }

    fn used(&self, below: Option<&Path>, _state_dir: Option<&Path>) -> Vec<UsedMachine> {
        let Some(below) = below.map(Path::to_owned).or_else(|| self.numbered_below()) else {
            return Vec::new();
        };
        let entries = fs::read_dir(&below).into_iter().flatten().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut used: Vec<u32> = numbers
            .filter(|number: &u32| peek_state(Some(&below.join(number.to_string()))).is_some())
            .collect();
        used.sort_unstable();
        used.dedup();
        let machine = |number| UsedMachine {
            target: self.name().to_owned(),
            number: Some(number),
        };
        used.into_iter().map(machine).collect()
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local")
    }
}

impl super::Address for LocalAddress {
    fn access(&self, name: &str, _beside: &Path, _means: &mut Means<'_>) -> Result<Arc<dyn Access>, NoAccess> {
        Ok(Arc::new(LocalAccess { name: name.to_owned() }))
    }
}

impl Access for LocalAccess {
    fn place(&self) -> String {
        "local".to_owned()
    }

    fn sut(&self, dir: Option<&Path>, cancel: &Cancel) -> Result<Box<dyn Sut>, Trouble> {
        let local = Local::new(&self.name, dir.map(Path::to_owned), cancel.clone())?;
        Ok(Box::new(local))
    }

    fn shell(&self, command: &[String]) -> Command {
        if let Some((program, arguments)) = command.split_first() {
            let mut program = Command::new(program);
            program.args(arguments);
            return program;
        }
        let shell = std::env::var_os("SHELL").filter(|shell| !shell.is_empty());
        Command::new(shell.unwrap_or_else(|| "bash".into()))
    }

    fn facts(&self) -> Option<Facts> {
        Some(local_facts())
    }

    fn peek(&self, dir: Option<&Path>) -> Peek {
        Peek {
            state: peek_state(dir),
            lease: lease::peek(dir),
        }
    }

    fn own_files(&self, dir: Option<&Path>) -> Vec<PathBuf> {
        let Some(dir) = dir else { return Vec::new() };
        let place = place(dir);
        // A directory that belongs to atex alone is removed as a whole.
        let below = (place != dir).then(|| place.clone());
        let names = ["v1", "lease", "run.lock", ".atex"].map(|name| place.join(name));
        names.into_iter().chain(below).collect()
    }
}

/// The local machine as a SUT.
pub type Local = Machine<ChildLink>;

impl Local {
    /// Makes the local machine with a name for people. Its directory is `dir`, or by default `/var/lib/atex` for root, else
    /// `$XDG_STATE_HOME/atex` or `~/.local/state/atex`.
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
        Ok(Self::over(ChildLink::new(name), Some(absolute), cancel))
    }
}

/// Returns the local machine's default directory.
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

/// Reads the local machine's state without taking the lease, so it may be about to change. `None` where there is no state, or
/// none that can be read.
pub fn peek_state(dir: Option<&Path>) -> Option<SutState> {
    let text = crate::host::file::read(&used_dir(dir)?.join(FORMAT).join("state")).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Returns the directory that agents of the local machine use when `dir` (or nothing) was given: that directory, or atex's
/// own below it. `None` where no agent has been there yet, or where others can write to it.
pub(crate) fn used_dir(dir: Option<&Path>) -> Option<PathBuf> {
    let default = default_dir();
    let used = match dir {
        Some(dir) => place(dir),
        None => default.clone()?,
    };
    let is_ours = is_marked(&used) || default.as_ref() == Some(&used);
    (is_ours && ownership::check(&used).is_ok()).then_some(used)
}

/// Returns the directory that an agent of the local machine uses when `dir` was given: that directory, or `atex` below it
/// where it holds something else. This is the same rule as `place` of `directory.bash`.
pub(crate) fn place(dir: &Path) -> PathBuf {
    let holds_nothing =
        || fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none()) && ownership::check(dir).is_ok();
    if default_dir().as_deref() == Some(dir) || !dir.is_dir() || is_marked(dir) || holds_nothing() {
        dir.to_owned()
    } else {
        dir.join("atex")
    }
}

/// Returns whether an agent marked a directory, or an older version of atex left it; the same rule as `ours` of
/// `directory.bash`.
fn is_marked(dir: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    let own = |name: &str, file: bool| {
        let found = fs::symlink_metadata(dir.join(name));
        found.is_ok_and(|found| found.uid() == me && if file { found.is_file() } else { found.is_dir() })
    };
    own(MARK, true) || own("lease", true) && [FORMAT, "v1/tree", "v1/manifest"].iter().all(|name| own(name, false))
}
