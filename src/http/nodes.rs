//! The internal port: liveness probes and hints from other nodes, and the guard for forwarded requests.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::StatusCode;

use super::forwarding::{Forwarding, session_in_path};
use crate::gateway::{INCARNATION, PROBE_PATH, SCAN_PATH};

/// The paths for other nodes only.
pub(super) fn router(forwarding: &Forwarding) -> Router {
    Router::new()
        .route(PROBE_PATH, get(probe))
        .route(SCAN_PATH, post(scan))
        .with_state(forwarding.clone())
}

/// Answers a liveness probe with the node's incarnation; 503 while its lease is expired.
async fn probe(State(forwarding): State<Forwarding>) -> Response {
    let status = if forwarding.cluster.lease().is_held() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let incarnation = forwarding.cluster.incarnation().to_string();
    (status, [(INCARNATION, incarnation)]).into_response()
}

/// Hint of another node that ownership has changed.
async fn scan(State(forwarding): State<Forwarding>) -> StatusCode {
    forwarding.cluster.request_scan();
    StatusCode::ACCEPTED
}

/// Answers a forwarded request for a session that does not run here with 421, so that its sender routes it
/// again. It is never forwarded a second time, which could loop.
pub(super) async fn only_here(
    State(forwarding): State<Forwarding>,
    request: Request,
    next: Next,
) -> Response {
    let code = session_in_path(request.uri().path());
    let is_here = code.is_none_or(|code| forwarding.runs_here(&code));
    if is_here {
        forwarding.answer_here(request, next).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}
