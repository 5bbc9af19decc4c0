//! The journal in memory, lost with the process: for rehearsals, measurements and tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::FutureExt;

use super::Journal;
use super::answer::{Answer, JournalError};
use super::catalogue::{Catalogue, CreateError, SessionRecord};
use super::history::{BatchesMax, History, ReadError, contiguous};
use super::ledger::{
    AppendError, Batch, ClaimError, Ledger, Loaded, PrivateKind, PrivateRecord, Snapshot,
    StoredBatch, TruncateError, Truncation,
};
use super::membership::Membership;
use super::nodes::Nodes;
use crate::ids::{
    Claim, Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};

/// A journal in memory. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    stored: Arc<Mutex<Stored>>,
    nodes: Nodes,
}

#[derive(Debug, Default)]
struct Stored {
    hunts: BTreeMap<String, Vec<u8>>,
    order: Vec<SessionId>,
    sessions: BTreeMap<SessionId, StoredSession>,
}

#[derive(Debug)]
struct StoredSession {
    record: SessionRecord,
    owner: Option<Incarnation>,
    epoch: Epoch,
    is_finished: bool,
    batches: Vec<StoredBatch>,
    snapshots: BTreeMap<u64, StoredSnapshot>,
    private: BTreeMap<(PrivateKind, u64), String>,
}

#[derive(Debug)]
struct StoredSnapshot {
    snapshot: Snapshot,
    is_verified: bool,
}

/// Snapshots that are kept: the newest of all, and the newest verified ones.
const SNAPSHOTS_KEPT: usize = 2;

impl StoredSession {
    fn ownership(&self) -> Ownership {
        Ownership {
            session: self.record.id,
            owner: self.owner,
            epoch: self.epoch,
        }
    }

    /// Sets the owner if the ownership is the expected one.
    fn set_owner(
        &mut self,
        expected: Ownership,
        to: Option<Incarnation>,
    ) -> Result<(), ClaimError> {
        if self.ownership() != expected {
            return Err(ClaimError::Lost);
        }
        self.owner = to;
        Ok(())
    }

    fn head(&self) -> u64 {
        self.batches.last().map_or(0, |batch| batch.last_seq)
    }
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    fn stored(&self) -> MutexGuard<'_, Stored> {
        self.stored
            .lock()
            .expect("nothing panics while it holds the lock")
    }

    fn with_session<T>(
        &self,
        action: &'static str,
        session: SessionId,
        work: impl FnOnce(&mut StoredSession) -> T,
    ) -> Result<T, JournalError> {
        let mut stored = self.stored();
        let session = stored
            .sessions
            .get_mut(&session)
            .ok_or_else(|| JournalError {
                action,
                reason: "no such session".to_owned(),
            })?;
        Ok(work(session))
    }

    fn create(&self, record: SessionRecord) -> Result<(), CreateError> {
        let mut stored = self.stored();
        if !stored.hunts.contains_key(&record.hunt_revision) {
            return Err(CreateError::UnknownHunt);
        }
        if stored
            .sessions
            .values()
            .any(|other| other.record.code == record.code)
        {
            return Err(CreateError::CodeTaken);
        }
        stored.order.push(record.id);
        let session = StoredSession {
            record,
            owner: None,
            epoch: Epoch(0),
            is_finished: false,
            batches: Vec::new(),
            snapshots: BTreeMap::new(),
            private: BTreeMap::new(),
        };
        stored.sessions.insert(session.record.id, session);
        Ok(())
    }
}

fn append_to(session: &mut StoredSession, batch: Batch) -> Result<(), AppendError> {
    if session.owner != Some(batch.owner) || session.epoch != batch.epoch {
        return Err(AppendError::Fenced);
    }
    if batch.first_seq != session.head() + 1 || batch.last_seq < batch.first_seq {
        let mut stored = session.batches.iter();
        let is_stored = stored.any(|stored| is_identical(stored, &batch));
        return Err(if is_stored {
            AppendError::AlreadyStored
        } else {
            AppendError::NotContiguous
        });
    }
    let records = batch.private.into_iter();
    let records = records.map(|record| ((record.kind, record.id), record.text));
    session.private.extend(records);
    session.batches.push(StoredBatch {
        first_seq: batch.first_seq,
        last_seq: batch.last_seq,
        epoch: batch.epoch,
        events: batch.events,
    });
    Ok(())
}

