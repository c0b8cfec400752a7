//! SSH authentication: logs in with keys of the SSH agent, key files, and a password where the user gave one.
//!
//! Keys are offered at once, without asking first what the server accepts, because each round trip counts. The order is: the
//! agent's keys that the user named, the key files that the user named, the agent's other keys, and the default key files; so
//! a server that ends the connection after a few keys has seen those that were meant. A passphrase is asked for only when the
//! server would accept the key. The server is asked which methods it offers only after everything failed, for the message.
//!
//! A failure here is permanent (`Setup`), unless the connection broke (`Unreachable`).

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use ssh2::{Agent, Error, ErrorCode, KeyboardInteractivePrompt, Prompt, PublicKey, Session};

use super::login::{Login, Password};
use crate::sut::agent::connection::said;
use crate::sut::{Cancel, Trouble, TroubleKind};

mod passphrase;
pub(super) mod private_key;

use passphrase::passphrase;
use private_key::PrivateKey;

/// The error code by which libssh2 says that a call would block.
const AGAIN: ErrorCode = ErrorCode::Session(-37);

/// How the owner of a connection waits for it.
pub trait Waiting {
    /// Waits until the session's socket may go on as [`Session::block_directions`] says. Fails at the deadline and on
    /// cancellation.
    fn ready(&mut self, session: &Session) -> Result<(), Trouble>;

    /// Moves the deadline by the time that a person took to answer.
    fn forgive(&mut self, time: Duration);

    /// The cancellation flag.
    fn cancel(&self) -> &Cancel;
}

/// Logs in over a session whose handshake is done and whose host key was checked.
pub fn log_in(session: &Session, login: &Login, waiting: &mut dyn Waiting) -> Result<(), Trouble> {
    let mut attempt = Attempt {
        session,
        login,
        waiting,
        tried: Vec::new(),
    };
    if attempt.keys()? || attempt.password()? {
        return Ok(());
    }
    Err(attempt.refused()?)
}

struct Attempt<'a> {
    session: &'a Session,
    login: &'a Login,
    waiting: &'a mut dyn Waiting,
    /// What was offered, and why it was not accepted, for the message.
    tried: Vec<String>,
}

