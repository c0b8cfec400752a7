//! Machines reached by SSH: a [`crate::sut::link::Link`] over the `ssh2` crate, inside this process.
//!
//! Approach: `config` turns a target and the user's SSH configuration into a [`Login`], which says everything that is needed
//! to get there and nothing of how. The rest works on a login only.

mod conn;
mod dial;
mod exit;
mod link;
pub mod login;
mod pace;
mod process;
mod transport;

pub use link::SshLink;
pub use login::{HostKeys, Identity, Login, Via};

/// A machine reached by SSH.
pub type Ssh = crate::sut::shell::Machine<SshLink>;
