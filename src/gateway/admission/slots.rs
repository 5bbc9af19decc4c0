//! Connection slots: a limit on all connections, and a quota of unauthenticated ones per address.
//!
//! Overflow policy: a connection beyond a limit is refused with a retry-after, unless a slot of the
//! `reserve` is free and its request is eligible for it. Authentication takes a connection out of its
//! address's quota, because a school or a mobile carrier is one address. A trusted proxy's connection is
//! not counted against an address itself; each of its requests is, for the address that it forwards.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use hyper::HeaderMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::addresses::{AddressPermit, AddressQuota, SubscriberKey};
use super::reserve::ReservedSlots;
use crate::config::GatewayConfig;
use crate::gateway::net::forwarded::Proxies;
use crate::telemetry::{RefusalReason, metrics};

/// The connection slots of the public listener.
pub(in crate::gateway) struct ConnectionSlots {
    slots: Arc<Semaphore>,
    addresses: Arc<AddressQuota>,
    proxies: Proxies,
    reserve: ReservedSlots,
}

/// How an accepted connection was admitted: decides which slot its requests are counted for.
#[derive(Clone)]
pub(in crate::gateway) enum Admission {
    /// A connection of one client.
    Client(Arc<ConnectionSlot>),
    /// A trusted proxy's connection, with requests of many clients.
    Proxy {
        address: IpAddr,
        permit: Arc<ConnectionPermit>,
        limits: Arc<ConnectionSlots>,
    },
    /// A connection beyond the limits, whose request must be eligible for the reserve.
    Reserved {
        refused: RefusalReason,
        address: IpAddr,
        slot: Arc<ConnectionSlot>,
        limits: Arc<ConnectionSlots>,
    },
}

/// A client's connection slot. It travels with an upgrade and is freed with the connection; behind a
/// proxy it is freed with the request, unless that was an upgrade.
pub struct ConnectionSlot {
    address_permit: Mutex<Option<AddressPermit>>,
    key: SubscriberKey,
    permit: Arc<ConnectionPermit>,
}

/// One of the connections that the server may have in all.
pub(in crate::gateway) struct ConnectionPermit {
    _permit: OwnedSemaphorePermit,
}

impl ConnectionSlots {
    pub(in crate::gateway) fn new(config: &GatewayConfig) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(config.connections_max)),
            addresses: Arc::new(AddressQuota::new(
                config.unauthenticated_per_address_max,
                config.venues.clone(),
            )),
            proxies: Proxies::new(config),
            reserve: ReservedSlots::new(config),
        }
    }

    /// Admits a connection, within the limits or with a reserved slot.
    pub(in crate::gateway) fn admit(
        self: &Arc<Self>,
        from: IpAddr,
    ) -> Result<Admission, RefusalReason> {
        let address = from.to_canonical();
        let refused = match self.admit_within_limits(address) {
            Ok(admission) => return Ok(admission),
            Err(refused) => refused,
        };
        let (address_permit, permit) = self.reserve.acquire(address).ok_or(refused)?;
        let permit = ConnectionPermit::new(permit);
        Ok(Admission::Reserved {
            refused,
            address,
            slot: ConnectionSlot::new(address_permit, self.addresses.key(address), permit),
            limits: self.clone(),
        })
    }

    /// The subscriber key of a request that a trusted proxy forwards.
    fn forwarded_key(&self, proxy: IpAddr, headers: &HeaderMap) -> SubscriberKey {
        self.addresses.key(self.proxies.client(proxy, headers))
    }

    fn admit_within_limits(self: &Arc<Self>, address: IpAddr) -> Result<Admission, RefusalReason> {
        let permit = self.slots.clone().try_acquire_owned();
        let permit = permit.map_err(|_| RefusalReason::Full)?;
        if self.proxies.contain(address) {
            return Ok(Admission::Proxy {
                address,
                permit: ConnectionPermit::new(permit),
                limits: self.clone(),
            });
        }
        let key = self.addresses.key(address);
        let address_permit = AddressQuota::acquire(&self.addresses, key)?;
        let permit = ConnectionPermit::new(permit);
        Ok(Admission::Client(ConnectionSlot::new(
            address_permit,
            key,
            permit,
        )))
    }
}

