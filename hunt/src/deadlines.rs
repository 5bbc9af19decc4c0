//! The deadlines of a session, in order of time.
//!
//! They are derived from the progress: applying an event updates them, and a recovery rebuilds them.

use std::collections::BTreeSet;

use crate::ids::{ClueId, Timestamp};
use crate::state::{Phase, Progress};

/// What happens at a deadline. Of two at the same time, the first in this list happens first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deadline {
    /// A clue expires.
    ClueExpiry(ClueId),
    /// The session starts.
    Start,
    /// The session finishes.
    Finish,
}

/// The deadlines by time. In a pause they stand still; a resume shifts them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deadlines(BTreeSet<(Timestamp, Deadline)>);

impl Deadlines {
    /// The deadlines of a stored progress. O(clues).
    pub(crate) fn from_progress(progress: &Progress) -> Self {
        let clues = progress
            .clues
            .iter()
            .enumerate()
            .filter(|(_, clue)| clue.live);
        let expiries = clues.filter_map(|(index, clue)| {
            Some((
                clue.expires_at?,
                Deadline::ClueExpiry(ClueId::from_index(index)),
            ))
        });
        let mut deadlines = Self(expiries.collect());
        if progress.phase == Phase::Lobby {
            deadlines.set(Deadline::Start, None, progress.starts_at);
        } else {
            deadlines.set(Deadline::Finish, None, progress.ends_at);
        }
        deadlines
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<(Timestamp, Deadline)> {
        self.0.first().copied()
    }

    /// Replaces the time of a deadline.
    pub(crate) fn set(
        &mut self,
        deadline: Deadline,
        before: Option<Timestamp>,
        now: Option<Timestamp>,
    ) {
        if let Some(before) = before {
            self.0.remove(&(before, deadline));
        }
        self.0.extend(now.map(|now| (now, deadline)));
    }

    /// Moves all deadlines by the length of a pause. O(deadlines).
    pub(crate) fn shift_ms(&mut self, ms: u64) {
        let shifted = self
            .0
            .iter()
            .map(|(at, deadline)| (at.plus_ms(ms), *deadline));
        self.0 = shifted.collect();
    }
}
