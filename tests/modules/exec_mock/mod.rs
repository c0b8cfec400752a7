//! The executor through its Rust API, on machines that are not there.
//!
//! `bench` compiles small trees and runs them on scripted SUTs; nothing here starts a process or waits for a clock.

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
