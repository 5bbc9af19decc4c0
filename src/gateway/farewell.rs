//! What somebody hears who is sent away before a request could be answered.
//!
//! Bounded: only so many are told at the same time, each for a moment; the others find the connection
//! closed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{Response, StatusCode};
use protocol::rest::{Failure, FailureCode, FailureDetail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::stream::Stream;
use crate::telemetry::ConnectionRefusal;

/// How many are told at the same time.
const TOLD_AT_ONCE_MAX: usize = 64;
/// How long the other side may take to hear it.
const HEARING_WAIT: Duration = Duration::from_secs(1);
/// When to come back. A place becomes free within the deadline for a header.
const RETRY_AFTER_SECONDS: u32 = 5;

/// Why somebody is sent away.
#[derive(Debug, Clone, Copy)]
pub(super) enum Farewell {
    /// The server has as many connections as it takes.
    Full,
    /// The address has as many connections without a valid token as it may have.
    TooManyFromAddress,
    /// The header was not complete in time.
    LateHeader,
}

/// Those who are being told. Clones share the bound.
#[derive(Clone)]
pub(super) struct Farewells {
    telling: Arc<Semaphore>,
}

impl Default for Farewells {
    fn default() -> Self {
        Self {
            telling: Arc::new(Semaphore::new(TOLD_AT_ONCE_MAX)),
        }
    }
}

impl Farewells {
    /// Opens the stream, tells why and closes; nothing if too many are being told. Until the other side has closed
    /// too, what it still sends is read: closing over unread bytes would reset the connection and
    /// take the answer away.
    pub(super) fn say<O>(
        &self,
        farewell: Farewell,
        opening: O,
    ) -> Option<impl Future<Output = ()> + Send + 'static + use<O>>
    where
        O: Future<Output = std::io::Result<Stream>> + Send + 'static,
    {
        let permit = self.telling.clone().try_acquire_owned().ok()?;
        Some(async move {
            let telling = async {
                let mut stream = opening.await?;
                let text = farewell.answer().text();
                stream.write_all(text.as_bytes()).await?;
                stream.shutdown().await?;
                let mut unread = [0; 1024];
                while stream.read(&mut unread).await? > 0 {}
                Ok::<(), std::io::Error>(())
            };
            if let Ok(Err(error)) = tokio::time::timeout(HEARING_WAIT, telling).await {
                tracing::debug!(%error, "somebody left before hearing why");
            }
            drop(permit);
        })
    }
}

/// A refusal as HTTP knows it.
struct Answer {
    status: StatusCode,
    code: FailureCode,
    message: &'static str,
    retry_after: Option<u32>,
}

impl Farewell {
    fn answer(self) -> Answer {
        let retry_after = Some(RETRY_AFTER_SECONDS);
        match self {
            Self::Full => Answer {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: FailureCode::Unavailable,
                message: "The server has as many connections as it takes; try again in 5 seconds.",
                retry_after,
            },
            Self::TooManyFromAddress => Answer {
                status: StatusCode::TOO_MANY_REQUESTS,
                code: FailureCode::RateLimited,
                message: "Too many connections from your address have not shown a valid token; \
                          send `hello` or a token on those that are open, close those that are not \
                          needed, and try again in 5 seconds.",
                retry_after,
            },
            Self::LateHeader => Answer {
                status: StatusCode::REQUEST_TIMEOUT,
                code: FailureCode::RequestTimeout,
                message: "The request's header took too long; send it again, whole.",
                retry_after: None,
            },
        }
    }

    /// As the answer to a request, on a connection that goes on.
    pub(super) fn response(self) -> Response<Body> {
        let answer = self.answer();
        let mut response = Response::builder()
            .status(answer.status)
            .header(CONTENT_TYPE, "application/json");
        if let Some(seconds) = answer.retry_after {
            response = response.header(RETRY_AFTER, seconds);
        }
        let response = response.body(Body::from(answer.body()));
        response.expect("the headers are well-formed")
    }
}

impl Answer {
    fn body(&self) -> String {
        let failure = Failure {
            error: FailureDetail {
                code: self.code,
                message: self.message.to_owned(),
                mistakes: Vec::new(),
            },
        };
        serde_json::to_string(&failure).expect("a failure is text")
    }

    /// As it is sent to somebody whose request was not read.
    fn text(&self) -> String {
        let body = self.body();
        let retry = match self.retry_after {
            Some(seconds) => format!("retry-after: {seconds}\r\n"),
            None => String::new(),
        };
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {retry}content-length: {length}\r\n\r\n{body}",
            status = self.status,
            length = body.len()
        )
    }
}

impl From<ConnectionRefusal> for Farewell {
    fn from(refused: ConnectionRefusal) -> Self {
        match refused {
            ConnectionRefusal::Full => Self::Full,
            ConnectionRefusal::Address => Self::TooManyFromAddress,
        }
    }
}
