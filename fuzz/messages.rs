//! Fuzzes the decoding of messages in both codecs.
#![no_main]

use cluecast_fuzz::{lay_seeds, seeds, targets};

libfuzzer_sys::fuzz_target!(
    init: lay_seeds("messages", seeds::messages),
    |bytes: &[u8]| targets::messages(bytes)
);
