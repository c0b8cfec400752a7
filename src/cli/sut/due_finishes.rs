//! Remembers on this host which finishes are due on machines, so that a null build knows of them without asking the machines.
//!
//! The machine's own account decides, and is adopted whenever the machine is opened. What is kept here is a copy, in one file for
//! each machine below the state directory. A finish is written here before it is written on the machine, and removed here after
//! it was removed there, so that a crash in between leaves one too many and never one too few. Only the holder of the machine's
//! lease writes.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use crate::cli::config::directories;
use crate::cli::sut::pool::{Pool, SutSpec};
use crate::host::process;
use crate::sut::{Due, Project};

/// The directory of these files, below the state directory.
const DIRECTORY: &str = "owed-v1";

/// A finish that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Debt {
    #[serde(flatten)]
    due: Due,
    /// The process that held the machine last.
    by: String,
}

/// The file of one machine.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The identity of the machine, for people who look into the file.
    place: String,
    debts: Vec<Debt>,
}

/// The finishes that are due on one machine, which this process holds.
#[derive(Debug)]
pub(crate) struct DueFinishes {
    place: String,
    file: Option<PathBuf>,
    debts: Vec<Debt>,
}

impl DueFinishes {
    /// Starts without any due finish for a machine.
    pub(crate) fn new(sut: &SutSpec) -> Self {
        Self {
            place: place(sut),
            file: file_of(sut),
            debts: Vec::new(),
        }
    }

    /// Adopts what a machine reports when it is opened. If the file cannot be written, the machine reports it again the next
    /// time.
    pub(crate) fn agree(&mut self, unfinished: &[Due]) {
        let before = self.file.as_deref().map(read).unwrap_or_default();
        self.debts.clone_from(&before);
        self.debts.retain(|debt| unfinished.contains(&debt.due));
        self.add(unfinished);
        for debt in &mut self.debts {
            debt.by = process::own_mark();
        }
        if self.debts != before {
            let _heard_again = self.write();
        }
    }

    /// Writes what the machine is about to keep. Fails if the file cannot be written, but not if this host cannot remember
    /// anything at all (see [`make_place`]).
    pub(crate) fn note(&mut self, unfinished: &[Due]) -> io::Result<()> {
        let before = self.debts.len();
        self.add(unfinished);
        if self.debts.len() == before {
            Ok(())
        } else {
            self.write()
        }
    }

    /// Removes what the machine no longer reports. If the file cannot be written, this is done when the machine is opened again.
    pub(crate) fn forget(&mut self, unfinished: &[Due]) {
        let before = self.debts.len();
        self.debts.retain(|debt| unfinished.contains(&debt.due));
        if self.debts.len() < before {
            let _forgotten_later = self.write();
        }
    }

    fn add(&mut self, unfinished: &[Due]) {
        for due in unfinished {
            if !self.debts.iter().any(|debt| debt.due == *due) {
                self.debts.push(Debt {
                    due: due.clone(),
                    by: process::own_mark(),
                });
            }
        }
    }

    fn write(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if self.debts.is_empty() {
            return match fs::remove_file(file) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let dir = file.parent().unwrap_or(Path::new("/"));
        if !dir.is_dir() || access(dir, Access::WRITE_OK).is_err() {
            return Ok(());
        }
        let kept = Kept {
            place: self.place.clone(),
            debts: self.debts.clone(),
        };
        let mut new = tempfile::NamedTempFile::new_in(dir)?;
        new.write_all(&serde_json::to_vec_pretty(&kept)?)?;
        new.as_file().sync_all()?;
        new.persist(file)?;
        fs::File::open(dir)?.sync_all()
    }
}

/// Makes the directory of these files. Fails, with a reason for people, if it cannot be made or written to; then nothing is
/// remembered.
pub(crate) fn make_place() -> Result<(), String> {
    let dir = directories::state()
        .map_err(|error| error.message().to_owned())?
        .join(DIRECTORY);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    let made = made.and_then(|()| tempfile::tempfile_in(&dir).map(drop));
    made.map_err(|error| format!("cannot write below `{}`: {error}", dir.display()))
}

/// Returns the plans of all projects whose finish is due on a machine.
pub(crate) fn remembered(sut: &SutSpec) -> Vec<String> {
    let debts = file_of(sut).as_deref().map(read).unwrap_or_default();
    let plans: BTreeSet<String> = debts.into_iter().map(|debt| debt.due.plan).collect();
    plans.into_iter().collect()
}

/// Returns the plans of a project whose finish is due, by the number of the machine in the pool. A finish that a living process is going
/// to run is not among them.
pub(crate) fn of_project(pool: &Pool, project: &Project) -> Vec<(u32, Vec<String>)> {
    let is_meant = |debt: &Debt| debt.due.is_of(project) && !process::lives(&debt.by);
    let of = |(number, sut): (u32, &SutSpec)| {
        let debts = file_of(sut).as_deref().map(read).unwrap_or_default();
        let plans: Vec<String> = debts.into_iter().filter(is_meant).map(|debt| debt.due.plan).collect();
        (!plans.is_empty()).then_some((number, plans))
    };
    (0..).zip(&pool.suts).filter_map(of).collect()
}

/// Forgets all finishes of a machine from which atex's files were removed.
pub(crate) fn forget(sut: &SutSpec) {
    if let Some(file) = file_of(sut) {
        let _not_there = fs::remove_file(file);
    }
}

/// Reads a file. A file that cannot be read counts as empty, since the machine itself knows its finishes.
fn read(file: &Path) -> Vec<Debt> {
    let text = crate::host::file::read(file).unwrap_or_default();
    let kept: Option<Kept> = serde_json::from_slice(&text).ok();
    kept.map(|kept| kept.debts).unwrap_or_default()
}

/// Describes a machine with the directory that holds its state.
fn place(sut: &SutSpec) -> String {
    match &sut.dir {
        Some(dir) => format!("{} in {}", sut.place(), dir.display()),
        None => sut.place(),
    }
}

fn file_of(sut: &SutSpec) -> Option<PathBuf> {
    let name = blake3::hash(place(sut).as_bytes()).to_hex();
    let state = directories::state().ok()?;
    Some(state.join(DIRECTORY).join(format!("{name}.json")))
}
