//! What one client makes of what it is told: every message is checked against the numbers of its
//! stream and the plan of the clues.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use protocol::{Codec, Cursor, Resume, ServerMessage, Welcome};
use tokio::time::Instant;

use super::decode_cache;
use super::ledger::{Ledger, Violations};
use super::plan::ClientIndex;
use super::script::Kind;
use super::shared::Shared;
use crate::client::{Ended, ReconnectBackoff, StreamChecker, StreamFault};

/// A client's judgement.
pub(super) struct Witness {
    shared: Arc<Shared>,
    codec: Codec,
    client: ClientIndex,
    kind: Kind,
    checker: StreamChecker,
    ledger: Ledger,
    pub(super) backoff: ReconnectBackoff,
    /// Since when the stream has been whole on the connection under way.
    attached_at: Option<Instant>,
    was_attached: bool,
    is_resuming: bool,
    is_resync_wanted: bool,
    expected: ExpectedClues,
    pub(super) findings: StreamFindings,
}

/// How many clues are meant for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ExpectedClues {
    /// That is not known while some are still pushed.
    Unknown,
    /// So many, of which some may be missing.
    Clues(usize),
    /// So many, and it has been seen to have all of them.
    Complete(usize),
}

/// What a client has found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StreamFindings {
    /// Connections after the first that went on with a snapshot.
    pub(super) snapshots: u64,
    /// Connections after the first that went on with the missed updates.
    pub(super) resumes: u64,
    /// Updates that came a second time, by their number.
    pub(super) repeated: u64,
    /// Faults of the stream other than that.
    pub(super) gaps: u64,
    pub(super) first_fault: Option<StreamFault>,
    /// What the ledger says.
    pub(super) violations: Violations,
    /// Clues that are meant for the client and that it has not.
    pub(super) missing: u64,
}

impl Witness {
    pub(super) fn new(
        shared: Arc<Shared>,
        codec: Codec,
        client: ClientIndex,
        kind: Kind,
        backoff: ReconnectBackoff,
    ) -> Self {
        Self {
            ledger: Ledger::new(client, &shared.plan),
            shared,
            codec,
            client,
            kind,
            checker: StreamChecker::default(),
            backoff,
            attached_at: None,
            was_attached: false,
            is_resuming: false,
            is_resync_wanted: false,
            expected: ExpectedClues::Unknown,
            findings: StreamFindings::default(),
        }
    }

