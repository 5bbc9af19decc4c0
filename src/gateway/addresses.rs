//! Who may have a place: connections in all, and from one address before a valid token is shown.
//!
//! Overflow policy: whoever comes last is sent away with the time to try again, but for what a small
//! `reserve` is for. An address is counted
//! only while it has connections, so that the count is bounded by them. A token frees its connection
//! from the address's count: a school or a mobile carrier is one address. A connection of a trusted
//! proxy is not counted itself; each of its requests is, for the address that the proxy tells.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

use hyper::HeaderMap;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::forwarded::Proxies;
use super::reserve::Reserve;
use crate::config::GatewayConfig;
use crate::telemetry::{ConnectionRefusal, metrics};

/// The bits of an IPv6 address that name a subscriber; below, everyone has 2^64 addresses.
const IPV6_NETWORK_BITS: u32 = 64;

/// The places of a server.
pub(super) struct Places {
    in_all: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    proxies: Proxies,
    reserve: Reserve,
}

/// How many connections each address has that have not shown a token.
pub(super) struct Addresses {
    unauthenticated: Mutex<HashMap<IpAddr, usize>>,
    per_address_max: usize,
    venues: Arc<[IpNet]>,
}

/// A connection among those that the server takes, and whom it counts for.
#[derive(Clone)]
pub(super) enum Seat {
    /// One client's.
    Client(Arc<Place>),
    /// A trusted proxy's, with requests of many clients.
    Proxy {
        address: IpAddr,
        room: Arc<Room>,
        places: Arc<Places>,
    },
    /// Of somebody who is refused but for what the reserve is for.
    Reserved {
        refused: ConnectionRefusal,
        address: IpAddr,
        place: Arc<Place>,
        places: Arc<Places>,
    },
}

/// Whom limits by address count something for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Whoever has this address, or of IPv6 the network that it stands for.
    Subscriber(IpAddr),
    /// A venue, which these limits leave out.
    Unlimited,
}

/// A client's place. It travels with an upgrade and ends with the connection; behind a proxy with
/// the request, if that asked for no upgrade.
pub struct Place {
    share: Mutex<Option<Share>>,
    source: Source,
    room: Arc<Room>,
}

/// One of the connections in all.
pub(super) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// One connection that counts against its address.
pub(super) struct Share {
    address: IpAddr,
    addresses: Arc<Addresses>,
}

impl Places {
    pub(super) fn new(config: &GatewayConfig) -> Self {
        Self {
            in_all: Arc::new(Semaphore::new(config.connections_max)),
            addresses: Arc::new(Addresses::new(
                config.unauthenticated_per_address_max,
                config.venues.clone(),
            )),
            proxies: Proxies::new(config),
            reserve: Reserve::new(config),
        }
    }

    /// A seat for a connection from an address.
    pub(super) fn take(self: &Arc<Self>, from: IpAddr) -> Result<Seat, ConnectionRefusal> {
        let address = from.to_canonical();
        let refused = match self.take_within_bounds(address) {
            Ok(seat) => return Ok(seat),
            Err(refused) => refused,
        };
        let (share, room) = self.reserve.take(address).ok_or(refused)?;
        Ok(Seat::Reserved {
            refused,
            address,
            place: Place::new(share, self.addresses.source(address), room),
            places: self.clone(),
        })
    }

    /// Whom a request is counted for that a trusted proxy passes on.
    fn source_behind(&self, proxy: IpAddr, headers: &HeaderMap) -> Source {
        self.addresses.source(self.proxies.client(proxy, headers))
    }

    fn take_within_bounds(self: &Arc<Self>, address: IpAddr) -> Result<Seat, ConnectionRefusal> {
        let permit = self.in_all.clone().try_acquire_owned();
        let permit = permit.map_err(|_| ConnectionRefusal::Full)?;
        if self.proxies.has(address) {
            return Ok(Seat::Proxy {
                address,
                room: Room::new(permit),
                places: self.clone(),
            });
        }
        let source = self.addresses.source(address);
        let share = Addresses::share(&self.addresses, source)?;
        Ok(Seat::Client(Place::new(share, source, Room::new(permit))))
    }
}

