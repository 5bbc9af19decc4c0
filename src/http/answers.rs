//! Failures as answers, and bodies that are read with typed failures.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::Body as _;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use protocol::limits::REST_BODY_BYTES_MAX;
use protocol::rest::{Failure, FailureCode, FailureDetail};
use protocol::{DecodeError, RejectionCode, decode_body};
use serde::de::DeserializeOwned;

use crate::delivery::{rejection_code, rejection_message};
use crate::gateway::{Gateway, NoSession, TooManyNewTeams, TooManyWrongCodes};
use crate::journal::JournalError;
use crate::session::{Refusal, Unavailable};
use crate::telemetry::{RequestPart, metrics};

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct Failed {
    status: StatusCode,
    code: FailureCode,
    message: String,
    mistakes: Vec<String>,
    retry_after: Option<Duration>,
}

impl Failed {
    fn new(status: StatusCode, code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            mistakes: Vec::new(),
            retry_after: None,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, FailureCode::BadRequest, message)
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, FailureCode::Unauthorized, message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, FailureCode::Forbidden, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, FailureCode::NotFound, message)
    }

    pub(super) fn code_taken(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, FailureCode::CodeTaken, message)
    }

    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            FailureCode::Unavailable,
            message,
        )
    }

    fn rate_limited(retry_after: Duration, message: String) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        Self {
            retry_after: Some(retry_after),
            ..Self::new(status, FailureCode::RateLimited, message)
        }
    }

    fn too_large(bytes_max: usize) -> Self {
        let message = format!(
            "The body is larger than {} KiB; send less.",
            bytes_max / 1024
        );
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(status, FailureCode::TooLarge, message)
    }

    fn broken_off() -> Self {
        Self::bad_request("The request's body is not whole; send it again.")
    }

    fn request_timeout() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            FailureCode::RequestTimeout,
            "The request's body took too long; send it again on a better connection.",
        )
    }

    pub(super) fn invalid_hunt(mistakes: Vec<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let message = "The hunt has mistakes; mend them and upload it again.";
        Self {
            mistakes,
            ..Self::new(status, FailureCode::InvalidHunt, message)
        }
    }

    /// For what should not happen: the cause is logged, and the caller is not told more.
    pub(super) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        let message = "The server failed; its log tells why.";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            FailureCode::Internal,
            message,
        )
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        let code = rejection_code(refusal);
        let is_denied = matches!(code, RejectionCode::Forbidden | RejectionCode::Revoked);
        let status = if is_denied {
            StatusCode::FORBIDDEN
        } else {
            StatusCode::CONFLICT
        };
        let code = FailureCode::Rejected(code);
        Self::new(status, code, rejection_message(refusal))
    }
}

impl From<Unavailable> for Failed {
    fn from(unavailable: Unavailable) -> Self {
        Self {
            retry_after: Some(unavailable.retry_after()),
            ..Self::unavailable(unavailable.to_string())
        }
    }
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        tracing::error!(%error, "a request failed");
        Self::unavailable("The journal cannot answer now; try again in a moment.")
    }
}

impl From<DecodeError> for Failed {
    fn from(error: DecodeError) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<TooManyWrongCodes> for Failed {
    fn from(refusal: TooManyWrongCodes) -> Self {
        Self::rate_limited(refusal.retry_after, refusal.to_string())
    }
}

impl From<NoSession> for Failed {
    fn from(reason: NoSession) -> Self {
        match reason {
            NoSession::Moving => {
                Self::unavailable("The session is changing hands; try again in a moment.")
            }
            NoSession::TooManyOpen => Self::unavailable(
                "The session is finished, and the server has as many open as it may; try again later.",
            ),
            NoSession::Unknown => Self::not_found("No session has this code; check the spelling."),
            NoSession::WrongToken => Self::forbidden("This takes a token of this session."),
            NoSession::TooManyWrongCodes(refusal) => refusal.into(),
        }
    }
}

impl From<TooManyNewTeams> for Failed {
    fn from(refusal: TooManyNewTeams) -> Self {
        Self::rate_limited(refusal.retry_after, refusal.to_string())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let failure = Failure {
            error: FailureDetail {
                code: self.code,
                message: self.message,
                mistakes: self.mistakes,
            },
        };
        let mut response = (self.status, Json(failure)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        if let Some(wait) = self.retry_after {
            // A whole second more: asked again at the time that is told, it must be let through.
            let seconds = HeaderValue::from(wait.as_secs() + 1);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

/// A JSON body of at most so many bytes; what is wrong with it, or that it takes too long, becomes a
/// [`Failed`].
pub(super) struct Body<T, const BYTES_MAX: usize = REST_BODY_BYTES_MAX>(pub(super) T);

impl<T: DeserializeOwned, const BYTES_MAX: usize> FromRequest<Gateway> for Body<T, BYTES_MAX> {
    type Rejection = Failed;

    async fn from_request(request: Request, gateway: &Gateway) -> Result<Self, Failed> {
        // What is told beforehand to be too large is not waited for.
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

/// Reads a body to its end.
pub(super) async fn read_body(
    body: axum::body::Body,
    bytes_max: usize,
    within: Duration,
) -> Result<Bytes, Failed> {
    let reading = Limited::new(body, bytes_max).collect();
    let Ok(read) = tokio::time::timeout(within, reading).await else {
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
            Failed::broken_off()
        }
    });
    Ok(read?.to_bytes())
}

/// What a path names; what is wrong with it becomes a [`Failed`].
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Gateway> for InPath<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Failed> {
        match Path::from_request_parts(parts, gateway).await {
            Ok(Path(named)) => Ok(Self(named)),
            Err(error) if error.status() == StatusCode::BAD_REQUEST => Err(Failed::bad_request(
                "The path is not UTF-8 where it is escaped with `%`; write it anew.",
            )),
            Err(error) => Err(Failed::internal(error)),
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

pub(super) async fn no_such_path() -> Failed {
    Failed::not_found("There is nothing at this path; protocol/README.md lists the paths.")
}

pub(super) async fn method_not_allowed() -> Failed {
    Failed::new(
        StatusCode::METHOD_NOT_ALLOWED,
        FailureCode::MethodNotAllowed,
        "This path does not take this method; protocol/README.md lists the paths.",
    )
}
