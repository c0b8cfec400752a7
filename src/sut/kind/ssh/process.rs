//! A command over SSH as a [`Process`].

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::sut::agent::link::{Exit, Interest, Process};
use crate::sut::kind::ssh::connection::{Conn, LaneId};

/// A session that its processes share. All of them belong to one worker thread, so nobody ever waits for the lock.
pub(crate) type SharedConn = Arc<Mutex<Conn>>;

/// Locks a session. A worker that panicked left it as it was: its state is libssh2's, and the worst is a lost connection.
pub(crate) fn locked(conn: &SharedConn) -> MutexGuard<'_, Conn> {
    conn.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running command.
pub(crate) struct SshProcess {
    conn: SharedConn,
    lane: LaneId,
}

impl SshProcess {
    pub(crate) fn new(conn: SharedConn, lane: LaneId) -> Self {
        Self { conn, lane }
    }
}

impl Process for SshProcess {
    fn wait(
        &mut self,
        interest: Interest,
        until: Option<Instant>,
        alarm: Option<BorrowedFd<'_>>,
    ) -> io::Result<Interest> {
        Ok(locked(&self.conn).wait(self.lane, interest, until, alarm))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        locked(&self.conn).write(self.lane, bytes)
    }

    fn read_stdout(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        locked(&self.conn).read(self.lane, 0, buffer)
    }

    fn read_stderr(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        locked(&self.conn).read(self.lane, 1, buffer)
    }

    fn close(&mut self) {
        locked(&self.conn).close(self.lane, false);
    }

    fn exit(&mut self) -> Option<Exit> {
        locked(&self.conn).exit(self.lane)
    }

    /// Closes its streams, as all that can be done from here: SSH servers deliver no signals.
    fn kill(&mut self) {
        self.close();
    }
}

impl Drop for SshProcess {
    fn drop(&mut self) {
        locked(&self.conn).close(self.lane, true);
    }
}