impl Seat {
    /// The place that a request counts for.
    pub(super) fn place(&self, headers: &HeaderMap) -> Result<Arc<Place>, ConnectionRefusal> {
        match self {
            Self::Client(place) => Ok(place.clone()),
            Self::Proxy {
                address,
                room,
                places,
            } => {
                let source = places.source_behind(*address, headers);
                let share = Addresses::share(&places.addresses, source)?;
                Ok(Place::new(share, source, room.clone()))
            }
            Self::Reserved { refused, .. } => Err(*refused),
        }
    }

    /// The place of a request that the reserve is for.
    pub(super) fn place_beyond_bounds(&self, headers: &HeaderMap) -> Arc<Place> {
        match self {
            Self::Proxy {
                address,
                room,
                places,
            } => {
                let source = places.source_behind(*address, headers);
                Place::new(None, source, room.clone())
            }
            Self::Reserved {
                address,
                place,
                places,
                ..
            } if places.proxies.has(*address) => {
                let source = places.source_behind(*address, headers);
                Place::new(None, source, place.room.clone())
            }
            Self::Client(place) | Self::Reserved { place, .. } => place.clone(),
        }
    }

    /// Why all but what the reserve is for is refused; nothing if it is not.
    pub(super) fn refused(&self) -> Option<ConnectionRefusal> {
        match self {
            Self::Client(_) | Self::Proxy { .. } => None,
            Self::Reserved { refused, .. } => Some(*refused),
        }
    }
}

impl Room {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Arc<Self> {
        metrics().connections_open.increment(1);
        Arc::new(Self { _permit: permit })
    }
}

impl Addresses {
    pub(super) fn new(per_address_max: usize, venues: Arc<[IpNet]>) -> Self {
        Self {
            unauthenticated: Mutex::default(),
            per_address_max,
            venues,
        }
    }

    pub(super) fn source(&self, from: IpAddr) -> Source {
        if self.venues.iter().any(|venue| venue.contains(&from)) {
            return Source::Unlimited;
        }
        Source::Subscriber(subscriber(from))
    }

    /// A share of what an address may have; none for venues, which are not counted.
    pub(super) fn share(
        this: &Arc<Self>,
        source: Source,
    ) -> Result<Option<Share>, ConnectionRefusal> {
        let Source::Subscriber(address) = source else {
            return Ok(None);
        };
        let mut counts = this.counts();
        let count = counts.entry(address).or_default();
        if *count >= this.per_address_max {
            return Err(ConnectionRefusal::Address);
        }
        *count += 1;
        drop(counts);
        metrics().connections_unauthenticated.increment(1);
        Ok(Some(Share {
            address,
            addresses: this.clone(),
        }))
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.unauthenticated
            .lock()
            .expect("nothing panics while it holds the lock")
    }
}

impl Place {
    fn new(share: Option<Share>, source: Source, room: Arc<Room>) -> Arc<Self> {
        Arc::new(Self {
            share: Mutex::new(share),
            source,
            room,
        })
    }

    /// Of a request that another node relays: whoever sent it was counted where they came in.
    pub(super) fn relayed(source: Source, room: Arc<Room>) -> Arc<Self> {
        Self::new(None, source, room)
    }

