//! Turns TCP connections into HTTP requests: accepting, TLS, client addresses behind proxies, HTTP/1.1.
//!
//! Never here: WebSocket frames, and what a request means.

pub(super) mod accept;
pub(super) mod forwarded;
pub(super) mod head;
pub(super) mod http;
pub(super) mod public;
pub(super) mod refusal;
pub(super) mod stream;
pub(super) mod tls;
