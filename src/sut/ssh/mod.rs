//! Machines reached by SSH: a [`crate::sut::link::Link`] over the `ssh2` crate, inside this process.
//!
//! Approach: `config` turns a target and the user's SSH configuration into a [`Login`], which says everything that is needed
//! to get there and nothing of how. The rest works on a login only.

mod algorithms;
pub mod auth;
mod certificate;
pub mod config;
pub mod host_key;
mod identity;
mod known_hosts;
pub mod login;
mod passphrase;
mod pattern;
mod wire;

pub use login::{HostKeys, Identity, Login, Via};
