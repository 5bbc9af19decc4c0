//! For how long a node may speak for its sessions without asking.
//!
//! What is journaled is safe at any time: the store's fence proves it. Everything else that a session
//! says (a snapshot, a head, a rejection) is only as true as the belief that nobody else owns it.
//! That belief ends by the monotonic clock, counted from before a renewal was sent, and so before
//! anyone else may act on its end. A machine that is suspended is no exception: the time goes on
//! ([`Moment`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Moment;

/// Tells whether the node may speak. Clones share it.
#[derive(Debug, Clone)]
pub struct Validity {
    /// None for a server that shares its journal with nobody.
    shared: Option<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    /// From when on the time is counted.
    base: Moment,
    /// Until when it holds, in microseconds after `base`; 0 while it does not.
    until_us: AtomicU64,
    /// Rises with every renewal, to wake those who wait for one.
    renewals: watch::Sender<u64>,
    /// Rises each time that it is ended.
    era: AtomicU64,
}

/// The time between two ends of a validity. What was claimed in an earlier one may be another node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Era(u64);

impl Validity {
    /// Of a server that no other may take sessions from.
    pub fn for_ever() -> Self {
        Self { shared: None }
    }

    /// Of a node that has not renewed yet.
    pub fn over() -> Self {
        let shared = Shared {
            base: Moment::now(),
            until_us: AtomicU64::new(0),
            renewals: watch::Sender::new(0),
            era: AtomicU64::new(0),
        };
        Self {
            shared: Some(Arc::new(shared)),
        }
    }

    /// Whether the node may speak at this moment.
    pub fn holds(&self) -> bool {
        self.shared
            .as_ref()
            .is_none_or(|shared| shared.holds_at(Moment::now()))
    }

    /// The present era.
    pub fn era(&self) -> Era {
        let era = |shared: &Arc<Shared>| shared.era.load(Ordering::Acquire);
        Era(self.shared.as_ref().map_or(0, era))
    }

    /// Waits until the node may speak. Cancel-safe.
    pub async fn wait(&self) {
        let Some(shared) = &self.shared else { return };
        let mut renewals = shared.renewals.subscribe();
        while !self.holds() {
            // The sender is in `shared`, which is held here.
            drop(renewals.changed().await);
        }
    }

    /// It holds for a time from a moment on. An earlier end than before changes nothing.
    pub(super) fn renew(&self, from: Moment, lease: Duration) {
        if let Some(shared) = &self.shared {
            let until_us = micros(from.since(shared.base) + lease);
            shared.until_us.fetch_max(until_us, Ordering::AcqRel);
            shared.renewals.send_modify(|count| *count += 1);
        }
    }

    /// It is over, until the next renewal, and a new era begins.
    pub(super) fn end(&self) {
        if let Some(shared) = &self.shared {
            shared.era.fetch_add(1, Ordering::AcqRel);
            shared.until_us.store(0, Ordering::Release);
        }
    }
}

impl Shared {
    fn holds_at(&self, now: Moment) -> bool {
        micros(now.since(self.base)) < self.until_us.load(Ordering::Acquire)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::Validity;
    use crate::clock::Moment;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn it_holds_until_the_moment_that_a_renewal_names() {
        let validity = Validity::over();
        assert!(!validity.holds());
        validity.renew(Moment::now(), SECOND);
        assert!(validity.holds());
        advance(Duration::from_millis(999)).await;
        assert!(validity.holds());
        validity.renew(Moment::now(), Duration::ZERO);
        assert!(validity.holds(), "a late answer shortens nothing");
        advance(Duration::from_millis(1)).await;
        assert!(!validity.holds());
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_outlive_a_suspension_of_the_machine() {
        let validity = Validity::over();
        let sent = Moment::now();
        validity.renew(sent, SECOND);
        let shared = validity.shared.as_ref().expect("others may take sessions");
        assert!(shared.holds_at(sent.after_suspension(SECOND / 2)));
        let woken = sent.after_suspension(SECOND + Duration::from_millis(1));
        assert!(!shared.holds_at(woken));
        validity.renew(woken, SECOND);
        let shared = validity.shared.as_ref().expect("others may take sessions");
        assert!(shared.holds_at(woken), "the next answered beat renews it");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_is_woken_by_a_renewal() {
        let validity = Validity::over();
        let waiter = validity.clone();
        let waiting = async move { waiter.wait().await };
        let renewing = async {
            tokio::task::yield_now().await;
            validity.renew(Moment::now(), SECOND);
        };
        tokio::join!(waiting, renewing);
        let era = validity.era();
        validity.end();
        assert!(!validity.holds(), "it was ended before its time");
        assert_ne!(validity.era(), era);
        assert!(Validity::for_ever().holds());
    }
}
