//! One HTTP request, written byte by byte, so that nothing is too wrong to be sent.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::WAIT_MAX;

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}

/// The status and, of JSON bodies, the `code` of the failure.
pub(crate) type Answer = (u16, Option<String>);

impl Ask {
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            authorization: None,
            content_type: None,
            body: Vec::new(),
        }
    }

    pub(crate) fn bearer(mut self, token: &str) -> Self {
        self.authorization = Some(format!("Bearer {token}"));
        self
    }

    pub(crate) fn json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.content_type = Some("application/json");
        self.body = body.into();
        self
    }

    fn head(&self) -> String {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: server\r\n", self.method, self.path);
        let length = self.body.len().to_string();
        for (name, value) in [
            ("authorization", self.authorization.as_deref()),
            ("content-type", self.content_type),
            ("content-length", Some(&length)),
            ("connection", Some("close")),
        ] {
            if let Some(value) = value {
                head.extend([name, ": ", value, "\r\n"]);
            }
        }
        head + "\r\n"
    }
}

/// Asks, and reads the answer to its end.
pub(crate) async fn ask(address: SocketAddr, ask: &Ask) -> Answer {
    let request = [ask.head().as_bytes(), &ask.body].concat();
    let answer = exchange(address, &request).await;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let body: Option<Value> = serde_json::from_str(body).ok();
    let code = body.and_then(|body| body["error"]["code"].as_str().map(str::to_owned));
    (status.expect("an answer has a status"), code)
}

/// Sends bytes and gives all that comes back. A server may answer and close before it has read
/// everything.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let (_written, read) = tokio::join!(
        writing.write_all(request),
        timeout(WAIT_MAX, reading.read_to_end(&mut answer)),
    );
    // A reset after the answer takes nothing of it.
    drop(read.expect("the server answers and closes"));
    answer
}
