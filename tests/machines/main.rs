//! Tests of the real binary with machines: local ones, those behind SSH, containers, and machines that lie, hang and die.

mod differential;
mod e2e_main;
mod e2e_protocol;
mod e2e_ssh;
mod harness;
mod hostile_sut;
mod ssh_config_reference;
mod ssh_deaths;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "a part of it is used here")]
mod support;
mod sut_conformance;
mod sut_support;
