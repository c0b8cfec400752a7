//! The record of a test that passed, which is written while the next test of its SUT runs already.
//!
//! Durable records cost several writes that the disk must confirm, and nobody waits for them: until the record is there the claim
//! of its node is held, and who is killed before has run the test for nothing. So at most one test of each SUT is unrecorded. A
//! test that failed is recorded before anybody hears of it, because it may be claimed again by the same run.

use std::path::PathBuf;
use std::time::Duration;

use atex_cache::Ticket;

use crate::exec::recording::{self, Ran};
use crate::exec::shared::What;
use crate::exec::worker::Worker;
use crate::sut::trouble::without_os_numbers;

/// How long the next order is waited for before the disk is.
pub(crate) const LULL: Duration = Duration::from_millis(5);

/// A test that passed and has no record yet.
pub(crate) struct Unrecorded {
    pub(crate) ticket: Ticket,
    pub(crate) ran: Ran,
    /// The directory with all that it left.
    pub(crate) dir: PathBuf,
}

impl<'a> Worker<'a> {
    /// Takes what is to be done while a test runs: writing the record of the one before.
    pub(crate) fn catching_up(&mut self) -> impl FnOnce() + use<'a> {
        let (shared, outbox, last) = (self.shared, self.outbox.clone(), self.unrecorded.take());
        move || {
            let Some(Unrecorded { ticket, ran, dir }) = last else {
                return;
            };
            if let Err(error) = recording::test(shared, ticket, ran, &dir) {
                outbox.send(What::HostFailed(without_os_numbers(&error.to_string())));
            }
        }
    }

    /// Writes the record of the last test, if it is not there yet.
    pub(crate) fn catch_up(&mut self) {
        self.catching_up()();
    }
}
