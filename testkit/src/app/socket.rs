//! A raw WebSocket: sends frames, receives messages, and reports how the connection ended.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{ClientMessage, CloseCode, Codec, FrameKind, ServerMessage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::WAIT_MAX;

/// A raw WebSocket. It sends only what the test sends.
pub struct Socket<S = TcpStream> {
    stream: WebSocketStream<S>,
    codec: Codec,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With a close frame.
    Closed {
        /// The number of the close code.
        code: u16,
        /// The reason in the close frame.
        reason: String,
    },
    /// Without a close frame or close code.
    Cut(String),
}

impl Ended {
    /// The number in the close frame.
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Closed { code, .. } => Some(*code),
            Self::Cut(_) => None,
        }
    }

    /// Asserts the close code and returns the reason.
    #[track_caller]
    pub fn expect_code(self, expected: CloseCode) -> String {
        match self {
            Self::Closed { code, reason } if code == expected.number() => reason,
            other => panic!("{other:?} in place of {expected:?}"),
        }
    }
}

/// The upgrade request for a session, with the offered subprotocols, if any.
pub fn upgrade_request(session: &str, offered: Option<&str>) -> Request {
    let url = format!("ws://server/ws/{session}");
    let mut request = url.into_client_request().expect("it is an address");
    if let Some(offered) = offered {
        let offered = HeaderValue::from_str(offered).expect("it is a header's value");
        request
            .headers_mut()
            .insert("sec-websocket-protocol", offered);
    }
    request
}

/// A data frame of the codec's frame kind with this payload.
pub fn frame(codec: Codec, payload: impl Into<Vec<u8>>) -> Message {
    match codec.frame_kind() {
        FrameKind::Binary => Message::binary(payload.into()),
        FrameKind::Text => {
            let text = String::from_utf8(payload.into());
            Message::text(text.expect("JSON is UTF-8"))
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Upgrades a connection; returns an error if the server refuses or disconnects.
    pub async fn upgrade(stream: S, request: Request) -> Result<Self, Error> {
        // Frames must be sent at once and unchanged.
        let config = WebSocketConfig::default().write_buffer_size(0);
        let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        let (stream, response) = timeout(WAIT_MAX, upgrade)
            .await
            .expect("the server answers")?;
        let chosen = response.headers().get("sec-websocket-protocol");
        let chosen = chosen.and_then(|chosen| chosen.to_str().ok());
        let is_chosen = |codec: &Codec| chosen == Some(codec.subprotocol());
        let codec = Codec::ALL.into_iter().find(is_chosen);
        let codec = codec.unwrap_or_else(|| panic!("{chosen:?} is no subprotocol"));
        Ok(Self { stream, codec })
    }

    /// Upgrades a connection; returns the HTTP status if the server refuses.
    pub async fn upgrade_or_status(stream: S, request: Request) -> Result<Self, u16> {
        match Self::upgrade(stream, request).await {
            Ok(socket) => Ok(socket),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("the upgrade failed: {error}"),
        }
    }

    /// The codec that the server chose.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The underlying stream.
    pub fn stream(&mut self) -> &mut S {
        self.stream.get_mut()
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &ClientMessage) {
        self.send_payload(self.codec.encode(message)).await;
    }

    /// Sends one data frame with this payload.
    pub async fn send_payload(&mut self, payload: impl Into<Vec<u8>>) {
        let sent = self.send_frame(frame(self.codec, payload)).await;
        sent.expect("the connection holds");
    }

    /// Sends a frame; returns an error once the server has closed.
    pub async fn send_frame(&mut self, frame: Message) -> Result<(), Error> {
        let sent = timeout(WAIT_MAX, self.stream.send(frame)).await;
        sent.expect("the server reads")
    }

    /// Receives the next message. Cancel-safe.
    pub async fn receive(&mut self) -> Result<ServerMessage, Ended> {
        loop {
            let next = timeout(WAIT_MAX, self.stream.next()).await;
            let (payload, kind) = match next.expect("the server sends heads all the time") {
                Some(Ok(Message::Binary(payload))) => (payload, FrameKind::Binary),
                Some(Ok(Message::Text(text))) => (text.into(), FrameKind::Text),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(Some(close)))) => {
                    self.finish().await;
                    let (code, reason) = (close.code.into(), close.reason.to_string());
                    return Err(Ended::Closed { code, reason });
                }
                Some(Ok(Message::Close(None))) => return Err(Ended::Cut("no code".to_owned())),
                Some(Err(error)) => return Err(Ended::Cut(error.to_string())),
                None => return Err(Ended::Cut("the end".to_owned())),
            };
            assert_eq!(
                kind,
                self.codec.frame_kind(),
                "frames are of the codec's kind"
            );
            let message = self.codec.decode(&payload);
            return Ok(message.expect("servers send valid messages"));
        }
    }

    /// Reads until the connection ends.
    pub async fn ended(&mut self) -> Ended {
        loop {
            if let Err(ended) = self.receive().await {
                return ended;
            }
        }
    }

    /// Reads until the server closes with this code; returns the reason.
    pub async fn expect_close(&mut self, code: CloseCode) -> String {
        self.ended().await.expect_code(code)
    }

    /// Answers the close frame; the server then closes.
    async fn finish(&mut self) {
        let rest = async { while let Some(Ok(_)) = self.stream.next().await {} };
        let finished = timeout(Duration::from_secs(5), rest).await;
        finished.expect("the server closes after the closing handshake");
    }
}
