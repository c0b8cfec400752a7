//! [`SshLink`]: a machine reached by SSH, as a [`Link`].
//!
//! Owns the connection: how it comes about, how often it is tried, and which kind of trouble a failure is.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ssh2::ErrorCode;

use crate::sut::exchange::Patience;
use crate::sut::link::{Link, Process};
use crate::sut::ssh::conn::{Conn, NoLane};
use crate::sut::ssh::dial::{self, NoConnection};
use crate::sut::ssh::exit;
use crate::sut::ssh::login::Login;
use crate::sut::ssh::pace::{Pause, Turn};
use crate::sut::ssh::process::{SharedConn, SshProcess, locked};
use crate::sut::ssh::transport::{Halt, Transport};
use crate::sut::{Cancel, Trouble, TroubleKind, Urgency};

/// How long the programs there may hear nothing before they take the runner for dead. With the seconds that ending a job takes
/// it stays below a minute.
const HEARTBEAT: Duration = Duration::from_secs(45);

/// A machine reached by SSH.
pub struct SshLink {
    login: Login,
    cancel: Cancel,
    conn: Option<SharedConn>,
}

/// One try to connect that failed.
struct Failed {
    trouble: Trouble,
    /// Whether another try may go better although the machine is there.
    busy: bool,
}

impl SshLink {
    /// Makes a link; nothing is connected yet.
    pub fn new(login: Login, cancel: Cancel) -> Self {
        Self {
            login,
            cancel,
            conn: None,
        }
    }

    fn trouble(&self, kind: TroubleKind, what: impl std::fmt::Display) -> Trouble {
        Trouble::new(kind, format!("`{}`: {what}", self.login.name))
    }

    fn cancelled(&self) -> Trouble {
        self.trouble(TroubleKind::Cancelled, "cancelled")
    }

    fn no_answer(&self) -> Trouble {
        let place = self.place();
        let seconds = self.login.connect_timeout.as_secs();
        self.trouble(
            TroubleKind::Unreachable,
            format!("no answer from {place} within {seconds} s"),
        )
    }

    /// Host and port, for people.
    fn place(&self) -> String {
        let Login { host, port, .. } = &self.login;
        format!("`{host}` port {port}")
    }

    /// Tries once, as long as the login allows.
    fn attempt(&self, patience: &Patience<'_>) -> Result<Conn, Failed> {
        let hopeless = |trouble| Failed { trouble, busy: false };
        let Login { host, port, .. } = &self.login;
        let _turn = Turn::wait(host, *port, patience).map_err(|halt| hopeless(self.halted(halt)))?;
        let limit = Instant::now() + self.login.connect_timeout;
        let patience = Patience {
            until: Some(patience.until.map_or(limit, |until| until.min(limit))),
            ..*patience
        };
        let socket = dial::dial(host, *port, self.login.dead_after, &patience)
            .map_err(|error| hopeless(self.not_connected(error)))?;
        let transport = Transport::over(socket).map_err(|error| hopeless(self.halted(error.into())))?;
        // A server that has enough of connections drops them before it says anything.
        transport.handshake(&patience).map_err(|halt| Failed {
            busy: matches!(&halt, Halt::Failed(error) if dropped(error)),
            trouble: self.halted(halt),
        })?;
        let user = &self.login.user;
        for identity in &self.login.identities {
            transport
                .drive(&patience, |session| {
                    session.userauth_pubkey_file(user, None, &identity.file, None)
                })
                .map_err(|halt| hopeless(self.halted(halt)))?;
        }
        Ok(Conn::new(transport, self.login.dead_after))
    }

    fn not_connected(&self, error: NoConnection) -> Trouble {
        let place = self.place();
        match error {
            NoConnection::Unknown(error) => self.trouble(
                TroubleKind::Unreachable,
                format!("there is no address for `{}`: {error}", self.login.host),
            ),
            NoConnection::Failed(error) => self.trouble(
                TroubleKind::Unreachable,
                format!("cannot connect to {place}: {}", told(&error)),
            ),
            NoConnection::TimedOut => self.no_answer(),
            NoConnection::Cancelled => self.cancelled(),
        }
    }

    fn halted(&self, halt: Halt) -> Trouble {
        match halt {
            Halt::TimedOut => self.no_answer(),
            Halt::Cancelled => self.cancelled(),
            Halt::Failed(error) => {
                let place = self.place();
                let what = match dropped(&error) {
                    true => "the connection was closed by the other side",
                    false => error.message(),
                };
                self.trouble(TroubleKind::Unreachable, format!("cannot connect to {place}: {what}"))
            }
        }
    }
}

/// What an error says, without the system's number.
fn told(error: &std::io::Error) -> String {
    error.to_string().to_lowercase()
}

/// Whether the other side closed the connection.
fn dropped(error: &ssh2::Error) -> bool {
    matches!(error.code(), ErrorCode::Session(-2 | -5 | -7 | -8 | -13 | -43))
}

impl Link for SshLink {
    fn name(&self) -> &str {
        &self.login.name
    }

    fn connect(&mut self, until: Option<Instant>) -> Result<(), Trouble> {
        self.conn = None;
        let cancel = self.cancel.clone();
        let patience = Patience {
            cancel: &cancel,
            known: Urgency::None,
            until,
        };
        let mut pause = Pause::new();
        let mut busy_since = None;
        loop {
            let failed = match self.attempt(&patience) {
                Ok(conn) => {
                    self.conn = Some(Arc::new(Mutex::new(conn)));
                    return Ok(());
                }
                Err(failed) => failed,
            };
            let since = *busy_since.get_or_insert_with(Instant::now);
            let again = failed.trouble.kind == TroubleKind::Unreachable
                && (until.is_some() || failed.busy && since.elapsed() < self.login.connect_timeout);
            if !again {
                return Err(failed.trouble);
            }
            match pause.sleep(&patience) {
                Ok(()) => {}
                Err(Halt::Cancelled) => return Err(self.cancelled()),
                Err(_) => return Err(failed.trouble),
            }
        }
    }

    fn spawn(&mut self) -> Result<Box<dyn Process>, Trouble> {
        let Some(conn) = &self.conn else {
            return Err(self.trouble(TroubleKind::Aborted, "there is no connection"));
        };
        let patience = Patience {
            cancel: &self.cancel,
            known: self.cancel.urgency(),
            until: Some(Instant::now() + self.login.dead_after),
        };
        let lane = locked(conn).spawn(exit::command(self.login.sudo), &patience);
        match lane {
            Ok(lane) => Ok(Box::new(SshProcess::new(Arc::clone(conn), lane))),
            Err(NoLane::Lost(why)) => Err(self.trouble(TroubleKind::Aborted, format!("the connection ended ({why})"))),
            Err(NoLane::Refused(why)) => {
                let trouble = self.trouble(
                    TroubleKind::Setup,
                    format!("the server opens no further channel: {why}"),
                );
                Err(trouble.with_hint("`MaxSessions` of the server must be 4 at least"))
            }
            Err(NoLane::TimedOut) => Err(self.trouble(TroubleKind::Aborted, "no answer in time")),
            Err(NoLane::Cancelled) => Err(self.cancelled()),
        }
    }

    fn heartbeat(&self) -> Option<Duration> {
        Some(HEARTBEAT)
    }

    fn disconnect(&mut self) {
        self.conn = None;
    }
}
