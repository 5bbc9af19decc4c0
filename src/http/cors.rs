//! CORS: web pages of listed origins may use the REST interface, because a page has to join over REST
//! before it opens a WebSocket. Does not decide which origins are listed.

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

/// How long a browser may cache the response to a preflight request.
const PREFLIGHT_MAX_AGE_SECONDS: &str = "600";

/// Answers preflight requests of listed origins, and adds the CORS headers to other responses.
pub(super) async fn allow_listed_origins(
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
            (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PATCH, DELETE"),
            (
                ACCESS_CONTROL_ALLOW_HEADERS,
                "authorization, content-type, idempotency-key",
            ),
            (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_SECONDS),
        ];
        (StatusCode::NO_CONTENT, allowed).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        // Every origin may read it, listed or not.
        return response;
    }
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let retry_after = HeaderValue::from_static("retry-after");
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, retry_after);
    headers.append(VARY, HeaderValue::from_static("origin"));
    response
}
