//! Tests of modules through their Rust API: compiling, the control protocol, and runs on mock machines; and of which module may
//! use which.

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
