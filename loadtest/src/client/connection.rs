//! One WebSocket to a server, without reconnects or state.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use protocol::limits::{HEADS_EVERY_MS_MAX, HUNT_BODY_BYTES_MAX};
use protocol::{ClientMessage, CloseCode, Codec, DecodeError, ServerMessage};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Small read buffer: one machine runs hundreds of clients.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Maximum size of a server's message: a snapshot holds at most a hunt and a team's guesses.
pub(crate) const SERVER_MESSAGE_BYTES_MAX: usize = 2 * HUNT_BODY_BYTES_MAX;

/// Timeout of opening a connection.
pub(crate) const OPEN_WAIT_MAX: Duration = Duration::from_secs(15);

/// Timeout of a send.
const SEND_WAIT_MAX: Duration = Duration::from_secs(15);

/// Timeout of an idle connection: three `heads` frames are missing.
pub(crate) const SILENCE_MAX: Duration = Duration::from_millis(3 * HEADS_EVERY_MS_MAX);

/// Address of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The server's host and port.
    pub authority: String,
    /// The session's code.
    pub session: String,
}

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    socket: WebSocketStream<TcpStream>,
    /// When the last frame arrived.
    heard_at: Instant,
    silence_max: Duration,
}

/// Error of opening a connection.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The TCP connection failed.
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    /// The connection was not open in time.
    #[error("the connection attempt timed out")]
    Late,
    /// The server rejected the upgrade with an HTTP status.
    #[error("the WebSocket upgrade was rejected with HTTP status {0}")]
    Refused(StatusCode),
    /// The upgrade failed in another way.
    #[error("the WebSocket upgrade failed: {0}")]
    Upgrade(Box<WsError>),
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The server closed it.
    #[error("closed by the server with code {code}: {reason}")]
    Closed {
        /// Code of the close frame; 1005 without one.
        code: u16,
        /// Reason of the close frame.
        reason: String,
    },
    /// The socket or the WebSocket protocol failed.
    #[error("broken: {0}")]
    Cut(Box<WsError>),
    /// End of stream without a close frame.
    #[error("closed without a close frame")]
    End,
    /// A read or write timed out.
    #[error("timed out: no message could be received or sent")]
    Silent,
    /// A frame that is not a message of the protocol.
    #[error("the server sent a malformed message: {0}")]
    Invalid(#[from] DecodeError),
    /// A text frame.
    #[error("the server sent a text frame on a binary connection")]
    Text,
}

impl Ended {
    /// The protocol's close code, if the close frame carried one.
    pub fn close_code(&self) -> Option<CloseCode> {
        match self {
            Self::Closed { code, .. } => CloseCode::from_number(*code),
            Self::Cut(_) | Self::End | Self::Silent | Self::Invalid(_) | Self::Text => None,
        }
    }
}

impl Connection {
    /// Connects and upgrades. The server now waits for a `hello`.
    pub async fn open(endpoint: &Endpoint) -> Result<Self, OpenError> {
        let connecting = async { Ok(TcpStream::connect(&endpoint.authority).await?) };
        Self::open_within(endpoint, connecting).await
    }

