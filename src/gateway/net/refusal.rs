//! Refusals of connections whose request was not read.
//!
//! Bounded: at most [`SENDING_MAX`] refusals are sent at a time, each for at most [`SENDING_WAIT`]. Overflow
//! policy: further connections are closed without an answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::header::{CONTENT_TYPE, RETRY_AFTER};
use hyper::{Response, StatusCode};
use protocol::rest::{Failure, FailureCode, FailureDetail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::stream::Stream;
use crate::telemetry::RefusalReason;

/// Refusals that are sent at the same time.
const SENDING_MAX: usize = 64;
/// Timeout for sending a refusal, with the TLS handshake and until the client has closed.
const SENDING_WAIT: Duration = Duration::from_secs(1);
/// Retry-after. A slot becomes free within the timeout for a header.
const RETRY_AFTER_SECONDS: u32 = 5;

/// Why a connection is refused.
#[derive(Debug, Clone, Copy)]
pub(super) enum ConnectionRefusal {
    /// The server has no free connection slot.
    ConnectionLimit,
    /// The address has used up its quota of unauthenticated connections.
    AddressQuota,
    /// The header was not complete in time.
    HeaderTimeout,
}

/// Sends refusals. Clones share the bound.
#[derive(Clone)]
pub(super) struct RefusalSender {
    sending: Arc<Semaphore>,
}

impl Default for RefusalSender {
    fn default() -> Self {
        Self {
            sending: Arc::new(Semaphore::new(SENDING_MAX)),
        }
    }
}

impl RefusalSender {
    /// Opens the stream, sends the refusal and closes; none if too many are being sent. Input is read and
    /// discarded until the client has closed too: closing with unread input would reset the connection,
    /// and the client could lose the answer.
    pub(super) fn send<O>(
        &self,
        refusal: ConnectionRefusal,
        opening: O,
    ) -> Option<impl Future<Output = ()> + Send + 'static + use<O>>
    where
        O: Future<Output = std::io::Result<Stream>> + Send + 'static,
    {
        let permit = self.sending.clone().try_acquire_owned().ok()?;
        Some(async move {
            let sending = async {
                let mut stream = opening.await?;
                let text = refusal.answer().text();
                stream.write_all(text.as_bytes()).await?;
                stream.shutdown().await?;
                let mut unread = [0; 1024];
                while stream.read(&mut unread).await? > 0 {}
                Ok::<(), std::io::Error>(())
            };
            if let Ok(Err(error)) = tokio::time::timeout(SENDING_WAIT, sending).await {
                tracing::debug!(%error, "a refused connection ended before its answer was sent");
            }
            drop(permit);
        })
    }
}

/// The HTTP status of a failure, from the protocol's table of refusals.
pub fn status(code: FailureCode) -> StatusCode {
    let status = StatusCode::from_u16(code.class().status);
    status.expect("the table has valid status codes")
}

/// A refusal as an HTTP response.
struct Answer {
    code: FailureCode,
    message: &'static str,
    retry_after: Option<u32>,
}

impl ConnectionRefusal {
    fn answer(self) -> Answer {
        let retry_after = Some(RETRY_AFTER_SECONDS);
        match self {
            Self::ConnectionLimit => Answer {
                code: FailureCode::Unavailable,
                message: "The server has no free connection; try again in 5 seconds.",
                retry_after,
            },
            Self::AddressQuota => Answer {
                code: FailureCode::RateLimited,
                message: "Too many connections from your address have not shown a valid token; \
                          send `hello` or a token on the open ones, close those that are not \
                          needed, and try again in 5 seconds.",
                retry_after,
            },
            Self::HeaderTimeout => Answer {
                code: FailureCode::RequestTimeout,
                message: "The request's header did not arrive in time; send the whole request again.",
                retry_after: None,
            },
        }
    }

    /// The answer to a request, on a connection that stays open.
    pub(super) fn response(self) -> Response<Body> {
        let answer = self.answer();
        let mut response = Response::builder()
            .status(status(answer.code))
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
        serde_json::to_string(&failure).expect("a failure serializes")
    }

    /// The whole response, for a connection whose request was not read.
    fn text(&self) -> String {
        let body = self.body();
        let retry = match self.retry_after {
            Some(seconds) => format!("retry-after: {seconds}\r\n"),
            None => String::new(),
        };
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {retry}content-length: {length}\r\n\r\n{body}",
            status = status(self.code),
            length = body.len()
        )
    }
}

impl From<RefusalReason> for ConnectionRefusal {
    fn from(refused: RefusalReason) -> Self {
        match refused {
            RefusalReason::Full => Self::ConnectionLimit,
            RefusalReason::Address => Self::AddressQuota,
        }
    }
}
