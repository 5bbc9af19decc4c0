//! A player who behaves well, and notes how long receipts take.

use std::time::Duration;

use protocol::{ClientMessage, Command, Hello, Order, ServerMessage};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::client::{Connection, Ended, Endpoint, Fault, OpenError, StreamChecker};
use crate::players::PUZZLE;

/// What a player met with.
#[derive(Debug, Default)]
pub(super) struct Played {
    /// How long receipts took before the others came.
    pub(super) early: Vec<Duration>,
    /// And since then.
    pub(super) late: Vec<Duration>,
    /// Why it could not go on.
    pub(super) failure: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum Harm {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the connection closed: {0}")]
    Ended(#[from] Ended),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("a guess was rejected: {0}")]
    Refused(String),
}

/// What a player is going to do.
#[derive(Debug)]
pub(super) struct Game {
    pub(super) endpoint: Endpoint,
    pub(super) token: String,
    /// Tells the player's guesses from others'.
    pub(super) number: usize,
    pub(super) every: Duration,
    /// Receipts count as early before.
    pub(super) others_at: Instant,
}

impl Game {
    /// Guesses until `over`.
    pub(super) async fn play(self, mut over: watch::Receiver<bool>) -> Played {
        let mut met = Played::default();
        let harm = tokio::select! {
            Err(harm) = self.guess_on(&mut met) => Some(harm.to_string()),
            _ = over.wait_for(|over| *over) => None,
        };
        met.failure = harm;
        met
    }

    async fn guess_on(self, met: &mut Played) -> Result<(), Harm> {
        let mut player = Player::attach(&self.endpoint, self.token).await?;
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            player.rest_until(ticks.tick()).await?;
            let sent_at = Instant::now();
            player.guess(self.number).await?;
            let took = sent_at.elapsed();
            if sent_at < self.others_at {
                met.early.push(took);
            } else {
                met.late.push(took);
            }
        }
    }
}

struct Player {
    connection: Connection,
    checker: StreamChecker,
    last_id: u64,
}

impl Player {
    async fn attach(endpoint: &Endpoint, token: String) -> Result<Self, Harm> {
        let mut player = Self {
            connection: Connection::open(endpoint).await?,
            checker: StreamChecker::default(),
            last_id: 0,
        };
        let hello = Hello {
            token,
            cursor: None,
        };
        player.connection.send(&ClientMessage::Hello(hello)).await?;
        while !player.checker.is_caught_up() {
            player.take_one().await?;
        }
        Ok(player)
    }

    /// Reads what comes until it is time.
    async fn rest_until(&mut self, time: impl Future) -> Result<(), Harm> {
        let mut time = std::pin::pin!(time);
        loop {
            tokio::select! {
                _ = &mut time => return Ok(()),
                taken = self.take_one() => drop(taken?),
            }
        }
    }

    /// Guesses wrongly, and waits for the receipt.
    async fn guess(&mut self, number: usize) -> Result<(), Harm> {
        self.last_id += 1;
        let id = self.last_id;
        let command = Command {
            id,
            order: Order::SubmitGuess {
                puzzle: PUZZLE.to_owned(),
                guess: format!("{id} of {number}"),
            },
        };
        let command = ClientMessage::Command(command);
        self.connection.send(&command).await?;
        while self.take_one().await? != Some(id) {}
        Ok(())
    }

    /// Reads a message; gives the id if it is a receipt.
    async fn take_one(&mut self) -> Result<Option<u64>, Harm> {
        match self.connection.receive().await? {
            ServerMessage::Welcome(welcome) => self.checker.welcome(&welcome)?,
            ServerMessage::Snapshot(snapshot) => self.checker.snapshot(snapshot.heads)?,
            ServerMessage::Update(update) => drop(self.checker.update(&update)?),
            ServerMessage::Heads(frame) => self.checker.heads(&frame)?,
            ServerMessage::Receipt(receipt) => return Ok(Some(receipt.id)),
            ServerMessage::Rejection(refused) => return Err(Harm::Refused(refused.message)),
            ServerMessage::Board(board) => self.checker.board(&board)?,
            ServerMessage::Attendance(attendance) => self.checker.attendance(&attendance)?,
            ServerMessage::Overview(_)
            | ServerMessage::Goaway(_)
            | ServerMessage::Standing(_)
            | ServerMessage::Presence(_)
            | ServerMessage::Unknown => {}
        }
        Ok(None)
    }
}
