//! The game master who pushes the clues, over one WebSocket.

use std::time::Duration;

use protocol::{ClientMessage, Command, Hello, Order, Rejection, ServerMessage, Target};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::plan::{Label, Plan, Recipient};
use super::script::Span;
use crate::client::{Connection, Ended, Endpoint, OpenError};

/// How long after the last clue receipts may come.
const RECEIPT_WAIT_MAX: Duration = Duration::from_secs(30);

/// When clues are pushed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timing {
    /// One after each interval, whatever becomes of the others.
    Every(Duration),
    /// As soon as fewer than so many have no receipt.
    Backlog(usize),
}

/// To whom clues can be pushed, by the places in the crowd.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    pub(super) teams: Vec<String>,
    pub(super) players: Vec<String>,
}

/// A connected game master.
pub(super) struct Pusher {
    connection: Connection,
    addresses: Addresses,
    sent: usize,
    acknowledged: usize,
}

/// Why clues cannot be pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The game master cannot connect.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The connection has ended.
    #[error("the game master's connection closed: {0}")]
    Ended(#[from] Ended),
    /// A clue was refused.
    #[error("clue {} was rejected: {} ({:?})", .0.id, .0.message, .0.code)]
    Refused(Rejection),
    /// Receipts stay out.
    #[error("timed out: {sent} clues were pushed, but only {acknowledged} were acknowledged")]
    Late {
        /// Clues that were pushed.
        sent: usize,
        /// Those with a receipt.
        acknowledged: usize,
    },
}

impl Pusher {
    /// Connects and waits for the overview.
    pub(super) async fn connect(
        endpoint: &Endpoint,
        token: String,
        addresses: Addresses,
    ) -> Result<Self, PushError> {
        let mut connection = Connection::open(endpoint).await?;
        let hello = Hello {
            token,
            cursor: None,
        };
        connection.send(&ClientMessage::Hello(hello)).await?;
        while !matches!(connection.receive().await?, ServerMessage::Overview(_)) {}
        Ok(Self {
            connection,
            addresses,
            sent: 0,
            acknowledged: 0,
        })
    }

    /// Pushes a plan's clues within a span of time, and waits for all receipts. Labels count from
    /// `began_at`. Gives how many clues were pushed.
    pub(super) async fn push(
        mut self,
        plan: &Plan,
        timing: Timing,
        span: Span,
        began_at: Instant,
    ) -> Result<usize, PushError> {
        let late_at = span.until + RECEIPT_WAIT_MAX;
        let pushing = self.push_all(plan, timing, span, began_at);
        if let Ok(pushed) = timeout_at(late_at, pushing).await {
            pushed?;
        } else {
            let (sent, acknowledged) = (self.sent, self.acknowledged);
            return Err(PushError::Late { sent, acknowledged });
        }
        self.connection.close().await;
        Ok(self.sent)
    }

    async fn push_all(
        &mut self,
        plan: &Plan,
        timing: Timing,
        span: Span,
        began_at: Instant,
    ) -> Result<(), PushError> {
        loop {
            let due = self.next(plan, timing, span);
            if due.is_none() && self.acknowledged == self.sent {
                return Ok(());
            }
            tokio::select! {
                biased;
                () = sleep_until(due.unwrap_or(span.until)), if due.is_some() => {
                    let intended_at = due.unwrap_or(span.until);
                    self.send(plan, intended_at - began_at).await?;
                }
                message = self.connection.receive() => self.handle_message(message?)?,
            }
        }
    }

    /// When the next clue is due; none if it is not to be sent now or at all.
    fn next(&self, plan: &Plan, timing: Timing, span: Span) -> Option<Instant> {
        if self.sent == plan.recipients().len() {
            return None;
        }
        let at = match timing {
            Timing::Every(interval) => {
                let slot = u32::try_from(self.sent).expect("a session has few clues");
                span.from + interval * slot
            }
            Timing::Backlog(waiting_max) if self.sent - self.acknowledged < waiting_max => {
                Instant::now().max(span.from)
            }
            Timing::Backlog(_) => return None,
        };
        (at < span.until).then_some(at)
    }

    async fn send(&mut self, plan: &Plan, intended: Duration) -> Result<(), PushError> {
        let number = self.sent;
        let to = match plan.recipients()[number] {
            Recipient::Everyone => Target::Everyone,
            Recipient::Team(team) => Target::Team {
                team: self.addresses.teams[team as usize].clone(),
            },
            Recipient::Player(player) => Target::Player {
                player: self.addresses.players[player as usize].clone(),
            },
        };
        self.sent += 1;
        let command = Command {
            id: self.sent as u64,
            order: Order::PushClue {
                to,
                text: plan.text(Label { number, intended }),
                lasts_ms: None,
            },
        };
        self.connection
            .send(&ClientMessage::Command(command))
            .await?;
        Ok(())
    }

    fn handle_message(&mut self, message: ServerMessage) -> Result<(), PushError> {
        match message {
            ServerMessage::Receipt(_) => self.acknowledged += 1,
            ServerMessage::Rejection(rejection) => return Err(PushError::Refused(rejection)),
            ServerMessage::Welcome(_)
            | ServerMessage::Snapshot(_)
            | ServerMessage::Overview(_)
            | ServerMessage::Update(_)
            | ServerMessage::Heads(_)
            | ServerMessage::Goaway(_)
            | ServerMessage::Board(_)
            | ServerMessage::Standing(_)
            | ServerMessage::Presence(_)
            | ServerMessage::Attendance(_)
            | ServerMessage::Unknown => {}
        }
        Ok(())
    }
}
