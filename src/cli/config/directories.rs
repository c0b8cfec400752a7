//! The directories of the user in which atex keeps its files: cache, state, runs, configuration.
//!
//! Each follows the XDG base directory specification, and is used only if it belongs to this user.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::host::ownership;

/// Returns the directory of the cache; a relative `ATEX_CACHE` is below `here`.
pub(crate) fn cache(here: &Path) -> Result<PathBuf, CliError> {
    let dir = match non_empty("ATEX_CACHE") {
        Some(dir) => here.join(dir),
        None => place("XDG_CACHE_HOME", ".cache")?,
    };
    own(dir, "cache", "ATEX_CACHE")
}

/// Returns the directory for state: runs, remembered machines, the identity of this host.
pub(crate) fn state() -> Result<PathBuf, CliError> {
    let dir = place("XDG_STATE_HOME", ".local/state")?;
    own(dir, "state directory", "XDG_STATE_HOME")
}

/// Returns the directory below which runs are kept.
pub(crate) fn runs() -> Result<PathBuf, CliError> {
    Ok(state()?.join("runs"))
}

/// Returns the directory below which the user's configuration is.
pub(super) fn user_config() -> Option<PathBuf> {
    xdg_dir("XDG_CONFIG_HOME", ".config")
}

/// Returns the user's home directory.
pub(crate) fn home() -> Option<PathBuf> {
    non_empty("HOME").map(PathBuf::from)
}

/// Expands a leading `~/` and makes a path absolute below `base`.
pub(crate) fn absolute(path: &Path, base: &Path) -> PathBuf {
    match (path.strip_prefix("~"), home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => base.join(path),
    }
}

/// Returns the directory if it belongs to this user. Otherwise the error says which variable names another one.
fn own(dir: PathBuf, what: &str, variable: &str) -> Result<PathBuf, CliError> {
    match ownership::check(&dir) {
        Ok(()) => Ok(dir),
        Err(error) => Err(
            CliError::usage(format!("the {what} `{}` is not used: {error}", dir.display()))
                .hint(home_of_another().unwrap_or_else(|| format!("set {variable} to another: {}", ownership::HINT))),
        ),
    }
}

/// Returns advice if `HOME` belongs to another user, as in a container or with `sudo -E`, and this user has a home of their own.
fn home_of_another() -> Option<String> {
    let (given, me) = (home()?, rustix::process::geteuid().as_raw());
    ownership::check(&given).err()?;
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let home_of = |line: &str| {
        let mut fields = line.split(':').skip(2);
        let uid = fields.next()?.parse().ok();
        (uid == Some(me)).then(|| fields.nth(2).map(PathBuf::from)).flatten()
    };
    let own = passwd.lines().find_map(home_of)?;
    let is_own = own.is_absolute() && own != given && own.is_dir() && ownership::check(&own).is_ok();
    is_own.then(|| {
        let (own, given) = (own.display(), given.display());
        format!("set `HOME={own}`, which is yours: `HOME` is `{given}`, which is not yours alone")
    })
}

/// Returns atex's directory below a base directory of the XDG specification.
fn place(variable: &str, below_home: &str) -> Result<PathBuf, CliError> {
    xdg_dir(variable, below_home)
        .map(|dir| dir.join("atex"))
        .ok_or_else(|| {
            CliError::usage(format!(
                "neither `HOME` nor `{variable}` is set, so there is no place for atex's files"
            ))
        })
}

/// Returns a base directory of the XDG specification, which demands that relative paths are ignored.
fn xdg_dir(variable: &str, below_home: &str) -> Option<PathBuf> {
    let named = non_empty(variable).map(PathBuf::from).filter(|dir| dir.is_absolute());
    named.or_else(|| home().map(|home| home.join(below_home)))
}

fn non_empty(variable: impl AsRef<OsStr>) -> Option<OsString> {
    env::var_os(variable).filter(|value| !value.is_empty())
}
