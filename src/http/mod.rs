//! HTTP: the REST interface for those who run and join hunts, health, and the way to the WebSocket.
//!
//! Never here: rules, or the state of a session beyond what a request is answered with.

mod answers;
mod codes;
mod desk;
mod devices;
mod export;
mod game_masters;
mod health;
mod identity;
mod owner;
mod playing;
mod welcome;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
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
        .route(
            "/sessions/{code}/devices",
            post(devices::add).get(devices::list),
        )
        .route("/sessions/{code}/devices/{device}", delete(devices::revoke))
        .route("/sessions/{code}/links", post(devices::create_link))
        .route(
            "/sessions/{code}/players/{player}/devices",
            post(devices::add_for_player),
        )
        .route(
            "/sessions/{code}/game-masters",
            post(game_masters::create).get(game_masters::list),
        )
        .route(
            "/sessions/{code}/game-masters/{game_master}",
            delete(game_masters::revoke),
        )
        .route("/sessions/{code}/clues", post(game_masters::push_clue))
        .route(
            "/sessions/{code}/clues/{clue}",
            delete(game_masters::cancel_clue),
        )
        .route(
            "/sessions/{code}/announcements",
            post(game_masters::announce),
        )
        .route("/sessions/{code}/{order}", post(playing::game_master_order))
        .route("/join", post(desk::join))
        .route("/roster", post(devices::roster))
        .route("/restore", post(devices::restore))
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
