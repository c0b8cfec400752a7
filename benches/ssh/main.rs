//! Benchmarks of machines over SSH: `cargo bench --bench ssh [-- start | row | upload | results | memory [COUNT…] | others]`.
//!
//! Everything runs over a real sshd on loopback, which is started here. Nothing is asserted; the tables are for people.

#[path = "../support/lab.rs"]
mod lab;
mod library;
mod memory;
mod others;
#[path = "../support/proxy.rs"]
mod proxy;
mod row;
#[path = "../../tests/machines/sut_support/sshd.rs"]
mod sshd;
mod start;
mod streams;
mod timing;

use std::path::Path;

/// What more the sshd of these benchmarks is told: a thousand sessions must be possible.
fn server() -> String {
    format!("MaxStartups 4096\nMaxSessions 1000\n{}", lab::PLAIN_BASH)
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["child", dir, count] => memory::child(Path::new(dir), count.parse().expect("a number")),
        ["memory", counts @ ..] if !counts.is_empty() => memory::memory(counts),
        ["memory"] => memory::memory(&memory::COUNTS),
        ["start"] => start::start(),
        ["row"] => row::row(),
        ["others"] => others::others(),
        ["upload"] => streams::upload(),
        ["results"] => streams::results(),
        _ => {
            start::start();
            row::row();
            others::others();
            streams::upload();
            streams::results();
            memory::memory(&memory::COUNTS);
        }
    }
}
