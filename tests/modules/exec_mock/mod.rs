//! Tests of the executor through its Rust API, on mock machines.
//!
//! `bench` compiles small trees and runs them on scripted SUTs. Nothing here starts a process or waits for a clock.

mod bench;
mod mock;

mod busy;
mod cancelling;
mod defects;
mod fates;
mod finishing;
mod losses;
mod outcomes;
mod pool;
mod preparing;
mod records;
mod retries;
