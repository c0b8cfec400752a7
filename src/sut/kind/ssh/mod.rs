//! The kind `ssh`: machines reached by SSH, by a [`crate::sut::agent::link::Link`] over the `ssh2` crate, inside this
//! process.
//!
//! `address` reads a target, and `config` turns that and the user's SSH configuration into a [`Login`], which says everything
//! that is needed to reach the machine and nothing of how it is done. All other modules work on a login only.

mod access;
pub mod address;
mod ansible;
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

/// A machine reached by SSH, as a SUT.
pub type Ssh = crate::sut::agent::session::Machine<SshLink>;
