//! See `atex_fmf_fuzz::python_regex`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| atex_fmf_fuzz::python_regex(input));
