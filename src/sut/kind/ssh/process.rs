//! [`SshProcess`]: a command that runs over SSH, as a [`Process`].

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::sut::agent::link::{Interest, Process, ProcessExit};
use crate::sut::kind::ssh::connection::{CommandId, SshConnection};

/// A session that its processes share. All of them belong to one worker thread, so nobody ever waits for the lock.
pub(crate) type SharedConnection = Arc<Mutex<SshConnection>>;

/// Locks a session. A panic of the worker does not matter: the session's state is libssh2's, and at worst the connection is
/// lost.
pub(crate) fn locked(conn: &SharedConnection) -> MutexGuard<'_, SshConnection> {
    conn.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct SshProcess {
    conn: SharedConnection,
    command: CommandId,
}

impl SshProcess {
    pub(crate) fn new(conn: SharedConnection, command: CommandId) -> Self {
        Self { conn, command }
    }
}

impl Process for SshProcess {
    fn wait(
        &mut self,
        interest: Interest,
        until: Option<Instant>,
        alarm: Option<BorrowedFd<'_>>,
    ) -> io::Result<Interest> {
        Ok(locked(&self.conn).wait(self.command, interest, until, alarm))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        locked(&self.conn).write(self.command, bytes)
    }

    fn read_stdout(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        locked(&self.conn).read(self.command, 0, buffer)
    }

    fn read_stderr(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        locked(&self.conn).read(self.command, 1, buffer)
    }

    fn close(&mut self) {
        locked(&self.conn).close(self.command, false);
    }

    fn exit(&mut self) -> Option<ProcessExit> {
        locked(&self.conn).exit(self.command)
    }

    /// Closes the streams. That is all that can be done from here, since SSH servers deliver no signals.
    fn kill(&mut self) {
        self.close();
    }
}

impl Drop for SshProcess {
    fn drop(&mut self) {
        locked(&self.conn).close(self.command, true);
    }
}
