//! [`SshLink`]: a machine reached by SSH, as a [`Link`].
//!
//! It owns the connection: how it is made, how often it is tried, and which kind of trouble a failure is.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::sut::agent::link::child::ChildLink;
use crate::sut::agent::link::{Link, Process};
use crate::sut::agent::timeouts::WaitLimits;
use crate::sut::kind::ssh::connect::throttle::Pause;
use crate::sut::kind::ssh::connect::transport::{Halt, Transport};
use crate::sut::kind::ssh::connect::{approach, connect, go_on};
use crate::sut::kind::ssh::connection::SshConnection;
use crate::sut::kind::ssh::login::{Login, Via};
use crate::sut::kind::ssh::process::{SharedConnection, SshProcess, locked};
use crate::sut::kind::ssh::{ansible, bash_command};
use crate::sut::{Cancel, Inventory, Trouble, TroubleKind, Urgency};

/// How long the programs on the machine may hear nothing before they take the runner for dead. The agent waits for that time
/// once more after the job was ended, so all is over within a minute.
const HEARTBEAT: Duration = Duration::from_secs(21);

/// The stack size of the thread that approaches a machine.
const STACK: usize = 512 * 1024;

/// How many times longer a login may take than a connection: a machine on which hundreds log in at once is slow.
const LOGIN_TIMES: u32 = 4;

/// A machine reached by SSH.
pub struct SshLink {
    login: Login,
    cancel: Cancel,
    /// The thread that connects ahead, up to the key exchange.
    approach: Option<JoinHandle<Option<Transport>>>,
    conn: Option<SharedConnection>,
}

impl SshLink {
    /// Makes a link. Nothing is connected yet.
    pub fn new(login: Login, cancel: Cancel) -> Self {
        Self {
            login,
            cancel,
            approach: None,
            conn: None,
        }
    }

    fn trouble(&self, kind: TroubleKind, what: impl std::fmt::Display) -> Trouble {
        Trouble::new(kind, format!("`{}`: {what}", self.login.name))
    }

    fn cancelled(&self) -> Trouble {
        self.trouble(TroubleKind::Cancelled, "cancelled")
    }

    /// Returns the link that uses the `ssh` client over the user's master connection.
    fn client(&self, control_path: &Path) -> ChildLink {
        let Login {
            name,
            host,
            port,
            user,
            sudo,
            ..
        } = &self.login;
        let words = ["ssh", "-T", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-S"];
        let mut command: Vec<OsString> = words.map(OsString::from).to_vec();
        command.push(control_path.into());
        command.extend(["-p", &port.to_string(), "-l", user, "--", host].map(OsString::from));
        command.push(bash_command::plain_command(*sudo).into());
        ChildLink::running(name, command, Some(HEARTBEAT))
    }
}

impl Link for SshLink {
    fn inventory(&self) -> Result<Inventory, Trouble> {
        ansible::inventory(&self.login)
    }

    fn name(&self) -> &str {
        &self.login.name
    }

    fn approach(&mut self) {
        // On the way through other machines, somebody may be asked for their keys' passphrases.
        if !matches!(self.login.via, Via::Direct) {
            return;
        }
        let (login, cancel) = (self.login.clone(), self.cancel.clone());
        let go = move || {
            let limits = WaitLimits {
                cancel: &cancel,
                known: Urgency::None,
                until: None,
            };
            // A failure is dropped here: whoever needs the connection tries again, and reports why it fails.
            approach(&login, &limits).ok()
        };
        let thread = thread::Builder::new().name("approach".to_owned()).stack_size(STACK);
        self.approach = thread.spawn(go).ok();
    }

    fn connect(&mut self, until: Option<Instant>) -> Result<(), Trouble> {
        self.conn = None;
        if let Via::ControlPath(_) = self.login.via {
            return Ok(());
        }
        let cancel = self.cancel.clone();
        let limits = WaitLimits {
            cancel: &cancel,
            known: Urgency::None,
            until,
        };
        let mut pause = Pause::new();
        let first = Instant::now();
        let mut approached = self.approach.take().and_then(|thread| thread.join().ok().flatten());
        loop {
            let connected = match approached.take() {
                Some(transport) => go_on(&self.login, transport, &limits),
                None => connect(&self.login, &limits),
            };
            let failed = match connected {
                Ok(transport) => {
                    let conn = SshConnection::new(transport, self.login.dead_after);
                    self.conn = Some(Arc::new(Mutex::new(conn)));
                    return Ok(());
                }
                Err(failed) => failed,
            };
            let patient = until.is_some() || failed.dropped && first.elapsed() < self.login.connect_timeout;
            if !patient || failed.trouble.kind != TroubleKind::Unreachable {
                return Err(failed.trouble);
            }
            match pause.sleep(&limits) {
                Ok(()) => {}
                Err(Halt::Cancelled) => return Err(self.cancelled()),
                Err(_) => return Err(failed.trouble),
            }
        }
    }

    fn spawn(&mut self) -> Result<Box<dyn Process>, Trouble> {
        if let Via::ControlPath(path) = &self.login.via {
            return self.client(path).spawn();
        }
        let Some(conn) = &self.conn else {
            return Err(self.trouble(TroubleKind::Aborted, "there is no connection"));
        };
        let mut held = locked(conn);
        if let Some(why) = held.lost() {
            return Err(self.trouble(TroubleKind::Aborted, format!("the connection ended ({why})")));
        }
        let lane = held.spawn(bash_command::command(self.login.sudo));
        Ok(Box::new(SshProcess::new(Arc::clone(conn), lane)))
    }

    fn login_time(&self) -> Duration {
        self.login.connect_timeout.saturating_mul(LOGIN_TIMES)
    }

    fn heartbeat(&self) -> Option<Duration> {
        Some(HEARTBEAT)
    }

    fn dead_after(&self) -> Option<Duration> {
        Some(self.login.dead_after)
    }

    fn can_reboot(&self) -> bool {
        // A control socket of the user's own is gone with its connection.
        !matches!(self.login.via, Via::ControlPath(_))
    }

    fn is_far(&self) -> bool {
        !matches!(self.login.via, Via::ControlPath(_))
    }

    fn disconnect(&mut self) {
        self.conn = None;
    }
}
