//! A journal that lasts as long as the process: for rehearsals, measurements and tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;

use super::nodes::Nodes;
use super::{
    Answer, AppendError, Batch, Beat, Claim, ClaimError, CreateError, Epoch, Incarnation, Journal,
    JournalError, Loaded, Name, NodeRecord, NodeSeen, Ownership, SessionId, SessionRecord,
    Snapshot, StoredBatch,
};

/// Keeps everything in memory. Clones share it.
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
    batches: Vec<StoredBatch>,
    snapshot: Option<Snapshot>,
    names: BTreeMap<u64, String>,
}

impl StoredSession {
    fn ownership(&self) -> Ownership {
        Ownership {
            session: self.record.id,
            owner: self.owner,
            epoch: self.epoch,
        }
    }

    /// Makes `to` the owner if `ground` still holds.
    fn change_hands(
        &mut self,
        ground: Ownership,
        to: Option<Incarnation>,
    ) -> Result<(), ClaimError> {
        if self.ownership() != ground {
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
            batches: Vec::new(),
            snapshot: None,
            names: BTreeMap::new(),
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
        let is_stored = stored.any(|stored| is_same(stored, &batch));
        return Err(if is_stored {
            AppendError::AlreadyStored
        } else {
            AppendError::NotContiguous
        });
    }
    let names = batch.names.into_iter().map(|name| (name.id, name.text));
    session.names.extend(names);
    session.batches.push(StoredBatch {
        first_seq: batch.first_seq,
        last_seq: batch.last_seq,
        epoch: batch.epoch,
        events: batch.events,
    });
    Ok(())
}

fn is_same(stored: &StoredBatch, batch: &Batch) -> bool {
    (stored.first_seq, stored.last_seq) == (batch.first_seq, batch.last_seq)
        && stored.epoch == batch.epoch
        && stored.events == batch.events
}

fn load_from(session: &StoredSession) -> Loaded {
    let head = session.head();
    let snapshot = session
        .snapshot
        .clone()
        .filter(|snapshot| snapshot.seq <= head);
    let from = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    let tail = session.batches.iter().filter(|batch| batch.last_seq > from);
    Loaded {
        tail: tail.cloned().collect(),
        snapshot,
    }
}

fn done<T: Send + 'static, E: Send + 'static>(result: Result<T, E>) -> Answer<T, E> {
    std::future::ready(result).boxed()
}

impl Journal for MemoryJournal {
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()> {
        self.stored().hunts.entry(revision).or_insert(files);
        done(Ok(()))
    }

    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>> {
        done(Ok(self.stored().hunts.get(&revision).cloned()))
    }

    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError> {
        done(self.create(session))
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        let stored = self.stored();
        let records = stored
            .order
            .iter()
            .map(|id| stored.sessions[id].record.clone());
        done(Ok(records.collect()))
    }

    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        let stored = self.stored();
        let ownerships = stored.sessions.values().map(StoredSession::ownership);
        done(Ok(ownerships.collect()))
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        let stored = self.stored();
        let session = stored.sessions.get(&session);
        done(Ok(session.map(StoredSession::ownership)))
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        let claimed = self.with_session("claim", claim.session, |session| {
            let ground = Ownership {
                session: claim.session,
                owner: claim.from,
                epoch: claim.epoch,
            };
            session.change_hands(ground, Some(claim.to))?;
            session.epoch = Epoch(session.epoch.0 + 1);
            Ok(session.epoch)
        });
        done(claimed.unwrap_or(Err(ClaimError::Lost)))
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError> {
        let owner = Some(owner);
        let ground = Ownership {
            session,
            owner,
            epoch,
        };
        let released = self.with_session("release", session, |session| {
            session.change_hands(ground, None)
        });
        done(released.unwrap_or(Err(ClaimError::Lost)))
    }

    fn evict(&self, _incarnation: Incarnation) -> Answer<()> {
        // An append is over when its call returns.
        done(Ok(()))
    }

    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.nodes.join(node);
        done(Ok(()))
    }

    fn beat(&self, node: NodeRecord) -> Answer<Beat> {
        done(Ok(self.nodes.beat(node)))
    }

    fn nodes(&self) -> Answer<Vec<NodeSeen>> {
        done(Ok(self.nodes.all()))
    }

    fn forget(&self, incarnation: Incarnation, unseen_for: Duration) -> Answer<bool> {
        done(Ok(self.nodes.forget(incarnation, unseen_for)))
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        let appended =
            self.with_session("append", batch.session, |session| append_to(session, batch));
        done(appended.unwrap_or_else(|error| Err(AppendError::Refused(error.to_string()))))
    }

    fn load(&self, session: SessionId) -> Answer<Loaded> {
        done(self.with_session("load", session, |session| load_from(session)))
    }

    fn read(&self, session: SessionId, after_seq: u64, limit: usize) -> Answer<Vec<StoredBatch>> {
        done(self.with_session("read", session, |session| {
            let later = session
                .batches
                .iter()
                .filter(|batch| batch.last_seq > after_seq);
            later.take(limit).cloned().collect()
        }))
    }

    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()> {
        done(self.with_session("store a snapshot", session, |session| {
            session.snapshot = Some(snapshot);
        }))
    }

    fn names(&self, session: SessionId) -> Answer<Vec<Name>> {
        done(self.with_session("read names", session, |session| {
            let names = session.names.iter().map(|(id, text)| Name {
                id: *id,
                text: text.clone(),
            });
            names.collect()
        }))
    }

    fn close(&self) -> Answer<()> {
        done(Ok(()))
    }
}
