//! [`Login`]: everything that is known of a machine before it is connected to.
//!
//! It is made from the configuration and used by the transport: plain data, validated. Its only secret is a password that was
//! read from where the user said, which is neither printed nor compared.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How to get to one machine, and which user to be there.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name for people: `root@host`, or what the user calls it.
    pub name: String,
    /// The host name or address to connect to, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// The keys to offer, in order, after those of the agent that are among them.
    pub identities: Vec<Identity>,
    /// Whether the agent's keys are offered only where they are among `identities`.
    pub identities_only: bool,
    /// The socket of the SSH agent, where there is one.
    pub agent: Option<PathBuf>,
    /// The password to try last, where the user gave a way to get one.
    pub password: Option<Password>,
    /// The files of host keys. New keys are added to the first one.
    pub known_hosts: Vec<PathBuf>,
    /// The name under which host keys are looked up, instead of `host` and `port`.
    pub host_key_alias: Option<String>,
    /// What to do with a host whose key is not known.
    pub host_keys: HostKeys,
    /// How long connecting and logging in may take.
    pub connect_timeout: Duration,
    /// How a connection is made.
    pub via: Via,
    /// Whether everything on the machine is done as root, by `sudo`.
    pub sudo: bool,
    /// How long the machine may be silent before it counts as dead.
    pub dead_after: Duration,
    /// The changes to the usual lists of algorithms.
    pub algorithms: Algorithms,
}

/// Lists of algorithms as in `ssh_config`: names in order, or changes (`+`, `-`, `^`) of the usual list. Where a list is
/// missing, the usual one is used.
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
    /// The certificate to offer with the key, instead of the bare key.
    pub certificate: Option<PathBuf>,
    /// Whether the user named the key. Where a named key cannot be used, that is reported; a default key is passed over.
    pub named: bool,
}

/// A secret that is never shown.
#[derive(Clone)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What to do with a host whose key is not known. A key that changed or was revoked is always refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeys {
    /// Refuse it, and say how to add the key.
    Refuse,
    /// Accept and remember the key (`--accept-new-host-keys`, `StrictHostKeyChecking accept-new`).
    AcceptNew,
    /// Accept the key without a check (`StrictHostKeyChecking no`).
    Unchecked,
}

/// How a connection is made.
#[derive(Clone, Debug)]
pub enum Via {
    /// Directly.
    Direct,
    /// Through another machine (`ProxyJump`): over a channel of an atex session there.
    Jump(Box<Login>),
    /// Over stdin and stdout of a command (`ProxyCommand`), already expanded, run by the user's shell.
    Command(String),
    /// Through the `ssh` client and a master connection that exists already (`control_path`).
    ControlPath(PathBuf),
}
