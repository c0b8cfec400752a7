//! The test bench for runs: a tree, a cache, and scripted machines.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::mock::{Lab, Step};
use atex::compile;
use atex::compile::spec::{Request, Workload};
use atex::control::Mask;
use atex::event::{Event, NodeOutcome, Stamped, SutEvent};
use atex::exec::options::{Mode, OnReboot, OnTaint, Options, Until};
use atex::exec::pending::PendingWork;
use atex::exec::run::{self, Arrivals, EventSink, Finished, Run};
use atex::exec::schedule::ScheduleRules;
use atex::rundir::RunDir;
use atex::sut::{BaseIdentity, Cancel, OnHeld, Project, Sut, Trouble, TroubleKind, Urgency};
use atex_cache::{RecordOutcome, Store};
use atex_graph::{Base, Kind};
use serde_json::Value;

/// Everything that lives longer than one run.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    pub(crate) lab: Lab,
    pub(crate) options: Options,
    pub(crate) suts: Vec<&'static str>,
    pub(crate) plans: Vec<String>,
    pub(crate) tests: Vec<String>,
    runs: Cell<u32>,
}

/// What one run came to.
pub(crate) struct Ended {
    pub(crate) finished: Finished,
    pub(crate) events: Vec<Event>,
    pub(crate) dir: PathBuf,
    /// What was asked of the machines in this run: `machine: call`.
    pub(crate) calls: Vec<String>,
}

/// A plan that prepares with the script `prepare` and finishes with the script `finish`; all tests are its.
pub(crate) const PLAN: &str = "
discover: {how: fmf}
execute: {how: tmt}
prepare: {script: prepare}
finish: {script: finish}
";

/// A tree with [`PLAN`] and the tests `/t1`, `/t2`, … .
pub(crate) fn bench(tests: usize) -> Bench {
    let bench = Bench::of(&[("plan.fmf", PLAN)]);
    for number in 1..=tests {
        bench.write(&format!("t{number}.fmf"), "test: 'true'\n");
    }
    bench
}

