//! The key with which values of secret variables are hashed: 32 random bytes of this user, made when they are first needed.
//!
//! Without the key, a guessed value cannot be checked against a node's key. If it is lost, only what depends on a secret has to
//! run again.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use crate::cli::error::CliError;

/// The name of the file below the state directory.
const FILE: &str = "secret-key-v1";

/// Reads the key below `dir`, or makes it there. Processes that make it at once agree on one key.
pub(crate) fn key(dir: &Path) -> Result<[u8; 32], CliError> {
    let path = dir.join(FILE);
    let failed = |error: io::Error| {
        CliError::usage(format!("cannot use the key for secrets `{}`: {error}", path.display()))
            .hint("it is needed for `--secret-env`; where it is damaged, remove it")
    };
    match read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        other => return other.map_err(failed),
    }
    make(dir, &path).map_err(failed)?;
    read(&path).map_err(failed)
}

fn read(path: &Path) -> io::Result<[u8; 32]> {
    let bytes = std::fs::read(path)?;
    let wrong = |_| io::Error::new(ErrorKind::InvalidData, "it does not hold 32 bytes");
    bytes.try_into().map_err(wrong)
}

/// Makes the key, unless another process was faster.
fn make(dir: &Path, path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    // A temporary file of this crate can be read only by its owner.
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => File::open(dir)?.sync_all(),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let first = key(&state).unwrap();
        assert_eq!(key(&state).unwrap(), first);
        assert_ne!(key(&dir.path().join("other")).unwrap(), first);
        let mode = std::fs::metadata(state.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_key_is_no_key() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "short").unwrap();
        assert!(key(dir.path()).is_err());
    }
}
