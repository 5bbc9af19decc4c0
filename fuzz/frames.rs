//! Fuzzes the socket layer with what a client sends.
#![no_main]

use cluecast_fuzz::{lay_seeds, seeds, targets};

libfuzzer_sys::fuzz_target!(
    init: lay_seeds("frames", seeds::conversations),
    |bytes: &[u8]| targets::frames(bytes)
);
