//! Batches of one flush, grouped by session and in order.

use std::collections::BTreeMap;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::ledger::{AppendError, Batch, PrivateRecord};
use crate::ids::{Epoch, Incarnation, SessionId};
use crate::telemetry::{AppendFailure, metrics};

/// A pending batch, with the channel for its outcome.
pub(super) struct Append {
    pub(super) batch: Batch,
    pub(super) reply: oneshot::Sender<Result<(), AppendError>>,
    /// When it was queued.
    pub(super) since: Instant,
}

impl Append {
    /// Sends its outcome to the caller and records it.
    pub(super) fn complete(self, outcome: Result<(), AppendError>) {
        self.complete_at(Instant::now(), outcome);
    }

    fn complete_at(self, now: Instant, outcome: Result<(), AppendError>) {
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
        // The caller may have dropped its future.
        drop(self.reply.send(outcome));
    }
}

/// Consecutive batches of one session, owner and epoch. Never empty.
pub(super) struct Group {
    pub(super) session: SessionId,
    pub(super) owner: Incarnation,
    pub(super) epoch: Epoch,
    pub(super) first_seq: u64,
    appends: Vec<Append>,
}

/// Bounds of one flush.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlushMax {
    pub(super) batches: usize,
    pub(super) bytes: usize,
}

impl Group {
    fn new(append: Append) -> Self {
        Self {
            session: append.batch.session,
            owner: append.batch.owner,
            epoch: append.batch.epoch,
            first_seq: append.batch.first_seq,
            appends: vec![append],
        }
    }

    fn has_writer_of(&self, batch: &Batch) -> bool {
        self.owner == batch.owner && self.epoch == batch.epoch
    }

    fn next_seq(&self) -> u64 {
        let last = self.batches().next_back();
        last.map_or(self.first_seq, |batch| batch.last_seq + 1)
    }

    /// The batches, in order.
    pub(super) fn batches(&self) -> impl DoubleEndedIterator<Item = &Batch> {
        self.appends.iter().map(|append| &append.batch)
    }

    /// The private records of all batches with their session: of several with the same key, the last.
    pub(super) fn private_records(&self) -> impl Iterator<Item = (SessionId, &PrivateRecord)> {
        let records = self.batches().flat_map(|batch| &batch.private);
        let by_key: BTreeMap<_, _> = records
            .map(|record| ((record.kind, record.id), record))
            .collect();
        by_key.into_values().map(|record| (self.session, record))
    }

    /// The number of batches.
    pub(super) fn len(&self) -> usize {
        self.appends.len()
    }

    /// Each batch as a group of its own.
    pub(super) fn split(self) -> Vec<Self> {
        self.appends.into_iter().map(Self::new).collect()
    }

    /// Completes every batch with the same outcome.
    pub(super) fn complete(self, outcome: &Result<(), AppendError>) {
        self.complete_each(|_| outcome.clone());
    }

    /// Completes each batch with its own outcome.
    pub(super) fn complete_each(self, outcome: impl Fn(&Batch) -> Result<(), AppendError>) {
        // Read once: a clock read per batch costs more than completing it.
        let now = Instant::now();
        for append in self.appends {
            let outcome = outcome(&append.batch);
            append.complete_at(now, outcome);
        }
    }
}

/// Takes the batches of one flush from the front of the queue: at least one. A batch that cannot follow
/// the one before it is completed as such at once.
pub(super) fn take_groups(waiting: &mut VecDeque<Append>, max: FlushMax) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut indices: HashMap<SessionId, usize> = HashMap::new();
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
        let index = indices.get(&session).copied();
        let has_other_writer =
            index.is_some_and(|index| !groups[index].has_writer_of(&append.batch));
        if !has_room || has_other_writer {
            // Batches of an owner's next epoch come after those of the last one.
            waiting.push_front(append);
            break;
        }
        let expected = index.map_or(first_seq, |index| groups[index].next_seq());
        if first_seq != expected || last_seq < first_seq || first_seq == 0 {
            append.complete(Err(AppendError::NotContiguous));
            continue;
        }
        batches += 1;
        match indices.entry(session) {
            Entry::Occupied(index) => groups[*index.get()].appends.push(append),
            Entry::Vacant(vacant) => {
                vacant.insert(groups.len());
                groups.push(Group::new(append));
            }
        }
    }
    groups
}
