//! Tests of defects in atex itself, such as a worker that panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::mock::Mock;
use atex::event::NodeOutcome;
use atex::sut::{
    Cancel, Channel, Daemon, EnvFile, Hello, Inventory, Job, JobKind, OnHeld, Reads, Room, Sut, SutState, SyncMode,
    Synced, Trouble, Upload, Watch,
};

use crate::exec_mock::bench::{Bench, Ended, bench};

/// When a machine whose code has a defect panics.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Opened,
    TestStarted,
}

/// A machine whose code has a defect, or one that is there once the other has panicked: else it may have done all the work before.
struct Panics {
    inner: Mock,
    when: Option<When>,
    panicked: Arc<AtomicBool>,
}

impl Panics {
    fn comes(&self, now: When) {
        if self.when == Some(now) {
            self.panicked.store(true, Ordering::SeqCst);
            panic!("on purpose, by a test");
        }
    }
}

impl Sut for Panics {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn watch(&mut self, watch: Box<dyn Watch>) {
        self.inner.watch(watch);
    }

    fn inventory(&self) -> Result<Inventory, Trouble> {
        self.inner.inventory()
    }

    fn look(&mut self) -> Result<Hello, Trouble> {
        self.inner.look()
    }

    fn remove(&mut self) -> Result<(), Trouble> {
        self.inner.remove()
    }

    fn open(&mut self, on_held: OnHeld, notice: &mut dyn FnMut(String)) -> Result<Hello, Trouble> {
        self.comes(When::Opened);
        let until = Instant::now() + Duration::from_mins(1);
        while self.when.is_none() && !self.panicked.load(Ordering::SeqCst) {
            assert!(Instant::now() < until, "the other one does not panic");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.inner.open(on_held, notice)
    }

    fn reopen(&mut self, until: Instant) -> Result<Hello, Trouble> {
        self.inner.reopen(until)
    }

    fn sync(&mut self, upload: &Upload, mode: SyncMode) -> Result<Synced, Trouble> {
        self.inner.sync(upload, mode)
    }

    fn adopt(&mut self, slot: &str, step: usize) -> Result<(), Trouble> {
        self.inner.adopt(slot, step)
    }

    fn reads(&mut self, slot: &str) -> Result<Option<Reads>, Trouble> {
        self.inner.reads(slot)
    }

    fn blind(&mut self) -> Result<Option<String>, Trouble> {
        self.inner.blind()
    }

    fn reserve(&mut self, room: Room) -> Result<(), Trouble> {
        self.inner.reserve(room)
    }

    fn unmount(&mut self) -> Result<String, Trouble> {
        self.inner.unmount()
    }

    fn daemons(&mut self) -> Result<Vec<Daemon>, Trouble> {
        self.inner.daemons()
    }

    fn end_daemons(&mut self, from: usize) -> Result<(), Trouble> {
        self.inner.end_daemons(from)
    }

    fn slots(&mut self) -> Result<Vec<(String, u64)>, Trouble> {
        self.inner.slots()
    }

    fn rewind_env_file(&mut self, project: &str, step: usize) -> Result<bool, Trouble> {
        self.inner.rewind_env_file(project, step)
    }

    fn reset_env_file(&mut self, project: &str, which: EnvFile) -> Result<(), Trouble> {
        self.inner.reset_env_file(project, which)
    }

    fn start(&mut self, job: &Job) -> Result<Box<dyn Channel>, Trouble> {
        if let JobKind::Test { .. } = job.kind {
            self.comes(When::TestStarted);
        }
        self.inner.start(job)
    }

    fn set_state(&mut self, state: &SutState) -> Result<(), Trouble> {
        self.inner.set_state(state)
    }

    fn close(&mut self) {
        self.inner.close();
    }
}

/// Runs on `one`, which panics, and `two`, which does not.
fn run(bench: &Bench, when: When) -> Ended {
    let panicked = Arc::new(AtomicBool::new(false));
    let machines = |cancel: &Cancel| -> Vec<Box<dyn Sut>> {
        let machine = |name, when| Panics {
            inner: bench.lab.machine(name, cancel),
            when,
            panicked: Arc::clone(&panicked),
        };
        vec![Box::new(machine("one", Some(when))), Box::new(machine("two", None))]
    };
    bench.run_on(machines, |_, _| ()).exits(5)
}

#[test]
fn a_defect_in_one_worker_is_5_and_the_other_sut_does_its_work_and_is_let_go() {
    let bench = bench(2).on(&["one", "two"]);
    let ended = run(&bench, When::Opened);
    assert!(
        ended
            .finished
            .defect
            .as_ref()
            .is_some_and(|defect| defect.contains("`one`")),
        "{:?}",
        ended.finished
    );
    assert_eq!(ended.calls.last().unwrap(), "two: close");
    assert_eq!(
        (ended.result("/t1"), ended.result("/t2")),
        ("pass".into(), "pass".into())
    );
}

#[test]
fn a_test_whose_worker_panicked_has_a_result_all_the_same() {
    let bench = bench(6).on(&["one", "two"]);
    let ended = run(&bench, When::TestStarted);
    assert_eq!(ended.tests(NodeOutcome::Pass) + ended.tests(NodeOutcome::Infra), 6);
    for number in 1..=6 {
        let result = ended.result(&format!("/t{number}"));
        assert!(["pass", "infra aborted"].contains(&result.as_str()), "{result}");
    }
}
