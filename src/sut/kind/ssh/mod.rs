//! Machines reached by SSH: a [`crate::sut::link::Link`] over the `ssh2` crate, inside this process.
//!
//! Approach: `address` reads a target, and `config` turns that and the user's SSH configuration into a [`Login`], which says everything
//! that is needed to get there and nothing of how. The rest works on a login only.

mod access;
pub mod address;
mod algorithms;
pub mod auth;
mod certificate;
pub mod config;
mod conn;
mod connect;
mod dial;
mod exit;
pub mod host_key;
mod identity;
mod known_hosts;
mod link;
pub mod login;
mod offer;
mod pace;
mod passphrase;
mod pattern;
mod process;
mod proxy;
mod transport;
mod wire;

pub use address::Kind;
pub use link::SshLink;
pub use login::{HostKeys, Identity, Login, Via};

/// A machine reached by SSH.
pub type Ssh = crate::sut::shell::Machine<SshLink>;
