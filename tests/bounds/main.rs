//! Limits: whatever a client does, the server enforces its limits, explains refusals and counts them.
//!
//! Each test has its own server, and therefore its own metrics.

mod addresses;
mod codes;
mod fragile;
mod life;
mod messages;
mod origins;
mod output;
mod proxies;
mod ready;
mod requests;
mod reserve;
mod secrets;
mod stops;
mod teams;
mod tls;

use protocol::rest::FailureCode;
use testkit::app::http::Response;

/// Asserts the refusal of an address whose limit refills one unit a minute.
fn expect_refused_by_address(response: &Response) {
    assert_eq!(response.status, 429);
    let error = response.error();
    assert_eq!(error.code, FailureCode::RateLimited);
    assert!(error.message.contains("your address"), "{}", error.message);
    let seconds = response.retry_after();
    assert!((50..=61).contains(&seconds), "{seconds}");
}