impl Admission {
    /// The slot that a request is counted for.
    pub(in crate::gateway) fn slot(
        &self,
        headers: &HeaderMap,
    ) -> Result<Arc<ConnectionSlot>, RefusalReason> {
        match self {
            Self::Client(slot) => Ok(slot.clone()),
            Self::Proxy {
                address,
                permit,
                limits,
            } => {
                let key = limits.forwarded_key(*address, headers);
                let address_permit = AddressQuota::acquire(&limits.addresses, key)?;
                Ok(ConnectionSlot::new(address_permit, key, permit.clone()))
            }
            Self::Reserved { refused, .. } => Err(*refused),
        }
    }

    /// The slot of a request that is eligible for the reserve; its address quota is not checked.
    pub(in crate::gateway) fn reserved_slot(&self, headers: &HeaderMap) -> Arc<ConnectionSlot> {
        match self {
            Self::Proxy {
                address,
                permit,
                limits,
            } => {
                let key = limits.forwarded_key(*address, headers);
                ConnectionSlot::new(None, key, permit.clone())
            }
            Self::Reserved {
                address,
                slot,
                limits,
                ..
            } if limits.proxies.contain(*address) => {
                let key = limits.forwarded_key(*address, headers);
                ConnectionSlot::new(None, key, slot.permit.clone())
            }
            Self::Client(slot) | Self::Reserved { slot, .. } => slot.clone(),
        }
    }

    /// Why requests that are not eligible for the reserve are refused; none within the limits.
    pub(in crate::gateway) fn refused(&self) -> Option<RefusalReason> {
        match self {
            Self::Client(_) | Self::Proxy { .. } => None,
            Self::Reserved { refused, .. } => Some(*refused),
        }
    }
}

impl ConnectionPermit {
    pub(in crate::gateway) fn new(permit: OwnedSemaphorePermit) -> Arc<Self> {
        metrics().connections_open.increment(1);
        Arc::new(Self { _permit: permit })
    }
}

impl ConnectionSlot {
    fn new(
        address_permit: Option<AddressPermit>,
        key: SubscriberKey,
        permit: Arc<ConnectionPermit>,
    ) -> Arc<Self> {
        Arc::new(Self {
            address_permit: Mutex::new(address_permit),
            key,
            permit,
        })
    }

    /// The slot of a request that another node relays, which counted the client itself.
    pub(in crate::gateway) fn relayed(
        key: SubscriberKey,
        permit: Arc<ConnectionPermit>,
    ) -> Arc<Self> {
        Self::new(None, key, permit)
    }

    /// The key of this client in per-address limits.
    pub fn subscriber_key(&self) -> SubscriberKey {
        self.key
    }