fn is_identical(stored: &StoredBatch, batch: &Batch) -> bool {
    (stored.first_seq, stored.last_seq) == (batch.first_seq, batch.last_seq)
        && stored.epoch == batch.epoch
        && stored.events == batch.events
}

fn load_from(session: &StoredSession, before: u64) -> Loaded {
    let head = session.head();
    let usable = session.snapshots.range(..before.min(head + 1)).rev();
    let mut loaded = Loaded::default();
    for (seq, stored) in usable {
        if stored.snapshot.is_intact() {
            loaded.snapshot = Some(stored.snapshot.clone());
            break;
        }
        loaded.damaged.push(*seq);
    }
    let from = loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    let tail = session.batches.iter().filter(|batch| batch.last_seq > from);
    loaded.tail = tail.cloned().collect();
    loaded
}

fn put_snapshot_to(session: &mut StoredSession, snapshot: Snapshot) {
    let snapshots = &mut session.snapshots;
    let before = snapshots.get(&snapshot.seq);
    if before.is_none_or(|before| !before.is_verified) {
        let is_verified = false;
        let stored = StoredSnapshot {
            snapshot,
            is_verified,
        };
        snapshots.insert(stored.snapshot.seq, stored);
    }
    let newest: Vec<u64> = snapshots
        .keys()
        .rev()
        .take(SNAPSHOTS_KEPT)
        .copied()
        .collect();
    let verified: Vec<u64> = verified(snapshots).take(SNAPSHOTS_KEPT).collect();
    snapshots.retain(|seq, _| newest.contains(seq) || verified.contains(seq));
}

/// The numbers of the verified snapshots, newest first.
fn verified(snapshots: &BTreeMap<u64, StoredSnapshot>) -> impl Iterator<Item = u64> {
    let newest_first = snapshots.iter().rev();
    let verified = newest_first.filter(|(_, stored)| stored.is_verified);
    verified.map(|(seq, _)| *seq)
}

fn truncate_from(session: &mut StoredSession, cut: Truncation) -> Result<u64, TruncateError> {
    if session.owner != Some(cut.owner) || session.epoch != cut.epoch {
        return Err(TruncateError::Fenced);
    }
    let covered = verified(&session.snapshots).nth(1);
    if covered.is_none_or(|covered| cut.through_seq > covered) {
        return Err(TruncateError::NotCovered);
    }
    let old = session.batches.iter();
    let old = old.take_while(|batch| batch.last_seq <= cut.through_seq);
    let count = old.take(cut.batches_max).count();
    session.batches.drain(..count);
    Ok(count as u64)
}

fn ready<T: Send + 'static, E: Send + 'static>(result: Result<T, E>) -> Answer<T, E> {
    std::future::ready(result).boxed()
}

impl Ledger for MemoryJournal {
    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        let stored = self.stored();
        let ownerships = stored.sessions.values().map(StoredSession::ownership);
        ready(Ok(ownerships.collect()))
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        let stored = self.stored();
        let session = stored.sessions.get(&session);
        ready(Ok(session.map(StoredSession::ownership)))
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        let claimed = self.with_session("claim", claim.expected.session, |session| {
            session.set_owner(claim.expected, Some(claim.to))?;
            session.epoch = Epoch(session.epoch.0 + 1);
            Ok(session.epoch)
        });
        ready(claimed.unwrap_or(Err(ClaimError::Lost)))
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError> {
        let held = Ownership {
            session,
            owner: Some(owner),
            epoch,
        };
        let released =
            self.with_session("release", session, |session| session.set_owner(held, None));
        ready(released.unwrap_or(Err(ClaimError::Lost)))
    }

    fn terminate_connections(&self, _incarnation: Incarnation) -> Answer<()> {
        // An append is complete when its call returns.
        ready(Ok(()))
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        let appended =
            self.with_session("append", batch.session, |session| append_to(session, batch));
        ready(appended.unwrap_or_else(|error| Err(AppendError::Refused(error.to_string()))))
    }

    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded> {
        ready(self.with_session("load", session, |session| load_from(session, seq)))
    }

