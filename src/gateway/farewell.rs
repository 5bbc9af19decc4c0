//! What somebody hears who is sent away before a request could be answered.
//!
//! Bounded: only so many are told at the same time, each for a moment; the others find the connection
//! closed.

use std::sync::Arc;
use std::time::Duration;

use protocol::rest::{Failure, FailureCode, FailureDetail};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

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
    /// Tells why and closes; nothing if too many are being told. Until the other side has closed
    /// too, what it still sends is read: closing over unread bytes would reset the connection and
    /// take the answer away.
    pub(super) fn say<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        farewell: Farewell,
        mut stream: S,
    ) -> Option<impl Future<Output = ()> + Send + 'static + use<S>> {
        let permit = self.telling.clone().try_acquire_owned().ok()?;
        Some(async move {
            let telling = async {
                stream.write_all(farewell.answer().as_bytes()).await?;
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

impl Farewell {
    fn answer(self) -> String {
        let (status, code, message) = match self {
            Self::Full => (
                "503 Service Unavailable",
                FailureCode::Unavailable,
                "The server has as many connections as it takes; try again in 5 seconds.",
            ),
            Self::TooManyFromAddress => (
                "429 Too Many Requests",
                FailureCode::RateLimited,
                "Too many connections from your address have not shown a valid token; send \
                 `hello` or a token on those that are open, close those that are not needed, and \
                 try again in 5 seconds.",
            ),
            Self::LateHeader => (
                "408 Request Timeout",
                FailureCode::RequestTimeout,
                "The request's header took too long; send it again, whole.",
            ),
        };
        let failure = Failure {
            error: FailureDetail {
                code,
                message: message.to_owned(),
                mistakes: Vec::new(),
            },
        };
        let body = serde_json::to_string(&failure).expect("a failure is text");
        let retry = match self {
            Self::Full | Self::TooManyFromAddress => {
                format!("retry-after: {RETRY_AFTER_SECONDS}\r\n")
            }
            Self::LateHeader => String::new(),
        };
        format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {retry}content-length: {length}\r\n\r\n{body}",
            length = body.len()
        )
    }
}
