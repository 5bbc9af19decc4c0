//! One WebSocket: frames out, messages in, and how it ended.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{ClientMessage, Codec, FrameKind, ServerMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::stage::WAIT_MAX;

/// A socket to a server.
pub(crate) struct Wire {
    socket: WebSocketStream<TcpStream>,
    codec: Codec,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With a close frame.
    Closed { code: u16, reason: String },
    /// Without.
    Cut(String),
}

impl Ended {
    /// The number in the close frame.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Closed { code, .. } => Some(*code),
            Self::Cut(_) => None,
        }
    }
}

/// The frame that a message travels in.
pub(crate) fn frame(codec: Codec, payload: impl Into<Vec<u8>>) -> Message {
    match codec.frame_kind() {
        FrameKind::Binary => Message::binary(payload.into()),
        FrameKind::Text => {
            let text = String::from_utf8(payload.into());
            Message::text(text.expect("JSON is UTF-8"))
        }
    }
}

impl Wire {
    /// Connects and upgrades with a codec's subprotocol.
    pub(crate) async fn open(address: SocketAddr, session: &str, codec: Codec) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        Self::upgrade(stream, address, session, codec).await
    }

    /// The same with a receive buffer as small as the system allows, so that the server soon
    /// notices when nothing is read.
    pub(crate) async fn open_narrow(address: SocketAddr, session: &str, codec: Codec) -> Self {
        let socket = TcpSocket::new_v4().expect("there is a free socket");
        socket.set_recv_buffer_size(1).expect("it can be set");
        let stream = socket.connect(address).await.expect("it listens");
        Self::upgrade(stream, address, session, codec).await
    }

    async fn upgrade(stream: TcpStream, address: SocketAddr, session: &str, codec: Codec) -> Self {
        let offered = codec.subprotocol();
        let (socket, chosen) = handshake(stream, address, session, Some(offered))
            .await
            .unwrap_or_else(|status| panic!("the upgrade was refused with {status}"));
        assert_eq!(chosen.as_deref(), Some(offered));
        Self { socket, codec }
    }

    pub(crate) async fn send(&mut self, message: &ClientMessage) {
        let frame = frame(self.codec, self.codec.encode(message));
        self.send_frame(frame).await.expect("the connection holds");
    }

    pub(crate) async fn send_frame(&mut self, frame: Message) -> Result<(), Error> {
        let sent = timeout(WAIT_MAX, self.socket.send(frame)).await;
        sent.expect("the server reads")
    }

    /// Bytes below the level of frames.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        let sent = self.socket.get_mut().write_all(bytes).await;
        sent.expect("the connection holds");
    }

    /// Bytes below the level of frames, up to the end of the connection; an error if it was reset.
    pub(crate) async fn rest_raw(&mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        let read = self.socket.get_mut().read_to_end(&mut rest);
        timeout(WAIT_MAX, read).await.expect("the server closes")?;
        Ok(rest)
    }

    /// The next message. Cancellation loses nothing.
    pub(crate) async fn receive(&mut self) -> Result<ServerMessage, Ended> {
        loop {
            let next = timeout(WAIT_MAX, self.socket.next()).await;
            let frame = next.expect("the server sends heads all the time");
            let (payload, kind) = match frame {
                Some(Ok(Message::Binary(payload))) => (payload, FrameKind::Binary),
                Some(Ok(Message::Text(text))) => (text.into(), FrameKind::Text),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(Some(close)))) => {
                    self.finish().await;
                    return Err(Ended::Closed {
                        code: close.code.into(),
                        reason: close.reason.to_string(),
                    });
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

    /// Reads on until the connection ends.
    pub(crate) async fn ended(&mut self) -> Ended {
        loop {
            if let Err(ended) = self.receive().await {
                return ended;
            }
        }
    }

    /// Answers the close frame; the server then closes.
    async fn finish(&mut self) {
        let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
        let finished = timeout(Duration::from_secs(5), rest).await;
        finished.expect("the server closes after the closing handshake");
    }
}

/// Offers a subprotocol, or none; gives the one that the server chose, or the status of its refusal.
pub(crate) async fn handshake(
    stream: TcpStream,
    address: SocketAddr,
    session: &str,
    offered: Option<&str>,
) -> Result<(WebSocketStream<TcpStream>, Option<String>), StatusCode> {
    let request = format!("ws://{address}/ws/{session}").into_client_request();
    let mut request = request.expect("it is an address");
    if let Some(offered) = offered {
        let offered = HeaderValue::from_str(offered).expect("it is a header's value");
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", offered);
    }
    // What a test sends must leave at once and unchanged.
    let config = WebSocketConfig::default().write_buffer_size(0);
    let upgraded = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
    match timeout(WAIT_MAX, upgraded)
        .await
        .expect("the server answers")
    {
        Ok((socket, answer)) => {
            let chosen = answer.headers().get("sec-websocket-protocol");
            let chosen = chosen.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned());
            Ok((socket, chosen))
        }
        Err(Error::Http(answer)) => Err(answer.status()),
        Err(error) => panic!("the upgrade failed: {error}"),
    }
}