    /// What to send with `hello` or `resync`.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.checker.cursor()
    }

    /// Whether the stream is whole.
    pub(super) fn is_attached(&self) -> bool {
        self.attached_at.is_some()
    }

    /// A connection was opened, and the cursor was sent over it.
    pub(super) fn connected(&mut self) {
        self.is_resuming = self.checker.cursor().is_some();
    }

    /// The connection has ended.
    pub(super) fn disconnected(&mut self) {
        self.checker.detach();
        self.attached_at = None;
        self.is_resync_wanted = false;
    }

    /// Whether the stream must be asked for again.
    pub(super) fn wants_resync(&self) -> bool {
        self.is_resync_wanted
    }

    /// The same, but once: from now on nothing counts until the answer comes.
    pub(super) fn takes_resync(&mut self) -> bool {
        let is_wanted = std::mem::take(&mut self.is_resync_wanted);
        if is_wanted {
            self.checker.detach();
        }
        is_wanted
    }

    /// No more clues than these are pushed.
    pub(super) fn settle(&mut self, pushed: usize) {
        self.expected = ExpectedClues::Clues(self.shared.plan.meant_for(self.client, pushed));
    }

    /// What was found until the end.
    pub(super) fn conclude(mut self) -> StreamFindings {
        let meant = match self.expected {
            ExpectedClues::Unknown => 0,
            ExpectedClues::Clues(meant) | ExpectedClues::Complete(meant) => meant,
        };
        self.findings.violations = self.ledger.violations;
        self.findings.missing = meant.saturating_sub(self.ledger.count()) as u64;
        self.findings
    }

    /// Takes a message's bytes.
    pub(super) fn handle_message(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let message = decode_cache::decode(self.codec, bytes)?;
        let checked = self.check(&message);
        if let Err(fault) = checked {
            self.handle_fault(fault);
        }
        if self.checker.is_caught_up() && self.attached_at.is_none() {
            self.attached_at = Some(Instant::now());
            self.backoff.succeeded();
            if !std::mem::replace(&mut self.was_attached, true) {
                self.shared.counts.attached.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }

    fn check(&mut self, message: &ServerMessage) -> Result<(), StreamFault> {
        match message {
            ServerMessage::Update(update) => {
                if self.checker.update(update)?
                    && let Some(label) = self.ledger.update(&self.shared.plan, update)
                {
                    self.shared.counts.deliveries.fetch_add(1, Relaxed);
                    self.record_latency(self.shared.began_at + label.intended);
                }
                Ok(())
            }
            ServerMessage::Heads(frame) => {
                self.backoff.advise(frame.reconnect);
                self.checker.heads(frame)?;
                self.complete();
                Ok(())
            }
            ServerMessage::Welcome(welcome) => self.welcome(welcome),
            ServerMessage::Snapshot(snapshot) => {
                let checked = self.checker.snapshot(snapshot.heads);
                if !matches!(checked, Err(StreamFault::OutOfOrder(_))) {
                    self.ledger.snapshot(&self.shared.plan, &snapshot.clues);
                }
                checked
            }
            ServerMessage::Board(board) => self.checker.board(board),
            ServerMessage::Overview(_) | ServerMessage::Attendance(_) => {
                self.ledger.violations.foreign += 1;
                Ok(())
            }
            ServerMessage::Goaway(goaway) => {
                self.backoff.goaway(goaway.reconnect_in_ms, Instant::now());
                Ok(())
            }
            ServerMessage::Receipt(_)
            | ServerMessage::Rejection(_)
            | ServerMessage::Standing(_)
            | ServerMessage::Presence(_)
            | ServerMessage::Unknown => Ok(()),
        }
    }

    fn welcome(&mut self, welcome: &Welcome) -> Result<(), StreamFault> {
        self.backoff.advise(welcome.reconnect);
        if std::mem::take(&mut self.is_resuming) {
            match welcome.resume {
                Resume::Snapshot => self.findings.snapshots += 1,
                Resume::Replay => self.findings.resumes += 1,
                // Not for whoever said hello; the checker says so.
                Resume::Board => {}
            }
        }
        self.checker.welcome(welcome)
    }

    /// A clue has come that was to be sent at that moment. Its latency counts if the client reads
    /// well and was there.
    fn record_latency(&self, intended_at: Instant) {
        let was_there = self.attached_at.is_some_and(|since| since <= intended_at);
        if self.kind == Kind::Normal && was_there {
            let latency = Instant::now().saturating_duration_since(intended_at);
            self.shared.record_latency(intended_at, latency);
        }
    }

    /// `heads` came, and it was right: if nothing more is to come, the client has everything.
    fn complete(&mut self) {
        let meant = self.ledger.count();
        if self.expected == ExpectedClues::Clues(meant) && self.checker.is_caught_up() {
            self.expected = ExpectedClues::Complete(meant);
            self.shared.counts.complete.fetch_add(1, Relaxed);
        }
    }

    fn handle_fault(&mut self, fault: StreamFault) {
        self.findings.first_fault.get_or_insert(fault);
        match fault {
            StreamFault::Repeated { .. } => self.findings.repeated += 1,
            StreamFault::Gap { .. }
            | StreamFault::Missing { .. }
            | StreamFault::Forgotten { .. }
            | StreamFault::OutOfOrder(_) => self.findings.gaps += 1,
        }
        self.is_resync_wanted |= fault.asks_for_resync();
    }
}

#[cfg(test)]
mod tests;
