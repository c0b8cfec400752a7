//! [`Login`]: all that is known of a machine before it is connected to.
//!
//! Made by the configuration, used by the transport; plain data, validated. Holds no secret but a password that was read from
//! where the user said, which is neither printed nor compared.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How to get to one machine and who to be there.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name for people: `root@host`, or what the user calls it.
    pub name: String,
    /// Host name or address to connect to, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// Keys to offer, in order, after those of the agent that are among them.
    pub identities: Vec<Identity>,
    /// Whether the agent's keys are offered only where they are among `identities`.
    pub identities_only: bool,
    /// The agent's socket, where there is one.
    pub agent: Option<PathBuf>,
    /// The password to try last, where the user gave a way to get one.
    pub password: Option<Password>,
    /// Files of host keys; the first is the one to add to.
    pub known_hosts: Vec<PathBuf>,
    /// The name to look host keys up by, instead of `host` and `port`.
    pub host_key_alias: Option<String>,
    /// What to do with a host whose key is not known.
    pub host_keys: HostKeys,
    /// How long connecting and logging in may take.
    pub connect_timeout: Duration,
    /// How a connection is made.
    pub via: Via,
    /// Whether everything there is done as root by `sudo`.
    pub sudo: bool,
    /// How long the machine may be silent before it counts as dead.
    pub dead_after: Duration,
    /// What is used of what both sides can do.
    pub algorithms: Algorithms,
}

/// Lists of algorithms as `ssh_config` has them: names in order, or changes (`+`, `-`, `^`) of the usual list. Without one, the
/// usual list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Algorithms {
    /// `Ciphers`.
    pub ciphers: Option<String>,
    /// `MACs`.
    pub macs: Option<String>,
    /// `KexAlgorithms`.
    pub key_exchange: Option<String>,
    /// `HostKeyAlgorithms`.
    pub host_keys: Option<String>,
    /// `PubkeyAcceptedAlgorithms`.
    pub signatures: Option<String>,
}

/// A private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The private key's file.
    pub file: PathBuf,
    /// The certificate to offer with it, instead of the bare key.
    pub certificate: Option<PathBuf>,
    /// Whether the user named it: a named key that cannot be used is told of, a default one is passed over.
    pub named: bool,
}

/// A secret that is shown nowhere.
#[derive(Clone)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What to do with a host whose key is not known. A key that changed or was revoked is refused always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeys {
    /// Refuse it and say how to add it.
    Refuse,
    /// Take it and remember it (`--accept-new-host-keys`, `StrictHostKeyChecking accept-new`).
    AcceptNew,
    /// Take it without a look (`StrictHostKeyChecking no`).
    Unchecked,
}

/// How a connection is made.
#[derive(Clone, Debug)]
pub enum Via {
    /// Straight.
    Direct,
    /// Through another machine (`ProxyJump`): a channel of a session of ours there.
    Jump(Box<Login>),
    /// Over stdin and stdout of a command (`ProxyCommand`), already expanded, run by the user's shell.
    Command(String),
    /// Through the `ssh` client and a master connection that exists already (`control_path`).
    ControlPath(PathBuf),
}
