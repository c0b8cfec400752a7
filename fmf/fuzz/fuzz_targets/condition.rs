//! See `atex_fmf_fuzz::condition`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| atex_fmf_fuzz::condition(input));
