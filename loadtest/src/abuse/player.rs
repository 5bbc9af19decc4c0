//! A well-behaved player that measures the latency of its receipts.

use std::time::Duration;

use protocol::{ClientMessage, Command, Hello, Order, ServerMessage};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::client::{Connection, Ended, Endpoint, OpenError, StreamChecker, StreamFault};
use crate::players::PUZZLE;

/// Result of one player.
#[derive(Debug, Default)]
pub(super) struct PlayerResult {
    /// Latency of receipts before the attack.
    pub(super) before: Vec<Duration>,
    /// Latency of receipts since the attack began.
    pub(super) during: Vec<Duration>,
    /// Error that stopped the player.
    pub(super) failure: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum PlayerError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the connection closed: {0}")]
    Ended(#[from] Ended),
    #[error(transparent)]
    StreamFault(#[from] StreamFault),
    #[error("a guess was rejected: {0}")]
    Refused(String),
}

/// Configuration of one player.
#[derive(Debug)]
pub(super) struct PlayerConfig {
    pub(super) endpoint: Endpoint,
    pub(super) token: String,
    /// Index of the player, which makes its guesses unique in the team.
    pub(super) number: usize,
    pub(super) every: Duration,
    /// Start of the attack.
    pub(super) attack_at: Instant,
}

impl PlayerConfig {
    /// Guesses until `over` is true.
    pub(super) async fn play(self, mut over: watch::Receiver<bool>) -> PlayerResult {
        let mut result = PlayerResult::default();
        let error = tokio::select! {
            Err(error) = self.guess_on(&mut result) => Some(error.to_string()),
            _ = over.wait_for(|over| *over) => None,
        };
        result.failure = error;
        result
    }

    async fn guess_on(self, result: &mut PlayerResult) -> Result<(), PlayerError> {
        let mut player = Player::attach(&self.endpoint, self.token).await?;
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            player.read_until(ticks.tick()).await?;
            let sent_at = Instant::now();
            player.guess(self.number).await?;
            let took = sent_at.elapsed();
            if sent_at < self.attack_at {
                result.before.push(took);
            } else {
                result.during.push(took);
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
    async fn attach(endpoint: &Endpoint, token: String) -> Result<Self, PlayerError> {
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
            player.receive_one().await?;
        }
        Ok(player)
    }

    /// Reads messages until `time` completes.
    async fn read_until(&mut self, time: impl Future) -> Result<(), PlayerError> {
        let mut time = std::pin::pin!(time);
        loop {
            tokio::select! {
                _ = &mut time => return Ok(()),
                taken = self.receive_one() => drop(taken?),
            }
        }
    }

    /// Submits a wrong guess and waits for its receipt.
    async fn guess(&mut self, number: usize) -> Result<(), PlayerError> {
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
        while self.receive_one().await? != Some(id) {}
        Ok(())
    }

    /// Reads a message; returns the command id if it is a receipt.
    async fn receive_one(&mut self) -> Result<Option<u64>, PlayerError> {
        match self.connection.receive().await? {
            ServerMessage::Welcome(welcome) => self.checker.welcome(&welcome)?,
            ServerMessage::Snapshot(snapshot) => self.checker.snapshot(snapshot.heads)?,
            ServerMessage::Update(update) => drop(self.checker.update(&update)?),
            ServerMessage::Heads(frame) => self.checker.heads(&frame)?,
            ServerMessage::Receipt(receipt) => return Ok(Some(receipt.id)),
            ServerMessage::Rejection(refused) => return Err(PlayerError::Refused(refused.message)),
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
