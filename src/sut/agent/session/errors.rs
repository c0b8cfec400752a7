//! Turns failures of the agent, its login or a request into a [`Trouble`] with its kind and its hint.

use crate::sut::agent::connection::{ConnectionError, StartError};
use crate::sut::agent::link::Link;
use crate::sut::agent::reply::RequestError;
use crate::sut::agent::session::Machine;
use crate::sut::{Trouble, TroubleKind};

/// The hint where `sudo` does not make the user root on the machine.
const HOW_TO_BECOME_ROOT: &str =
    "`sudo` must not ask for a password there: a line `USER ALL=(ALL) NOPASSWD: ALL` in `/etc/sudoers.d/`";

/// The hint where others can write to the machine's directory.
const OWN_DIRECTORY: &str =
    "give a directory with `--sut-dir` that only you can write to, on a way that only you and root can change";

/// The hint where a test left something mounted that cannot be unmounted.
const UNMOUNT: &str = "unmount it there: nothing is changed below a mount point";

/// The hint where the agent's programs do not move although the connection lives.
const STUCK: &str = "look for a disk there that does not answer, or for stopped processes";

/// The hint where programs are missing.
const HOW_TO_GET_TOOLS: &str = "install them there: `flock` and `setsid` are of the package `util-linux`, `tar` of `tar`, the others of `coreutils`";

impl<L: Link> Machine<L> {
    pub(super) fn trouble(&self, kind: TroubleKind, what: impl std::fmt::Display) -> Trouble {
        Trouble::new(kind, format!("`{}`: {what}", self.link.name()))
    }

    pub(super) fn connection_trouble(&self, error: ConnectionError) -> Trouble {
        match error {
            ConnectionError::Ended(how) => self.trouble(TroubleKind::Aborted, format!("the connection ended ({how})")),
            ConnectionError::Nonsense(what) => {
                self.trouble(TroubleKind::Setup, format!("the agent there is not understood: {what}"))
            }
            ConnectionError::Cancelled => self.trouble(TroubleKind::Cancelled, "cancelled"),
            ConnectionError::TimedOut => self.trouble(TroubleKind::Aborted, "no answer in time"),
            ConnectionError::Stuck(silence) => {
                let seconds = silence.as_secs();
                let what = format!("the agent there is stuck: nothing moved for {seconds} s");
                self.trouble(TroubleKind::Aborted, what).with_hint(STUCK)
            }
            ConnectionError::Endless(total) => {
                let seconds = total.as_secs();
                let what = format!("the agent there shows that it lives, but came to no end within {seconds} s");
                self.trouble(TroubleKind::Aborted, what).with_hint(STUCK)
            }
        }
    }

    /// Makes the trouble of an agent that ended before its first word, which ends the attempt to connect.
    pub(super) fn login_trouble(&self, error: StartError) -> Trouble {
        match error {
            // `sudo` said this, and another attempt will go no better.
            StartError::Connection(ConnectionError::Ended(how)) if how.contains("sudo: ") => self
                .trouble(TroubleKind::Setup, format!("cannot become root ({how})"))
                .with_hint(HOW_TO_BECOME_ROOT),
            StartError::Connection(ConnectionError::Ended(how)) => {
                let trouble = self.trouble(TroubleKind::Unreachable, format!("cannot start bash ({how})"));
                match another_user(&how) {
                    Some(user) => trouble.with_hint(format!(
                        "log in as `{user}`, and have everything done as root: `ssh://{user}@HOST?become=sudo`"
                    )),
                    None => trouble,
                }
            }
            StartError::Connection(ConnectionError::TimedOut) => {
                self.trouble(TroubleKind::Unreachable, "no answer in time")
            }
            other => self.start_trouble(other),
        }
    }

    pub(super) fn start_trouble(&self, error: StartError) -> Trouble {
        match error {
            StartError::Link(trouble) => trouble,
            StartError::Connection(error) => self.connection_trouble(error),
        }
    }

    pub(super) fn request_trouble(&self, error: RequestError) -> Trouble {
        match error {
            RequestError::Connection(error) => self.connection_trouble(error),
            RequestError::Refused(why) => self.trouble(TroubleKind::Setup, why),
            RequestError::DiskFull(why) => self.trouble(TroubleKind::Setup, why).for_want_of_room(),
            RequestError::ToolsMissing(tools) => self
                .trouble(TroubleKind::Setup, format!("not installed there, and needed: {tools}"))
                .with_hint(HOW_TO_GET_TOOLS),
            RequestError::Foreign(why) => self.trouble(TroubleKind::Setup, why).with_hint(OWN_DIRECTORY),
            RequestError::Mounted(why) => self.trouble(TroubleKind::Unreachable, why).with_hint(UNMOUNT),
            RequestError::Host(why) => self.trouble(TroubleKind::Setup, format!("upload: {why}")),
        }
    }
}

/// Returns the user as whom a machine wants one to log in: cloud images say `Please login as the user "fedora" rather than…`.
fn another_user(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("as the user ")?;
    let user = rest.split_whitespace().next()?;
    let user = user.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    Some(user).filter(|user| !user.is_empty() && user.chars().all(is_name))
}
