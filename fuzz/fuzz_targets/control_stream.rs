//! See `atex_fuzz::control_stream`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| atex_fuzz::control_stream(input));
