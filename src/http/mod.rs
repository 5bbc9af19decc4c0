//! HTTP: the REST interface for those who run and join hunts, health, and the way to the WebSocket.
//!
//! Never here: rules, or the state of a session beyond what a request is answered with.

mod answers;
mod codes;
mod desk;
mod export;
mod health;
mod identity;
mod owner;
mod playing;
mod welcome;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use protocol::limits::REST_BODY_BYTES_MAX;

pub use codes::random_code;

use crate::gateway::{Gateway, upgrade};

/// Every path of the server.
pub fn router(gateway: Gateway) -> Router {
    let api = Router::new()
        .route("/hunts", post(owner::create_hunt))
        .route("/sessions", post(owner::create_session))
        .route("/sessions/{code}", get(playing::session_state))
        .route("/sessions/{code}/standings", get(playing::standings))
        .route("/sessions/{code}/export", get(export::export))
        .route("/sessions/{code}/devices", post(desk::add_device))
        .route("/sessions/{code}/{order}", post(playing::game_master_order))
        .route("/join", post(desk::join))
        .layer(DefaultBodyLimit::max(REST_BODY_BYTES_MAX));
    Router::new()
        .route("/", get(welcome::welcome))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/ws/{code}", get(upgrade))
        .nest("/api/v1", api)
        .fallback(answers::no_such_path)
        .method_not_allowed_fallback(answers::method_not_allowed)
        .with_state(gateway)
}
