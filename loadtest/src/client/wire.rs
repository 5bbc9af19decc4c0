//! One device across any number of connections, with one stream and any number of outstanding commands.
//!
//! The client runs no task. It reads, reconnects and sends only while one of its futures is awaited;
//! each of them is cancellation-safe, so that callers can set timeouts. A command whose future was
//! dropped stays outstanding until the next one.

mod nodes;
mod step;

use std::collections::VecDeque;
use std::time::Duration;

use protocol::{Command, Cursor, Order, Update};
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::time::{Instant, timeout_at};

use super::backoff::{ReconnectBackoff, ServerClock};
use super::checker::StreamChecker;
use super::connection::Connection;
use super::outcome::{ClientError, GoawayReconnect, Outcome, Tally};
use super::view::View;
pub use nodes::Node;

/// Maximum number of recorded reconnects after a `goaway`.
const GOAWAY_RECONNECTS_MAX: usize = 1_024;

/// A device that plays.
#[derive(Debug)]
pub struct WireClient {
    /// Nodes of the session; at least one.
    nodes: Vec<Node>,
    /// Index of the current node.
    node: usize,
    token: String,
    connection: Option<Connection>,
    /// When the newest connection was requested.
    connected_at: Option<Instant>,
    /// When a complete stream was last interrupted.
    interrupted_at: Option<Instant>,
    /// When a server last closed or refused a connection.
    turned_away_at: Option<Instant>,
    /// Idle timeout; the default if `None`.
    silence_max: Option<Duration>,
    /// Timeout of opening a connection; the default if `None`.
    opening_max: Option<Duration>,
    /// Updates since the last call of `take_updates`, if enabled.
    kept_updates: Option<Vec<Update>>,
    /// When to connect next, while disconnected.
    attempt_at: Instant,
    /// Since when the stream has been incomplete.
    disconnected_since: Option<Instant>,
    checker: StreamChecker,
    view: View,
    clock: ServerClock,
    backoff: ReconnectBackoff,
    tally: Tally,
    /// Highest command id used.
    last_id: u64,
    /// Highest acknowledged command id.
    acknowledged_id: u64,
    /// Unanswered commands, in the order of their ids.
    outstanding: VecDeque<Outstanding>,
    /// Whether the current connection was opened with a cursor.
    is_resuming: bool,
    is_resync_wanted: bool,
    resyncs: u32,
    /// A `goaway` after which the client is not attached again yet.
    absence: Option<Absence>,
    goaway_reconnects: Vec<GoawayReconnect>,
}

/// A received `goaway`, and the first attempt to reconnect.
#[derive(Debug, Clone, Copy)]
struct Absence {
    goaway_at: Instant,
    advised: Duration,
    first_attempt_at: Option<Instant>,
}

/// A command without an answer.
#[derive(Debug)]
struct Outstanding {
    command: Command,
    first_sent_at: Option<Instant>,
    /// Whether it was sent on the current connection.
    is_sent: bool,
    /// When it may be sent again after a rejection.
    not_before: Option<Instant>,
}

impl Outstanding {
    fn new(command: Command, not_before: Option<Instant>) -> Self {
        Self {
            command,
            first_sent_at: None,
            is_sent: false,
            not_before,
        }
    }
}

impl WireClient {
    /// Creates a client with a device's token. It connects when first awaited. The seed determines its
    /// random delays.
    pub fn new(node: impl Into<Node>, token: String, seed: u64) -> Self {
        Self {
            nodes: vec![node.into()],
            node: 0,
            token,
            connection: None,
            connected_at: None,
            interrupted_at: None,
            turned_away_at: None,
            silence_max: None,
            opening_max: None,
            kept_updates: None,
            attempt_at: Instant::now(),
            disconnected_since: None,
            checker: StreamChecker::default(),
            view: View::default(),
            clock: ServerClock::default(),
            backoff: ReconnectBackoff::new(StdRng::seed_from_u64(seed)),
            tally: Tally::default(),
            last_id: 0,
            acknowledged_id: 0,
            outstanding: VecDeque::new(),
            is_resuming: false,
            is_resync_wanted: false,
            resyncs: 0,
            absence: None,
            goaway_reconnects: Vec::new(),
        }
    }

