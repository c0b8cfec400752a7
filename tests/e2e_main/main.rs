//! The main job, end to end: the real binary, real processes, and a witness that counts what ran.

mod chains;
mod finish;
mod full_disk;
mod interrupt;
mod killed;
mod rebuild;
mod running;
mod scene;
#[path = "../support/mod.rs"]
mod support;
mod taint;
mod together;
mod variables;
mod volume;
