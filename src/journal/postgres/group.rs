//! What is appended together: batches by session, each session's in their order.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::{AppendError, Batch, Epoch, Incarnation, Name, SessionId};
use crate::telemetry::{AppendFailure, metrics};

/// A batch on its way, and whom to tell.
pub(super) struct Append {
    pub(super) batch: Batch,
    pub(super) reply: oneshot::Sender<Result<(), AppendError>>,
    /// When it was handed in.
    pub(super) since: Instant,
}

impl Append {
    /// Tells what came of it.
    pub(super) fn tell(self, outcome: Result<(), AppendError>) {
        self.tell_at(Instant::now(), outcome);
    }

    fn tell_at(self, now: Instant, outcome: Result<(), AppendError>) {
        match &outcome {
            Ok(()) => metrics().append_seconds.record(now - self.since),
            Err(error) => {
                let kind = match error {
                    AppendError::Fenced => AppendFailure::Fenced,
                    AppendError::AlreadyStored => AppendFailure::AlreadyStored,
                    AppendError::NotContiguous => AppendFailure::NotContiguous,
                    AppendError::Refused(_) => AppendFailure::Refused,
                    AppendError::Unknown(_) => AppendFailure::Unknown,
                };
                metrics().append_failures.with_label(kind).increment(1);
            }
        }
        // Whoever asked may be gone; then there is nobody to tell.
        drop(self.reply.send(outcome));
    }
}

/// Batches of one session that follow each other, of one owner and epoch. Never empty.
pub(super) struct Group {
    pub(super) session: SessionId,
    pub(super) owner: Incarnation,
    pub(super) epoch: Epoch,
    pub(super) first_seq: u64,
    appends: Vec<Append>,
}

/// How much one flush may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlushMax {
    pub(super) batches: usize,
    pub(super) bytes: usize,
}

impl Group {
    fn of(append: Append) -> Self {
        Self {
            session: append.batch.session,
            owner: append.batch.owner,
            epoch: append.batch.epoch,
            first_seq: append.batch.first_seq,
            appends: vec![append],
        }
    }

    fn is_of(&self, batch: &Batch) -> bool {
        self.owner == batch.owner && self.epoch == batch.epoch
    }

    fn next_seq(&self) -> u64 {
        let last = self.batches().next_back();
        last.map_or(self.first_seq, |batch| batch.last_seq + 1)
    }

    /// The batches, in their order.
    pub(super) fn batches(&self) -> impl DoubleEndedIterator<Item = &Batch> {
        self.appends.iter().map(|append| &append.batch)
    }

    /// The names of all batches, with their session.
    pub(super) fn names(&self) -> impl Iterator<Item = (SessionId, &Name)> {
        let names = self.batches().flat_map(|batch| &batch.names);
        names.map(|name| (self.session, name))
    }

    /// The number of batches.
    pub(super) fn len(&self) -> usize {
        self.appends.len()
    }

    /// Each batch as a group of its own.
    pub(super) fn apart(self) -> Vec<Self> {
        self.appends.into_iter().map(Self::of).collect()
    }

    /// Tells the same of every batch.
    pub(super) fn tell(self, outcome: &Result<(), AppendError>) {
        self.tell_each(|_| outcome.clone());
    }

    /// Tells each batch what came of it.
    pub(super) fn tell_each(self, outcome: impl Fn(&Batch) -> Result<(), AppendError>) {
        // One moment for all: reading the clock for each costs more than telling it.
        let now = Instant::now();
        for append in self.appends {
            let outcome = outcome(&append.batch);
            append.tell_at(now, outcome);
        }
    }
}

/// Takes from the front what one flush may hold: at least one batch. A batch that cannot follow the
/// one before it is told so at once.
pub(super) fn take_groups(waiting: &mut VecDeque<Append>, max: FlushMax) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: HashMap<SessionId, usize> = HashMap::new();
    let (mut batches, mut bytes) = (0, 0);
    while let Some(append) = waiting.pop_front() {
        let Batch {
            session,
            first_seq,
            last_seq,
            ..
        } = append.batch;
        bytes += append.batch.events.len();
        let has_room = batches < max.batches && (bytes <= max.bytes || batches == 0);
        let place = places.get(&session).copied();
        let is_of_other = place.is_some_and(|place| !groups[place].is_of(&append.batch));
        if !has_room || is_of_other {
            // An owner's next epoch comes after what it wrote in the last one.
            waiting.push_front(append);
            break;
        }
        let expected = place.map_or(first_seq, |place| groups[place].next_seq());
        if first_seq != expected || last_seq < first_seq || first_seq == 0 {
            append.tell(Err(AppendError::NotContiguous));
            continue;
        }
        batches += 1;
        match places.entry(session) {
            Entry::Occupied(place) => groups[*place.get()].appends.push(append),
            Entry::Vacant(place) => {
                place.insert(groups.len());
                groups.push(Group::of(append));
            }
        }
    }
    groups
}
