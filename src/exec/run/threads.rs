//! The threads of a run: one worker for each SUT, and a few recorders. They are started here, and end when the run is over.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};

use crate::exec::record::recorder::{self, RecorderHandle};
use crate::exec::run::event_loop::Workers;
use crate::exec::run::messages::{Message, Outbox, WorkerMessage};
use crate::exec::run::shared::Shared;
use crate::exec::run::{Finished, RunError};
use crate::exec::schedule::{Schedule, SutId};
use crate::exec::worker::{Order, Worker};
use crate::sut::trouble::without_os_numbers;
use crate::sut::{BaseIdentity, Sut};

/// How many messages can wait for the event loop before workers have to wait.
const BACKLOG: usize = 1024;

/// The stack size of a worker thread, in bytes.
const STACK: usize = 512 * 1024;

/// How many threads and processes one machine needs at most.
const TAKES: usize = 8;

/// Starts a worker for each SUT, and ends them when `drive` returns. `drive` drops the receiver of their messages, so a worker that
/// is still busy then waits for nobody. A SUT for which no thread can be started takes no part; if none can be started, that is an error.
pub(super) fn with_workers(
    shared: &Shared<'_>,
    suts: Vec<Box<dyn Sut>>,
    expected: &[BaseIdentity],
    schedule: Schedule,
    drive: impl FnOnce(Workers<'_>, Receiver<Message>) -> Finished,
) -> Result<Finished, RunError> {
    let (sender, messages) = mpsc::sync_channel(BACKLOG);
    std::thread::scope(|scope| {
        let mut recorders = Vec::new();
        for number in 0..recorder::MOST.min(suts.len().max(1)) {
            let (way, tasks) = recorder::way();
            let thread = std::thread::Builder::new().name(format!("recorder-{number}"));
            let thread = thread.stack_size(STACK);
            match thread.spawn_scoped(scope, move || recorder::serve(shared, &tasks)) {
                Ok(_) => recorders.push(way),
                Err(error) if recorders.is_empty() => return Err(RunError::Threads(error)),
                Err(_) => break,
            }
        }
        let start_worker = |id: SutId, sut: Box<dyn Sut>| -> io::Result<Sender<Order>> {
            let known = expected.get(id.0 as usize).or(expected.first());
            let expected = known.cloned().ok_or(io::ErrorKind::InvalidInput)?;
            let (order, inbox) = mpsc::channel();
            let outbox = Outbox {
                sut: id,
                sender: sender.clone(),
            };
            let records = RecorderHandle(recorders[id.0 as usize % recorders.len()].clone());
            let worker = Worker::new(shared, sut, expected, outbox, records);
            let thread = std::thread::Builder::new()
                .name(format!("sut-{}", id.0))
                .stack_size(STACK);
            thread.spawn_scoped(scope, move || serve(worker, &inbox))?;
            Ok(order)
        };
        let names: Vec<String> = suts.iter().map(|sut| sut.name().to_owned()).collect();
        let started: Vec<io::Result<Sender<Order>>> = suts
            .into_iter()
            .zip(0..)
            .map(|(sut, index)| start_worker(SutId(index), sut))
            .collect();
        let mut left = started.iter().filter(|started| started.is_ok()).count();
        if left < started.len() {
            // All threads that are allowed are in use now, and what runs on this host needs processes too.
            left = left.div_ceil(TAKES);
        }
        let mut orders = Vec::with_capacity(started.len());
        for (started, name) in started.into_iter().zip(names) {
            let why = match started {
                Ok(way) if left > 0 => {
                    left -= 1;
                    orders.push(Ok(way));
                    continue;
                }
                Ok(_) => "the other ones need the processes that may be started here".to_owned(),
                Err(error) if left == 0 && orders.iter().all(Result::is_err) => return Err(RunError::Threads(error)),
                Err(error) => format!("cannot start a thread: {error}"),
            };
            orders.push(Err(without_os_numbers(&format!("`{name}` takes no part: {why}"))));
        }
        let workers = Workers {
            schedule,
            orders,
            start_worker: &start_worker,
        };
        Ok(drive(workers, messages))
    })
}

/// Runs a worker so that its panic becomes a message: the run must end, and the other SUTs must be released.
fn serve(worker: Worker<'_>, inbox: &Receiver<Order>) {
    let (outbox, name) = (worker.outbox.clone(), worker.sut.name().to_owned());
    let served = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| worker.serve(inbox)));
    if served.is_err() {
        outbox.send(WorkerMessage::Panicked(name));
    }
}
