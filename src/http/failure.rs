//! Failures of requests, and their rendering as responses.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use protocol::DecodeError;
use protocol::rest::{Failure, FailureCode, FailureDetail};

use crate::delivery::{rejection_code, rejection_message};
use crate::gateway::{NoSession, TooManyNewTeams, TooManyWrongCodes, status};
use crate::journal::JournalError;
use crate::session::{Refusal, Unavailable};

/// A response other than a success.
#[derive(Debug)]
pub(super) struct Failed {
    code: FailureCode,
    message: String,
    mistakes: Vec<String>,
    retry_after: Option<Duration>,
}

impl Failed {
    fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            mistakes: Vec::new(),
            retry_after: None,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(FailureCode::BadRequest, message)
    }

    pub(super) fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(FailureCode::Unauthorized, message)
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(FailureCode::Forbidden, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(FailureCode::NotFound, message)
    }

    pub(super) fn code_taken(message: impl Into<String>) -> Self {
        Self::new(FailureCode::CodeTaken, message)
    }

    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(FailureCode::Unavailable, message)
    }

    fn rate_limited(retry_after: Duration, message: String) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(FailureCode::RateLimited, message)
        }
    }

    pub(super) fn too_large(bytes_max: usize) -> Self {
        let message = format!(
            "The request body is larger than {} KiB; send a smaller one.",
            bytes_max / 1024
        );
        Self::new(FailureCode::TooLarge, message)
    }

    pub(super) fn truncated_body() -> Self {
        Self::bad_request("The request body is truncated; send the request again.")
    }

    pub(super) fn request_timeout() -> Self {
        Self::new(
            FailureCode::RequestTimeout,
            "The request body took too long to arrive; send the request again over a faster connection.",
        )
    }

    pub(super) fn invalid_hunt(mistakes: Vec<String>) -> Self {
        let message = "The hunt has mistakes; fix them and upload it again.";
        Self {
            mistakes,
            ..Self::new(FailureCode::InvalidHunt, message)
        }
    }

    /// An internal error. Logs the cause; the response does not contain it.
    pub(super) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        let message = "Internal error; the server's log has the cause.";
        Self::new(FailureCode::Internal, message)
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        let code = if refusal == Refusal::KeyReused {
            FailureCode::KeyReused
        } else {
            FailureCode::Rejected(rejection_code(refusal))
        };
        Self::new(code, rejection_message(refusal))
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
        Self::unavailable("The journal is unavailable; try again in a moment.")
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
                Self::unavailable("The session is moving to another node; try again in a moment.")
            }
            NoSession::TooManyOpen => Self::unavailable(
                "The session is finished, and the server cannot open it: its limit of open sessions is \
                 reached. Try again later.",
            ),
            NoSession::Unknown => Self::not_found("No session has this code; check the spelling."),
            NoSession::WrongToken => {
                Self::forbidden("This request requires a token of this session.")
            }
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
        let status = status(self.code);
        let failure = Failure {
            error: FailureDetail {
                code: self.code,
                message: self.message,
                mistakes: self.mistakes,
            },
        };
        let mut response = (status, Json(failure)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        if let Some(wait) = self.retry_after {
            // Rounded up, so that a retry at the announced time is not limited again.
            let seconds = HeaderValue::from(wait.as_secs() + 1);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

pub(super) async fn path_not_found() -> Failed {
    Failed::not_found("No such path; protocol/README.md lists the paths.")
}

pub(super) async fn method_not_allowed() -> Failed {
    Failed::new(
        FailureCode::MethodNotAllowed,
        "The path does not support this method; protocol/README.md lists the paths.",
    )
}
