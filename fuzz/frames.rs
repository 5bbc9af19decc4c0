//! Fuzzes the socket layer with arbitrary client bytes.
#![no_main]

use cluecast_fuzz::{seeds, targets, write_seeds};

libfuzzer_sys::fuzz_target!(
    init: write_seeds("frames", seeds::conversations),
    |bytes: &[u8]| targets::frames(bytes)
);
