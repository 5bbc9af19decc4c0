//! Seeded randomness: the same seed gives the same throws.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hunt::Timestamp;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

/// Most by which two clocks differ, and by which a clock jumps.
pub const CLOCKS_DIFFER_MS: usize = 4_000;

/// A random number generator that clones share. A simulation runs on one thread, so that the order of its
/// steps decides the order of throws.
#[derive(Debug, Clone)]
pub struct Dice {
    rng: Arc<Mutex<SmallRng>>,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Arc::new(Mutex::new(SmallRng::seed_from_u64(seed))),
        }
    }

    /// A number below `sides`.
    pub fn throw(&self, sides: usize) -> usize {
        let mut rng = self.rng.lock().expect("one thread throws");
        rng.random_range(0..sides)
    }

    /// True in `percent` of a hundred throws.
    pub fn chance(&self, percent: usize) -> bool {
        self.throw(100) < percent
    }

    pub fn pick<'a, T>(&self, from: &'a [T]) -> &'a T {
        &from[self.throw(from.len())]
    }

    pub fn up_to_ms(&self, most: usize) -> Duration {
        Duration::from_millis(self.throw(most + 1) as u64)
    }

    /// A random time to set a clock to.
    pub fn time(&self) -> Timestamp {
        Timestamp(1_000_000 + self.throw(CLOCKS_DIFFER_MS) as u64)
    }
}
