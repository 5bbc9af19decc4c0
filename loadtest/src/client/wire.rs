//! One device, for as long as it plays: any number of connections, one stream, one outstanding
//! command, or several for those who are impatient.
//!
//! The client does nothing by itself. It reads, reconnects and sends only while one of its futures
//! is awaited; each of them may be dropped at any time without losing anything, which is how a
//! caller bounds them. A command whose future was dropped stays outstanding until the next one.

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

/// How many of its comebacks a client remembers; later ones are not noted.
const GOAWAY_RECONNECTS_MAX: usize = 1_024;

/// A device that plays.
#[derive(Debug)]
pub struct WireClient {
    /// Where the session can be reached; one or more.
    nodes: Vec<Node>,
    /// The one that is used now.
    node: usize,
    token: String,
    connection: Option<Connection>,
    /// When the newest connection was asked for.
    connected_at: Option<Instant>,
    /// When it was last noticed that a whole stream is one no more.
    interrupted_at: Option<Instant>,
    /// When the server last said that it does not go on for now: by a close, or by refusing a connection.
    turned_away_at: Option<Instant>,
    /// How long a connection may be silent; the protocol's own bound if there is none.
    silence_max: Option<Duration>,
    /// How long opening one may take; the usual bound if there is none.
    opening_max: Option<Duration>,
    /// The updates since they were last taken, if they are kept.
    kept_updates: Option<Vec<Update>>,
    /// When to connect while there is no connection.
    attempt_at: Instant,
    /// Since when there has been no whole stream.
    disconnected_since: Option<Instant>,
    checker: StreamChecker,
    view: View,
    clock: ServerClock,
    backoff: ReconnectBackoff,
    tally: Tally,
    /// The highest id given to a command.
    last_id: u64,
    /// The highest id of a command that was acknowledged.
    acknowledged_id: u64,
    /// In the order of their ids.
    outstanding: VecDeque<Outstanding>,
    /// Whether the connection under way was opened with a cursor.
    is_resuming: bool,
    is_resync_wanted: bool,
    resyncs: u32,
    /// A `goaway` that the client has not yet come back from.
    absence: Option<Absence>,
    goaway_reconnects: Vec<GoawayReconnect>,
}

/// What a client was told with a `goaway`, and when it first tried to come back.
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
    /// Whether it was sent on the connection under way.
    is_sent: bool,
    /// It was refused, and is not sent again before.
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
    /// A client with a device's token. It connects as soon as it is awaited. The seed decides its
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

    /// The same client, but none of its delays before a reconnect is longer than this, not even an
    /// advised one. The protocol's own bound is [`RECONNECT_MAX`](super::RECONNECT_MAX).
    #[must_use]
    pub fn with_reconnect_max(mut self, delay_max: Duration) -> Self {
        self.backoff = self.backoff.with_delay_max(delay_max);
        self
    }

    /// What the device knows.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What was counted so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How it followed each `goaway`, as far as it is back.
    pub fn goaway_reconnects(&self) -> &[GoawayReconnect] {
        &self.goaway_reconnects
    }

    /// The last numbers seen; none before the first snapshot.
    pub fn cursor(&self) -> Option<Cursor> {
        self.checker.cursor()
    }

    /// Waits until the stream is whole and the view fulfils `condition`.
    pub async fn wait_until(
        &mut self,
        condition: impl Fn(&View) -> bool,
    ) -> Result<(), ClientError> {
        while !(self.checker.is_caught_up() && condition(&self.view)) {
            self.next().await?;
        }
        Ok(())
    }

    /// Waits until the stream is whole: the first call connects.
    pub async fn attach(&mut self) -> Result<(), ClientError> {
        self.wait_until(|_| true).await
    }

    /// Reads and reconnects until it fails.
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

    /// Asks the server what it has beyond the cursor and waits until all of it is here. A last
    /// update that was lost shows in this way, without waiting for the next `heads`.
    pub async fn resync(&mut self) -> Result<(), ClientError> {
        self.attach().await?;
        self.is_resync_wanted = true;
        while self.is_resync_wanted || !self.checker.is_caught_up() {
            self.next().await?;
        }
        Ok(())
    }

    /// Gives an order the next command id.
    pub fn next_command(&mut self, order: Order) -> Command {
        self.last_id += 1;
        Command {
            id: self.last_id,
            order,
        }
    }

    /// Sends a command and waits for its answer, through any number of connections: after each cut
    /// it is sent again with the same id. Sending it once more after a refusal is a new try.
    pub async fn send(&mut self, command: Command) -> Result<Outcome, ClientError> {
        self.outstanding.clear();
        self.submit(command);
        self.next_outcome().await
    }

    /// Has a command sent beside those that are outstanding; [`WireClient::next_outcome`] gives the
    /// outcome of one after the other. Its id is the highest so far.
    pub fn submit(&mut self, command: Command) {
        self.outstanding.push_back(Outstanding::new(command, None));
    }

    /// Has a refused command sent again, not before that moment, and later ones not before it: a
    /// command is too late once one with a higher id was accepted.
    pub fn submit_again(&mut self, command: Command, not_before: Instant) {
        let later = |waiting: &Outstanding| waiting.command.id > command.id;
        let place = self.outstanding.iter().position(later);
        let place = place.unwrap_or(self.outstanding.len());
        let again = Outstanding::new(command, Some(not_before));
        self.outstanding.insert(place, again);
    }

    /// Waits for the answer to one of the outstanding commands. What is due for sending is sent when this
    /// is called.
    pub async fn next_outcome(&mut self) -> Result<Outcome, ClientError> {
        loop {
            if let Some(outcome) = self.next().await? {
                return Ok(outcome);
            }
        }
    }

    /// When a refused command may be sent again, by the server's time or else by a random delay
    /// that grows with the number of refusals.
    pub fn retry_at(&mut self, retry_at_ms: Option<u64>, refusals: u32) -> Instant {
        let now = Instant::now();
        match retry_at_ms {
            Some(at_ms) => self.clock.local_instant(at_ms, now) + Duration::from_millis(1),
            None => now + self.backoff.retry_delay(refusals),
        }
    }

    /// Cuts the connection without a word, as a lost network does. The client reconnects when it
    /// is awaited again.
    pub fn cut(&mut self) {
        self.connection = None;
        self.disconnected(Instant::now());
        self.attempt_at = Instant::now();
    }

    /// Ends the connection on purpose.
    pub async fn close(mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
    }
}
