//! Fuzzes the decoders of both codecs.
#![no_main]

use cluecast_fuzz::{seeds, targets, write_seeds};

libfuzzer_sys::fuzz_target!(
    init: write_seeds("messages", seeds::messages),
    |bytes: &[u8]| targets::messages(bytes)
);
