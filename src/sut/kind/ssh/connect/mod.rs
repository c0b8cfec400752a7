//! Connects and logs in over SSH, once: from a [`Login`] to a session that is ready.
//!
//! This module knows the order of the steps (a turn, a socket, the key exchange, the host key, the login) and which kind of
//! trouble a failure is. The link decides how often it is tried.

use std::time::{Duration, Instant};

use ssh2::Session;

use crate::sut::agent::timeouts::WaitLimits;
use crate::sut::kind::ssh::auth::{self, Waiting};
use crate::sut::kind::ssh::connect::proxy::Proxy;
use crate::sut::kind::ssh::connect::tcp::NoConnection;
use crate::sut::kind::ssh::connect::throttle::Turn;
use crate::sut::kind::ssh::connect::transport::{Halt, Transport, was_closed};
use crate::sut::kind::ssh::host_key::KnownHost;
use crate::sut::kind::ssh::login::{Login, Via};
use crate::sut::{Cancel, Trouble, TroubleKind};

pub(super) mod algorithms;
mod proxy;
mod server_offer;
mod tcp;
pub(super) mod throttle;
pub(super) mod transport;

/// The hint where a server offers no algorithm that atex has.
const OTHER_ALGORITHMS: &str = "the server must offer one more of them (`KexAlgorithms`, `HostKeyAlgorithms`, `Ciphers`, `MACs` in its \
                                `sshd_config`), or the target is reached by the `ssh` client (`control_path`)";

/// A failed attempt to connect.
pub(crate) struct ConnectError {
    /// The failure.
    pub(crate) trouble: Trouble,
    /// Whether the machine was reached but dropped the connection: it may have too many connections at this time.
    pub(crate) dropped: bool,
}

impl From<Trouble> for ConnectError {
    fn from(trouble: Trouble) -> Self {
        Self {
            trouble,
            dropped: false,
        }
    }
}

/// Connects and logs in, for as long as the login and `limits` allow.
pub(crate) fn connect(login: &Login, limits: &WaitLimits<'_>) -> Result<Transport, ConnectError> {
    let _turn = turn(login, limits)?;
    let limits = within(login, limits);
    let known = KnownHost::read(login)?;
    let transport = greet(login, &known, &limits)?;
    log_in(login, &known, transport, limits)
}

/// Connects up to the key exchange, the last step before somebody may be asked, or a key trusted or remembered.
pub(crate) fn approach(login: &Login, limits: &WaitLimits<'_>) -> Result<Transport, ConnectError> {
    let _turn = turn(login, limits)?;
    greet(login, &KnownHost::read(login)?, &within(login, limits))
}

/// Continues after [`approach`], to the same result as [`connect`].
pub(crate) fn go_on(login: &Login, transport: Transport, limits: &WaitLimits<'_>) -> Result<Transport, ConnectError> {
    log_in(login, &KnownHost::read(login)?, transport, within(login, limits))
}

fn turn(login: &Login, limits: &WaitLimits<'_>) -> Result<Turn, ConnectError> {
    let turn = Turn::wait(&login.host, login.port, limits);
    Ok(turn.map_err(|halt| Attempt { login }.halted(halt))?)
}

/// Returns `limits`, shortened to the time that a connection may take.
fn within<'a>(login: &Login, limits: &WaitLimits<'a>) -> WaitLimits<'a> {
    limits.at_most(Instant::now() + login.connect_timeout)
}

/// Connects, and exchanges keys.
fn greet(login: &Login, known: &KnownHost<'_>, limits: &WaitLimits<'_>) -> Result<Transport, ConnectError> {
    let attempt = Attempt { login };
    let transport = attempt.reach(limits)?;
    known.prefer(&transport.session)?;
    match transport.handshake(limits) {
        Ok(()) => Ok(transport),
        Err(Halt::Failed(error)) if agrees_on_nothing(&error) => {
            let trouble = attempt.halted(Halt::Failed(error));
            drop(transport);
            Err(attempt.with_offer(trouble, known, limits).into())
        }
        Err(halt) => Err(ConnectError {
            dropped: matches!(&halt, Halt::Failed(error) if was_closed(error)),
            trouble: attempt.halted(halt),
        }),
    }
}

/// Whether the two sides have no algorithm in common, or keys could not be exchanged (`LIBSSH2_ERROR_KEX_FAILURE` and
/// libssh2's error for methods).
fn agrees_on_nothing(error: &ssh2::Error) -> bool {
    matches!(error.code(), ssh2::ErrorCode::Session(-5 | -33))
}

/// Checks the host key, and logs in.
fn log_in(
    login: &Login,
    known: &KnownHost<'_>,
    transport: Transport,
    limits: WaitLimits<'_>,
) -> Result<Transport, ConnectError> {
    known.check(&transport.session)?;
    let attempt = Attempt { login };
    let mut waiting = Wait {
        attempt: &attempt,
        transport: &transport,
        limits,
    };
    auth::log_in(&transport.session, login, &mut waiting).map_err(|trouble| ConnectError {
        dropped: trouble.kind == TroubleKind::Unreachable && Some(Instant::now()) < limits.until,
        // For those who wait for the machine, it makes no difference whether it is away or lets nobody in.
        trouble: Trouble {
            kind: if trouble.kind == TroubleKind::Setup {
                TroubleKind::Unreachable
            } else {
                trouble.kind
            },
            ..trouble
        },
    })?;
    Ok(transport)
}

