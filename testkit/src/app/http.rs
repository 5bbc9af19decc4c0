//! Raw HTTP requests, so that tests can send malformed ones.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use protocol::rest::{Failure, FailureDetail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::WAIT_MAX;

/// A request on a connection of its own.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, which may be an invalid one.
    pub method: String,
    /// The complete path, as on the request line.
    pub path: String,
    /// Headers by name. `content-length` is added.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body, for a server named `server`, which closes the connection.
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        let headers = [("host", "server"), ("connection", "close")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            method: method.to_owned(),
            path: path.into(),
            headers: headers.into(),
            body: Vec::new(),
        }
    }

    /// A `GET` request.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// A `POST` request.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    /// Adds or replaces a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Adds a JSON body.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        self.raw_json(serde_json::to_vec(body).expect("test bodies can be written"))
    }

    /// Adds a body with the content type JSON, which may be malformed.
    #[must_use]
    pub fn raw_json(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    /// Sends it and reads the response.
    pub async fn send(&self, address: SocketAddr) -> Response {
        self.send_on(connect(address).await).await
    }

    /// Sends it from an address of this machine.
    pub async fn send_from(&self, source: &str, address: SocketAddr) -> Response {
        self.send_on(connect_from(source, address).await).await
    }

    /// Sends it on a connection.
    pub async fn send_on(&self, stream: impl AsyncRead + AsyncWrite + Unpin) -> Response {
        let mut request = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            request.extend([name, ": ", value, "\r\n"]);
        }
        let length = self.body.len();
        request.extend(["content-length: ", &length.to_string(), "\r\n\r\n"]);
        let answer = exchange(stream, &[request.as_bytes(), &self.body].concat()).await;
        Response::parse(&answer).expect("the server answers")
    }
}

/// A response, read to the end of its connection.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body, without the framing of chunks.
    pub body: String,
}

impl Response {
    /// Reads until the end of the connection; none if it ends before a response begins.
    pub async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut bytes = Vec::new();
        let reading = timeout(WAIT_MAX, stream.read_to_end(&mut bytes)).await;
        // A reset after the response counts as the end.
        let _ended = reading.expect("the connection ends in time");
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]);
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        let headers: BTreeMap<String, String> = headers.collect();
        let mut body = bytes[end + 4..].to_vec();
        if headers
            .get("transfer-encoding")
            .is_some_and(|coding| coding == "chunked")
        {
            body = without_chunks(&body).expect("the last chunk has come");
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Some(Self {
            status,
            headers,
            body,
        })
    }

    /// The body of a response with this status.
    pub fn read<T: DeserializeOwned>(&self, status: u16) -> T {
        assert_eq!(self.status, status, "{}", self.body);
        let read = serde_json::from_str(&self.body);
        read.unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The status and the code of a failure; the code is empty otherwise.
    pub fn failure(&self) -> (u16, String) {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let code = body["error"]["code"].as_str().unwrap_or_default();
        (self.status, code.to_owned())
    }

    /// Asserts the status and the code of a failure.
    #[track_caller]
    pub fn expect_failure(&self, status: u16, code: &str) {
        assert_eq!(self.failure(), (status, code.to_owned()), "{}", self.body);
    }

    /// The failure in the body.
    pub fn error(&self) -> FailureDetail {
        let failure: Failure = self.read(self.status);
        failure.error
    }

    /// The seconds in `Retry-After`.
    pub fn retry_after(&self) -> u64 {
        self.headers["retry-after"].parse().expect("a number")
    }

    /// The lines of a stream of JSON values.
    pub fn lines(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.body);
        let lines = self.body.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("each line is JSON"))
            .collect()
    }
}

/// Sends bytes and returns everything that the server sends until the end of the connection. The server may
/// answer and close before it has read everything.
pub async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Vec<u8> {
    let (mut reading, mut writing) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let (_written, read) = tokio::join!(
        writing.write_all(request),
        timeout(WAIT_MAX, reading.read_to_end(&mut answer)),
    );
    // A reset after the response does not damage it.
    drop(read.expect("the server answers and closes"));
    answer
}

/// Connects to a server.
pub async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.expect("it listens")
}

/// Connects from an address of this machine, which has all of 127.0.0.0/8.
pub async fn connect_from(source: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let source = format!("{source}:0").parse().expect("an address");
    socket.bind(source).expect("an address of this machine");
    socket.connect(address).await.expect("it listens")
}

/// Connects with a receive buffer of about this many bytes (the system has a minimum), so that the server's
/// writes soon block if the test does not read.
pub async fn connect_narrow(address: SocketAddr, receive_bytes: u32) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket
        .set_recv_buffer_size(receive_bytes)
        .expect("it can be set");
    socket.connect(address).await.expect("it listens")
}

/// The integer value of a counter or gauge, by its name and labels as in the metrics text.
pub fn metric_in(metrics: &str, name: &str) -> Option<u64> {
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(value.parse().expect("a whole number"))
}

fn without_chunks(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(bytes.get(end + 2..end + 2 + size)?);
        bytes = bytes.get(end + 2 + size + 2..)?;
    }
}
