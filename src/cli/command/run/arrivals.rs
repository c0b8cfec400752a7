//! `--sut-file`: the machines that are written into the file while the run goes on.
//!
//! Each line is taken once. A line that is no target, or names a machine that the pool has, is told of and left out; what
//! disappears from the file stays in the pool.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::cli::args::select::SutArgs;
use crate::cli::fleet::{self, Line};
use crate::cli::pool::{self, SutSpec};
use crate::cli::settings::Settings;
use crate::exec::run::{Arrival, Arrivals};
use crate::sut::Cancel;

/// A file that is watched.
pub(super) struct SutFile<'a> {
    path: PathBuf,
    settings: &'a Settings,
    cancel: Cancel,
    /// What the file looked like when it was read last.
    seen: Option<(SystemTime, u64)>,
    taken: BTreeSet<String>,
    pool: Vec<SutSpec>,
}

impl<'a> SutFile<'a> {
    /// Watches a file whose targets were read into `pool` already.
    pub(super) fn new(path: PathBuf, pool: &[SutSpec], cancel: Cancel, settings: &'a Settings) -> Self {
        let taken = fleet::read(&path).unwrap_or_default();
        Self {
            path,
            settings,
            cancel,
            seen: None,
            taken: taken.into_iter().map(|line| line.target).collect(),
            pool: pool.to_vec(),
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
        let args = SutArgs::default();
        let targets = match fleet::spread(std::slice::from_ref(&line.target), &args, self.settings) {
            Ok(targets) => targets,
            Err(error) => return vec![problem(line, error.message())],
        };
        let arrival = |target: String| {
            let spec = pool::joining(&target, &self.pool, self.settings);
            let sut = spec.and_then(|spec| Ok((super::machine(&spec, &self.cancel)?, spec)));
            match sut {
                Ok((sut, spec)) => {
                    self.pool.push(spec);
                    Arrival::Sut(sut)
                }
                Err(error) => problem(line, error.message()),
            }
        };
        targets.into_iter().map(arrival).collect()
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
        let lines = fleet::read(&self.path).unwrap_or_default();
        let fresh: Vec<_> = lines
            .into_iter()
            .filter(|line| self.taken.insert(line.target.clone()))
            .collect();
        fresh.iter().flat_map(|line| self.take(line)).collect()
    }
}
