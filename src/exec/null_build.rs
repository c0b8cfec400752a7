//! A run of which nothing has to run: every test's record stands, and no machine is asked for anything.
//!
//! Tells and leaves what [`run`](super::run::run) would, from the [`Outline`] of the workload alone. What turns out not to stand
//! after all is none of its business: then nothing is told, and the run's directory is as it was.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use atex_cache::{Outcome, Output, Store, mounts};
use rayon::iter::{IndexedParallelIterator as _, IntoParallelRefIterator as _, ParallelIterator as _};

use crate::compile::spec::{Outline, OutlineTest};
use crate::exec::event::{Event, Seen};
use crate::exec::log::RunLog;
use crate::exec::options::Options;
use crate::exec::recording::{Place, Recorded};
use crate::exec::run::{Finished, Sink};
use crate::exec::rundir::RunDir;
use crate::exec::shared::stamp;
use crate::sut::{Cancel, Urgency};

/// A workload with a passed record of each test.
#[derive(Debug)]
pub struct Standing {
    outline: Outline,
    /// One for each test.
    records: Vec<Output>,
}

/// Such a workload, whose records are back in the run's directory.
#[derive(Debug)]
pub struct Restored {
    started: Instant,
    plans: Vec<String>,
    events: Vec<Event>,
}

impl Standing {
    /// Takes what the cache holds of each test of the outline; nothing where one has to run, or may have to: what a test stands on
    /// is not in the outline.
    pub fn new(outline: Outline, records: Vec<Option<Output>>, options: &Options) -> Option<Self> {
        let stands = |output: &Output| output.outcome == Outcome::Passed && options.believes(output.prepared, true);
        let passed = |output: Option<Output>| output.filter(stands);
        let records: Vec<Output> = records.into_iter().map(passed).collect::<Option<_>>()?;
        (records.len() == outline.tests.len()).then_some(Self { outline, records })
    }

    /// Puts all records into the run's directory, which is empty; nothing where one is damaged or the directory cannot be
    /// written, and then it is empty again, as far as that can be. `seen` is told with each.
    pub fn restore(self, store: &Store, dir: &RunDir, seen: Option<&Seen>) -> Option<Restored> {
        let started = Instant::now();
        let place = Place { store, dir, seen };
        let exporter = store.blobs().exporter();
        let Self { outline, records } = self;
        let put_back = |(test, output): (&OutlineTest, &Output)| {
            let recorded = Recorded {
                name: &test.name,
                plan: test.distinct_in.as_deref(),
                label: &test.label,
                key: test.key,
                output,
            };
            place.put_back(&exporter, recorded).ok().flatten()
        };
        // Two tests share no file, so they need not wait for each other.
        let events: Option<Vec<Event>> = outline.tests.par_iter().zip(&records).map(put_back).collect();
        if events.is_none() {
            // What stays is found by those who put the records back again, and told.
            let _stays = mounts::remove_dir_all(&dir.path().join("tests"));
        }
        let plans = outline.plans.clone();
        // To give so much memory back takes a while, in which there is something to tell.
        rayon::spawn(move || drop((outline, records)));
        Some(Restored {
            started,
            plans,
            events: events?,
        })
    }
}

impl Restored {
    /// Tells of the run, from `RunStarted` to `RunFinished`; `suts` are the machines that are not asked, by name.
    pub fn tell(
        self,
        dir: &RunDir,
        options: &Options,
        (suts, cancel): (Vec<String>, &Cancel),
        sink: &mut dyn Sink,
    ) -> io::Result<Finished> {
        for log in ["prepare.log", "finish.log"] {
            RunLog::create(dir.path(), log, false, options.max_output)?;
        }
        sink.event(&stamp(Event::RunStarted {
            run: dir.id().to_owned(),
            dir: dir.path().to_string_lossy().into_owned(),
            command: options.mode.word().to_owned(),
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
