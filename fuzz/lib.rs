//! Shared code of the fuzz programs: the targets and seeds of `tests/fuzz`, and the source of the server's
//! socket layer. Linking the whole server would add minutes to the build and slow down coverage.

#[path = "../tests/fuzz/seeds.rs"]
pub mod seeds;
#[path = "../tests/fuzz/targets.rs"]
pub mod targets;
#[path = "../src/gateway/ws/mod.rs"]
pub mod ws;

use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Writes the seeds of a target to `target/fuzz/seeds`, one file each, for libFuzzer.
pub fn write_seeds(target: &str, seeds_of: fn(&Path) -> Vec<Vec<u8>>) {
    let root = Path::new(ROOT);
    let folder = root.join("target/fuzz/seeds").join(target);
    fs::create_dir_all(&folder).expect("target/ can be written");
    for (number, seed) in seeds_of(&root.join("protocol/golden")).iter().enumerate() {
        fs::write(folder.join(format!("golden-{number:03}")), seed)
            .expect("target/ can be written");
    }
}
