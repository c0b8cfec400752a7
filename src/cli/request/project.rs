//! The project: the identity by which a machine knows a tree. The trees, prepared states and finishes of projects are kept apart
//! on a machine.
//!
//! A project is identified by the path of the tree's root and by 16 random bytes in the state directory, which are made when they
//! are first needed. So two users, or two hosts that were made from one image, are never confused. A tree at another path is
//! another project and is prepared anew. If each run has another host or path, as in CI, `ATEX_PROJECT` can name the project.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::cli::config::directories;
use crate::cli::error::CliError;
use crate::cli::error::conversions::is_full;
use crate::sut::Project;

/// The name of the file below the state directory.
const FILE: &str = "host-v1";

/// How many hexadecimal digits of a digest identify a project.
const LENGTH: usize = 12;

/// Returns the project of a tree. `makes` says whether the random bytes may be written if there are none yet. Fails if they could
/// be kept but there is no space for them: the next run would have another identity, and what this run leaves due would belong to
/// nobody.
pub(crate) fn of(root: &Path, makes: bool) -> Result<Project, CliError> {
    if let Some(name) = std::env::var_os("ATEX_PROJECT").filter(|name| !name.is_empty()) {
        return Ok(named(b"name", name.as_bytes(), &name.to_string_lossy()));
    }
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let at = user.map(|user| format!("{user}@{host}")).unwrap_or(host);
    let own = match directories::state().map(|dir| own(&dir, makes)) {
        Ok(Ok(own)) => own,
        Ok(Err(error)) if is_full(&error) => {
            return Err(CliError::infra(format!(
                "cannot write `{FILE}` to the state directory: {error}"
            )));
        }
        _ => description(),
    };
    Ok(named(
        &own,
        root.as_os_str().as_bytes(),
        &format!("{} of {at}", root.display()),
    ))
}

fn named(host: &[u8], root: &[u8], name: &str) -> Project {
    let mut hasher = blake3::Hasher::new_derive_key("atex project 1");
    hasher
        .update(&(host.len() as u64).to_le_bytes())
        .update(host)
        .update(root);
    let harmless = |character: char| if character.is_control() { ' ' } else { character };
    Project {
        id: hasher.finalize().to_hex()[..LENGTH].to_owned(),
        name: name.chars().map(harmless).take(400).collect(),
    }
}

/// Reads the random bytes of this host and user below the state directory, or makes them. Processes that do so at once agree on
/// one value.
fn own(dir: &Path, makes: bool) -> io::Result<Vec<u8>> {
    let path = dir.join(FILE);
    let read = || crate::host::file::read(&path).ok().filter(|bytes| bytes.len() == 16);
    if let (None, true) = (read(), makes) {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&bytes)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Err(error) if error.error.kind() != ErrorKind::AlreadyExists => return Err(error.error),
            _ => {}
        }
    }
    read().ok_or_else(|| ErrorKind::NotFound.into())
}

/// Describes the host and the user, for the case that no random bytes can be kept.
fn description() -> Vec<u8> {
    let machine = fs::read("/etc/machine-id").unwrap_or_default();
    let name = rustix::system::uname().nodename().to_bytes().to_vec();
    let user = rustix::process::getuid().as_raw().to_le_bytes();
    [&machine[..], b"\0", &name, b"\0", &user].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_is_called_is_made_once_and_where_it_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        assert_eq!(own(&state, false).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!state.exists());
        let first = own(&state, true).unwrap();
        assert_eq!(own(&state, true).unwrap(), first);
        assert_eq!(own(&state, false).unwrap(), first);
        assert_ne!(own(&dir.path().join("other"), true).unwrap(), first);
    }

    #[test]
    fn another_path_and_another_host_are_other_projects() {
        let of = |host: &[u8], root: &[u8]| named(host, root, "").id;
        assert_eq!(of(b"one", b"/a"), of(b"one", b"/a"));
        assert_ne!(of(b"one", b"/a"), of(b"two", b"/a"));
        assert_ne!(of(b"one", b"/a"), of(b"one", b"/b"));
        assert_ne!(of(b"one/", b"a"), of(b"one", b"/a"));
    }
}
