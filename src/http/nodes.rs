//! What nodes ask each other besides requests that they relay.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hunt::plain_code;
use hyper::StatusCode;

use super::routing::{Routing, SESSION, session_in_path};
use crate::gateway::{INCARNATION, PROBE_PATH, SCAN_PATH};

/// The paths of the internal port that no client has.
pub(super) fn router(routing: &Routing) -> Router {
    Router::new()
        .route(PROBE_PATH, get(probe))
        .route(SCAN_PATH, post(look))
        .with_state(routing.clone())
}

/// Tells the node's life, and whether it may speak for its sessions.
async fn probe(State(routing): State<Routing>) -> Response {
    let status = if routing.cluster.lease().is_held() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let life = routing.cluster.incarnation().to_string();
    (status, [(INCARNATION, life)]).into_response()
}

async fn look(State(routing): State<Routing>) -> StatusCode {
    routing.cluster.request_scan();
    StatusCode::ACCEPTED
}

/// A request for a session that does not run here is sent back to where it was relayed from, and
/// never relayed again: it could go round in circles.
pub(super) async fn only_here(
    State(routing): State<Routing>,
    request: Request,
    next: Next,
) -> Response {
    let told = request.headers().get(SESSION);
    let told = told.and_then(|code| code.to_str().ok());
    let code = told.map(plain_code);
    let code = code.or_else(|| session_in_path(request.uri().path()));
    let is_here = code.is_none_or(|code| routing.runs_here(&code));
    if is_here {
        routing.answer_here(request, next).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}
