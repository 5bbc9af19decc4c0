//! What one client makes of what it is told: every message is checked against the numbers of its
//! stream and the plan of the clues.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use protocol::{Codec, Cursor, Resume, ServerMessage, Welcome};
use tokio::time::Instant;

use super::desk;
use super::ledger::{Ledger, Wrongs};
use super::plan::Seat;
use super::script::Kind;
use super::shared::Shared;
use crate::client::{Ended, Fault, Pace, StreamChecker};

/// A client's judgement.
pub(super) struct Witness {
    shared: Arc<Shared>,
    codec: Codec,
    seat: Seat,
    kind: Kind,
    checker: StreamChecker,
    ledger: Ledger,
    pub(super) pace: Pace,
    /// Since when the stream has been whole on the connection under way.
    attached_at: Option<Instant>,
    was_attached: bool,
    is_resuming: bool,
    is_resync_wanted: bool,
    due: Due,
    pub(super) found: Found,
}

/// How many clues are meant for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// That is not known while some are still pushed.
    Unknown,
    /// So many, of which some may be missing.
    Clues(usize),
    /// So many, and it has been seen to have all of them.
    Complete(usize),
}

/// What a client has found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    /// Connections after the first that went on with a snapshot.
    pub(super) snapshots: u64,
    /// Connections after the first that went on with the missed updates.
    pub(super) resumes: u64,
    /// Updates that came a second time, by their number.
    pub(super) repeated: u64,
    /// Faults of the stream other than that.
    pub(super) gaps: u64,
    pub(super) first_fault: Option<Fault>,
    /// What the ledger says.
    pub(super) wrongs: Wrongs,
    /// Clues that are meant for the client and that it has not.
    pub(super) missing: u64,
}

impl Witness {
    pub(super) fn new(
        shared: Arc<Shared>,
        codec: Codec,
        seat: Seat,
        kind: Kind,
        pace: Pace,
    ) -> Self {
        Self {
            ledger: Ledger::new(seat, &shared.plan),
            shared,
            codec,
            seat,
            kind,
            checker: StreamChecker::default(),
            pace,
            attached_at: None,
            was_attached: false,
            is_resuming: false,
            is_resync_wanted: false,
            due: Due::Unknown,
            found: Found::default(),
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
        self.due = Due::Clues(self.shared.plan.meant_for(self.seat, pushed));
    }

    /// What was found until the end.
    pub(super) fn conclude(mut self) -> Found {
        let meant = match self.due {
            Due::Unknown => 0,
            Due::Clues(meant) | Due::Complete(meant) => meant,
        };
        self.found.wrongs = self.ledger.wrongs;
        self.found.missing = meant.saturating_sub(self.ledger.count()) as u64;
        self.found
    }

    /// Takes a message's bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let message = desk::decode(self.codec, bytes)?;
        let checked = self.check(&message);
        if let Err(fault) = checked {
            self.faulted(fault);
        }
        if self.checker.is_caught_up() && self.attached_at.is_none() {
            self.attached_at = Some(Instant::now());
            self.pace.succeeded();
            if !std::mem::replace(&mut self.was_attached, true) {
                self.shared.counts.attached.fetch_add(1, Relaxed);
            }
        }
        Ok(())
    }

    fn check(&mut self, message: &ServerMessage) -> Result<(), Fault> {
        match message {
            ServerMessage::Update(update) => {
                if self.checker.update(update)?
                    && let Some(label) = self.ledger.update(&self.shared.plan, update)
                {
                    self.shared.counts.deliveries.fetch_add(1, Relaxed);
                    self.note(self.shared.began_at + label.intended);
                }
                Ok(())
            }
            ServerMessage::Heads(frame) => {
                self.pace.advise(frame.reconnect);
                self.checker.heads(frame)?;
                self.complete();
                Ok(())
            }
            ServerMessage::Welcome(welcome) => self.welcome(welcome),
            ServerMessage::Snapshot(snapshot) => {
                let checked = self.checker.snapshot(snapshot.heads);
                if !matches!(checked, Err(Fault::OutOfOrder(_))) {
                    self.ledger.snapshot(&self.shared.plan, &snapshot.clues);
                }
                checked
            }
            ServerMessage::Board(board) => self.checker.board(board),
            ServerMessage::Overview(_) | ServerMessage::Attendance(_) => {
                self.ledger.wrongs.foreign += 1;
                Ok(())
            }
            ServerMessage::Goaway(goaway) => {
                self.pace.goaway(goaway.reconnect_in_ms, Instant::now());
                Ok(())
            }
            ServerMessage::Receipt(_)
            | ServerMessage::Rejection(_)
            | ServerMessage::Standing(_)
            | ServerMessage::Presence(_)
            | ServerMessage::Unknown => Ok(()),
        }
    }

    fn welcome(&mut self, welcome: &Welcome) -> Result<(), Fault> {
        self.pace.advise(welcome.reconnect);
        if std::mem::take(&mut self.is_resuming) {
            match welcome.resume {
                Resume::Snapshot => self.found.snapshots += 1,
                Resume::Replay => self.found.resumes += 1,
                // Not for whoever said hello; the checker says so.
                Resume::Board => {}
            }
        }
        self.checker.welcome(welcome)
    }

    /// A clue has come that was to be sent at that moment. Its latency counts if the client reads
    /// well and was there.
    fn note(&self, intended_at: Instant) {
        let was_there = self.attached_at.is_some_and(|since| since <= intended_at);
        if self.kind == Kind::Well && was_there {
            let latency = Instant::now().saturating_duration_since(intended_at);
            self.shared.note(intended_at, latency);
        }
    }

    /// `heads` came, and it was right: if nothing more is to come, the client has everything.
    fn complete(&mut self) {
        let meant = self.ledger.count();
        if self.due == Due::Clues(meant) && self.checker.is_caught_up() {
            self.due = Due::Complete(meant);
            self.shared.counts.complete.fetch_add(1, Relaxed);
        }
    }

    fn faulted(&mut self, fault: Fault) {
        self.found.first_fault.get_or_insert(fault);
        match fault {
            Fault::Repeated { .. } => self.found.repeated += 1,
            Fault::Gap { .. }
            | Fault::Missing { .. }
            | Fault::Forgotten { .. }
            | Fault::OutOfOrder(_) => self.found.gaps += 1,
        }
        self.is_resync_wanted |= fault.asks_for_resync();
    }
}

#[cfg(test)]
mod tests;
