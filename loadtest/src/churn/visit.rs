//! One connection from start to end, and the ways in which it can end.

use std::io;
use std::time::Duration;

use protocol::{ClientMessage, Codec, Hello};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{error::Elapsed, timeout};

use crate::client::{Connection, Ended, Endpoint, OpenError};
use crate::players::{Receive, connect, source};

/// Timeout of each step.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With a closing handshake.
    Closed,
    /// Cut after `hello` was answered.
    Greeted,
    /// Cut after the upgrade.
    Upgraded,
    /// Cut within the upgrade request.
    Begun,
}

/// Error of a connection.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// It could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It closed early.
    #[error("it closed early: {0}")]
    Ended(#[from] Ended),
    /// A socket operation failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A step timed out.
    #[error("timed out after {WAIT_MAX:?}")]
    Late(#[from] Elapsed),
    /// The answer to the upgrade request was not 101.
    #[error("the server answered the upgrade request with {0:?}")]
    Answer(String),
}

impl Ending {
    pub(super) fn for_connection(number: u32) -> Self {
        [Self::Closed, Self::Greeted, Self::Upgraded, Self::Begun][number as usize % 4]
    }

    pub(super) async fn run(
        self,
        endpoint: &Endpoint,
        number: u32,
        token: &str,
    ) -> Result<(), VisitError> {
        let source = source(number as usize);
        match self {
            Self::Closed | Self::Greeted => {
                let mut connection = Connection::open_from(endpoint, source).await?;
                let hello = Hello {
                    token: token.to_owned(),
                    cursor: None,
                };
                connection.send(&ClientMessage::Hello(hello)).await?;
                connection.receive().await?;
                if self == Self::Closed {
                    connection.close().await;
                }
            }
            Self::Upgraded => {
                let mut stream = connect(endpoint, source, Receive::Everything).await?;
                stream.write_all(request(endpoint).as_bytes()).await?;
                expect_upgrade(&mut stream).await?;
            }
            Self::Begun => {
                let mut stream = connect(endpoint, source, Receive::Everything).await?;
                let request = request(endpoint);
                let (begin, _rest) = request.split_at(request.len() / 2);
                stream.write_all(begin.as_bytes()).await?;
            }
        }
        Ok(())
    }
}

/// The upgrade request for a session's WebSocket.
pub(crate) fn request(endpoint: &Endpoint) -> String {
    format!(
        "GET /ws/{session} HTTP/1.1\r\nhost: {authority}\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: {subprotocol}\r\n\r\n",
        session = endpoint.session,
        authority = endpoint.authority,
        subprotocol = Codec::MessagePack.subprotocol(),
    )
}

/// Reads the answer to the upgrade request and nothing after it: a server sends nothing before `hello`.
pub(crate) async fn expect_upgrade(stream: &mut TcpStream) -> Result<(), VisitError> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = timeout(WAIT_MAX, stream.read_u8()).await??;
        answer.push(byte);
    }
    if answer.starts_with(b"HTTP/1.1 101 ") {
        return Ok(());
    }
    Err(VisitError::Answer(
        String::from_utf8_lossy(&answer).into_owned(),
    ))
}
