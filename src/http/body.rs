//! The body, the path parameters and the query of a request, read with typed failures.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::Body as _;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;
use protocol::decode_body;
use protocol::limits::REST_BODY_BYTES_MAX;
use serde::de::DeserializeOwned;

use super::failure::Failed;
use crate::gateway::Gateway;
use crate::telemetry::{RequestPart, metrics};

/// A JSON body of at most `BYTES_MAX` bytes. A malformed, oversized or late body becomes a [`Failed`].
pub(super) struct Body<T, const BYTES_MAX: usize = REST_BODY_BYTES_MAX>(pub(super) T);

impl<T: DeserializeOwned, const BYTES_MAX: usize> FromRequest<Gateway> for Body<T, BYTES_MAX> {
    type Rejection = Failed;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Failed> {
        // A body whose announced length is too large is not read.
        if request.body().size_hint().lower() > BYTES_MAX as u64 {
            return Err(Failed::too_large(BYTES_MAX));
        }
        if !is_json(request.headers()) {
            let message =
                "Send the body as JSON, with the header `Content-Type: application/json`.";
            return Err(Failed::bad_request(message));
        }
        let read = read_body(request.into_body(), BYTES_MAX, gateway.body_max()).await?;
        Ok(Self(decode_body(&read)?))
    }
}

/// A JSON body that may be missing: then it has its default value.
pub(super) struct OptionalBody<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequest<Gateway> for OptionalBody<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Failed> {
        if request.body().size_hint().exact() == Some(0) {
            return Ok(Self(T::default()));
        }
        let Body(read) = Body::<T>::from_request(request, gateway).await?;
        Ok(Self(read))
    }
}

/// Reads a body to its end: at most `bytes_max` bytes, within the timeout.
pub(super) async fn read_body(
    body: axum::body::Body,
    bytes_max: usize,
    body_timeout: Duration,
) -> Result<Bytes, Failed> {
    let reading = Limited::new(body, bytes_max).collect();
    let Ok(read) = tokio::time::timeout(body_timeout, reading).await else {
        metrics()
            .requests_late
            .with_label(RequestPart::Body)
            .increment(1);
        return Err(Failed::request_timeout());
    };
    let read = read.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Failed::too_large(bytes_max)
        } else {
            Failed::truncated_body()
        }
    });
    Ok(read?.to_bytes())
}

/// The parameters of a path. Malformed ones become a [`Failed`].
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Gateway> for InPath<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Failed> {
        match Path::from_request_parts(parts, gateway).await {
            Ok(Path(parameters)) => Ok(Self(parameters)),
            Err(error) if error.status() == StatusCode::BAD_REQUEST => Err(Failed::bad_request(
                "The path contains a percent-encoded character that is not UTF-8; fix the encoding.",
            )),
            Err(error) => Err(Failed::internal(error)),
        }
    }
}

/// The query of a path. A malformed one, or one with unknown fields, becomes a [`Failed`].
pub(super) struct InQuery<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Gateway> for InQuery<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Failed> {
        match Query::from_request_parts(parts, gateway).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(_) => Err(Failed::bad_request(
                "The query of the path is malformed: a parameter is missing, unknown or invalid.",
            )),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media = media.and_then(|value| value.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}
