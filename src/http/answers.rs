//! Failures as answers, and bodies that are read with typed failures.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use protocol::rest::{Failure, FailureCode, FailureDetail};
use serde::de::DeserializeOwned;

use crate::delivery::{rejection_code, rejection_message};
use crate::journal::JournalError;
use crate::session::{Refusal, Unavailable};

/// An answer that is not a success.
#[derive(Debug)]
pub(super) struct Failed {
    status: StatusCode,
    code: FailureCode,
    message: String,
    mistakes: Vec<String>,
}

impl Failed {
    fn new(status: StatusCode, code: FailureCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            mistakes: Vec::new(),
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
        let code = FailureCode::Rejected(rejection_code(refusal));
        Self::new(StatusCode::CONFLICT, code, rejection_message(refusal))
    }
}

impl From<Unavailable> for Failed {
    fn from(unavailable: Unavailable) -> Self {
        Self::unavailable(unavailable.to_string())
    }
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        tracing::error!(%error, "a request failed");
        Self::unavailable("The journal cannot answer now; try again in a moment.")
    }
}

impl From<JsonRejection> for Failed {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                FailureCode::TooLarge,
                "The body is too large.",
            ),
            _ => Self::bad_request(rejection.body_text()),
        }
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
        (self.status, Json(failure)).into_response()
    }
}

/// A JSON body; what is wrong with it becomes a [`Failed`].
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failed> {
        let Json(body) = Json::from_request(request, state).await?;
        Ok(Self(body))
    }
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
