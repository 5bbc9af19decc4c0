//! Lets listed web pages from elsewhere use the REST interface: a page that may open a WebSocket has
//! to join first. Never here: which pages are listed.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderValue, VARY,
};
use hyper::{Method, StatusCode};

use crate::gateway::Gateway;

/// How long a browser may remember a preflight's answer.
const REMEMBERED_SECONDS: &str = "600";

/// Answers preflights of listed pages, and lets them read the answers to their requests.
pub(super) async fn allow_listed(
    State(gateway): State<Gateway>,
    request: Request,
    next: Next,
) -> Response {
    let Some(origin) = gateway.origins().listed(request.headers()).cloned() else {
        return next.run(request).await;
    };
    let is_preflight = request.method() == Method::OPTIONS
        && request
            .headers()
            .contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        let allowed = [
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"),
            (ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"),
            (ACCESS_CONTROL_MAX_AGE, REMEMBERED_SECONDS),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let retry_after = HeaderValue::from_static("retry-after");
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, retry_after);
    headers.append(VARY, HeaderValue::from_static("origin"));
    response
}
