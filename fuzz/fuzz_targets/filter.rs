//! See `atex_fuzz::filter`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| atex_fuzz::filter(input));
