//! A connection of a device or a game master: it proves from the numbers that it misses nothing and
//! sees nothing twice.

use futures_util::{SinkExt, StreamExt};
use protocol::{
    Audience, ClientMessage, CloseCode, Codec, Command, Cursor, Event, FrameKind, Hello, Order,
    Overview, Receipt, Rejection, Resume, ServerMessage, Snapshot, Update, Welcome,
};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::stage::{Stage, WAIT_MAX};

/// An attached connection.
pub(crate) struct Seat {
    socket: WebSocketStream<TcpStream>,
    codec: Codec,
    pub(crate) welcome: Welcome,
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) overview: Option<Overview>,
    pub(crate) cursor: Cursor,
    /// Every update since attaching, in order.
    pub(crate) updates: Vec<Update>,
}

impl Seat {
    /// Attaches with a token that is good.
    pub(crate) async fn take(stage: &Stage, token: &str) -> Self {
        let seat = Self::attach(stage, Codec::MessagePack, token, None).await;
        seat.unwrap_or_else(|code| panic!("hello was refused with {code:?}"))
    }

    /// The same with JSON.
    pub(crate) async fn take_json(stage: &Stage, token: &str) -> Self {
        let seat = Self::attach(stage, Codec::Json, token, None).await;
        seat.unwrap_or_else(|code| panic!("hello was refused with {code:?}"))
    }

    /// Attaches with what an earlier connection has seen.
    pub(crate) async fn resume(stage: &Stage, token: &str, cursor: Cursor) -> Self {
        let seat = Self::attach(stage, Codec::MessagePack, token, Some(cursor)).await;
        seat.unwrap_or_else(|code| panic!("hello was refused with {code:?}"))
    }

    /// The close code that refuses a token.
    pub(crate) async fn refused(stage: &Stage, token: &str) -> CloseCode {
        let seat = Self::attach(stage, Codec::MessagePack, token, None).await;
        seat.err().expect("hello is refused")
    }

    async fn attach(
        stage: &Stage,
        codec: Codec,
        token: &str,
        cursor: Option<Cursor>,
    ) -> Result<Self, CloseCode> {
        let mut socket = open(stage, codec).await;
        let token = token.to_owned();
        let hello = ClientMessage::Hello(Hello { token, cursor });
        send(&mut socket, codec, &hello).await;
        let welcome = match receive(&mut socket, codec).await? {
            ServerMessage::Welcome(welcome) => welcome,
            other => panic!("{other:?} answers hello"),
        };
        let mut seat = Self {
            socket,
            codec,
            cursor: cursor.unwrap_or_default(),
            welcome,
            snapshot: None,
            overview: None,
            updates: Vec::new(),
        };
        if seat.welcome.resume == Resume::Snapshot {
            seat.take_whole_state().await?;
        }
        let heads = seat.welcome.heads;
        while !(seat.cursor.everyone >= heads.everyone
            && seat.cursor.team >= heads.team
            && seat.cursor.player >= heads.player
            && seat.cursor.game_masters >= heads.game_masters)
        {
            seat.read().await?;
        }
        Ok(seat)
    }

    async fn take_whole_state(&mut self) -> Result<(), CloseCode> {
        let heads = match receive(&mut self.socket, self.codec).await? {
            ServerMessage::Snapshot(snapshot) => self.snapshot.insert(*snapshot).heads,
            ServerMessage::Overview(overview) => self.overview.insert(*overview).heads,
            other => panic!("{other:?} is no state"),
        };
        self.cursor = Cursor {
            generation: self.welcome.generation,
            everyone: heads.everyone,
            team: heads.team,
            player: heads.player,
            game_masters: heads.game_masters,
        };
        Ok(())
    }

    /// Reads a message and takes it in; the close code if the server ends the connection.
    async fn read(&mut self) -> Result<ServerMessage, CloseCode> {
        let message = receive(&mut self.socket, self.codec).await?;
        if let ServerMessage::Update(update) = &message {
            let last = match update.audience {
                Audience::Everyone => &mut self.cursor.everyone,
                Audience::Team => &mut self.cursor.team,
                Audience::Player => &mut self.cursor.player,
                Audience::GameMasters => &mut self.cursor.game_masters,
            };
            assert_eq!(update.number, *last + 1, "after {last} came {update:?}");
            *last = update.number;
            self.updates.push(update.clone());
        }
        Ok(message)
    }

