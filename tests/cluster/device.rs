//! A device: it attaches with its cursor, and proves from the numbers that it misses nothing and
//! sees nothing twice.

use std::time::UNIX_EPOCH;

use protocol::{
    Audience, Board, ClientMessage, Codec, Command, Cursor, Heads, HeadsFrame, Hello, Order,
    Receipt, Rejection, Resume, Resync, ServerMessage, Snapshot, Update, Verdict, Welcome,
};

use crate::stage::Stage;
use crate::wire::{Ended, Wire};

/// A device that knows its token and, after the first snapshot, its cursor.
pub(crate) struct Device {
    pub(crate) token: String,
    pub(crate) codec: Codec,
    pub(crate) cursor: Option<Cursor>,
    /// Every update that was applied, in order.
    pub(crate) updates: Vec<Update>,
    /// The newest snapshot.
    pub(crate) snapshot: Option<Snapshot>,
    /// The board as of what has come, and how many messages it took.
    board: Option<Board>,
    pub(crate) boards: usize,
    wire: Option<Wire>,
}

/// What came of a command.
pub(crate) type Answer = Result<Receipt, Rejection>;

impl Device {
    /// A device that has never connected.
    pub(crate) fn new(codec: Codec, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            codec,
            cursor: None,
            updates: Vec::new(),
            snapshot: None,
            board: None,
            boards: 0,
            wire: None,
        }
    }

    /// A device that is attached.
    pub(crate) async fn attached(stage: &Stage, codec: Codec, token: &str) -> Self {
        let mut device = Self::new(codec, token);
        device.connect(stage).await;
        device
    }

    /// Connects with the cursor, if there is one, and catches up. Loses the connection before.
    pub(crate) async fn connect(&mut self, stage: &Stage) -> Welcome {
        self.cut();
        let wire = Wire::open(stage.address(), &stage.session, self.codec).await;
        self.say_hello(wire).await
    }

    /// The same over a connection that takes little before it is read.
    pub(crate) async fn connect_narrow(&mut self, stage: &Stage) -> Welcome {
        self.cut();
        let wire = Wire::open_narrow(stage.address(), &stage.session, self.codec).await;
        self.say_hello(wire).await
    }

    async fn say_hello(&mut self, mut wire: Wire) -> Welcome {
        let hello = Hello {
            token: self.token.clone(),
            cursor: self.cursor,
        };
        wire.send(&ClientMessage::Hello(hello)).await;
        self.wire = Some(wire);
        self.welcomed().await
    }

    /// Asks for what comes after a cursor, on the open connection.
    pub(crate) async fn resync(&mut self, cursor: Option<Cursor>) -> Welcome {
        self.cursor = cursor;
        let resync = ClientMessage::Resync(Resync { cursor });
        self.wire().send(&resync).await;
        self.welcomed().await
    }

    /// Reads `welcome` and what it promises.
    async fn welcomed(&mut self) -> Welcome {
        let welcome = loop {
            match self.wire().receive().await.expect("hello is answered") {
                ServerMessage::Welcome(welcome) => {
                    self.board = None;
                    break welcome;
                }
                // What was under way before a resync; its place in the stream is not known.
                other if self.snapshot.is_some() => drop(other),
                other => panic!("{other:?} came before the welcome"),
            }
        };
        match welcome.resume {
            Resume::Snapshot => {
                let message = self.wire().receive().await.expect("a snapshot follows");
                let ServerMessage::Snapshot(snapshot) = message else {
                    panic!("{message:?} came in place of the promised snapshot");
                };
                self.cursor = Some(cursor_at(welcome.generation, snapshot.heads));
                self.snapshot = Some(*snapshot);
            }
            Resume::Board => panic!("only spectators have nothing but the board"),
            Resume::Replay => {
                assert!(self.cursor.is_some(), "a replay answers a cursor");
            }
        }
        while !self.has_reached(welcome.heads) {
            self.read().await.expect("what was missed follows");
        }
        welcome
    }

    /// Loses the connection without a word.
    pub(crate) fn cut(&mut self) {
        self.wire = None;
    }

    /// Reads a message and takes it in.
    pub(crate) async fn read(&mut self) -> Result<ServerMessage, Ended> {
        let message = self.wire().receive().await?;
        match &message {
            ServerMessage::Update(update) => self.take(update.clone()),
            ServerMessage::Heads(frame) => self.check_heads(frame),
            ServerMessage::Board(board) => {
                self.boards += 1;
                let followed = Board::follow(&mut self.board, (**board).clone());
                followed.expect("its base is what came last on this connection");
            }
            _ => {}
        }
        Ok(message)
    }

    fn take(&mut self, update: Update) {
        let cursor = self.cursor.as_mut().expect("updates follow a snapshot");
        let last = match update.audience {
            Audience::Everyone => &mut cursor.everyone,
            Audience::Team => &mut cursor.team,
            Audience::Player => &mut cursor.player,
            Audience::GameMasters => panic!("a player got an update to game masters"),
        };
        assert_eq!(update.number, *last + 1, "after {last} came {update:?}");
        *last = update.number;
        self.updates.push(update);
    }

    fn check_heads(&self, frame: &HeadsFrame) {
        let seen = self.cursor.expect("heads follow a snapshot");
        let sent = cursor_at(frame.generation, frame.heads);
        assert_eq!(seen, sent, "everything up to the heads was sent before");
    }

    fn has_reached(&self, heads: Heads) -> bool {
        self.cursor.is_some_and(|seen| {
            seen.everyone >= heads.everyone
                && seen.team >= heads.team
                && seen.player >= heads.player
        })
    }

    /// Reads until a message fits.
    pub(crate) async fn read_until(
        &mut self,
        fits: impl Fn(&ServerMessage) -> bool,
    ) -> ServerMessage {
        loop {
            let message = self.read().await.expect("the connection holds");
            if fits(&message) {
                return message;
            }
        }
    }

    /// Reads until `heads` that were told after this was asked for show that nothing is missing: earlier
    /// ones may be on their way.
    pub(crate) async fn read_until_heads(&mut self) -> HeadsFrame {
        let asked_at = UNIX_EPOCH.elapsed().expect("it is after 1970").as_millis();
        let is_new = |message: &ServerMessage| match message {
            ServerMessage::Heads(frame) => u128::from(frame.server_time_ms) > asked_at,
            _ => false,
        };
        match self.read_until(is_new).await {
            ServerMessage::Heads(frame) => frame,
            other => unreachable!("{other:?} is no heads frame"),
        }
    }

    /// Reads until the board's first team has a score.
    pub(crate) async fn read_until_board(&mut self, score: u32) {
        let has_come = |board: &Board| board.rows.first().map(|row| row.score) == Some(score);
        while !self.board.as_ref().is_some_and(has_come) {
            self.read().await.expect("the connection holds");
        }
    }

    /// Reads until the connection ends.
    pub(crate) async fn ended(&mut self) -> Ended {
        loop {
            if let Err(ended) = self.read().await {
                return ended;
            }
        }
    }

    /// Sends a guess without waiting for its answer.
    pub(crate) async fn send_guess(&mut self, id: u64, puzzle: &str, guess: &str) {
        let order = Order::SubmitGuess {
            puzzle: puzzle.to_owned(),
            guess: guess.to_owned(),
        };
        let command = ClientMessage::Command(Command { id, order });
        self.wire().send(&command).await;
    }

    /// Reads until the answer to a command.
    pub(crate) async fn answer(&mut self, id: u64) -> Answer {
        let is_answer = |message: &ServerMessage| match message {
            ServerMessage::Receipt(receipt) => receipt.id == id,
            ServerMessage::Rejection(rejection) => rejection.id == id,
            _ => false,
        };
        match self.read_until(is_answer).await {
            ServerMessage::Receipt(receipt) => Ok(receipt),
            ServerMessage::Rejection(rejection) => Err(rejection),
            other => unreachable!("{other:?} is no answer"),
        }
    }

    /// Sends a guess and reads until its answer.
    pub(crate) async fn guess(&mut self, id: u64, puzzle: &str, guess: &str) -> Answer {
        self.send_guess(id, puzzle, guess).await;
        self.answer(id).await
    }

    /// A wrong guess that must be accepted.
    pub(crate) async fn guess_wrong(&mut self, id: u64, puzzle: &str, guess: &str) -> Receipt {
        let receipt = self.guess(id, puzzle, guess).await;
        let receipt = receipt.unwrap_or_else(|rejection| panic!("{rejection:?}"));
        assert_eq!(receipt.verdict, Some(Verdict::Wrong));
        receipt
    }

    pub(crate) fn wire(&mut self) -> &mut Wire {
        self.wire.as_mut().expect("the device is connected")
    }
}

/// The cursor of whoever has seen everything up to these numbers.
fn cursor_at(generation: u32, heads: Heads) -> Cursor {
    Cursor {
        generation,
        everyone: heads.everyone,
        team: heads.team,
        player: heads.player,
        ..Cursor::default()
    }
}
