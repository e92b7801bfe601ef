//! The target `policy` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sinew_tests::fuzz::run("policy", input));
