//! An allowance that can be given back.
//!
//! Limiters that only take and never give back cannot tell what turned out well from what did not.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::RateLimit;

/// A bucket that empties at a steady rate: the generic cell rate algorithm (ITU-T I.371), with a way
/// back.
pub(super) struct Bucket {
    /// What one unit takes to drain.
    drain: Duration,
    capacity: u32,
    /// When it will be empty; in the past, it is.
    empty_at: Mutex<Instant>,
}

impl Bucket {
    pub(super) fn new(allowance: RateLimit) -> Self {
        Self {
            drain: Duration::from_mins(1) / allowance.per_minute.get(),
            capacity: allowance.burst.get(),
            empty_at: Mutex::new(Instant::now()),
        }
    }

    /// Puts one unit in, or tells how long until there is room for it.
    pub(super) fn take(&self, now: Instant) -> Result<(), Duration> {
        let mut empty_at = self.empty_at();
        let with_one_more = (*empty_at).max(now) + self.drain;
        let room = self.drain * self.capacity;
        let overflow = (with_one_more - now).saturating_sub(room);
        if overflow > Duration::ZERO {
            return Err(overflow);
        }
        *empty_at = with_one_more;
        Ok(())
    }

    pub(super) fn give_back(&self) {
        let mut empty_at = self.empty_at();
        // At the very beginning of the clock there is nothing before it.
        *empty_at = empty_at.checked_sub(self.drain).unwrap_or(*empty_at);
    }

    /// Whether it is as good as a new one.
    pub(super) fn is_empty(&self, now: Instant) -> bool {
        *self.empty_at() <= now
    }

    fn empty_at(&self) -> MutexGuard<'_, Instant> {
        let empty_at = self.empty_at.lock();
        empty_at.expect("nothing panics while it holds the lock")
    }
}
