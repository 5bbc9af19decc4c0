//! Whether the process lives, and whether it should be sent players.

use axum::extract::State;
use hyper::StatusCode;

use crate::gateway::Gateway;

pub(super) async fn live() -> &'static str {
    "live\n"
}

pub(super) async fn ready(State(gateway): State<Gateway>) -> (StatusCode, &'static str) {
    if gateway.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    (StatusCode::OK, "ready\n")
}