struct Attempt<'a> {
    login: &'a Login,
}

impl Attempt<'_> {
    /// Gets a socket that leads to the machine, and makes a session on it.
    fn reach(&self, limits: &WaitLimits<'_>) -> Result<Transport, ConnectError> {
        let Login { host, port, .. } = self.login;
        let (socket, proxy) = match &self.login.via {
            Via::Direct | Via::ControlPath(_) => {
                let socket = tcp::dial(host, *port, self.login.dead_after, limits);
                (socket.map_err(|error| self.not_connected(error))?, None)
            }
            Via::Command(command) => {
                let started = proxy::command(command);
                let (socket, proxy) =
                    started.map_err(|error| self.unreachable(format!("cannot run `{command}`: {error}")))?;
                (socket, Some(proxy))
            }
            Via::Jump(jump) => {
                let (socket, proxy) = self.jump(jump, limits)?;
                (socket, Some(proxy))
            }
        };
        Ok(Transport::over(socket, proxy).map_err(|error| self.halted(error.into()))?)
    }

    /// Connects to the machine that is jumped through, and from there to this one.
    fn jump(&self, jump: &Login, limits: &WaitLimits<'_>) -> Result<(std::os::fd::OwnedFd, Proxy), ConnectError> {
        let through = |trouble: Trouble| Trouble {
            message: format!("`{}`: through {}", self.login.name, trouble.message),
            ..trouble
        };
        let transport = connect(jump, limits).map_err(|failed| ConnectError {
            trouble: through(failed.trouble),
            ..failed
        })?;
        let (host, port) = (&self.login.host, self.login.port);
        let channel = transport.drive(limits, |session| session.channel_direct_tcpip(host, port, None));
        let channel = channel.map_err(|halt| match halt {
            Halt::Failed(error) => self.unreachable(format!("`{}` does not reach it: {}", jump.name, error.message())),
            halt => self.halted(halt),
        })?;
        let pumped = proxy::channel(transport, channel);
        Ok(pumped.map_err(|error| self.unreachable(format!("cannot go through `{}`: {error}", jump.name)))?)
    }

    /// Adds to a failed key exchange what the server offers.
    fn with_offer(&self, trouble: Trouble, known: &KnownHost<'_>, limits: &WaitLimits<'_>) -> Trouble {
        let offer = || {
            let transport = self.reach(limits).ok()?;
            known.prefer(&transport.session).ok()?;
            server_offer::difference(&transport, limits)
        };
        let Some(offer) = offer() else { return trouble };
        let message = format!("{}: {offer}", trouble.message);
        Trouble { message, ..trouble }.with_hint(OTHER_ALGORITHMS)
    }

    fn trouble(&self, kind: TroubleKind, what: impl std::fmt::Display) -> Trouble {
        Trouble::new(kind, format!("`{}`: {what}", self.login.name))
    }

    fn unreachable(&self, what: impl std::fmt::Display) -> Trouble {
        self.trouble(TroubleKind::Unreachable, what)
    }

    fn no_answer(&self) -> Trouble {
        let seconds = self.login.connect_timeout.as_secs();
        self.unreachable(format!("no answer from {} within {seconds} s", self.place()))
    }

    /// Returns host and port, for people.
    fn place(&self) -> String {
        let Login { host, port, .. } = self.login;
        format!("`{host}` port {port}")
    }

    fn not_connected(&self, error: NoConnection) -> Trouble {
        match error {
            NoConnection::Unknown(error) => {
                self.unreachable(format!("there is no address for `{}`: {error}", self.login.host))
            }
            NoConnection::ConnectError(error) => {
                let what = error.to_string().to_lowercase();
                self.unreachable(format!("cannot connect to {}: {what}", self.place()))
            }
            NoConnection::TimedOut => self.no_answer(),
            NoConnection::Cancelled => self.halted(Halt::Cancelled),
        }
    }

    fn halted(&self, halt: Halt) -> Trouble {
        match halt {
            Halt::TimedOut => self.no_answer(),
            Halt::Cancelled => self.trouble(TroubleKind::Cancelled, "cancelled"),
            Halt::Failed(error) if was_closed(&error) => {
                self.unreachable(format!("{} closed the connection", self.place()))
            }
            Halt::Failed(error) => {
                let what = error.message().to_lowercase();
                self.unreachable(format!("cannot connection with {}: {what}", self.place()))
            }
        }
    }
}

/// Waits for the calls of a login.
struct Wait<'a> {
    attempt: &'a Attempt<'a>,
    transport: &'a Transport,
    limits: WaitLimits<'a>,
}

impl Waiting for Wait<'_> {
    fn ready(&mut self, _session: &Session) -> Result<(), Trouble> {
        self.transport
            .wait(&self.limits)
            .map_err(|halt| self.attempt.halted(halt))
    }

    fn forgive(&mut self, time: Duration) {
        self.limits.until = self.limits.until.map(|until| until + time);
    }

    fn cancel(&self) -> &Cancel {
        self.limits.cancel
    }
}