impl Bench {
    /// Makes a tree of files.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let bench = Self {
            dir: directory(),
            lab: Lab::default(),
            options: Options {
                mode: Mode::Build,
                until: Until::Finish,
                fresh: false,
                rerun: false,
                audit: None,
                max_age: None,
                on_taint: OnTaint::Prepare,
                on_reboot: OnReboot::Prepare,
                on_held: OnHeld::Wait,
                dead_after: Duration::from_secs(30),
                max_output: 1 << 20,
                mask: Mask::default(),
                rules: ScheduleRules {
                    retry_infra: 0,
                    ..ScheduleRules::default()
                },
            },
            suts: vec!["one"],
            plans: Vec::new(),
            tests: Vec::new(),
            runs: Cell::new(0),
        };
        bench.write(".fmf/version", "1\n");
        for (path, content) in files {
            bench.write(path, content);
        }
        bench
    }

    pub(crate) fn on(mut self, suts: &[&'static str]) -> Self {
        self.suts = suts.to_vec();
        self
    }

    pub(crate) fn mode(mut self, mode: Mode) -> Self {
        self.options.mode = mode;
        self
    }

    pub(crate) fn until(mut self, until: Until) -> Self {
        self.options.until = until;
        self
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.dir.path().join("tree").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.dir.path().join("cache")).unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn compiled(&self) -> Workload {
        compile::compile(&Request {
            start: self.dir.path().join("tree"),
            plans: self.plans.clone(),
            tests: self.tests.clone(),
            base: Base {
                os: "mock".to_owned(),
                version: "1".to_owned(),
                arch: "x86_64".to_owned(),
                base: String::new(),
                ..Base::default()
            },
            strict: true,
            fetch_cache: self.dir.path().join("fetched"),
            ..Request::default()
        })
        .unwrap()
    }

    /// Runs it.
    pub(crate) fn run(&self) -> Ended {
        self.run_with(|_, _| ())
    }

    /// Runs it; `on_event` sees each event, and may cancel.
    pub(crate) fn run_with(&self, on_event: impl FnMut(&Event, &Cancel)) -> Ended {
        let machines = |cancel: &Cancel| -> Vec<Box<dyn Sut>> {
            let machine = |name: &&str| -> Box<dyn Sut> { Box::new(self.lab.machine(name, cancel)) };
            self.suts.iter().map(machine).collect()
        };
        self.run_on(machines, on_event)
    }

    /// Runs it while more machines come.
    pub(crate) fn run_joined(
        &self,
        arrivals: impl FnOnce(&Cancel) -> Box<dyn Arrivals>,
        on_event: impl FnMut(&Event, &Cancel),
    ) -> Ended {
        let machines = |cancel: &Cancel| -> Vec<Box<dyn Sut>> {
            let machine = |name: &&str| -> Box<dyn Sut> { Box::new(self.lab.machine(name, cancel)) };
            self.suts.iter().map(machine).collect()
        };
        self.run_all(machines, |cancel| Some(arrivals(cancel)), on_event)
    }

    /// Runs it on other machines.
    pub(crate) fn run_on(
        &self,
        machines: impl FnOnce(&Cancel) -> Vec<Box<dyn Sut>>,
        on_event: impl FnMut(&Event, &Cancel),
    ) -> Ended {
        self.run_all(machines, |_| None, on_event)
    }

    fn run_all(
        &self,
        machines: impl FnOnce(&Cancel) -> Vec<Box<dyn Sut>>,
        arrivals: impl FnOnce(&Cancel) -> Option<Box<dyn Arrivals>>,
        on_event: impl FnMut(&Event, &Cancel),
    ) -> Ended {
        let number = self.runs.replace(self.runs.get() + 1);
        let (work, store, cancel) = (self.compiled(), self.store(), Cancel::new().unwrap());
        let dir = RunDir::at(&self.dir.path().join(format!("run-{number}"))).unwrap();
        let suts = machines(&cancel);
        let pending = PendingWork::new(&work, &self.options, suts.len(), |node| {
            let output = store.output(work.graph.node(node).key()).unwrap()?;
            (output.outcome == RecordOutcome::Passed).then_some(output)
        });
        let mut sink = Seen {
            events: Vec::new(),
            cancel: cancel.clone(),
            on_event,
        };
        let calls = self.lab.lines().len();
        let kind = BaseIdentity {
            os: "mock".to_owned(),
            version: "1".to_owned(),
            arch: "x86_64".to_owned(),
            base: String::new(),
            digest: None,
            user: "root".to_owned(),
            environment: BTreeMap::new(),
        };
        let run = Run {
            work: &work,
            pending,
            options: &self.options,
            store: &store,
            dir: &dir,
            expected: vec![kind; suts.len()],
            seen: None,
            suts,
            arrivals: arrivals(&cancel),
            project: &Project::default(),
            cancel,
        };
        let finished = run::run(run, &mut sink).unwrap();
        let ended = Ended {
            finished,
            events: sink.events,
            dir: dir.path().to_owned(),
            calls: self.lab.lines().split_off(calls),
        };
        ended.check(&work);
        ended
    }
}

/// A directory in memory, where there is one: the cache makes everything durable, hundreds of times here.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary directory")
}

/// A sink that remembers.
struct Seen<F> {
    events: Vec<Event>,
    cancel: Cancel,
    on_event: F,
}

impl<F: FnMut(&Event, &Cancel)> EventSink for Seen<F> {
    fn event(&mut self, event: &Stamped) {
        self.events.push(event.event.clone());
        (self.on_event)(&event.event, &self.cancel);
    }

    fn tick(&mut self, _now: u64) {}
}

