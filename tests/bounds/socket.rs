//! A WebSocket that does only what a test says.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use protocol::{ClientMessage, Codec, Command, Hello, Order, ServerMessage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::http::PATIENCE;
use crate::site::Site;

pub const CODEC: Codec = Codec::MessagePack;

pub struct Socket<S = TcpStream> {
    stream: WebSocketStream<S>,
}

/// A connection from an address of this machine; the whole of 127.0.0.0/8 is its own.
pub async fn connect_from(source: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    let source = format!("{source}:0").parse().expect("an address");
    socket.bind(source).expect("an address of this machine");
    socket.connect(address).await.expect("it listens")
}

/// The request for the upgrade to a session's WebSocket.
pub fn upgrade_request(session: &str) -> Request {
    let url = format!("ws://server/ws/{session}");
    let mut request = url.into_client_request().expect("an address");
    let offered = HeaderValue::from_static(CODEC.subprotocol());
    request
        .headers_mut()
        .insert("sec-websocket-protocol", offered);
    request
}

impl Socket {
    /// Upgrades; the status if the server refuses.
    pub async fn upgrade(site: &Site, stream: TcpStream) -> Result<Self, StatusCode> {
        Self::upgrade_to(&site.session, stream).await
    }

    /// The same with a header of the client's choice.
    pub async fn upgrade_with(
        site: &Site,
        stream: TcpStream,
        header: (&'static str, &str),
    ) -> Result<Self, StatusCode> {
        let mut request = upgrade_request(&site.session);
        let value = HeaderValue::from_str(header.1).expect("it is text");
        request.headers_mut().insert(header.0, value);
        Self::request(request, stream).await
    }

    /// Connects without `hello`.
    pub async fn open(site: &Site) -> Self {
        let stream = TcpStream::connect(site.address())
            .await
            .expect("it listens");
        Self::upgrade(site, stream).await.expect("there is room")
    }

    /// Connects with `hello` and waits for the welcome.
    pub async fn attach(site: &Site, token: &str) -> Self {
        let mut socket = Self::open(site).await;
        socket.hello(token).await;
        socket
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Upgrades to a session of any server.
    pub async fn upgrade_to(session: &str, stream: S) -> Result<Self, StatusCode> {
        Self::request(upgrade_request(session), stream).await
    }

    async fn request(request: Request, stream: S) -> Result<Self, StatusCode> {
        match Self::try_request(request, stream).await {
            Ok(socket) => Ok(socket),
            Err(Error::Http(answer)) => Err(answer.status()),
            Err(error) => panic!("the upgrade failed: {error}"),
        }
    }

    /// The same for those who may also be sent away without a word.
    pub async fn try_request(request: Request, stream: S) -> Result<Self, Error> {
        let upgrading = tokio_tungstenite::client_async(request, stream);
        let upgraded = timeout(PATIENCE, upgrading).await.expect("an answer");
        upgraded.map(|(stream, _answer)| Self { stream })
    }

    pub async fn hello(&mut self, token: &str) {
        let hello = ClientMessage::Hello(Hello {
            token: token.to_owned(),
            cursor: None,
        });
        self.send(CODEC.encode(&hello)).await;
        let welcome = self.receive().await;
        assert!(
            matches!(welcome, Some(ServerMessage::Welcome(_))),
            "{welcome:?}"
        );
    }

    pub async fn guess(&mut self, id: u64, puzzle: &str, guess: &str) {
        let command = ClientMessage::Command(Command {
            id,
            order: Order::SubmitGuess {
                puzzle: puzzle.to_owned(),
                guess: guess.to_owned(),
            },
        });
        self.send(CODEC.encode(&command)).await;
    }

    pub async fn send(&mut self, payload: Vec<u8>) {
        let sending = self.stream.send(Message::binary(payload));
        timeout(PATIENCE, sending)
            .await
            .expect("the server reads")
            .expect("sent");
    }

    /// Sends a ping; an error once the server has closed.
    pub async fn ping(&mut self) -> Result<(), Error> {
        let sending = self.stream.send(Message::Ping(Vec::new().into()));
        timeout(PATIENCE, sending).await.expect("the server reads")
    }

    /// The next message; none at the end.
    pub async fn receive(&mut self) -> Option<ServerMessage> {
        loop {
            let next = timeout(PATIENCE, self.stream.next()).await;
            match next.expect("the server says something") {
                Some(Ok(Message::Binary(payload))) => {
                    return Some(CODEC.decode(&payload).expect("servers send messages"));
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Reads up to the close frame, and gives its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            let next = timeout(PATIENCE, self.stream.next()).await;
            match next.expect("the connection ends") {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                ended => panic!("no close frame, but {ended:?}"),
            }
        }
    }
}
