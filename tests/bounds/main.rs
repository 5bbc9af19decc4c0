//! Bounds: whatever a client does, the server keeps to its limits, says what to do, and counts it.
//!
//! Each test has a server process of its own, so that its metrics are its own. `site` starts it,
//! `http` and `socket` are clients that may misbehave. The other modules are the tests.

mod addresses;
mod codes;
mod fragile;
mod http;
mod life;
mod messages;
mod origins;
mod output;
mod proxies;
mod ready;
mod requests;
mod reserve;
mod secrets;
mod site;
mod socket;
mod stops;
mod teams;
mod tls;
