//! Subscriber keys, and the quota of unauthenticated connections per subscriber.
//!
//! The map holds a subscriber only while it has unauthenticated connections, so the number of
//! connections bounds it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

use ipnet::IpNet;

use crate::telemetry::{RefusalReason, metrics};

/// Length of the IPv6 prefix that identifies a subscriber, who has 2^64 addresses below it.
const IPV6_PREFIX_BITS: u32 = 64;

/// Key of a per-address limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriberKey {
    /// An IPv4 address, or the network address of an IPv6 /64.
    Address(IpAddr),
    /// A client that per-address limits do not apply to, such as one at a venue.
    Exempt,
}

/// Counts unauthenticated connections per subscriber.
pub(super) struct AddressQuota {
    unauthenticated: Mutex<HashMap<IpAddr, usize>>,
    per_address_max: usize,
    exempt: Arc<[IpNet]>,
}

/// One unauthenticated connection, counted against its subscriber until this is dropped.
pub(super) struct AddressPermit {
    address: IpAddr,
    quota: Arc<AddressQuota>,
}

impl AddressQuota {
    /// A quota of `per_address_max` connections for each subscriber outside the `exempt` networks.
    pub(super) fn new(per_address_max: usize, exempt: Arc<[IpNet]>) -> Self {
        Self {
            unauthenticated: Mutex::default(),
            per_address_max,
            exempt,
        }
    }

    /// The key that limits for this address use.
    pub(super) fn key(&self, address: IpAddr) -> SubscriberKey {
        if self.exempt.iter().any(|network| network.contains(&address)) {
            return SubscriberKey::Exempt;
        }
        SubscriberKey::Address(subscriber_address(address))
    }

    /// Counts one connection; no permit is needed for an exempt subscriber.
    pub(super) fn acquire(
        this: &Arc<Self>,
        key: SubscriberKey,
    ) -> Result<Option<AddressPermit>, RefusalReason> {
        let SubscriberKey::Address(address) = key else {
            return Ok(None);
        };
        let mut counts = this.counts();
        let count = counts.entry(address).or_default();
        if *count >= this.per_address_max {
            return Err(RefusalReason::Address);
        }
        *count += 1;
        drop(counts);
        metrics().connections_unauthenticated.increment(1);
        Ok(Some(AddressPermit {
            address,
            quota: this.clone(),
        }))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.counts().is_empty()
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.unauthenticated
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl Drop for AddressPermit {
    fn drop(&mut self) {
        metrics().connections_unauthenticated.decrement(1);
        let mut counts = self.quota.counts();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Masks an IPv6 address to its subscriber's network; an IPv4 address stays as it is.
fn subscriber_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = address.to_bits() >> IPV6_PREFIX_BITS << IPV6_PREFIX_BITS;
            Ipv6Addr::from_bits(network).into()
        }
    }
}
