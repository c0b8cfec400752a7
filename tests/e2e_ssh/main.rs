//! The real binary against real sshds on loopback: from the command line to the exit code.

#[path = "../sut_support/proxy.rs"]
mod proxy;
#[path = "../sut_support/sshd.rs"]
mod sshd;
#[path = "../sut_support/stopped.rs"]
mod stopped;
#[path = "../support/mod.rs"]
mod support;

mod clock;
mod container;
mod dropbear;
mod facts;
mod full_disk;
mod host_keys;
mod kinds;
mod lab;
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
