//! See `atex_fmf_fuzz::context_rule`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| atex_fmf_fuzz::context_rule(input));