    /// Connects from a local address, for more connections than one address has ports. The endpoint's
    /// host must be an IP address of the same family.
    pub async fn open_from(endpoint: &Endpoint, source: IpAddr) -> Result<Self, OpenError> {
        let connecting = async {
            let server = endpoint.authority.parse();
            let server = server.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
            let socket = match source {
                IpAddr::V4(_) => TcpSocket::new_v4()?,
                IpAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.bind(SocketAddr::new(source, 0))?;
            Ok(socket.connect(server).await?)
        };
        Self::open_within(endpoint, connecting).await
    }

    async fn open_within(
        endpoint: &Endpoint,
        connecting: impl Future<Output = Result<TcpStream, OpenError>>,
    ) -> Result<Self, OpenError> {
        let opening = async { Self::upgrade(endpoint, connecting.await?).await };
        let opened = timeout(OPEN_WAIT_MAX, opening).await;
        opened.map_err(|_| OpenError::Late)?
    }

    async fn upgrade(endpoint: &Endpoint, stream: TcpStream) -> Result<Self, OpenError> {
        Ok(Self {
            socket: upgrade(endpoint, stream, Codec::MessagePack).await?,
            heard_at: Instant::now(),
            silence_max: SILENCE_MAX,
        })
    }

    /// Shortens the idle timeout, for servers that send `heads` more often than the protocol requires.
    #[must_use]
    pub fn with_silence_max(mut self, silence_max: Option<Duration>) -> Self {
        self.silence_max = silence_max.unwrap_or(SILENCE_MAX).min(SILENCE_MAX);
        self
    }

    /// Sends a message. If cancelled, the message may still be sent with the next one.
    pub async fn send(&mut self, message: &ClientMessage) -> Result<(), Ended> {
        self.send_frame(Message::Binary(Codec::MessagePack.encode(message).into()))
            .await
    }

    /// Sends a binary frame with any payload, to test the server's reaction.
    pub async fn send_bytes(&mut self, payload: impl Into<Bytes>) -> Result<(), Ended> {
        self.send_frame(Message::Binary(payload.into())).await
    }

    /// Sends any frame, to test the server's reaction.
    pub async fn send_frame(&mut self, frame: Message) -> Result<(), Ended> {
        match timeout(SEND_WAIT_MAX, self.socket.send(frame)).await {
            Ok(sent) => sent.map_err(|error| Ended::Cut(Box::new(error))),
            Err(_) => Err(Ended::Silent),
        }
    }

    /// Receives the next message and answers pings. Cancellation-safe.
    pub async fn receive(&mut self) -> Result<ServerMessage, Ended> {
        loop {
            let next = timeout_at(self.heard_at + self.silence_max, self.socket.next()).await;
            let frame = next.map_err(|_| Ended::Silent)?;
            self.heard_at = Instant::now();
            match frame {
                Some(Ok(Message::Binary(payload))) => {
                    return Ok(Codec::MessagePack.decode(&payload)?);
                }
                Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
                Some(Ok(Message::Text(_))) => return Err(Ended::Text),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(Ended::Cut(Box::new(error))),
                None => return Err(Ended::End),
            }
        }
    }

    /// Closes the connection. Errors are ignored.
    pub async fn close(mut self) {
        let _ = timeout(SEND_WAIT_MAX, self.socket.close(None)).await;
    }
}

/// Requests a WebSocket with a codec's subprotocol. The server sends nothing until it has received a
/// `hello`.
pub(crate) async fn upgrade(
    endpoint: &Endpoint,
    stream: TcpStream,
    codec: Codec,
) -> Result<WebSocketStream<TcpStream>, OpenError> {
    let Endpoint { authority, session } = endpoint;
    stream.set_nodelay(true)?;
    let mut request = format!("ws://{authority}/ws/{session}")
        .into_client_request()
        .map_err(upgrade_error)?;
    let subprotocol = HeaderValue::from_static(codec.subprotocol());
    request
        .headers_mut()
        .insert("Sec-WebSocket-Protocol", subprotocol);
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(SERVER_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(SERVER_MESSAGE_BYTES_MAX));
    let (socket, _) = client_async_with_config(request, stream, Some(config))
        .await
        .map_err(upgrade_error)?;
    Ok(socket)
}

fn upgrade_error(error: WsError) -> OpenError {
    match error {
        WsError::Http(answer) => OpenError::Refused(answer.status()),
        WsError::Io(error) => OpenError::Connect(error),
        other => OpenError::Upgrade(Box::new(other)),
    }
}

fn closed(frame: Option<CloseFrame>) -> Ended {
    match frame {
        Some(frame) => Ended::Closed {
            code: frame.code.into(),
            reason: frame.reason.to_string(),
        },
        None => Ended::Closed {
            code: 1005,
            reason: String::new(),
        },
    }
}
