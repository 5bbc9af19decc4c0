//! The lease: the time for which a node may answer for its sessions without asking the store.
//!
//! Journaled outputs are always safe: the store's fence proves ownership. Other outputs of a session (a
//! client snapshot, heads, a rejection) are correct only while no other node owns it. The lease guarantees
//! that. It is measured by the monotonic clock from before a heartbeat was sent, so it expires before any
//! other node may act on its expiry. It also expires while the machine is suspended ([`Moment`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Moment;

/// A node's lease. Clones share it.
#[derive(Debug, Clone)]
pub struct Lease {
    /// `None` for a server with a journal of its own.
    shared: Option<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    /// Start of the time scale of `until_us`.
    base: Moment,
    /// Expiry, in microseconds after `base`; 0 if the lease is revoked.
    until_us: AtomicU64,
    /// Incremented by every extension, to wake waiting tasks.
    extensions: watch::Sender<u64>,
    /// Incremented by every revocation.
    term: AtomicU64,
}

/// The period between two revocations of a lease. A session claimed in an earlier term may have another
/// owner by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerm(u64);

impl Lease {
    /// A lease that never expires, for a server with a journal of its own.
    pub fn unlimited() -> Self {
        Self { shared: None }
    }

    /// The lease of a node that has not sent a heartbeat yet.
    pub fn expired() -> Self {
        let shared = Shared {
            base: Moment::now(),
            until_us: AtomicU64::new(0),
            extensions: watch::Sender::new(0),
            term: AtomicU64::new(0),
        };
        Self {
            shared: Some(Arc::new(shared)),
        }
    }

    /// Whether the lease is held at this moment.
    pub fn is_held(&self) -> bool {
        self.shared
            .as_ref()
            .is_none_or(|shared| shared.is_held_at(Moment::now()))
    }

    /// The current term.
    pub fn term(&self) -> LeaseTerm {
        let term = |shared: &Arc<Shared>| shared.term.load(Ordering::Acquire);
        LeaseTerm(self.shared.as_ref().map_or(0, term))
    }

    /// Waits until the lease is held. Cancel-safe.
    pub async fn wait_until_held(&self) {
        let Some(shared) = &self.shared else { return };
        let mut extensions = shared.extensions.subscribe();
        while !self.is_held() {
            // An error is impossible: `shared` owns the sender.
            drop(extensions.changed().await);
        }
    }

    /// Extends the lease to `duration` after `from`. Never shortens it.
    pub(super) fn extend(&self, from: Moment, duration: Duration) {
        if let Some(shared) = &self.shared {
            let until_us = micros(from.since(shared.base) + duration);
            shared.until_us.fetch_max(until_us, Ordering::AcqRel);
            shared.extensions.send_modify(|count| *count += 1);
        }
    }

    /// Ends the lease until the next extension, and begins a new term.
    pub(super) fn revoke(&self) {
        if let Some(shared) = &self.shared {
            shared.term.fetch_add(1, Ordering::AcqRel);
            shared.until_us.store(0, Ordering::Release);
        }
    }
}

impl Shared {
    fn is_held_at(&self, now: Moment) -> bool {
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

    use super::Lease;
    use crate::clock::Moment;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_lease_is_held_until_it_expires() {
        let lease = Lease::expired();
        assert!(!lease.is_held());
        lease.extend(Moment::now(), SECOND);
        assert!(lease.is_held());
        advance(Duration::from_millis(999)).await;
        assert!(lease.is_held());
        lease.extend(Moment::now(), Duration::ZERO);
        assert!(lease.is_held(), "a late answer does not shorten it");
        advance(Duration::from_millis(1)).await;
        assert!(!lease.is_held());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_expires_while_the_machine_is_suspended() {
        let lease = Lease::expired();
        let sent = Moment::now();
        lease.extend(sent, SECOND);
        let shared = lease.shared.as_ref().expect("it is a shared journal");
        assert!(shared.is_held_at(sent.after_suspension(SECOND / 2)));
        let woken = sent.after_suspension(SECOND + Duration::from_millis(1));
        assert!(!shared.is_held_at(woken));
        lease.extend(woken, SECOND);
        let shared = lease.shared.as_ref().expect("it is a shared journal");
        assert!(shared.is_held_at(woken), "the next heartbeat extends it");
    }

    #[tokio::test(start_paused = true)]
    async fn an_extension_wakes_a_waiting_task() {
        let lease = Lease::expired();
        let waiter = lease.clone();
        let waiting = async move { waiter.wait_until_held().await };
        let extending = async {
            tokio::task::yield_now().await;
            lease.extend(Moment::now(), SECOND);
        };
        tokio::join!(waiting, extending);
        let term = lease.term();
        lease.revoke();
        assert!(!lease.is_held(), "it was revoked before it expired");
        assert_ne!(lease.term(), term);
        assert!(Lease::unlimited().is_held());
    }
}