impl Ended {
    /// What holds for every run, whatever befell it.
    #[track_caller]
    fn check(&self, work: &Workload) {
        assert!(matches!(self.events.first(), Some(Event::RunStarted { .. })));
        let Some(Event::RunFinished { exit_code, tests, .. }) = self.events.last() else {
            panic!("the last event tells the end: {:?}", self.events);
        };
        assert_eq!((*exit_code, tests), (self.finished.exit(), &self.finished.tests));
        if self.finished.defect.is_some() || self.finished.host_failure.is_some() {
            return;
        }
        let told = self.events.iter().filter(|event| tells_a_test(event)).count() as u64;
        assert_eq!(
            told,
            self.finished.tests.values().sum::<u64>(),
            "each test is told of once: {:#?}",
            self.events
        );
        if let Some(Event::RunStarted { tests, .. }) = self.events.first() {
            assert_eq!(told, *tests, "no test is lost: {:#?}", self.events);
        }
        if exit_code.code() == 0 && told > 0 {
            assert!(work.tests.iter().all(|test| !self.results(&test.name).is_empty()));
        }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: u8) -> Self {
        assert_eq!(
            self.finished.exit().code(),
            code,
            "{:?}\n{:#?}",
            self.finished,
            self.events
        );
        self
    }

    /// The results of a test, as they are stored.
    #[track_caller]
    pub(crate) fn results(&self, test: &str) -> Vec<Value> {
        let path = self
            .dir
            .join("tests")
            .join(test.trim_start_matches('/'))
            .join("results.jsonl");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last result of a test in short: `pass`, `infra aborted`.
    #[track_caller]
    pub(crate) fn result(&self, test: &str) -> String {
        let last = self.results(test).pop().expect("every test has a result");
        let word = |key: &str| last[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}", word("status"), word("error")).trim().to_owned()
    }

    /// The note of the last result.
    #[track_caller]
    pub(crate) fn note(&self, test: &str) -> String {
        let last = self.results(test).pop().expect("every test has a result");
        last["note"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn tests(&self, outcome: NodeOutcome) -> u64 {
        self.finished.tests.get(&outcome).copied().unwrap_or_default()
    }

    /// How often a machine started a job: a script's text or a test's name.
    pub(crate) fn starts(&self, job: &str) -> usize {
        let start = format!(": start {job}");
        self.calls.iter().filter(|call| call.ends_with(&start)).count()
    }

    /// What a machine started, in order.
    pub(crate) fn jobs_of(&self, machine: &str) -> Vec<&str> {
        let start = format!("{machine}: start ");
        self.calls.iter().filter_map(|call| call.strip_prefix(&start)).collect()
    }

    /// The notes of a state that SUTs went through.
    pub(crate) fn states(&self, wanted: SutEvent) -> Vec<&str> {
        let mut notes = Vec::new();
        for event in &self.events {
            if let Event::Sut { state, note, .. } = event
                && *state == wanted
            {
                notes.push(note.as_str());
            }
        }
        notes
    }

    pub(crate) fn warnings(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        for event in &self.events {
            if let Event::Warning { text } = event {
                texts.push(text.as_str());
            }
        }
        texts
    }
}

/// Whether it is the last word about a test.
fn tells_a_test(event: &Event) -> bool {
    if matches!(event, Event::NodeFinished { again: true, .. }) {
        return false;
    }
    let (Event::NodeCached { node, .. } | Event::NodeFinished { node, .. } | Event::NodeSkipped { node, .. }) = event
    else {
        return false;
    };
    node.kind() == Kind::Test
}

/// Whether a test has started.
pub(crate) fn started(event: &Event, test: &str) -> bool {
    matches!(event, Event::NodeStarted { node, .. } if node.label() == format!("test {test}"))
}

pub(crate) fn says(text: &str) -> Step {
    Step::Control(text.into())
}

pub(crate) fn unreachable() -> Trouble {
    Trouble::new(TroubleKind::Unreachable, "`one`: no route to host")
}

pub(crate) fn aborted() -> Trouble {
    Trouble::new(TroubleKind::Aborted, "`one`: the connection ended")
}

pub(crate) fn breaks() -> Step {
    Step::Break("unplugged".to_owned())
}

pub(crate) fn graceful(cancel: &Cancel) {
    cancel.raise(Urgency::Graceful);
}