    /// Whom limits by address count this client's doings for.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The connection has shown a valid token: it counts against its address no longer.
    pub fn authenticated(&self) {
        let share = self.share.lock();
        let share = share
            .expect("nothing panics while it holds the lock")
            .take();
        drop(share);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        metrics().connections_open.decrement(1);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        metrics().connections_unauthenticated.decrement(1);
        let mut counts = self.addresses.counts();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// What stands for all addresses of one subscriber.
fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = address.to_bits() >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS;
            Ipv6Addr::from_bits(network).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use hyper::HeaderMap;
    use hyper::header::HeaderValue;

    use super::{Place, Places};
    use crate::config::{Config, GatewayConfig, Layers};
    use crate::telemetry::ConnectionRefusal;

    fn places(in_all: usize) -> Arc<Places> {
        let config = Config::read(Layers::built_in()).expect("the built-in settings are good");
        let network = |text: &str| text.parse().expect("it is a network");
        Arc::new(Places::new(&GatewayConfig {
            connections_max: in_all,
            unauthenticated_per_address_max: 2,
            venues: [network("10.1.0.0/16")].into(),
            proxies: [network("10.2.0.0/16")].into(),
            ..config.gateway
        }))
    }

    fn take(places: &Arc<Places>, address: &str) -> Result<Arc<Place>, ConnectionRefusal> {
        let seat = places.take(address.parse::<IpAddr>().expect("it is an address"))?;
        seat.place(&HeaderMap::new())
    }

    #[test]
    fn an_address_has_its_share_until_tokens_are_shown_or_connections_end() {
        let places = places(100);
        let first = take(&places, "192.0.2.1").expect("there is room");
        let second = take(&places, "192.0.2.1").expect("there is room");
        assert_eq!(
            take(&places, "192.0.2.1").err(),
            Some(ConnectionRefusal::Address)
        );
        take(&places, "192.0.2.2").expect("another address");
        first.authenticated();
        first.authenticated();
        let third = take(&places, "192.0.2.1").expect("one has shown its token");
        assert_eq!(
            take(&places, "192.0.2.1").err(),
            Some(ConnectionRefusal::Address)
        );
        drop(second);
        take(&places, "192.0.2.1").expect("one has ended");
        drop((first, third));
        assert!(
            places.addresses.counts().is_empty(),
            "nothing is left behind"
        );
    }

    #[test]
    fn subscribers_are_told_apart_by_their_network() {
        let places = places(100);
        let taken = [
            "2001:db8::1",
            "2001:db8::2",
            "2001:db8:0:1::1",
            "::ffff:192.0.2.1",
        ]
        .map(|address| take(&places, address).expect("there is room"));
        assert_eq!(
            take(&places, "2001:db8::3").err(),
            Some(ConnectionRefusal::Address)
        );
        let mapped = take(&places, "192.0.2.1").expect("the second of this address");
        assert_eq!(
            take(&places, "192.0.2.1").err(),
            Some(ConnectionRefusal::Address)
        );
        drop((taken, mapped));
    }

    #[test]
    fn venues_are_bounded_only_in_all() {
        let places = places(4);
        let taken: Vec<_> = (0..4)
            .map(|_| take(&places, "10.1.2.3").expect("a venue"))
            .collect();
        assert_eq!(
            take(&places, "10.1.2.3").err(),
            Some(ConnectionRefusal::Full)
        );
        assert_eq!(
            take(&places, "192.0.2.1").err(),
            Some(ConnectionRefusal::Full)
        );
        drop(taken);
        take(&places, "192.0.2.1").expect("all have left");
    }

    #[test]
    fn behind_a_proxy_each_request_counts_for_the_address_that_is_told() {
        let places = places(2);
        let proxy = "10.2.0.1".parse::<IpAddr>().expect("it is an address");
        let seat = places.take(proxy).expect("there is room");
        let ask = |client: &str| {
            let mut headers = HeaderMap::new();
            let client = HeaderValue::from_str(client).expect("it is text");
            headers.insert("x-forwarded-for", client);
            seat.place(&headers)
        };
        let taken = ["192.0.2.1", "192.0.2.1"].map(|client| ask(client).expect("there is room"));
        assert_eq!(ask("192.0.2.1").err(), Some(ConnectionRefusal::Address));
        ask("192.0.2.2").expect("another client");
        let venue: Vec<_> = (0..9).map(|_| ask("10.1.2.3").expect("a venue")).collect();
        drop(taken);
        ask("192.0.2.1").expect("the others have been answered");
        assert_eq!(
            take(&places, "192.0.2.1").map(drop),
            Ok(()),
            "a second room"
        );
        // The proxy's room stays taken while an upgraded connection lasts.
        drop(seat);
        let second = places.take(proxy).expect("the client has left");
        assert_eq!(
            take(&places, "192.0.2.3").err(),
            Some(ConnectionRefusal::Full)
        );
        drop((venue, second));
        take(&places, "192.0.2.3").expect("all have left");
    }
}
