//! `--sut-file`: watches the file for machines that are added to it while the run goes on.
//!
//! Each line is taken once. A line that is not a target, or that names a machine of the pool, is reported and left out. A machine whose
//! line disappears stays in the pool.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::cli::args::shared::SutArgs;
use crate::cli::config::directories::absolute;
use crate::cli::config::settings::Settings;
use crate::cli::sut::machines;
use crate::cli::sut::pool::{self, Pool};
use crate::cli::sut::targets::{self, Line};
use crate::exec::run::{Arrival, Arrivals};
use crate::sut::Cancel;

/// A file that is watched.
pub(crate) struct SutFile<'a> {
    path: PathBuf,
    /// The options that say how machines are reached.
    args: &'a SutArgs,
    settings: &'a Settings,
    cancel: Cancel,
    /// The file's time and size when it was last read.
    seen: Option<(SystemTime, u64)>,
    taken: BTreeSet<String>,
    pool: Pool,
}

impl<'a> SutFile<'a> {
    /// Watches the file whose targets were read into `pool` already.
    pub(crate) fn new(args: &'a SutArgs, pool: &Pool, cancel: Cancel, settings: &'a Settings) -> Self {
        let path = absolute(args.sut_file.as_deref().unwrap_or(Path::new("")), &settings.here);
        let taken = read(&path);
        Self {
            path,
            args,
            settings,
            cancel,
            seen: None,
            taken: taken.into_iter().map(|line| line.target).collect(),
            pool: pool.clone(),
        }
    }

    fn has_changed(&mut self) -> bool {
        let Ok(metadata) = std::fs::metadata(&self.path) else {
            return false;
        };
        let now = metadata.modified().ok().map(|time| (time, metadata.len()));
        let changed = now.is_none() || now != self.seen;
        self.seen = now;
        changed
    }

    fn take(&mut self, line: &Line) -> Vec<Arrival> {
        let joined = targets::of_line(line, self.settings)
            .and_then(|given| pool::joining(&given, self.args, &self.pool, self.settings));
        let joined = match joined {
            Ok(joined) => joined,
            Err(error) => return vec![problem(line, error.message())],
        };
        let mut arrivals = Vec::new();
        let first = self.pool.suts.first().map(|sut| sut.installation()).unwrap_or_default();
        if joined.iter().any(|spec| spec.installation() != first) {
            return vec![problem(
                line,
                "it has another `base` or `digest` than the SUTs of this run",
            )];
        }
        for spec in joined {
            arrivals.push(match machines::make(&spec, &self.cancel) {
                Ok(machine) => Arrival::Sut(machine),
                Err(trouble) => problem(line, &trouble.message),
            });
            self.pool.suts.push(spec);
        }
        arrivals
    }
}

/// Reads the file. A FIFO could be read only once, when the pool was made.
fn read(path: &Path) -> Vec<Line> {
    if path.is_file() {
        targets::read(path).unwrap_or_default()
    } else {
        Vec::new()
    }
}

fn problem(line: &Line, message: &str) -> Arrival {
    Arrival::Problem(format!("`{}`: {message}", line.place))
}

impl Arrivals for SutFile<'_> {
    fn look(&mut self) -> Vec<Arrival> {
        if !self.has_changed() {
            return Vec::new();
        }
        let lines = read(&self.path);
        let fresh: Vec<_> = lines
            .into_iter()
            .filter(|line| self.taken.insert(line.target.clone()))
            .collect();
        fresh.iter().flat_map(|line| self.take(line)).collect()
    }
}
