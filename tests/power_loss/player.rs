//! A player's device: one WebSocket, one command after the other.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use protocol::{
    ClientMessage, Codec, Command, Hello, Order, Receipt, ServerMessage, Snapshot, Welcome,
};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

const CODEC: Codec = Codec::MessagePack;

/// Everything here panics when the server does not do what the protocol promises.
pub(crate) struct Player {
    socket: WebSocketStream<TcpStream>,
    /// What the server said of the device when it attached.
    pub(crate) welcome: Welcome,
    /// What it could see then.
    pub(crate) snapshot: Snapshot,
}

impl Player {
    /// Attaches a device, without a cursor.
    pub(crate) async fn connect(address: SocketAddr, session: &str, token: &str) -> Self {
        let mut socket = open(address, session).await;
        let hello = ClientMessage::Hello(Hello {
            token: token.to_owned(),
            cursor: None,
            instance: None,
        });
        send(&mut socket, &hello).await;
        let ServerMessage::Welcome(welcome) = next(&mut socket).await else {
            panic!("hello is answered by welcome");
        };
        let ServerMessage::Snapshot(snapshot) = next(&mut socket).await else {
            panic!("without a cursor a snapshot follows");
        };
        Self {
            socket,
            welcome,
            snapshot: *snapshot,
        }
    }

    /// Submits a guess and waits for its receipt.
    pub(crate) async fn guess(&mut self, id: u64, puzzle: &str, guess: &str) -> Receipt {
        let order = Order::SubmitGuess {
            puzzle: puzzle.to_owned(),
            guess: guess.to_owned(),
        };
        let command = ClientMessage::Command(Command { id, order });
        send(&mut self.socket, &command).await;
        loop {
            match next(&mut self.socket).await {
                ServerMessage::Receipt(receipt) if receipt.id == id => return receipt,
                ServerMessage::Rejection(rejection) => panic!("{puzzle} {guess}: {rejection:?}"),
                ServerMessage::Welcome(_)
                | ServerMessage::Snapshot(_)
                | ServerMessage::Overview(_)
                | ServerMessage::Update(_)
                | ServerMessage::Receipt(_)
                | ServerMessage::Heads(_)
                | ServerMessage::Goaway(_)
                | ServerMessage::Board(_)
                | ServerMessage::Standing(_)
                | ServerMessage::Presence(_)
                | ServerMessage::Attendance(_)
                | ServerMessage::Unknown => {}
            }
        }
    }
}

async fn open(address: SocketAddr, session: &str) -> WebSocketStream<TcpStream> {
    let request = format!("ws://{address}/ws/{session}").into_client_request();
    let mut request = request.expect("it is an address");
    let subprotocol = HeaderValue::from_static(CODEC.subprotocol());
    request
        .headers_mut()
        .insert("sec-websocket-protocol", subprotocol);
    let stream = TcpStream::connect(address).await.expect("it listens");
    let upgraded = tokio_tungstenite::client_async(request, stream).await;
    upgraded.expect("the handshake succeeds").0
}

async fn send(socket: &mut WebSocketStream<TcpStream>, message: &ClientMessage) {
    let frame = Message::binary(CODEC.encode(message));
    socket.send(frame).await.expect("the connection holds");
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> ServerMessage {
    loop {
        let frame = socket.next().await.expect("the connection holds");
        if let Message::Binary(payload) = frame.expect("the connection holds") {
            return CODEC.decode(&payload).expect("servers send valid messages");
        }
    }
}
