//! End-to-end tests of the real binary with real sshds on loopback, from the command line to the exit code.

mod ansible;
mod clock;
mod container;
mod dropbear;
mod facts;
mod full_disk;
mod host_keys;
mod kinds;
pub(crate) mod lab;
mod logins;
mod reboots;
mod runs;
mod shells;
mod stuck;
mod targets;
mod troubles;
mod users;
mod vm;
mod volume;