    fn private_records(&self, session: SessionId) -> Answer<Vec<PrivateRecord>> {
        ready(
            self.with_session("read private records", session, |session| {
                let records = session.private.iter();
                let record = |(&(kind, id), text): (&(PrivateKind, u64), &String)| PrivateRecord {
                    kind,
                    id,
                    text: text.clone(),
                };
                records.map(record).collect()
            }),
        )
    }

    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()> {
        ready(self.with_session("store a snapshot", session, |session| {
            put_snapshot_to(session, snapshot);
        }))
    }

    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>> {
        ready(self.with_session("read a snapshot", session, |session| {
            let stored = session.snapshots.get(&seq);
            stored.map(|stored| stored.snapshot.clone())
        }))
    }

    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool> {
        ready(self.with_session("verify a snapshot", session, |session| {
            let stored = session.snapshots.get_mut(&seq);
            let same = stored.filter(|stored| stored.snapshot.digest == digest);
            same.map(|stored| stored.is_verified = true).is_some()
        }))
    }

    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>> {
        ready(self.with_session("list snapshots", session, |session| {
            verified(&session.snapshots).collect()
        }))
    }

    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError> {
        let truncated = self.with_session("truncate", truncation.session, |session| {
            truncate_from(session, truncation)
        });
        ready(truncated.unwrap_or_else(|error| Err(error.into())))
    }
}

impl Membership for MemoryJournal {
    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.nodes.join(node);
        ready(Ok(()))
    }

    fn heartbeat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        ready(Ok(self.nodes.heartbeat(node)))
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        ready(Ok(self.nodes.all()))
    }

    fn remove(
        &self,
        incarnation: Incarnation,
        last_heartbeat: Option<HeartbeatSeq>,
    ) -> Answer<bool> {
        ready(Ok(self.nodes.remove(incarnation, last_heartbeat)))
    }
}

impl Catalogue for MemoryJournal {
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()> {
        self.stored().hunts.entry(revision).or_insert(files);
        ready(Ok(()))
    }

    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>> {
        ready(Ok(self.stored().hunts.get(&revision).cloned()))
    }

    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError> {
        ready(self.create(session))
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        let stored = self.stored();
        let records = stored
            .order
            .iter()
            .map(|id| stored.sessions[id].record.clone());
        ready(Ok(records.collect()))
    }

    fn mark_finished(&self, session: SessionId) -> Answer<()> {
        ready(self.with_session("record a finish", session, |session| {
            session.is_finished = true;
        }))
    }

    fn finished_sessions(&self) -> Answer<Vec<SessionId>> {
        let stored = self.stored();
        let finished = stored.sessions.values();
        let finished = finished.filter(|session| session.is_finished);
        ready(Ok(finished.map(|session| session.record.id).collect()))
    }
}

impl History for MemoryJournal {
    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError> {
        let read = self.with_session("read", session, |session| {
            let later = session
                .batches
                .iter()
                .filter(|batch| batch.last_seq > after_seq);
            later.take(limit).cloned().collect()
        });
        ready(read.map_or_else(
            |error| Err(error.into()),
            |batches| contiguous(after_seq, batches),
        ))
    }

    fn read_oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        ready(
            self.with_session("read the oldest batches", session, |session| {
                let old = session.batches.iter();
                let old = old.take_while(|batch| batch.last_seq <= through_seq);
                let count = max.fitting(old.clone().map(|batch| batch.events.len()));
                old.take(count).cloned().collect()
            }),
        )
    }

    fn read_newest(
        &self,
        session: SessionId,
        before_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        ready(
            self.with_session("read the newest batches", session, |session| {
                let new = session.batches.iter().rev();
                let new = new.skip_while(|batch| batch.first_seq >= before_seq);
                let count = max.fitting(new.clone().map(|batch| batch.events.len()));
                new.take(count).cloned().collect()
            }),
        )
    }
}

impl Journal for MemoryJournal {
    fn generation(&self) -> Answer<u32> {
        ready(Ok(1))
    }

    fn close(&self) -> Answer<()> {
        ready(Ok(()))
    }
}