impl Attempt<'_> {
    fn keys(&mut self) -> Result<bool, Trouble> {
        let keys = self.key_files();
        let agent = self.agent();
        let known = agent.as_ref().map(|(_, known)| known.as_slice()).unwrap_or_default();
        let held = |key: &PrivateKey| known.iter().any(|public| key.is(public.blob()));
        let listed = |public: &PublicKey| keys.iter().any(|key| key.is(public.blob()));
        let (named, other): (Vec<_>, Vec<_>) = known.iter().partition(|public| listed(public));
        for public in named {
            if self.agent_key(agent.as_ref().map(|(agent, _)| agent), public)? {
                return Ok(true);
            }
        }
        for key in keys.iter().filter(|key| key.named && !held(key)) {
            if self.key_file(key)? {
                return Ok(true);
            }
        }
        for public in other.into_iter().filter(|_| !self.login.identities_only) {
            if self.agent_key(agent.as_ref().map(|(agent, _)| agent), public)? {
                return Ok(true);
            }
        }
        for key in keys.iter().filter(|key| !key.named && !held(key)) {
            if self.key_file(key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn key_files(&mut self) -> Vec<PrivateKey> {
        let mut keys = Vec::new();
        for identity in &self.login.identities {
            match PrivateKey::read(identity) {
                Ok(Some(key)) => keys.push(key),
                Ok(None) if identity.named => self
                    .tried
                    .push(format!("{} (there is no such file)", shown(&identity.file))),
                Ok(None) => {}
                Err(error) => self
                    .tried
                    .push(format!("{} (cannot read {error})", shown(&identity.file))),
            }
        }
        keys
    }

    /// Connects to the SSH agent. One that does not answer is passed over, as `ssh` does.
    fn agent(&mut self) -> Option<(Agent, Vec<PublicKey>)> {
        let path = self.login.agent.as_ref()?;
        let open = || -> Result<(Agent, Vec<PublicKey>), Error> {
            let mut agent = self.session.agent()?;
            agent.set_identity_path(path)?;
            agent.connect()?;
            agent.list_identities()?;
            let keys = agent.identities()?;
            Ok((agent, keys))
        };
        match open() {
            Ok(opened) => Some(opened),
            Err(error) => {
                self.tried
                    .push(format!("the agent (it cannot be used: {})", error.message()));
                None
            }
        }
    }

    fn agent_key(&mut self, agent: Option<&Agent>, public: &PublicKey) -> Result<bool, Trouble> {
        let Some(agent) = agent else { return Ok(false) };
        let (session, user) = (self.session, &self.login.user);
        let answer = until_done(session, self.waiting, || agent.userauth(user, public))?;
        let name = format!("the agent's key `{}`", public.comment());
        self.judged(answer, &name, "the agent does not sign with it")
    }

    fn key_file(&mut self, key: &PrivateKey) -> Result<bool, Trouble> {
        let name = shown(&key.file);
        let Some(private) = &key.private else {
            self.tried.push(format!(
                "{name} (a public key, and the agent does not have its private one)"
            ));
            return Ok(false);
        };
        let line = key.line();
        // Without the public key, libssh2 needs the passphrase even to make the offer.
        let mut passphrase = if key.encrypted && line.is_none() {
            self.passphrase(key, None)
        } else {
            None
        };
        loop {
            let (session, user) = (self.session, &self.login.user);
            // Where there is no passphrase an empty one is given, because libssh2 reads it without checking whether it is
            // there.
            let given = passphrase.as_ref().map_or("", |passphrase| passphrase.0.as_str());
            let answer = until_done(session, self.waiting, || {
                session.userauth_pubkey_memory(user, line.as_deref(), private, Some(given))
            })?;
            let locked = key.encrypted && answer.as_ref().is_err_and(cannot_sign);
            if !locked {
                return self.judged(answer, &name, "it cannot be read, or not used for signing");
            }
            passphrase = self.passphrase(key, passphrase.as_ref());
            if passphrase.is_none() {
                self.tried.push(format!("{name} (its passphrase is not known)"));
                return Ok(false);
            }
        }
    }

    fn passphrase(&mut self, key: &PrivateKey, wrong: Option<&Password>) -> Option<Password> {
        let asked = Instant::now();
        let answer = passphrase(&key.file, wrong, self.waiting.cancel());
        self.waiting.forgive(asked.elapsed());
        answer
    }

    fn password(&mut self) -> Result<bool, Trouble> {
        let Some(password) = &self.login.password else {
            return Ok(false);
        };
        let (session, user) = (self.session, &self.login.user);
        let answer = until_done(session, self.waiting, || session.userauth_password(user, &password.0))?;
        if self.judged(answer, "the password", "the server wants a new one")? {
            return Ok(true);
        }
        let mut answers = Answers(Some(password));
        let answer = until_done(session, self.waiting, || {
            session.userauth_keyboard_interactive(user, &mut answers)
        })?;
        self.judged(answer, "the password as an answer to its questions", "it was refused")
    }

    /// Notes how the server answered an offer. A broken connection is an error.
    fn judged(&mut self, answer: Result<(), Error>, offer: &str, unusable: &str) -> Result<bool, Trouble> {
        let error = match answer {
            Ok(()) => return Ok(true),
            // The offer may have been the last of several steps (`AuthenticationMethods`) although it was not reported as a
            // success.
            Err(_) if self.session.authenticated() => return Ok(true),
            Err(error) => error,
        };
        if broken(&error) {
            let mut message = format!(
                "`{}`: the server closed the connection while logging in",
                self.login.name
            );
            if self.tried.is_empty() {
                return Err(Trouble::new(TroubleKind::Unreachable, message));
            }
            let _infallible = write!(message, ", after {}", self.tried.join(", "));
            return Err(Trouble::new(TroubleKind::Setup, message).with_hint(MANY_KEYS));
        }
        let reason = if cannot_use(&error) {
            format!(" ({unusable})")
        } else {
            String::new()
        };
        self.tried.push(format!("{offer}{reason}"));
        Ok(false)
    }

    /// Makes the failure that says what was tried and what the server would accept.
    fn refused(&mut self) -> Result<Trouble, Trouble> {
        let (session, user) = (self.session, &self.login.user);
        // The binding panics where the server's list is not UTF-8; then it is not known what the server offers.
        let asked = until_done(session, self.waiting, || {
            catch_unwind(AssertUnwindSafe(|| session.auth_methods(user).map(str::to_owned)))
                .unwrap_or(Ok(String::new()))
        })?;
        let methods = match asked {
            Ok(methods) => methods.replace(',', ", "),
            Err(_) => String::new(),
        };
        let tried = if self.tried.is_empty() {
            "there is no key to offer".to_owned()
        } else {
            format!("it takes none of these: {}", self.tried.join(", "))
        };
        let takes = if methods.is_empty() {
            String::new()
        } else {
            format!("; the server takes {methods}")
        };
        let banner = catch_unwind(AssertUnwindSafe(|| {
            session.userauth_banner().ok().flatten().map(str::to_owned)
        }));
        let banner = said([banner.ok().flatten().unwrap_or_default().as_bytes()]);
        let banner = if banner.is_empty() {
            banner
        } else {
            format!("; it says: {banner}")
        };
        let message = format!(
            "`{}`: cannot log in as `{user}`: {tried}{takes}{banner}",
            self.login.name
        );
        Ok(Trouble::new(TroubleKind::Setup, message).with_hint(NO_KEY))
    }
}

const MANY_KEYS: &str = "a server ends a connection after a few keys that it does not know: `key=FILE` of the target (or \
                         `IdentityFile` with `IdentitiesOnly yes`) offers the right one only";

const NO_KEY: &str = "`key=FILE` of the target names a key (`ssh-copy-id` brings it there), `ssh-add` unlocks one, \
                      `password_env=NAME` names a variable that holds a password";

/// Answers the first question whose answer is not to be shown with the password, once, and every other question with an empty
/// text.
struct Answers<'a>(Option<&'a Password>);

impl KeyboardInteractivePrompt for Answers<'_> {
    fn prompt<'a>(&mut self, _user: &str, _instructions: &str, prompts: &[Prompt<'a>]) -> Vec<String> {
        let mut answer = |prompt: &Prompt<'a>| {
            if prompt.echo {
                String::new()
            } else {
                self.0.take().map_or_else(String::new, |password| password.0.clone())
            }
        };
        prompts.iter().map(&mut answer).collect()
    }
}

