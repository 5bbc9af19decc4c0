//! A few connections beyond the bounds, for those by whom a full server is seen and mended.
//!
//! A server that has as many connections as it takes is well: without this it would fail its own health
//! checks, hide its metrics, and shut its game masters out, as an address would theirs that is at its
//! bound. Whoever is refused elsewhere gets a place here for one request, which must come at once; what
//! is asked for decides whether it is answered. Bounded in all, and for each address that has shown no
//! token, so that a crowd from one address takes only a part of it. Overflow policy: a refusal, as
//! without this.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::UPGRADE;
use hyper::{Method, Request};
use tokio::sync::Semaphore;

use super::Gateway;
use super::addresses::{Addresses, Room, Share};
use super::tokens::{Grant, bearer};
use crate::config::GatewayConfig;

/// Connections beyond the bounds: some monitors, and the game masters of a large hunt.
const IN_ALL_MAX: usize = 64;
/// Of one address that has shown no token; those of trusted proxies are only bounded in all.
const PER_ADDRESS_MAX: usize = 8;
/// How long the request's header may take. Whoever asks for health or has a token sends it at once.
pub(super) const HEADER_MAX: Duration = Duration::from_secs(1);

/// Below which are the paths that tell whether the server is well.
const HEALTH: &str = "/health/";
const METRICS: &str = "/metrics";

/// See the module.
pub(super) struct Reserve {
    in_all: Arc<Semaphore>,
    addresses: Arc<Addresses>,
}

impl Reserve {
    pub(super) fn new(config: &GatewayConfig) -> Self {
        Self {
            in_all: Arc::new(Semaphore::new(IN_ALL_MAX)),
            addresses: Arc::new(Addresses::new(PER_ADDRESS_MAX, config.proxies.clone())),
        }
    }

    /// A place for a connection that is refused elsewhere.
    pub(super) fn take(&self, from: IpAddr) -> Option<(Option<Share>, Arc<Room>)> {
        let permit = self.in_all.clone().try_acquire_owned().ok()?;
        let source = self.addresses.source(from);
        let share = Addresses::share(&self.addresses, source).ok()?;
        Some((share, Room::new(permit)))
    }
}

/// Whether a request is answered beyond the bounds. An upgrade never is: it would stay.
pub(super) fn is_for<B>(gateway: &Gateway, request: &Request<B>) -> bool {
    if request.headers().contains_key(UPGRADE) {
        return false;
    }
    let path = request.uri().path();
    if path.starts_with(HEALTH) || path == METRICS {
        return request.method() == Method::GET;
    }
    let now = gateway.sessions.clock().now();
    let granted = bearer(request.headers()).and_then(|token| gateway.tokens.open(token, now).ok());
    match granted {
        Some(Grant::Admin | Grant::GameMaster(..)) => true,
        Some(Grant::Device(..) | Grant::Link(..)) | None => false,
    }
}
