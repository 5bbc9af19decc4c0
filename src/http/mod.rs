//! HTTP: the REST interface for those who run and join hunts, health, and the way to the WebSocket.
//!
//! Never here: rules, or the state of a session beyond what a request is answered with.

mod answers;
mod codes;
mod cors;
mod desk;
mod devices;
mod export;
mod game_masters;
mod health;
mod identity;
mod metrics;
mod openapi;
mod owner;
mod playing;
mod routes;
mod welcome;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use protocol::limits::REST_BODY_BYTES_MAX;

pub use codes::random_code;

use crate::gateway::{Gateway, upgrade};

/// Every path of the server.
pub fn router(gateway: Gateway) -> Router {
    let api = routes::router().layer(DefaultBodyLimit::max(REST_BODY_BYTES_MAX));
    Router::new()
        .route("/", get(welcome::welcome))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/ws/{code}", get(upgrade))
        .nest(routes::PREFIX, api)
        .fallback(answers::no_such_path)
        .method_not_allowed_fallback(answers::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(
            gateway.clone(),
            cors::allow_listed,
        ))
        .layer(axum::middleware::from_fn(metrics::count))
        .with_state(gateway)
}
