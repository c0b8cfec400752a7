//! Remembers the facts of machines on this host: one file for each machine, below the state directory, replaced as a whole.

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::pool::SutSpec;
use crate::cli::config::directories;
use crate::host::clock::unix_now;
use crate::sut::Facts;

/// The directory of remembered facts, below the state directory.
const DIRECTORY: &str = "facts-v1";

/// A file of remembered facts.
#[derive(Serialize, Deserialize)]
struct FactsFile {
    /// The identity of the machine, for people who look into the file.
    place: String,
    /// When the machine last reported them, in seconds since the epoch.
    #[serde(default)]
    at: u64,
    facts: Facts,
}

/// What this host knows of a machine.
pub(super) struct KnownFacts {
    pub(super) facts: Facts,
    /// How many seconds ago the machine reported it.
    pub(super) age: u64,
}

/// Returns what is known of a machine without asking it.
pub(super) fn recall(sut: &SutSpec) -> Option<KnownFacts> {
    if let Some(facts) = sut.access.facts() {
        return Some(KnownFacts { facts, age: 0 });
    }
    let text = crate::host::file::read(&file_of(sut)?).ok()?;
    let remembered: FactsFile = serde_json::from_slice(&text).ok()?;
    Some(KnownFacts {
        facts: remembered.facts,
        age: unix_now().saturating_sub(remembered.at),
    })
}

fn file_of(sut: &SutSpec) -> Option<PathBuf> {
    let name = blake3::hash(sut.place().as_bytes()).to_hex();
    Some(directories::state().ok()?.join(DIRECTORY).join(format!("{name}.json")))
}

/// Remembers what a machine is. If the file cannot be written, the machine is asked again the next time.
pub(super) fn remember(sut: &SutSpec, facts: &Facts) {
    let write = || -> Option<()> {
        let file = file_of(sut)?;
        let dir = file.parent()?;
        DirBuilder::new().recursive(true).mode(0o700).create(dir).ok()?;
        let remembered = FactsFile {
            place: sut.place(),
            at: unix_now(),
            facts: facts.clone(),
        };
        let mut new = tempfile::NamedTempFile::new_in(dir).ok()?;
        new.write_all(&serde_json::to_vec_pretty(&remembered).ok()?).ok()?;
        new.persist(&file).ok().map(drop)
    };
    if sut.access.facts().is_none() {
        let _asked_next_time = write();
    }
}

/// Forgets what a machine is.
pub(super) fn forget(sut: &SutSpec) {
    if let Some(file) = file_of(sut) {
        let _not_there = fs::remove_file(file);
    }
}
