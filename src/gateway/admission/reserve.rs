//! Reserved connection slots beyond the limits, for monitoring and for game masters and admins.
//!
//! Without them a server at its connection limit would fail its own health checks, hide its metrics and
//! shut out its game masters, and so would an address at its quota. A connection that is refused elsewhere
//! gets a reserved slot for one request, which must arrive at once; [`is_eligible`] decides whether the
//! request is answered. Reserved slots are limited in all, and per unauthenticated address, so that a crowd
//! behind one address takes only a part of them. Overflow policy: the original refusal.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hunt::Timestamp;
use hyper::header::UPGRADE;
use hyper::{Method, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::addresses::{AddressPermit, AddressQuota};
use crate::config::GatewayConfig;
use crate::gateway::tokens::{Grant, TokenKey, bearer};

/// Reserved slots in all: enough for some monitors and the game masters of a large hunt.
const SLOTS_MAX: usize = 64;
/// Reserved slots of one unauthenticated address. Trusted proxies are exempt.
const SLOTS_PER_ADDRESS_MAX: usize = 8;
/// Timeout for the request's header. Monitors and clients with a token send it at once.
pub(in crate::gateway) const HEADER_MAX: Duration = Duration::from_secs(1);

/// Prefix of the health check paths.
const HEALTH: &str = "/health/";
const METRICS: &str = "/metrics";

/// The reserved slots of the server.
pub(super) struct ReservedSlots {
    slots: Arc<Semaphore>,
    addresses: Arc<AddressQuota>,
}

impl ReservedSlots {
    pub(super) fn new(config: &GatewayConfig) -> Self {
        let addresses = AddressQuota::new(SLOTS_PER_ADDRESS_MAX, config.proxies.clone());
        Self {
            slots: Arc::new(Semaphore::new(SLOTS_MAX)),
            addresses: Arc::new(addresses),
        }
    }

    /// Permits for a connection that was refused elsewhere; none if the reserve is used up too.
    pub(super) fn acquire(
        &self,
        address: IpAddr,
    ) -> Option<(Option<AddressPermit>, OwnedSemaphorePermit)> {
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        let key = self.addresses.key(address);
        let address = AddressQuota::acquire(&self.addresses, key).ok()?;
        Some((address, slot))
    }
}

/// Whether a request may use a reserved slot: a health check, the metrics, or one with the token of a game
/// master or an admin. An upgrade never may, because it would occupy the slot for long.
pub(in crate::gateway) fn is_eligible<B>(
    request: &Request<B>,
    tokens: &TokenKey,
    now: Timestamp,
) -> bool {
    if request.headers().contains_key(UPGRADE) {
        return false;
    }
    let path = request.uri().path();
    if path.starts_with(HEALTH) || path == METRICS {
        return request.method() == Method::GET;
    }
    let granted = bearer(request.headers()).and_then(|token| tokens.open(token, now).ok());
    match granted {
        Some(Grant::Admin | Grant::GameMaster(..)) => true,
        Some(Grant::Device(..) | Grant::Link(..)) | None => false,
    }
}
