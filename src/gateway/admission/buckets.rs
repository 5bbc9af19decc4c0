//! Token buckets with refunds, and a map with one bucket per subscriber.
//!
//! A limiter without refunds could not exempt attempts that succeeded.
//!
//! Bounded: above [`ADDRESSES_MAX`] addresses, those whose buckets have refilled are evicted, which makes no
//! difference to them. Overflow policy: if that frees nothing, all further addresses use one bucket
//! together, so that a client with many addresses gains nothing by using them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::addresses::SubscriberKey;
use crate::config::RateLimit;

/// Addresses that have a bucket of their own; some 6 MB.
const ADDRESSES_MAX: usize = 65_536;
/// Minimum time between two sweeps. A sweep takes a millisecond, and a flood of addresses must not cause more
/// of them.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// A token bucket by the generic cell rate algorithm (ITU-T I.371), with refunds.
pub(super) struct TokenBucket {
    /// Time to refill one token.
    refill: Duration,
    capacity: u32,
    /// When the bucket will be full again; full if that is past.
    full_at: Mutex<Instant>,
}

/// One token bucket per subscriber.
pub(super) struct AddressBuckets {
    limit: RateLimit,
    tracked: Mutex<TrackedBuckets>,
    overflow: Arc<TokenBucket>,
}

struct TrackedBuckets {
    buckets: HashMap<IpAddr, Arc<TokenBucket>>,
    swept_at: Option<Instant>,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(limit: RateLimit) -> Self {
        Self {
            refill: Duration::from_mins(1) / limit.per_minute.get(),
            capacity: limit.burst.get(),
            full_at: Mutex::new(Instant::now()),
        }
    }

    /// Takes one token, or returns how long until there is one.
    pub(super) fn try_acquire(&self, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at();
        let without_one_more = (*full_at).max(now) + self.refill;
        let refill_max = self.refill * self.capacity;
        let wait = (without_one_more - now).saturating_sub(refill_max);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        *full_at = without_one_more;
        Ok(())
    }

    /// Returns one token.
    pub(super) fn refund(&self) {
        let mut full_at = self.full_at();
        // Near the origin of the clock there may be no earlier instant.
        *full_at = full_at.checked_sub(self.refill).unwrap_or(*full_at);
    }

    /// Whether the bucket is in the state of a new one.
    fn is_full(&self, now: Instant) -> bool {
        *self.full_at() <= now
    }

    fn full_at(&self) -> MutexGuard<'_, Instant> {
        let full_at = self.full_at.lock();
        full_at.expect("nothing panics while it holds the lock")
    }
}

impl AddressBuckets {
    pub(super) fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            tracked: Mutex::new(TrackedBuckets {
                buckets: HashMap::new(),
                swept_at: None,
            }),
            overflow: Arc::new(TokenBucket::new(limit)),
        }
    }

    /// The subscriber's bucket; none for an exempt one.
    pub(super) fn bucket(&self, key: SubscriberKey) -> Option<Arc<TokenBucket>> {
        let SubscriberKey::Address(address) = key else {
            return None;
        };
        let mut tracked = self.tracked();
        if let Some(bucket) = tracked.buckets.get(&address) {
            return Some(bucket.clone());
        }
        if !tracked.make_room(Instant::now()) {
            return Some(self.overflow.clone());
        }
        let bucket = Arc::new(TokenBucket::new(self.limit));
        tracked.buckets.insert(address, bucket.clone());
        Some(bucket)
    }

    fn tracked(&self) -> MutexGuard<'_, TrackedBuckets> {
        let tracked = self.tracked.lock();
        tracked.expect("nothing panics while it holds the lock")
    }
}

impl TrackedBuckets {
    /// Evicts full buckets if that is due; returns whether one more address can be tracked.
    fn make_room(&mut self, now: Instant) -> bool {
        let is_due = self.swept_at.is_none_or(|at| now - at >= SWEEP_INTERVAL);
        if self.buckets.len() >= ADDRESSES_MAX && is_due {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.swept_at = Some(now);
        }
        self.buckets.len() < ADDRESSES_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::num::NonZeroU32;
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::{ADDRESSES_MAX, AddressBuckets, SubscriberKey};
    use crate::config::RateLimit;

    fn key(number: usize) -> SubscriberKey {
        let number = u32::try_from(number).expect("there are fewer");
        SubscriberKey::Address(Ipv4Addr::from_bits(number).into())
    }

    fn acquires(buckets: &AddressBuckets, number: usize) -> bool {
        let bucket = buckets.bucket(key(number)).expect("it is limited");
        bucket.try_acquire(Instant::now()).is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn untracked_addresses_share_a_bucket_until_others_are_evicted() {
        let once_a_minute = RateLimit {
            per_minute: NonZeroU32::MIN,
            burst: NonZeroU32::MIN,
        };
        let buckets = AddressBuckets::new(once_a_minute);
        assert!(buckets.bucket(SubscriberKey::Exempt).is_none());
        for number in 0..ADDRESSES_MAX {
            assert!(acquires(&buckets, number));
            assert!(!acquires(&buckets, number), "it has one token");
        }
        assert!(acquires(&buckets, ADDRESSES_MAX), "the overflow bucket");
        assert!(!acquires(&buckets, ADDRESSES_MAX + 1), "the same bucket");
        assert_eq!(buckets.tracked().buckets.len(), ADDRESSES_MAX);

        advance(Duration::from_mins(1)).await;
        assert!(acquires(&buckets, 0), "a minute later");
        assert!(acquires(&buckets, ADDRESSES_MAX), "tracked now");
        assert!(!acquires(&buckets, ADDRESSES_MAX), "its own bucket");
        assert!(acquires(&buckets, ADDRESSES_MAX + 1), "tracked as well");
        assert_eq!(buckets.tracked().buckets.len(), 3);
    }
}
