//! What each address may have of something.
//!
//! Bounded: once so many addresses are remembered, those whose buckets have emptied are forgotten,
//! which makes no difference to them. Overflow policy: if that makes no room, all further addresses
//! share one bucket, so that whoever has many addresses gains nothing by using them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::addresses::Source;
use super::bucket::Bucket;
use crate::config::RateLimit;

/// Addresses that are remembered; some 6 MB.
const ADDRESSES_MAX: usize = 65_536;
/// Looking which have emptied takes a millisecond; whoever fills the memory must not cause it at will.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// See the module.
pub(super) struct Shares {
    allowance: RateLimit,
    remembered: Mutex<Remembered>,
    of_all_others: Arc<Bucket>,
}

struct Remembered {
    buckets: HashMap<IpAddr, Arc<Bucket>>,
    forgot_at: Option<Instant>,
}

impl Shares {
    pub(super) fn new(allowance: RateLimit) -> Self {
        Self {
            allowance,
            remembered: Mutex::new(Remembered {
                buckets: HashMap::new(),
                forgot_at: None,
            }),
            of_all_others: Arc::new(Bucket::new(allowance)),
        }
    }

    /// The bucket of whoever asks; none for those who are not limited.
    pub(super) fn of(&self, source: Source) -> Option<Arc<Bucket>> {
        let Source::Subscriber(address) = source else {
            return None;
        };
        let mut remembered = self.remembered();
        if let Some(bucket) = remembered.buckets.get(&address) {
            return Some(bucket.clone());
        }
        if !remembered.makes_room(Instant::now()) {
            return Some(self.of_all_others.clone());
        }
        let bucket = Arc::new(Bucket::new(self.allowance));
        remembered.buckets.insert(address, bucket.clone());
        Some(bucket)
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        let remembered = self.remembered.lock();
        remembered.expect("nothing panics while it holds the lock")
    }
}

impl Remembered {
    /// Whether there is room for one more address.
    fn makes_room(&mut self, now: Instant) -> bool {
        let is_due = self.forgot_at.is_none_or(|at| now - at >= FORGET_EVERY);
        if self.buckets.len() >= ADDRESSES_MAX && is_due {
            self.buckets.retain(|_, bucket| !bucket.is_empty(now));
            self.forgot_at = Some(now);
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

    use super::{ADDRESSES_MAX, Shares};
    use crate::config::RateLimit;
    use crate::gateway::addresses::Source;

    fn address(number: usize) -> Source {
        let number = u32::try_from(number).expect("there are fewer");
        Source::Subscriber(Ipv4Addr::from_bits(number).into())
    }

    fn takes(shares: &Shares, number: usize) -> bool {
        let bucket = shares.of(address(number)).expect("it is limited");
        bucket.take(Instant::now()).is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn more_addresses_than_are_remembered_share_a_bucket_until_some_have_emptied() {
        let once_a_minute = RateLimit {
            per_minute: NonZeroU32::MIN,
            burst: NonZeroU32::MIN,
        };
        let shares = Shares::new(once_a_minute);
        assert!(shares.of(Source::Unlimited).is_none());
        for number in 0..ADDRESSES_MAX {
            assert!(takes(&shares, number));
            assert!(!takes(&shares, number), "it has one");
        }
        assert!(takes(&shares, ADDRESSES_MAX), "the one of all others");
        assert!(!takes(&shares, ADDRESSES_MAX + 1), "the same");
        assert_eq!(shares.remembered().buckets.len(), ADDRESSES_MAX);

        advance(Duration::from_mins(1)).await;
        assert!(takes(&shares, 0), "a minute later");
        assert!(takes(&shares, ADDRESSES_MAX), "there is room");
        assert!(!takes(&shares, ADDRESSES_MAX), "it has one of its own");
        assert!(takes(&shares, ADDRESSES_MAX + 1), "another has, too");
        assert_eq!(shares.remembered().buckets.len(), 3);
    }
}
