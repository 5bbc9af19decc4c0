//! What nodes ask each other besides requests that they relay.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::StatusCode;

use super::routing::{Routing, session_in_path};
use crate::gateway::{LIFE, LOOK_PATH, PROBE_PATH};

/// The paths of the internal port that no client has.
pub(super) fn router(routing: &Routing) -> Router {
    Router::new()
        .route(PROBE_PATH, get(probe))
        .route(LOOK_PATH, post(look))
        .with_state(routing.clone())
}

/// Tells the node's life, and whether it may speak for its sessions.
async fn probe(State(routing): State<Routing>) -> Response {
    let status = if routing.cluster.validity().holds() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let life = routing.cluster.incarnation().to_string();
    (status, [(LIFE, life)]).into_response()
}

async fn look(State(routing): State<Routing>) -> StatusCode {
    routing.cluster.look_now();
    StatusCode::ACCEPTED
}

/// A request for a session that does not run here is sent back to where it was relayed from, and
/// never relayed again: it could go round in circles.
pub(super) async fn only_here(
    State(routing): State<Routing>,
    request: Request,
    next: Next,
) -> Response {
    let is_here = match session_in_path(request.uri().path()) {
        Some(code) => routing.runs_here(&code.to_ascii_uppercase()),
        // The session of these is in the body, and its answer says the same.
        None => true,
    };
    if is_here {
        next.run(request).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}
