//! Finishes that are due on machines, as this host remembers them, so that a build of which nothing has to run can know of them
//! without a question.
//!
//! The machine's own word decides, and is taken whenever it is opened; what is kept here is a copy, below the state directory, one
//! file for each machine. A finish is noted here before it is on the machine, and taken out after it was there: a crash in between
//! leaves one too many, never one too few. Whoever writes has the lease of the machine.

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

/// The directory, below the state directory.
const DIRECTORY: &str = "owed-v1";

/// A finish that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Debt {
    #[serde(flatten)]
    due: Due,
    /// The process that had the machine last.
    by: String,
}

/// A file of them.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// Which machine, for people who look into the file.
    place: String,
    debts: Vec<Debt>,
}

/// What is owed on one machine that this process has.
#[derive(Debug)]
pub(crate) struct DueFinishes {
    place: String,
    file: Option<PathBuf>,
    debts: Vec<Debt>,
}

impl DueFinishes {
    /// Makes it for a machine.
    pub(crate) fn new(sut: &SutSpec) -> Self {
        Self {
            place: place(sut),
            file: file_of(sut),
            debts: Vec::new(),
        }
    }

    /// Hears what a machine says when it is opened. What cannot be written is heard again the next time.
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

    /// Notes what the machine is about to say; fails where it would not be remembered, but not where nothing can be: see
    /// [`make_place`].
    pub(crate) fn note(&mut self, unfinished: &[Due]) -> io::Result<()> {
        let before = self.debts.len();
        self.add(unfinished);
        if self.debts.len() == before {
            Ok(())
        } else {
            self.write()
        }
    }

    /// Forgets what the machine does not say any more. What cannot be written is forgotten when it is opened again.
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

/// Makes the place where it is remembered. Fails, with a reason for people, where there can be none: then nothing is.
pub(crate) fn make_place() -> Result<(), String> {
    let dir = directories::state()
        .map_err(|error| error.message().to_owned())?
        .join(DIRECTORY);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
    let made = made.and_then(|()| tempfile::tempfile_in(&dir).map(drop));
    made.map_err(|error| format!("cannot write below `{}`: {error}", dir.display()))
}

/// Returns the plans whose finish is owed on a machine, of all projects.
pub(crate) fn remembered(sut: &SutSpec) -> Vec<String> {
    let debts = file_of(sut).as_deref().map(read).unwrap_or_default();
    let plans: BTreeSet<String> = debts.into_iter().map(|debt| debt.due.plan).collect();
    plans.into_iter().collect()
}

/// Returns the plans of a project whose finish is owed, by the number of the machine in the pool. What a living process has in hand is
/// not owed.
pub(crate) fn of_project(pool: &Pool, project: &Project) -> Vec<(u32, Vec<String>)> {
    let is_meant = |debt: &Debt| debt.due.is_of(project) && !process::lives(&debt.by);
    let of = |(number, sut): (u32, &SutSpec)| {
        let debts = file_of(sut).as_deref().map(read).unwrap_or_default();
        let plans: Vec<String> = debts.into_iter().filter(is_meant).map(|debt| debt.due.plan).collect();
        (!plans.is_empty()).then_some((number, plans))
    };
    (0..).zip(&pool.suts).filter_map(of).collect()
}

/// Forgets all that is owed on a machine, where nothing is left of it.
pub(crate) fn forget(sut: &SutSpec) {
    if let Some(file) = file_of(sut) {
        let _not_there = fs::remove_file(file);
    }
}

/// A file that cannot be read says nothing: the machine still does.
fn read(file: &Path) -> Vec<Debt> {
    let text = crate::host::file::read(file).unwrap_or_default();
    let kept: Option<Kept> = serde_json::from_slice(&text).ok();
    kept.map(|kept| kept.debts).unwrap_or_default()
}

/// A machine and the directory there: its state is below that.
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
