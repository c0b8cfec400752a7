//! The null build: nothing has to run because every test has a passed record, and no machine is asked for anything.
//!
//! It emits the events and writes the files that [`run`](super::run::run) would, from the [`NullBuild`] of the workload alone. Where
//! a record turns out to be unusable, it emits nothing and leaves the run's directory as it was; the caller then compiles and runs
//! the workload.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use atex_cache::{RecordOutcome, RecordOutput, Store, mounts};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use crate::compile::spec::{NullBuild, NullBuildTest};
use crate::event::{Event, SeenSut};
use crate::exec::attempt::log::RunLog;
use crate::exec::options::Options;
use crate::exec::record::restore::{Recorded, Restorer};
use crate::exec::run::clock::stamp;
use crate::exec::run::{EventSink, Finished};
use crate::json_version::JsonVersion;
use crate::rundir::{FINISH_LOG, PREPARE_LOG, RunDir};
use crate::sut::{Cancel, Urgency};

/// A null build with a passed record of each of its tests.
#[derive(Debug)]
pub struct NullBuildRun {
    build: NullBuild,
    /// The record of each test.
    records: Vec<RecordOutput>,
}

/// A null build whose records are back in the run's directory.
#[derive(Debug)]
pub struct RestoredNullBuild {
    started: Instant,
    plans: Vec<String>,
    events: Vec<Event>,
}

impl NullBuildRun {
    /// Takes the record that the cache has of each test. Returns `None` if a test has to run, or may have to because its record could
    /// be too old: the null build does not know which tests ran on a prepared SUT.
    pub fn new(build: NullBuild, records: Vec<Option<RecordOutput>>, options: &Options) -> Option<Self> {
        let stands =
            |output: &RecordOutput| output.outcome == RecordOutcome::Passed && options.believes(output.prepared, true);
        let passed = |output: Option<RecordOutput>| output.filter(stands);
        let records: Vec<RecordOutput> = records.into_iter().map(passed).collect::<Option<_>>()?;
        (records.len() == build.tests.len()).then_some(Self { build, records })
    }

    /// Puts all records into the run's directory, which is empty. Returns `None` if a record is damaged or the directory cannot be
    /// written; then the directory is emptied again as far as possible. `seen` is a part of each event.
    pub fn restore(self, store: &Store, dir: &RunDir, seen: Option<&SeenSut>) -> Option<RestoredNullBuild> {
        let started = Instant::now();
        let restorer = Restorer { store, dir, seen };
        let exporter = store.blobs().exporter();
        let Self { build, records } = self;
        let put_back = |(test, output): (&NullBuildTest, &RecordOutput)| {
            let recorded = Recorded {
                name: &test.name,
                plan: test.distinct_in.as_deref(),
                label: &test.label,
                key: test.key,
                output,
            };
            restorer.put_back(&exporter, recorded).ok().flatten()
        };
        // The tests share no files, so their records can be restored at the same time.
        let events: Option<Vec<Event>> = build.tests.par_iter().zip(&records).map(put_back).collect();
        if events.is_none() {
            // If something stays there, the regular run finds it when it restores the records, and reports it.
            let _stays = mounts::remove_dir_all(&dir.path().join("tests"));
        }
        let plans = build.plans.clone();
        // Freeing that much memory takes a while, so another thread does it while the events are sent.
        rayon::spawn(move || drop((build, records)));
        Some(RestoredNullBuild {
            started,
            plans,
            events: events?,
        })
    }
}

impl RestoredNullBuild {
    /// Sends the events of the run, from `RunStarted` to `RunFinished`. `suts` are the names of the machines, which are not connected to.
    pub fn tell(
        self,
        dir: &RunDir,
        options: &Options,
        suts: Vec<String>,
        cancel: &Cancel,
        sink: &mut dyn EventSink,
    ) -> io::Result<Finished> {
        for log in [PREPARE_LOG, FINISH_LOG] {
            RunLog::create(dir.path(), log, false, options.max_output)?;
        }
        sink.event(&stamp(Event::RunStarted {
            version: JsonVersion,
            run: dir.id().to_owned(),
            dir: dir.path().to_string_lossy().into_owned(),
            command: options.mode,
            plans: self.plans,
            suts,
            tests: self.events.len() as u64,
            to_run: BTreeMap::new(),
        }));
        let mut finished = Finished::default();
        finished.tell_cached(self.events, sink);
        finished.cancelled = cancel.urgency() > Urgency::None;
        sink.event(&stamp(finished.told(self.started)));
        Ok(finished)
    }
}
