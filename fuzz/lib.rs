//! What the fuzzed programs share: the targets and seeds of `tests/fuzz`, and the server's socket layer
//! as its source is. The rest of the server would only add minutes of building, and counters of coverage
//! that every run has to look through.

#[path = "../tests/fuzz/seeds.rs"]
pub mod seeds;
#[path = "../src/gateway/ws/mod.rs"]
pub mod ws;
#[path = "../tests/fuzz/targets.rs"]
pub mod targets;

use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Lays what a target starts from into `target/fuzz/seeds`, a file for each, for libFuzzer to read.
pub fn lay_seeds(target: &str, seeds_of: fn(&Path) -> Vec<Vec<u8>>) {
    let root = Path::new(ROOT);
    let folder = root.join("target/fuzz/seeds").join(target);
    fs::create_dir_all(&folder).expect("target/ can be written");
    for (number, seed) in seeds_of(&root.join("protocol/golden")).iter().enumerate() {
        fs::write(folder.join(format!("golden-{number:03}")), seed)
            .expect("target/ can be written");
    }
}
