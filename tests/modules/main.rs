//! Modules through their Rust API: what is compiled, what a test may say, how a run goes on machines that are not there; and which module
//! may know which.

mod compile_any;
mod compile_fetch;
mod compile_keys;
mod compile_plans;
mod control;
mod control_disk_full;
mod control_memory;
mod discover_cache;
mod docs;
mod exec_mock;
mod fuzz_seeds;
mod layout;
