//! The header `Idempotency-Key` of requests that create something. The key is hashed when it is read, and
//! neither stored nor logged.

use axum::extract::FromRequestParts;
use hyper::header::HeaderName;
use hyper::http::request::Parts;
use serde::Serialize;

use super::failure::Failed;
use crate::gateway::Gateway;
use crate::session::{IdempotencyKey, KeyDigest};

/// The header that carries the key.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Characters of a key: at least those of 128 random bits in base64.
const KEY_CHARS_MIN: usize = 22;
/// Characters of a key at most.
const KEY_CHARS_MAX: usize = 64;

/// The digest of a request's idempotency key, if it has one, and its route.
pub(super) struct RequestKey {
    digest: Option<KeyDigest>,
    /// Method and path below the session's.
    route: String,
}

impl FromRequestParts<Gateway> for RequestKey {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Failed> {
        let mut keys = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let digest = match (keys.next(), keys.next()) {
            (None, _) => None,
            (Some(key), None) if is_well_formed(key.as_bytes()) => {
                let key = key.to_str().map_err(|_| malformed())?;
                Some(KeyDigest::new(key))
            }
            (Some(_), _) => return Err(malformed()),
        };
        let path = parts.uri.path().split("/sessions/").nth(1);
        let below = path.and_then(|path| path.split_once('/'));
        let below = below.map_or("", |(_session, below)| below);
        let route = format!("{} {below}", parts.method);
        Ok(Self { digest, route })
    }
}

impl RequestKey {
    /// The key with the fingerprint of the request. `requester` names the device, the game master or the
    /// admin behind the token; it is empty without a token.
    pub(super) fn bind(self, requester: &str, body: &impl Serialize) -> Option<IdempotencyKey> {
        let digest = self.digest?;
        let body = serde_json::to_vec(body).expect("a body that was read from JSON is JSON");
        let parts = [self.route.as_bytes(), requester.as_bytes(), &body];
        Some(IdempotencyKey::new(digest, parts))
    }
}

/// The pattern of a well-formed key.
pub(super) fn key_pattern() -> String {
    format!("^[A-Za-z0-9_-]{{{KEY_CHARS_MIN},{KEY_CHARS_MAX}}}$")
}

fn is_well_formed(key: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (KEY_CHARS_MIN..=KEY_CHARS_MAX).contains(&key.len()) && key.iter().all(is_allowed)
}

fn malformed() -> Failed {
    Failed::bad_request(format!(
        "The header `Idempotency-Key` must be one key of {KEY_CHARS_MIN} to {KEY_CHARS_MAX} letters, digits, \
         `-` and `_`; send a random one."
    ))
}
