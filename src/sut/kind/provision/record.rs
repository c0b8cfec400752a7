//! What this host remembers of machines that were provided: a file for each, from the moment in which a provisioner names the
//! machine until it was given back. So a machine that nobody gave back, because atex and the provisioner were killed, is known.

use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::program::Program;
use crate::host::{file, process};

/// The directory of these files, below the state directory.
const DIRECTORY: &str = "provided-v1";

/// A machine that was provided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvidedMachine {
    /// What the provisioner calls it.
    pub machine: String,
    /// The words of the provisioner's command.
    pub program: Vec<String>,
    /// The SUT for which it was provided.
    pub sut: String,
    /// When it was provided, in seconds since the epoch.
    pub at: u64,
    /// The process for which it was provided.
    by: String,
    /// The file, which does not name itself.
    #[serde(skip)]
    file: PathBuf,
}

impl ProvidedMachine {
    /// Remembers a machine for this process.
    pub(super) fn remember(state_dir: &Path, machine: &str, program: &[String], sut: &str) -> io::Result<Self> {
        let dir = state_dir.join(DIRECTORY);
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let by = process::own_mark();
        let name = blake3::hash(format!("{by}\0{sut}\0{machine}").as_bytes()).to_hex();
        let at = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let provided = Self {
            machine: machine.to_owned(),
            program: program.to_owned(),
            sut: sut.to_owned(),
            at,
            by,
            file: dir.join(format!("{name}.json")),
        };
        let mut new = tempfile::NamedTempFile::new_in(&dir)?;
        new.write_all(&serde_json::to_vec_pretty(&provided)?)?;
        new.as_file().sync_all()?;
        new.persist(&provided.file)?;
        fs::File::open(&dir)?.sync_all()?;
        Ok(provided)
    }

    /// Returns its provisioner.
    pub(super) fn provisioner(&self) -> Program {
        Program(self.program.clone())
    }

    /// Forgets a machine that was given back. Where this fails, it is given back once more, which changes nothing.
    pub(super) fn forget(&self) {
        let _given_back_again = fs::remove_file(&self.file);
    }

    /// Whether the process for which it was provided lives.
    pub fn is_in_use(&self) -> bool {
        process::lives(&self.by)
    }
}

/// Returns the machines that were provided and not given back, the oldest first. A file that cannot be read is left out.
pub fn provided(state_dir: &Path) -> Vec<ProvidedMachine> {
    let read = |path: PathBuf| {
        let kept: ProvidedMachine = serde_json::from_slice(&file::read(&path).ok()?).ok()?;
        (!kept.program.is_empty()).then_some(ProvidedMachine { file: path, ..kept })
    };
    let files = fs::read_dir(state_dir.join(DIRECTORY)).into_iter().flatten().flatten();
    let json = files
        .map(|file| file.path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"));
    let mut all: Vec<_> = json.filter_map(read).collect();
    all.sort_by_key(|machine| (machine.at, machine.machine.clone()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_from_its_naming_until_it_was_given_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(provided(dir.path()).is_empty());
        let words = ["lab.sh".to_owned(), "a b".to_owned()];
        let one = ProvidedMachine::remember(dir.path(), "../one", &words, "sut").unwrap();
        let two = ProvidedMachine::remember(dir.path(), "two", &words, "sut").unwrap();
        fs::write(dir.path().join(DIRECTORY).join("x.json"), "{").unwrap();
        let found = provided(dir.path());
        assert_eq!(found.len(), 2);
        assert!(found.contains(&one) && found.iter().all(ProvidedMachine::is_in_use));
        one.forget();
        assert_eq!(provided(dir.path()), [two]);
    }
}