    /// Takes the connection, which has shown a valid token, out of its address's quota. Idempotent.
    pub fn mark_authenticated(&self) {
        let permit = self.address_permit.lock();
        let permit = permit
            .expect("nothing panics while it holds the lock")
            .take();
        drop(permit);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        metrics().connections_open.decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use hyper::HeaderMap;
    use hyper::header::HeaderValue;

    use super::{ConnectionSlot, ConnectionSlots};
    use crate::config::{Config, GatewayConfig, Layers};
    use crate::telemetry::RefusalReason;

    fn slots(connections_max: usize) -> Arc<ConnectionSlots> {
        let config = Config::read(Layers::built_in()).expect("the built-in settings are valid");
        let network = |text: &str| text.parse().expect("a network");
        Arc::new(ConnectionSlots::new(&GatewayConfig {
            connections_max,
            unauthenticated_per_address_max: 2,
            venues: [network("10.1.0.0/16")].into(),
            proxies: [network("10.2.0.0/16")].into(),
            ..config.gateway
        }))
    }

    fn connect(
        slots: &Arc<ConnectionSlots>,
        address: &str,
    ) -> Result<Arc<ConnectionSlot>, RefusalReason> {
        let address = address.parse::<IpAddr>().expect("an IP address");
        slots.admit(address)?.slot(&HeaderMap::new())
    }

    #[test]
    fn authenticated_and_closed_connections_leave_the_address_quota() {
        let slots = slots(100);
        let first = connect(&slots, "192.0.2.1").expect("a free slot");
        let second = connect(&slots, "192.0.2.1").expect("a free slot");
        assert_eq!(
            connect(&slots, "192.0.2.1").err(),
            Some(RefusalReason::Address)
        );
        connect(&slots, "192.0.2.2").expect("another address");
        first.mark_authenticated();
        first.mark_authenticated();
        let third = connect(&slots, "192.0.2.1").expect("one has authenticated");
        assert_eq!(
            connect(&slots, "192.0.2.1").err(),
            Some(RefusalReason::Address)
        );
        drop(second);
        connect(&slots, "192.0.2.1").expect("one has closed");
        drop((first, third));
        assert!(slots.addresses.is_empty(), "every permit was released");
    }

    #[test]
    fn ipv6_subscribers_are_identified_by_their_64_bit_prefix() {
        let slots = slots(100);
        let held = [
            "2001:db8::1",
            "2001:db8::2",
            "2001:db8:0:1::1",
            "::ffff:192.0.2.1",
        ]
        .map(|address| connect(&slots, address).expect("a free slot"));
        assert_eq!(
            connect(&slots, "2001:db8::3").err(),
            Some(RefusalReason::Address)
        );
        let mapped = connect(&slots, "192.0.2.1").expect("the second of this address");
        assert_eq!(
            connect(&slots, "192.0.2.1").err(),
            Some(RefusalReason::Address)
        );
        drop((held, mapped));
    }

    #[test]
    fn venues_are_limited_only_by_the_connection_limit() {
        let slots = slots(4);
        let held: Vec<_> = (0..4)
            .map(|_| connect(&slots, "10.1.2.3").expect("a venue"))
            .collect();
        assert_eq!(connect(&slots, "10.1.2.3").err(), Some(RefusalReason::Full));
        assert_eq!(
            connect(&slots, "192.0.2.1").err(),
            Some(RefusalReason::Full)
        );
        drop(held);
        connect(&slots, "192.0.2.1").expect("all have closed");
    }

    #[test]
    fn each_proxied_request_counts_for_the_forwarded_address() {
        let slots = slots(2);
        let proxy = "10.2.0.1".parse::<IpAddr>().expect("an IP address");
        let admission = slots.admit(proxy).expect("a free slot");
        let request = |client: &str| {
            let mut headers = HeaderMap::new();
            let client = HeaderValue::from_str(client).expect("a header value");
            headers.insert("x-forwarded-for", client);
            admission.slot(&headers)
        };
        let held = ["192.0.2.1", "192.0.2.1"].map(|client| request(client).expect("a free slot"));
        assert_eq!(request("192.0.2.1").err(), Some(RefusalReason::Address));
        request("192.0.2.2").expect("another client");
        let venue: Vec<_> = (0..9)
            .map(|_| request("10.1.2.3").expect("a venue"))
            .collect();
        drop(held);
        request("192.0.2.1").expect("the earlier requests have been answered");
        assert_eq!(
            connect(&slots, "192.0.2.1").map(drop),
            Ok(()),
            "a second connection slot"
        );
        // The proxy's permit is held while an upgraded connection lasts.
        drop(admission);
        let second = slots.admit(proxy).expect("the first client has closed");
        assert_eq!(
            connect(&slots, "192.0.2.3").err(),
            Some(RefusalReason::Full)
        );
        drop((venue, second));
        connect(&slots, "192.0.2.3").expect("all have closed");
    }
}
