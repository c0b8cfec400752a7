//! Carries out a null build: if nothing has changed and all records can still be used, nothing is compiled.

use atex_cache::Store;
use atex_graph::ActionKey;

use super::sink::RunSink;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::request::compile_request;
use crate::cli::request::run::RunRequest;
use crate::cli::sut::due_finishes;
use crate::cli::sut::machines;
use crate::compile::spec::Request;
use crate::compile::{self, NullBuildFile, ResolvedRequest};
use crate::event::SeenSut;
use crate::exec::null_build::NullBuildRun;
use crate::exec::options::{Options, Until};
use crate::report::Exit;
use crate::rundir::{RunDir, RunInfo};
use crate::sut::{Cancel, Project};

/// What is to be built, and what the null build needs for that.
pub(super) struct Build<'a> {
    pub(super) request: &'a RunRequest,
    pub(super) options: &'a Options,
    pub(super) settings: &'a Settings,
    pub(super) store: &'a Store,
    pub(super) cancel: &'a Cancel,
    pub(super) resolved: &'a ResolvedRequest,
    pub(super) asked: &'a Request,
    pub(super) seen: Option<&'a SeenSut>,
    pub(super) project: &'a Project,
}

/// The result of trying a null build.
pub(super) enum Tried {
    /// The null build was carried out and reported.
    Done(Exit),
    /// As far as is known, something has to run, and nothing was reported. If the run's directory exists already, it is empty.
    HasToRun(Option<RunDir>),
}

impl Build<'_> {
    /// Returns the file of the null build, if the options allow that all tests are taken from their records.
    pub(super) fn file(&self) -> Option<NullBuildFile> {
        let (request, options) = (self.request, self.options);
        let takes_records = options.takes_records() && options.until >= Until::Test;
        let is_possible = takes_records && request.shard.is_none() && !request.dry_run && options.audit.is_none();
        is_possible.then(|| self.resolved.null_build_file(self.asked)).flatten()
    }

    /// Returns whether a machine owes the finish of one of the plans and this build is to run it.
    fn owes(&self, plans: &[String]) -> bool {
        let owed = || due_finishes::of_project(&self.request.pool, self.project).into_iter();
        self.options.pays() && owed().any(|(_, owed)| owed.iter().any(|plan| plans.contains(plan)))
    }

    /// Restores the records of all tests of the null build, if one is kept and all records can be used.
    pub(super) fn carry_out(self, file: Option<&NullBuildFile>) -> Result<Tried, CliError> {
        let Some(null_build) = file.and_then(NullBuildFile::find) else {
            return Ok(Tried::HasToRun(None));
        };
        if self.owes(&null_build.plans) {
            return Ok(Tried::HasToRun(None));
        }
        let keys: Vec<ActionKey> = null_build.tests.iter().map(|test| test.key).collect();
        let index = super::index_name(self.request, self.asked);
        let info = RunInfo {
            tree: self.resolved.root().to_string_lossy().into_owned(),
            tree_digest: null_build.tree_digest.to_string(),
            context: compile::context_of(self.asked),
        };
        let warnings = null_build.warnings.clone();
        let Some(null_build) = NullBuildRun::new(null_build, self.store.outputs(&index, &keys), self.options) else {
            return Ok(Tried::HasToRun(None));
        };
        let suts = machines::make_all(&self.request.pool, self.cancel)?;
        let dir = super::run_dir(self.request)?;
        let Some(restored) = null_build.restore(self.store, &dir, self.seen) else {
            return Ok(Tried::HasToRun(Some(dir)));
        };
        compile_request::warn(&warnings, self.settings);
        let suts = suts.iter().map(|sut| sut.name().to_owned()).collect();
        let reporters = super::reporters(&dir, info, self.settings, self.cancel)?;
        let mut sink = RunSink::new(reporters, self.cancel.clone());
        let finished = restored.tell(&dir, self.options, suts, self.cancel, &mut sink);
        let finished = finished.map_err(|source| super::not_written(&dir, &source))?;
        super::end(sink, &finished, self.store, self.settings).map(Tried::Done)
    }
}
