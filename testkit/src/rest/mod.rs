//! A small client for the REST interface: one connection for each request, each with a timeout.

mod exchange;

use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use protocol::limits::HUNT_BODY_BYTES_MAX;
use protocol::rest::{Failure, FailureCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use exchange::{Ask, Exchange};

/// Maximum size of a response body, except streams of lines: the standings of the largest session.
const ANSWER_BYTES_MAX: usize = 2 * HUNT_BODY_BYTES_MAX;

/// Maximum length of a line in a stream of lines.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// A client for the REST interface of one server.
#[derive(Debug, Clone)]
pub struct Rest {
    authority: String,
    within: Duration,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum RestError {
    /// The server's URL has a form that this client does not support.
    #[error("{0:?} is no server address: write http://HOST:PORT")]
    Address(String),
    /// The server could not be reached.
    #[error("cannot connect to {authority}: {source}")]
    Connect {
        /// The host and port.
        authority: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Broken(#[from] hyper::Error),
    /// The request timed out.
    #[error("{what} gave no answer within {waited:?}")]
    Late {
        /// The method and path.
        what: String,
        /// The timeout.
        waited: Duration,
    },
    /// The server refused the request or failed, with a reason.
    #[error("{what} was answered with {status}: {}", failure_text(failure))]
    Failed {
        /// The method and path.
        what: String,
        /// The response's status.
        status: StatusCode,
        /// The reason.
        failure: Box<Failure>,
    },
    /// The response violates the protocol.
    #[error("{what} was answered with {status} and a body that does not fit: {problem}")]
    Unexpected {
        /// The method and path.
        what: String,
        /// The response's status.
        status: StatusCode,
        /// What is wrong with it.
        problem: String,
    },
}

impl RestError {
    /// The failure's stable code, if there is one.
    pub fn code(&self) -> Option<FailureCode> {
        match self {
            Self::Failed { failure, .. } => Some(failure.error.code),
            Self::Address(_)
            | Self::Connect { .. }
            | Self::Broken(_)
            | Self::Late { .. }
            | Self::Unexpected { .. } => None,
        }
    }
}

fn failure_text(failure: &Failure) -> String {
    let detail = &failure.error;
    let mut lines = vec![detail.message.clone()];
    lines.extend(detail.mistakes.iter().cloned());
    lines.join("\n")
}

impl Rest {
    /// A client for the server at `http://HOST:PORT`; `within` is the timeout of each request.
    pub fn new(server: &str, within: Duration) -> Result<Self, RestError> {
        let authority = server
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .filter(|authority| authority.contains(':') && !authority.contains('/'))
            .ok_or_else(|| RestError::Address(server.to_owned()))?;
        Ok(Self {
            authority: authority.to_owned(),
            within,
        })
    }

    /// The server's host and port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Gets `path`, which is relative to `/api/v1`.
    pub async fn get<A: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
    ) -> Result<A, RestError> {
        self.ask(Ask::new(Method::GET, path, token)).await
    }

    /// Posts a body to `path`.
    pub async fn post<B: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        body: &B,
    ) -> Result<A, RestError> {
        let body = serde_json::to_vec(body).expect("bodies of the protocol can be written");
        self.ask(Ask::new(Method::POST, path, token).with_body(body))
            .await
    }

    /// Posts to `path` without a body.
    pub async fn post_empty<A: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
    ) -> Result<A, RestError> {
        self.ask(Ask::new(Method::POST, path, token)).await
    }

    /// Reads JSON lines from `path` one by one, without buffering the whole response. Returns the number of
    /// lines. The timeout applies to the whole stream.
    pub async fn get_lines<L: DeserializeOwned>(
        &self,
        path: &str,
        token: Option<&str>,
        mut each: impl FnMut(L),
    ) -> Result<u64, RestError> {
        let ask = Ask::new(Method::GET, path, token);
        let what = ask.what();
        let exchange = Exchange::new(&self.authority, ask);
        let mut count = 0;
        let lines = exchange.lines(LINE_BYTES_MAX, |line| {
            each(serde_json::from_slice(line).map_err(|error| error.to_string())?);
            count += 1;
            Ok(())
        });
        let late = |_| self.late(what);
        timeout(self.within, lines).await.map_err(late)??;
        Ok(count)
    }

    /// The server's metrics, in Prometheus' text format.
    pub async fn metrics(&self) -> Result<String, RestError> {
        let (_, body) = self.whole(Ask::beside("/metrics")).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Whether the liveness check succeeds.
    pub async fn is_live(&self) -> bool {
        self.whole(Ask::beside("/health/live")).await.is_ok()
    }

    async fn ask<A: DeserializeOwned>(&self, ask: Ask) -> Result<A, RestError> {
        let what = ask.what();
        let (status, body) = self.whole(ask).await?;
        serde_json::from_slice(&body).map_err(|error| RestError::Unexpected {
            what,
            status,
            problem: error.to_string(),
        })
    }

    async fn whole(&self, ask: Ask) -> Result<(StatusCode, Bytes), RestError> {
        let what = ask.what();
        let exchange = Exchange::new(&self.authority, ask).whole(ANSWER_BYTES_MAX);
        let answered = timeout(self.within, exchange).await;
        answered.map_err(|_| self.late(what))?
    }

    fn late(&self, what: String) -> RestError {
        RestError::Late {
            what,
            waited: self.within,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Rest, RestError};

    #[test]
    fn only_plain_addresses_are_taken() {
        let address = |text| Rest::new(text, Duration::from_secs(1));
        let rest = address("http://127.0.0.1:4000/").expect("it is an address");
        assert_eq!(rest.authority(), "127.0.0.1:4000");
        for bad in [
            "127.0.0.1:4000",
            "https://example.org:1",
            "http://host",
            "http://h:1/x",
        ] {
            assert!(matches!(address(bad), Err(RestError::Address(_))), "{bad}");
        }
    }
}
