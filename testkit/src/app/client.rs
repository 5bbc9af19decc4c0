//! The test client. It applies what it receives, and asserts by the update numbers that nothing is missing
//! or duplicated.

use std::time::UNIX_EPOCH;

use protocol::{
    Attendance, Audience, Board, ClientMessage, CloseCode, Codec, Command, Cursor, Event, Heads,
    HeadsFrame, Hello, Order, Overview, Presence, Receipt, Rejection, RejectionCode, Resume,
    Resync, ServerMessage, Snapshot, Standing, Target, Update, Verdict, Watch, Welcome,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{Ended, Session, Socket, WAIT_MAX};

/// An attached device, game master or spectator. Every wait has the timeout [`WAIT_MAX`], and every method
/// panics if the server violates the protocol.
pub struct TestClient<S = TcpStream> {
    /// None for a spectator.
    pub token: Option<String>,
    /// The answer to the last `hello` or `resync`.
    pub welcome: Welcome,
    /// The last number seen, by audience.
    pub cursor: Cursor,
    /// Every update that was applied, in order, over all connections.
    pub updates: Vec<Update>,
    /// The newest snapshot of a device.
    pub snapshot: Option<Snapshot>,
    /// The newest snapshot of a game master.
    pub overview: Option<Overview>,
    /// The board as of the last change.
    pub board: Option<Board>,
    /// Number of boards received, complete ones and changes.
    pub boards: usize,
    /// Number of these that were changes.
    pub board_changes: usize,
    /// The connected clients, as game masters see them.
    pub attendance: Option<Attendance>,
    /// The team's rank.
    pub standing: Option<Standing>,
    /// The connected members of the team.
    pub presence: Option<Presence>,
    session: Session,
    codec: Codec,
    socket: Option<Socket<S>>,
    last_command: u64,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(pub Result<Receipt, Rejection>);

impl Answer {
    /// Asserts that the command was accepted.
    #[track_caller]
    pub fn expect_accepted(self) -> Receipt {
        self.0.unwrap_or_else(|rejection| panic!("{rejection:?}"))
    }

    /// Asserts that the guess was correct.
    #[track_caller]
    pub fn expect_correct(self) -> Receipt {
        self.expect_verdict(Verdict::Correct)
    }

    /// Asserts that the guess was accepted and wrong.
    #[track_caller]
    pub fn expect_wrong(self) -> Receipt {
        self.expect_verdict(Verdict::Wrong)
    }

    /// Asserts that the command was rejected with this code.
    #[track_caller]
    pub fn expect_rejection(self, code: RejectionCode) -> Rejection {
        let rejection = self.0.expect_err("the command is not to be accepted");
        assert_eq!(rejection.code, code, "{rejection:?}");
        rejection
    }

    #[track_caller]
    fn expect_verdict(self, verdict: Verdict) -> Receipt {
        let receipt = self.expect_accepted();
        assert_eq!(receipt.verdict, Some(verdict), "{receipt:?}");
        receipt
    }
}

/// The order that submits a guess.
pub fn guess(puzzle: &str, guess: &str) -> Order {
    let (puzzle, guess) = (puzzle.to_owned(), guess.to_owned());
    Order::SubmitGuess { puzzle, guess }
}

/// The order that pushes a clue, which expires after this time.
pub fn clue(to: Target, text: &str, lasts_ms: Option<u64>) -> Order {
    let text = text.to_owned();
    Order::PushClue { to, text, lasts_ms }
}

/// The order that announces something to everyone.
pub fn announcement(text: &str) -> Order {
    let text = text.to_owned();
    Order::Announce { text }
}

/// The cursor of a client that has seen everything up to these numbers.
pub fn cursor_at(generation: u32, heads: Heads) -> Cursor {
    Cursor {
        generation,
        everyone: heads.everyone,
        team: heads.team,
        player: heads.player,
        public: heads.public,
        view: heads.view,
        hints: heads.hints,
        answers: heads.answers,
    }
}

/// Whether a cursor has reached the numbers of all audiences.
fn has_reached(cursor: &Cursor, heads: Heads) -> bool {
    cursor.everyone >= heads.everyone
        && cursor.team >= heads.team
        && cursor.player >= heads.player
        && cursor.public >= heads.public
        && cursor.view >= heads.view
        && cursor.hints >= heads.hints
        && cursor.answers >= heads.answers
}

impl<S: AsyncRead + AsyncWrite + Unpin> TestClient<S> {
    /// Sends `hello` with a token, or `watch` without, and reads the messages that the welcome announces.
    pub(super) async fn attach(
        session: Session,
        mut socket: Socket<S>,
        token: Option<&str>,
    ) -> Result<Self, Ended> {
        let token = token.map(str::to_owned);
        let first = match token.clone() {
            Some(token) => ClientMessage::Hello(Hello {
                token,
                cursor: None,
                instance: None,
            }),
            None => ClientMessage::Watch(Watch { cursor: None }),
        };
        socket.send(&first).await;
        let mut client = Self {
            token,
            welcome: welcome(&mut socket).await?,
            cursor: Cursor::default(),
            updates: Vec::new(),
            snapshot: None,
            overview: None,
            board: None,
            boards: 0,
            board_changes: 0,
            attendance: None,
            standing: None,
            presence: None,
            session,
            codec: socket.codec(),
            socket: Some(socket),
            last_command: 0,
        };
        client.receive_missed(None).await?;
        Ok(client)
    }

    /// Sends `resync`: requests the updates after a cursor, or a snapshot without one.
    pub async fn resync(&mut self, cursor: Option<Cursor>) -> &Welcome {
        self.socket()
            .send(&ClientMessage::Resync(Resync { cursor }))
            .await;
        // Discards what was sent before the resync took effect.
        self.welcome = loop {
            let message = self.socket().receive().await;
            if let ServerMessage::Welcome(welcome) = message.expect("the connection holds") {
                break welcome;
            }
        };
        self.receive_missed(cursor)
            .await
            .expect("the connection holds");
        &self.welcome
    }

    /// Reads the messages that the welcome announces to a client with this cursor.
    async fn receive_missed(&mut self, asked: Option<Cursor>) -> Result<(), Ended> {
        (self.board, self.attendance) = (None, None);
        self.last_command = self.last_command.max(self.welcome.last_command);
        match self.welcome.resume {
            Resume::Board => {
                assert_eq!(
                    self.token, None,
                    "only spectators get nothing but the board"
                );
                self.cursor = cursor_at(self.welcome.generation, self.welcome.heads);
            }
            Resume::Replay => self.cursor = asked.expect("a replay answers a cursor"),
            Resume::Snapshot => {
                let heads = match self.socket().receive().await? {
                    ServerMessage::Snapshot(snapshot) => self.snapshot.insert(*snapshot).heads,
                    ServerMessage::Overview(overview) => self.overview.insert(*overview).heads,
                    other => panic!("{other:?} came in place of the promised snapshot"),
                };
                self.cursor = cursor_at(self.welcome.generation, heads);
            }
        }
        let heads = self.welcome.heads;
        while !has_reached(&self.cursor, heads) {
            self.read().await?;
        }
        Ok(())
    }

    /// The raw socket.
    pub fn socket(&mut self) -> &mut Socket<S> {
        self.socket.as_mut().expect("the client is connected")
    }

    /// Drops the connection without a close frame.
    pub fn disconnect(&mut self) {
        self.socket = None;
    }

    /// Reads a message and applies it. Cancel-safe.
    pub async fn read(&mut self) -> Result<ServerMessage, Ended> {
        let message = self.socket().receive().await?;
        match &message {
            ServerMessage::Update(update) => self.apply(update.clone()),
            ServerMessage::Heads(frame) => {
                let sent = cursor_at(frame.generation, frame.heads);
                assert_eq!(
                    self.cursor, sent,
                    "everything up to the heads was sent before"
                );
            }
            ServerMessage::Board(board) => {
                self.boards += 1;
                self.board_changes += usize::from(board.base.is_some());
                let followed = (**board).clone().apply_to(&mut self.board);
                followed.expect("its base is what came last on this connection");
            }
            ServerMessage::Attendance(attendance) => {
                let followed = attendance.clone().apply_to(&mut self.attendance);
                followed.expect("its base is what came last on this connection");
            }
            ServerMessage::Standing(standing) => self.standing = Some(*standing),
            ServerMessage::Presence(presence) => self.presence = Some(presence.clone()),
            ServerMessage::Snapshot(_) | ServerMessage::Overview(_) | ServerMessage::Welcome(_) => {
                panic!("{message:?} was not asked for")
            }
            _ => {}
        }
        Ok(message)
    }

    fn apply(&mut self, update: Update) {
        let last = match update.audience {
            Audience::Everyone => &mut self.cursor.everyone,
            Audience::Team => &mut self.cursor.team,
            Audience::Player => &mut self.cursor.player,
            Audience::Public => {
                assert_eq!(self.welcome.device, None, "a player got a public update");
                &mut self.cursor.public
            }
            Audience::View | Audience::Hints | Audience::Answers => {
                let is_game_master = self.welcome.game_master.is_some();
                assert!(is_game_master, "a player got an update to game masters");
                match update.audience {
                    Audience::Hints => &mut self.cursor.hints,
                    Audience::Answers => &mut self.cursor.answers,
                    _ => &mut self.cursor.view,
                }
            }
        };
        assert_eq!(update.number, *last + 1, "after {last} came {update:?}");
        *last = update.number;
        self.updates.push(update);
    }

    /// Reads until the client's state satisfies the condition.
    pub async fn until(&mut self, fits: impl Fn(&Self) -> bool) {
        // Heads arrive periodically, so the timeout of a single message would never expire.
        let waiting = async {
            while !fits(self) {
                self.read().await.expect("the connection holds");
            }
        };
        timeout(WAIT_MAX, waiting)
            .await
            .expect("the state comes about");
    }

    /// Reads until a message satisfies the condition.
    pub async fn read_until(&mut self, fits: impl Fn(&ServerMessage) -> bool) -> ServerMessage {
        let since = Instant::now();
        loop {
            let message = self.read().await.expect("the connection holds");
            if fits(&message) {
                return message;
            }
            assert!(since.elapsed() < WAIT_MAX, "the message never came");
        }
    }

    /// Returns the first update whose event satisfies the condition, including updates that were read
    /// earlier. Reads until there is one.
    pub async fn expect_update(&mut self, fits: impl Fn(&Event) -> bool) -> Update {
        let find = |client: &Self| client.updates.iter().position(|update| fits(&update.event));
        self.until(|client| find(client).is_some()).await;
        self.updates[find(self).expect("it has come")].clone()
    }

    /// Reads until heads that were sent after this call arrive, which prove that no update is missing.
    pub async fn catch_up(&mut self) -> HeadsFrame {
        let now = UNIX_EPOCH.elapsed().expect("it is after 1970").as_millis();
        let now = u64::try_from(now).expect("it is not that late");
        self.catch_up_to(now + 1).await
    }

    /// Reads until heads of this server time or later arrive, which prove that no earlier update is missing.
    pub async fn catch_up_to(&mut self, time_ms: u64) -> HeadsFrame {
        let is_new = |message: &ServerMessage| matches!(message, ServerMessage::Heads(frame) if frame.server_time_ms >= time_ms);
        match self.read_until(is_new).await {
            ServerMessage::Heads(frame) => frame,
            other => unreachable!("{other:?} is no heads frame"),
        }
    }

    /// Reads until the board has these scores, first to last.
    pub async fn until_scores(&mut self, scores: &[u32]) {
        self.until(|client| {
            client.board.as_ref().is_some_and(|board| {
                assert_eq!(board.length as usize, board.rows.len());
                board
                    .rows
                    .iter()
                    .map(|row| row.score)
                    .eq(scores.iter().copied())
            })
        })
        .await;
    }

    /// Reads until the connection ends.
    pub async fn ended(&mut self) -> Ended {
        let since = Instant::now();
        loop {
            if let Err(ended) = self.read().await {
                return ended;
            }
            assert!(since.elapsed() < WAIT_MAX, "the connection stays open");
        }
    }

    /// Reads until the server closes with this code; returns the reason.
    pub async fn expect_close(&mut self, code: CloseCode) -> String {
        self.ended().await.expect_code(code)
    }

    /// Sends a command with the next id, without waiting for its answer. Returns the id.
    pub async fn send(&mut self, order: Order) -> u64 {
        let id = self.last_command + 1;
        self.send_as(id, order).await;
        id
    }

    /// Sends a command with this id.
    pub async fn send_as(&mut self, id: u64, order: Order) {
        self.last_command = self.last_command.max(id);
        let command = ClientMessage::Command(Command { id, order });
        self.socket().send(&command).await;
    }

    /// Reads until the answer to a command.
    pub async fn answer(&mut self, id: u64) -> Answer {
        let is_answer = |message: &ServerMessage| match message {
            ServerMessage::Receipt(receipt) => receipt.id == id,
            ServerMessage::Rejection(rejection) => rejection.id == id,
            _ => false,
        };
        match self.read_until(is_answer).await {
            ServerMessage::Receipt(receipt) => Answer(Ok(receipt)),
            ServerMessage::Rejection(rejection) => Answer(Err(rejection)),
            other => unreachable!("{other:?} is no answer"),
        }
    }

    /// Sends a command with the next id and reads until its answer.
    pub async fn order(&mut self, order: Order) -> Answer {
        let id = self.send(order).await;
        self.answer(id).await
    }

    /// Sends a command with this id and reads until its answer.
    pub async fn order_as(&mut self, id: u64, order: Order) -> Answer {
        self.send_as(id, order).await;
        self.answer(id).await
    }

    /// Guesses and reads until the answer.
    pub async fn guess(&mut self, puzzle: &str, text: &str) -> Answer {
        self.order(guess(puzzle, text)).await
    }

    /// Guesses with this command id and reads until the answer.
    pub async fn guess_as(&mut self, id: u64, puzzle: &str, text: &str) -> Answer {
        self.order_as(id, guess(puzzle, text)).await
    }

    /// Pushes a clue that must be accepted; returns its id.
    pub async fn push_clue(&mut self, to: Target, text: &str) -> String {
        let receipt = self.order(clue(to, text, None)).await.expect_accepted();
        receipt.clue.expect("the receipt has the clue's id")
    }

    /// The id of the player.
    pub fn player_id(&self) -> &str {
        self.welcome.player.as_deref().expect("it is a player")
    }

    /// The id of the player's team.
    pub fn team_id(&self) -> &str {
        self.welcome.team.as_deref().expect("it is a player")
    }

    /// The code of the team, from the snapshot.
    pub fn team_code(&self) -> &str {
        &self.snapshot.as_ref().expect("it is a player").team.code
    }
}

impl TestClient {
    /// Drops the connection, connects again with the cursor, and catches up.
    pub async fn reconnect(&mut self) -> &Welcome {
        self.reconnect_with(self.codec).await
    }

    /// Reconnects with another codec.
    pub async fn reconnect_with(&mut self, codec: Codec) -> &Welcome {
        self.disconnect();
        self.codec = codec;
        let mut socket = self.session.socket(codec).await;
        let token = self.token.clone().expect("spectators have no cursor");
        let cursor = Some(self.cursor);
        socket
            .send(&ClientMessage::Hello(Hello {
                token,
                cursor,
                instance: self.welcome.instance,
            }))
            .await;
        self.welcome = welcome(&mut socket).await.expect("hello is answered");
        self.socket = Some(socket);
        self.receive_missed(cursor)
            .await
            .expect("what was missed follows");
        &self.welcome
    }

    /// Reconnects through another node.
    pub async fn reconnect_via(&mut self, node: &Session) -> &Welcome {
        self.session = self.session.via(node);
        self.reconnect().await
    }
}

async fn welcome<S>(socket: &mut Socket<S>) -> Result<Welcome, Ended>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match socket.receive().await? {
        ServerMessage::Welcome(welcome) => Ok(welcome),
        other => panic!("{other:?} came before the welcome"),
    }
}
