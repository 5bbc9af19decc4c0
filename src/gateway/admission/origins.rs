//! The allow-list of web origins (`Origin` header) that may connect.
//!
//! A browser lets any page open a WebSocket to any server and sends the page's origin. Tokens do not travel
//! by themselves as cookies do, so a foreign page has no more rights than its own code; the list keeps other
//! sites from using this server, its limits and its players' attention.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderValue, ORIGIN};

use crate::config::{GatewayConfig, WebOrigin};

/// The listed origins. Clones share the list.
#[derive(Debug, Clone)]
pub struct Origins {
    listed: Arc<[WebOrigin]>,
}

impl Origins {
    pub(in crate::gateway) fn new(config: &GatewayConfig) -> Self {
        Self {
            listed: config.origins.clone(),
        }
    }

    /// Whether a request is allowed: it has no origin, the origin of the requested host, or a listed one.
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let is_same_host = origin.split_once("://").is_some_and(|(_, page_host)| {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok());
            host.is_some_and(|host| host.eq_ignore_ascii_case(page_host))
        });
        is_same_host || self.is_listed(origin)
    }

    /// The origin of a request, if it is listed.
    pub fn listed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.is_listed(origin.to_str().ok()?).then_some(origin)
    }

    fn is_listed(&self, origin: &str) -> bool {
        self.listed.iter().any(|listed| listed.matches(origin))
    }
}