/// Repeats a call of libssh2 until it no longer has to wait.
fn until_done<T>(
    session: &Session,
    waiting: &mut dyn Waiting,
    mut call: impl FnMut() -> Result<T, Error>,
) -> Result<Result<T, Error>, Trouble> {
    loop {
        match call() {
            Err(error) if error.code() == AGAIN => waiting.ready(session)?,
            done => return Ok(done),
        }
    }
}

/// Whether the connection broke. libssh2 reports that in several ways, one of them only by a text.
fn broken(error: &Error) -> bool {
    const SEND: ErrorCode = ErrorCode::Session(-7);
    const DISCONNECT: ErrorCode = ErrorCode::Session(-13);
    const RECEIVE: ErrorCode = ErrorCode::Session(-43);
    matches!(error.code(), SEND | DISCONNECT | RECEIVE) || error.message().starts_with("Waiting for")
}

/// Whether the server would accept the key, but signing with it failed.
fn cannot_sign(error: &Error) -> bool {
    const UNVERIFIED: ErrorCode = ErrorCode::Session(-19);
    (error.code() == UNVERIFIED && error.message().starts_with("Callback")) || cannot_use(error)
}

/// Whether the key was not offered at all.
fn cannot_use(error: &Error) -> bool {
    const REFUSED: ErrorCode = ErrorCode::Session(-18);
    const UNVERIFIED: ErrorCode = ErrorCode::Session(-19);
    match error.code() {
        REFUSED => false,
        UNVERIFIED => error.message().starts_with("Callback"),
        _ => true,
    }
}

fn shown(file: &Path) -> String {
    format!("`{}`", file.display())
}
