//! Which web pages may connect.
//!
//! A browser lets any page open a WebSocket to any server and says where the page comes from. Tokens do
//! not travel by themselves as cookies do, so a foreign page has no more rights than its own code; the
//! list keeps other sites from using this server, its limits and its players' attention.

use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{HOST, HeaderValue, ORIGIN};

use crate::config::{GatewayConfig, WebOrigin};

/// See the module.
#[derive(Debug, Clone)]
pub struct Origins {
    listed: Arc<[WebOrigin]>,
}

impl Origins {
    pub(super) fn new(config: &GatewayConfig) -> Self {
        Self {
            listed: config.origins.clone(),
        }
    }

    /// Whether a request may be answered: it comes from no web page, from one of the host that it
    /// asks, or from a listed one.
    pub fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let of_host = origin.split_once("://").is_some_and(|(_, page_host)| {
            let host = headers.get(HOST).and_then(|host| host.to_str().ok());
            host.is_some_and(|host| host.eq_ignore_ascii_case(page_host))
        });
        of_host || self.lists(origin)
    }

    /// The origin of a request from a listed page.
    pub fn listed<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        self.lists(origin.to_str().ok()?).then_some(origin)
    }

    fn lists(&self, origin: &str) -> bool {
        self.listed.iter().any(|listed| listed.matches(origin))
    }
}
