//! Paths outside the REST interface: the welcome text, health checks and metrics.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap};
use tokio::time::Instant;

use crate::gateway::Gateway;
use crate::telemetry::{self, count_request, render};

/// The label of requests whose path has no route: a label never contains what a client chose.
const NO_ROUTE: &str = "none";

/// `GET /`: a first help for people who open the server's address.
pub(super) async fn welcome(State(gateway): State<Gateway>, headers: HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or("127.0.0.1:8080");
    let count = gateway.sessions().count();
    format!(
        "Cluecast: live treasure and puzzle hunts. Sessions here: {count}.\n\
         \n\
         Join one:\n\
         \x20 curl http://{host}/api/v1/sessions/CODE/join -H 'content-type: application/json' \\\n\
         \x20   -d '{{\"new_team\":\"Owls\",\"name\":\"Ana\"}}'\n\
         Play: open a WebSocket to ws://{host}/ws/CODE, as described in protocol/README.md.\n\
         Watch: curl http://{host}/api/v1/sessions/CODE/standings\n"
    )
}

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> &'static str {
    "live\n"
}

/// `GET /health/ready`: 503 during shutdown, while the node's lease is expired, and while a session is being
/// recovered.
pub(super) async fn ready(State(gateway): State<Gateway>) -> (StatusCode, String) {
    if gateway.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned());
    }
    if !gateway.sessions().lease().is_held() {
        let text = "the node's lease has expired\n".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    match gateway.sessions().recovering_count() {
        0 => (StatusCode::OK, "ready\n".to_owned()),
        recovering => {
            let text = format!("sessions being recovered: {recovering}\n");
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

/// `GET /metrics`.
pub(super) async fn metrics(State(gateway): State<Gateway>) -> impl IntoResponse {
    let oldest_wait = gateway.sessions().oldest_wait();
    telemetry::metrics()
        .oldest_wait_seconds
        .set(oldest_wait.as_secs_f64());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], render())
}

/// Counts a request and measures the time to the head of its response, by route. The time of streaming a long
/// body is not included.
pub(super) async fn count_requests(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let began = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    count_request(route, response.status().as_u16(), began.elapsed());
    response
}
