//! Runs each seed of the control stream's fuzzer through the function that the fuzzer runs. `docs/fuzzing.md` describes the
//! fuzzers.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "these are the public functions of the fuzzers' crate")]
mod entry;

#[test]
fn seeds_of_control_streams_hold_their_laws() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/control_stream");
    let mut ran = 0;
    for seed in fs::read_dir(seeds).unwrap() {
        let seed = seed.unwrap().path();
        println!("{}", seed.display());
        entry::control_stream(&fs::read(seed).unwrap());
        ran += 1;
    }
    assert!(ran >= 5, "there are {ran} seeds");
}
