//! See `atex_fuzz::condition`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| atex_fuzz::condition(input));