    /// Sends a command and reads until its answer.
    pub(crate) async fn order(&mut self, id: u64, order: Order) -> Result<Receipt, Rejection> {
        let command = ClientMessage::Command(Command { id, order });
        send(&mut self.socket, self.codec, &command).await;
        loop {
            match self.next().await {
                ServerMessage::Receipt(receipt) if receipt.id == id => return Ok(receipt),
                ServerMessage::Rejection(rejection) if rejection.id == id => return Err(rejection),
                _ => {}
            }
        }
    }

    /// The same, for what must be accepted.
    pub(crate) async fn ordered(&mut self, id: u64, order: Order) -> Receipt {
        let receipt = self.order(id, order).await;
        receipt.unwrap_or_else(|rejection| panic!("{rejection:?}"))
    }

    /// Submits a guess that is accepted.
    pub(crate) async fn guess(&mut self, id: u64, guess: &str) -> Receipt {
        let (puzzle, guess) = (crate::stage::PUZZLE.to_owned(), guess.to_owned());
        self.ordered(id, Order::SubmitGuess { puzzle, guess }).await
    }

    /// Reads until an event fits, among those that were read before too.
    pub(crate) async fn sees(&mut self, fits: impl Fn(&Event) -> bool) -> Update {
        // Heads come all the time, so that the wait for each message bounds nothing.
        let since = Instant::now();
        loop {
            let seen = self.updates.iter().find(|update| fits(&update.event));
            if let Some(update) = seen {
                return update.clone();
            }
            assert!(since.elapsed() < WAIT_MAX, "it never came");
            self.next().await;
        }
    }

    async fn next(&mut self) -> ServerMessage {
        self.read().await.expect("the connection holds")
    }

    /// Reads the next `heads` frame and gives the time when it was sent.
    pub(crate) async fn next_heads(&mut self) -> u64 {
        self.heads_since(0).await
    }

    /// Reads everything that was sent before a time, and proves that nothing is missing.
    pub(crate) async fn heads_since(&mut self, time_ms: u64) -> u64 {
        loop {
            let message = self.next().await;
            if let ServerMessage::Heads(frame) = message
                && frame.server_time_ms >= time_ms
            {
                let seen = self.cursor;
                assert_eq!(frame.heads.everyone, seen.everyone);
                assert_eq!(frame.heads.team, seen.team);
                assert_eq!(frame.heads.player, seen.player);
                assert_eq!(frame.heads.game_masters, seen.game_masters);
                return frame.server_time_ms;
            }
        }
    }

    /// Reads until the server closes the connection.
    pub(crate) async fn closed(&mut self) -> CloseCode {
        let since = Instant::now();
        loop {
            if let Err(code) = self.read().await {
                return code;
            }
            assert!(since.elapsed() < WAIT_MAX, "it stays open");
        }
    }
}

async fn open(stage: &Stage, codec: Codec) -> WebSocketStream<TcpStream> {
    let address = stage.api.address;
    let request = format!("ws://{address}/ws/{}", stage.session).into_client_request();
    let mut request = request.expect("it is an address");
    let subprotocol = HeaderValue::from_static(codec.subprotocol());
    let headers = request.headers_mut();
    headers.insert("sec-websocket-protocol", subprotocol);
    let stream = TcpStream::connect(address).await.expect("it listens");
    let upgraded = tokio_tungstenite::client_async(request, stream).await;
    upgraded.expect("the handshake succeeds").0
}

async fn send(socket: &mut WebSocketStream<TcpStream>, codec: Codec, message: &ClientMessage) {
    let payload = codec.encode(message);
    let frame = match codec.frame_kind() {
        FrameKind::Binary => Message::binary(payload),
        FrameKind::Text => Message::text(String::from_utf8(payload).expect("JSON is UTF-8")),
    };
    socket.send(frame).await.expect("the connection holds");
}

async fn receive(
    socket: &mut WebSocketStream<TcpStream>,
    codec: Codec,
) -> Result<ServerMessage, CloseCode> {
    loop {
        let frame = timeout(WAIT_MAX, socket.next()).await;
        let frame = frame.expect("the server sends heads all the time");
        let payload = match frame
            .expect("it ends with a close frame")
            .expect("it is not cut")
        {
            Message::Binary(payload) => payload,
            Message::Text(text) => text.into(),
            Message::Close(Some(close)) => {
                let code = CloseCode::from_number(close.code.into());
                return Err(code.unwrap_or_else(|| panic!("{close:?} is no code of ours")));
            }
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            Message::Close(None) => panic!("it was closed without a code"),
        };
        return Ok(codec.decode(&payload).expect("servers send valid messages"));
    }
}
