//! A short, deterministic run of the fuzz targets on mutated golden vectors. `make fuzz` runs them longer,
//! guided by coverage.

mod seeds;
mod targets;

use std::path::Path;

use cluecast::gateway::ws;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Runs of each target.
const RUNS: usize = 20_000;
const SEED: u64 = 7;
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/golden");

/// Changes some bytes, truncates, duplicates a part, or splices with another seed.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut StdRng) {
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=bytes.len());
        match random.random_range(0..7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, random.random()),
            2 => {
                let part: Vec<u8> = bytes[at..].to_vec();
                bytes.extend(part);
            }
            3 => {
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << random.random_range(0..8);
                }
            }
        }
    }
}

fn run(seeds: &[Vec<u8>], target: fn(&[u8])) {
    for seed in seeds {
        target(seed);
    }
    let mut random = StdRng::seed_from_u64(SEED);
    for _ in 0..RUNS {
        let mut bytes = seeds[random.random_range(0..seeds.len())].clone();
        let other = &seeds[random.random_range(0..seeds.len())];
        mutate(&mut bytes, other, &mut random);
        target(&bytes);
    }
}

#[test]
fn any_bytes_decode_or_are_rejected() {
    run(&seeds::messages(Path::new(GOLDEN)), targets::messages);
}

#[test]
fn any_client_bytes_produce_whole_frames_and_one_close() {
    run(&seeds::conversations(Path::new(GOLDEN)), targets::frames);
}