    /// Limits every reconnect delay, also an advised one. The protocol's maximum is
    /// [`RECONNECT_MAX`](super::RECONNECT_MAX).
    #[must_use]
    pub fn with_reconnect_max(mut self, delay_max: Duration) -> Self {
        self.backoff = self.backoff.with_delay_max(delay_max);
        self
    }

    /// The device's view.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The counters so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Completed reconnects after a `goaway`.
    pub fn goaway_reconnects(&self) -> &[GoawayReconnect] {
        &self.goaway_reconnects
    }

    /// The last received numbers; `None` before the first snapshot.
    pub fn cursor(&self) -> Option<Cursor> {
        self.checker.cursor()
    }

    /// Waits until the stream is complete and the view fulfils `condition`.
    pub async fn wait_until(
        &mut self,
        condition: impl Fn(&View) -> bool,
    ) -> Result<(), ClientError> {
        while !(self.checker.is_caught_up() && condition(&self.view)) {
            self.next().await?;
        }
        Ok(())
    }

    /// Waits until the stream is complete; connects if necessary.
    pub async fn attach(&mut self) -> Result<(), ClientError> {
        self.wait_until(|_| true).await
    }

    /// Reads and reconnects until a permanent error.
    pub async fn listen(&mut self) -> ClientError {
        loop {
            if let Err(error) = self.next().await {
                return error;
            }
        }
    }

    /// Reads and reconnects until `deadline`.
    pub async fn listen_until(&mut self, deadline: Instant) -> Result<(), ClientError> {
        timeout_at(deadline, self.listen())
            .await
            .map_or(Ok(()), Err)
    }

    /// Requests everything beyond the cursor and waits for it. Detects a lost last update without
    /// waiting for the next `heads`.
    pub async fn resync(&mut self) -> Result<(), ClientError> {
        self.attach().await?;
        self.is_resync_wanted = true;
        while self.is_resync_wanted || !self.checker.is_caught_up() {
            self.next().await?;
        }
        Ok(())
    }

    /// Assigns the next command id to an order.
    pub fn next_command(&mut self, order: Order) -> Command {
        self.last_id += 1;
        Command {
            id: self.last_id,
            order,
        }
    }

    /// Sends a command and waits for its answer across any number of connections: it is resent with the
    /// same id after each disconnect. Sending it again after a rejection is a new attempt.
    pub async fn send(&mut self, command: Command) -> Result<Outcome, ClientError> {
        self.outstanding.clear();
        self.submit(command);
        self.next_outcome().await
    }

    /// Queues a command next to the outstanding ones; [`WireClient::next_outcome`] returns the outcomes
    /// one by one. Its id must be the highest so far.
    pub fn submit(&mut self, command: Command) {
        self.outstanding.push_back(Outstanding::new(command, None));
    }

    /// Queues a rejected command again, not before `not_before`, and holds back later commands: the
    /// server rejects a command once one with a higher id was accepted.
    pub fn submit_again(&mut self, command: Command, not_before: Instant) {
        let later = |waiting: &Outstanding| waiting.command.id > command.id;
        let place = self.outstanding.iter().position(later);
        let place = place.unwrap_or(self.outstanding.len());
        let again = Outstanding::new(command, Some(not_before));
        self.outstanding.insert(place, again);
    }

    /// Waits for the answer to an outstanding command. Sends due commands when called.
    pub async fn next_outcome(&mut self) -> Result<Outcome, ClientError> {
        loop {
            if let Some(outcome) = self.next().await? {
                return Ok(outcome);
            }
        }
    }

    /// When to retry a rejected command: at the server's retry time, or after a random delay that grows
    /// with the number of rejections.
    pub fn retry_at(&mut self, retry_at_ms: Option<u64>, refusals: u32) -> Instant {
        let now = Instant::now();
        match retry_at_ms {
            Some(at_ms) => self.clock.local_instant(at_ms, now) + Duration::from_millis(1),
            None => now + self.backoff.retry_delay(refusals),
        }
    }

    /// Drops the connection without a close frame, as a lost network does. The client reconnects when
    /// awaited again.
    pub fn cut(&mut self) {
        self.connection = None;
        self.disconnected(Instant::now());
        self.attempt_at = Instant::now();
    }

    /// Closes the connection.
    pub async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }
}
