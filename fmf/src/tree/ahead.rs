//! Reads and parses files in parallel before they are needed, but only a limited number of files ahead.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::grow;
use super::heap;
use super::metadata::ReadFile;
use super::walk::Walk;
use crate::value::Value;

/// How many files may be parsed and not used yet.
const WINDOW: usize = 24;

/// A file that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) value: Value,
    pub(super) digest: blake3::Hash,
    /// Whether several places of the document refer to one mapping.
    pub(super) shared: bool,
}

/// The files to read, in the order in which they will be needed.
#[derive(Debug)]
pub(super) struct Ahead<'w> {
    walk: &'w Walk,
    order: &'w [usize],
    state: Mutex<State>,
    /// Is notified when a file was parsed, or when the end has come.
    parsed: Condvar,
    /// Is notified when a file was used, or when the end has come.
    used: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many files some thread has started to read.
    started: usize,
    /// How many files were used.
    used: usize,
    /// The parsed files by their position in the order, or `None` for a file that cannot be read.
    ready: HashMap<usize, Option<Parsed>>,
    ended: bool,
}

/// Ends everything when it is dropped, also if a thread panics.
struct End<'a, 'w>(&'a Ahead<'w>);

impl Drop for End<'_, '_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.parsed.notify_all();
        self.0.used.notify_all();
    }
}

/// Calls `consume`, while other threads read the files in `order`.
pub(super) fn reading<T>(
    walk: &Walk,
    order: &[usize],
    read: &ReadFile<'_>,
    consume: impl FnOnce(&Ahead<'_>) -> T,
) -> T {
    let ahead = Ahead {
        walk,
        order,
        state: Mutex::default(),
        parsed: Condvar::new(),
        used: Condvar::new(),
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(order.len());
    thread::scope(|scope| {
        let _end = End(&ahead);
        for _ in 0..threads {
            let thread = thread::Builder::new().name("parser".to_owned());
            let started = thread.spawn_scoped(scope, || ahead.work(read));
            if started.is_err() {
                // If a thread cannot be started, the other threads read the files, or the files are read when they are needed.
                break;
            }
        }
        consume(&ahead)
    })
}

impl Ahead<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, read: &ReadFile<'_>) {
        let end = End(self);
        while let Some(at) = self.next() {
            let parsed = self.parse(self.order[at], read);
            self.lock().ready.insert(at, parsed);
            self.parsed.notify_all();
        }
        std::mem::forget(end);
    }

    /// Returns the next file to read, once there is room for it.
    fn next(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.ended || state.started == self.order.len() {
                return None;
            }
            if state.started < state.used + WINDOW {
                state.started += 1;
                return Some(state.started - 1);
            }
            state = self.used.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn parse(&self, file: usize, read: &ReadFile<'_>) -> Option<Parsed> {
        let relative = &self.walk.files[file];
        let (bytes, digest) = read(relative, &self.walk.root.join(relative)).ok()?;
        let value = grow::parse(relative, &bytes, self.walk.number(file)).ok()?;
        let shared = match &value {
            Value::Map(map) => map.identity != 0 || heap::has_identity(map),
            _ => false,
        };
        Some(Parsed { value, digest, shared })
    }

    /// Waits for a file, which must be the next one in the order. Returns `None` if it cannot be read.
    pub(super) fn take(&self, file: usize) -> Option<Parsed> {
        let mut state = self.lock();
        let at = state.used;
        if self.order.get(at) != Some(&file) {
            return None;
        }
        loop {
            if let Some(parsed) = state.ready.remove(&at) {
                state.used += 1;
                drop(state);
                self.used.notify_one();
                return parsed;
            }
            if state.ended {
                return None;
            }
            state = self.parsed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
