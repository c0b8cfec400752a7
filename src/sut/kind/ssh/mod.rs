//! Machines reached by SSH: a [`crate::sut::agent::link::Link`] over the `ssh2` crate, inside this process.
//!
//! Approach: `address` reads a target, and `config` turns that and the user's SSH configuration into a [`Login`], which says everything
//! that is needed to get there and nothing of how. The rest works on a login only.

mod access;
pub mod address;
pub mod auth;
mod bash_command;
pub mod config;
mod connect;
mod connection;
pub mod host_key;
mod link;
pub mod login;
mod pattern;
mod process;
mod wire;

pub use address::SshKind;
pub use link::SshLink;
pub use login::{HostKeys, Identity, Login, Via};

/// A machine reached by SSH.
pub type Ssh = crate::sut::agent::session::Machine<SshLink>;
