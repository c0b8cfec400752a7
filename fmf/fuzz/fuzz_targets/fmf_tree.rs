//! See `atex_fmf_fuzz::fmf_tree`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| atex_fmf_fuzz::fmf_tree(input));
