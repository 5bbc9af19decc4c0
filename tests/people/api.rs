//! Requests, and their answers as they are: each is checked against the OpenAPI document.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap};
use hyper::{Request, client};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::document::{Document, Exchange};
use crate::stage::WAIT_MAX;

/// A client of the REST interface.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    pub(crate) document: Document,
}

/// What is asked.
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a str,
    /// As a whole: `/api/v1/…`.
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) body: Option<Value>,
}

/// An answer that the document allows.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body of a success with this status.
    pub(crate) fn read<T: DeserializeOwned>(&self, status: u16) -> T {
        assert_eq!(self.status, status, "{:?}", self.body);
        let read = serde_json::from_slice(&self.body);
        read.unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// The status, and the code of a failure.
    pub(crate) fn failure(&self) -> (u16, String) {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = body["error"]["code"].as_str().unwrap_or_default();
        (self.status, code.to_owned())
    }

    /// The lines of a stream of JSON values.
    pub(crate) fn lines(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{:?}", self.body);
        let lines = self.body.split(|byte| *byte == b'\n');
        let lines = lines.filter(|line| !line.is_empty());
        let parsed = lines.map(|line| serde_json::from_slice(line).expect("each line is JSON"));
        parsed.collect()
    }
}

impl Api {
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Answer {
        let answer = timeout(WAIT_MAX, self.exchange(&ask)).await;
        let answer = answer.expect("the server answers");
        let media_type = answer.headers.get(CONTENT_TYPE);
        self.document.check(&Exchange {
            method: ask.method,
            path: ask.path,
            asked: ask.body.as_ref(),
            status: answer.status,
            media_type: media_type.and_then(|value| value.to_str().ok()),
            answer: &answer.body,
        });
        answer
    }

    /// Asks without a look at the document.
    pub(crate) async fn exchange(&self, ask: &Ask<'_>) -> Answer {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        let handshake = client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.expect("the connection holds");
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // A failure of the connection shows in the exchange as well.
            let _ = connection.await;
        });
        let mut request = Request::builder()
            .method(ask.method)
            .uri(ask.path)
            .header(HOST, self.address.to_string());
        if let Some(token) = ask.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let mut body = Bytes::new();
        if let Some(json) = &ask.body {
            request = request.header(CONTENT_TYPE, "application/json");
            body = json.to_string().into();
        }
        let request = request.body(Full::new(body)).expect("it is a request");
        let answer = sender.send_request(request).await.expect("it is answered");
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("the answer is whole");
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.to_bytes(),
        }
    }
}
