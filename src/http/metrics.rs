//! `GET /metrics`, and the count of requests by route and status.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::CONTENT_TYPE;
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::telemetry::{self, count_request, render};

/// What stands for every path that has no route: a path that a client chose is no label.
const NO_ROUTE: &str = "none";

pub(super) async fn metrics(State(gateway): State<Gateway>) -> impl IntoResponse {
    let oldest_wait = gateway.sessions().oldest_wait();
    telemetry::metrics()
        .oldest_wait_seconds
        .set(oldest_wait.as_secs_f64());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], render())
}

/// Counts a request once its answer begins. What a long answer still takes is not in its time.
pub(super) async fn count(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let began = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    count_request(route, response.status().as_u16(), began.elapsed());
    response
}
