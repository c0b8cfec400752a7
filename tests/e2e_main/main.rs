//! The main job, end to end: the real binary, real processes, and a witness that counts what ran.

mod audit;
mod behind;
mod boots;
mod chains;
mod exit_codes;
mod finish;
mod first_process;
mod full_disk;
mod interrupt;
mod killed;
mod mounts;
mod namespace;
mod observed;
mod options;
mod owed;
mod own;
mod packages;
mod pool;
mod projects;
mod promises;
mod rebuild;
mod running;
mod scene;
mod secrets;
mod sections;
mod shared_tree;
mod stuck;
#[path = "../support/mod.rs"]
mod support;
mod taint;
mod together;
mod tree;
mod troubled_cache;
mod variables;
mod volume;
