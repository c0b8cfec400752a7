//! Builds of a tree that is as it was when last nothing had to run: where all records still stand, nothing is compiled.

use atex_cache::Store;
use atex_graph::ActionKey;

use super::sink::RunSink;
use crate::cli::error::CliError;
use crate::cli::run::RunRequest;
use crate::cli::settings::Settings;
use crate::cli::{machines, workload};
use crate::compile::spec::Outline;
use crate::exec::options::{Mode, Options, Until};
use crate::exec::rundir::RunDir;
use crate::exec::standing::Standing;
use crate::report::{Exit, RunInfo};
use crate::sut::Cancel;

/// Whether a request is one whose tests may all stand by their records.
pub(super) fn is_possible(request: &RunRequest, options: &Options) -> bool {
    let takes_records = options.mode == Mode::Build && !options.rerun && options.until >= Until::Test;
    takes_records && request.shard.is_none() && !request.dry_run
}

/// Such a request, and what is needed to carry it out.
pub(super) struct Build<'a> {
    pub(super) request: &'a RunRequest,
    pub(super) options: &'a Options,
    pub(super) settings: &'a Settings,
    pub(super) store: &'a Store,
    pub(super) cancel: &'a Cancel,
    pub(super) info: RunInfo,
}

/// What came of it.
pub(super) enum Tried {
    /// All is told.
    Done(Exit),
    /// Something has to run, and nothing is told. The run's directory, if it is made already, is empty.
    HasToRun(Option<RunDir>),
}

impl Build<'_> {
    /// Puts back the records of all tests of the outline, where they stand.
    pub(super) fn carry_out(self, outline: Outline, index: &str) -> Result<Tried, CliError> {
        let keys: Vec<ActionKey> = outline.tests.iter().map(|test| test.key).collect();
        let records = self.store.outputs(index, &keys);
        let Some(standing) = Standing::new(outline, records) else {
            return Ok(Tried::HasToRun(None));
        };
        let suts = machines::open_later(&self.request.pool, self.cancel)?;
        let dir = super::run_dir(self.request)?;
        let warnings = standing.outline().warnings.clone();
        let Some(restored) = standing.restore(self.store, &dir) else {
            return Ok(Tried::HasToRun(Some(dir)));
        };
        workload::warn(&warnings, self.settings);
        let suts = suts.iter().map(|sut| sut.name().to_owned()).collect();
        let reporters = super::reporters(&dir, self.info, self.settings)?;
        let mut sink = RunSink::new(reporters, self.cancel.clone());
        let finished = restored.tell(&dir, self.options, (suts, self.cancel), &mut sink);
        let finished = finished.map_err(|source| super::not_written(&dir, &source))?;
        super::end(sink, &finished, self.store, self.settings).map(Tried::Done)
    }
}
