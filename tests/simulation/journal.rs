//! A simulated journal: it is slow, fails, and leaves outcomes unknown, as the dice decide.
//!
//! It commits to a [`MemoryJournal`], which has a fence. Its worker stands for the database: it outlives
//! the node that uses it, so that an append may commit after its node has died.

use cluecast::ids::{
    Claim, Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};
use cluecast::journal::{
    Answer, AppendError, Batch, BatchesMax, Catalogue, ClaimError, CreateError, History, Journal,
    JournalError, Ledger, Loaded, Membership, MemoryJournal, PrivateRecord, ReadError,
    SessionRecord, Snapshot, StoredBatch, TruncateError, Truncation,
};
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use crate::archive::SimulatedArchive;
use crate::dice::Dice;
use crate::oracle::Committed;

const DELAY_MS_MAX: usize = 12;
/// More appends than the actors of all incarnations of a node can have in flight; a full queue refuses.
const QUEUED_MAX: usize = 10_000;

/// Percentage of operations that fail.
#[derive(Debug, Clone, Copy)]
pub struct FaultRates {
    pub appends_failing: usize,
    pub others_failing: usize,
}

pub const NO_FAULTS: FaultRates = FaultRates {
    appends_failing: 0,
    others_failing: 0,
};

#[derive(Clone)]
pub struct SimulatedJournal {
    pub committed: MemoryJournal,
    dice: Dice,
    faults: std::sync::Arc<std::sync::Mutex<FaultRates>>,
    queue: mpsc::Sender<Queued>,
    violations: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

struct Queued {
    batch: Batch,
    reply: oneshot::Sender<Result<(), AppendError>>,
}

/// The fate of an append.
enum Fate {
    Commit,
    Refuse,
    UnknownAfterCommit,
    UnknownBeforeCommit,
    UnknownNeverCommit,
}

impl SimulatedJournal {
    /// A journal with its worker, which runs until every clone is dropped.
    pub fn new(dice: Dice) -> (Self, impl Future<Output = ()>) {
        let (queue, queued) = mpsc::channel(QUEUED_MAX);
        let journal = Self {
            committed: MemoryJournal::new(),
            dice: dice.clone(),
            faults: std::sync::Arc::new(std::sync::Mutex::new(NO_FAULTS)),
            queue,
            violations: std::sync::Arc::default(),
        };
        let worker = work(
            queued,
            journal.committed.clone(),
            dice,
            journal.faults.clone(),
        );
        (journal, worker)
    }

    pub fn set_faults(&self, faults: FaultRates) {
        *self.faults.lock().expect("one thread") = faults;
    }

    /// Requests that a correct node never sends.
    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().expect("one thread").clone()
    }

    fn faults(&self) -> FaultRates {
        *self.faults.lock().expect("one thread")
    }

    /// Does something after a delay, or fails.
    fn delayed<T: Send + 'static, E: From<JournalError> + Send + 'static>(
        &self,
        action: &'static str,
        ask: impl FnOnce(&MemoryJournal) -> Answer<T, E> + Send + 'static,
    ) -> Answer<T, E> {
        let delay = self.dice.up_to_ms(DELAY_MS_MAX);
        let fails = self.dice.chance(self.faults().others_failing);
        let committed = self.committed.clone();
        async move {
            tokio::time::sleep(delay).await;
            if fails {
                let reason = "the faults".to_owned();
                return Err(JournalError { action, reason }.into());
            }
            ask(&committed).await
        }
        .boxed()
    }
}

async fn work(
    mut queued: mpsc::Receiver<Queued>,
    committed: MemoryJournal,
    dice: Dice,
    faults: std::sync::Arc<std::sync::Mutex<FaultRates>>,
) {
    while let Some(Queued { batch, reply }) = queued.recv().await {
        let failing = faults.lock().expect("one thread").appends_failing;
        let fate = if dice.chance(failing) {
            match dice.throw(4) {
                0 => Fate::Refuse,
                1 => Fate::UnknownAfterCommit,
                2 => Fate::UnknownBeforeCommit,
                _ => Fate::UnknownNeverCommit,
            }
        } else {
            Fate::Commit
        };
        tokio::time::sleep(dice.up_to_ms(DELAY_MS_MAX)).await;
        let unknown = || Err(AppendError::Unknown("the faults".to_owned()));
        // The caller may have died, and then the reply is dropped.
        match fate {
            Fate::Commit => {
                let outcome = committed.append(batch).await;
                // The reply is delayed after the commit.
                tokio::time::sleep(dice.up_to_ms(2)).await;
                drop(reply.send(outcome));
            }
            Fate::Refuse => {
                let refused = AppendError::Refused("the faults".to_owned());
                drop(reply.send(Err(refused)));
            }
            Fate::UnknownAfterCommit => {
                drop(committed.append(batch).await);
                drop(reply.send(unknown()));
            }
            Fate::UnknownBeforeCommit => {
                drop(reply.send(unknown()));
                tokio::time::sleep(dice.up_to_ms(5 * DELAY_MS_MAX)).await;
                drop(committed.append(batch).await);
            }
            Fate::UnknownNeverCommit => drop(reply.send(unknown())),
        }
    }
}

impl Ledger for SimulatedJournal {
    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.committed.ownerships()
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        self.committed.ownership(session)
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        self.delayed("claim", move |committed| committed.claim(claim))
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError> {
        self.committed.release(session, owner, epoch)
    }

    fn terminate_connections(&self, incarnation: Incarnation) -> Answer<()> {
        self.committed.terminate_connections(incarnation)
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        let (reply, answer) = oneshot::channel();
        let queued = self.queue.try_send(Queued { batch, reply });
        async move {
            let gone = || AppendError::Unknown("the worker ended".to_owned());
            queued.map_err(|_| gone())?;
            answer.await.map_err(|_| gone())?
        }
        .boxed()
    }

    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded> {
        self.delayed("load", move |committed| committed.load_before(session, seq))
    }

    fn private_records(&self, session: SessionId) -> Answer<Vec<PrivateRecord>> {
        self.committed.private_records(session)
    }

    fn put_snapshot(&self, session: SessionId, mut snapshot: Snapshot) -> Answer<()> {
        if self.dice.chance(self.faults().others_failing) {
            let half = snapshot.state.len() / 2;
            snapshot.state.truncate(half);
        }
        self.delayed("store a snapshot", move |committed| {
            committed.put_snapshot(session, snapshot)
        })
    }

    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>> {
        self.delayed("read a snapshot", move |committed| {
            committed.snapshot(session, seq)
        })
    }

    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool> {
        self.delayed("verify a snapshot", move |committed| {
            committed.mark_verified(session, seq, digest)
        })
    }

    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>> {
        self.delayed("list snapshots", move |committed| {
            committed.verified_snapshots(session)
        })
    }

    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError> {
        let violations = self.violations.clone();
        let truncated = self.delayed("truncate", move |committed| committed.truncate(truncation));
        async move {
            let truncated = truncated.await;
            if matches!(truncated, Err(TruncateError::NotCovered)) {
                let mut violations = violations.lock().expect("one thread");
                violations.push(format!("{truncation:?} goes beyond what is covered"));
            }
            truncated
        }
        .boxed()
    }
}

impl Membership for SimulatedJournal {
    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.committed.join(node)
    }

    fn heartbeat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        self.committed.heartbeat(node)
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        self.committed.nodes()
    }

    fn remove(
        &self,
        incarnation: Incarnation,
        last_heartbeat: Option<HeartbeatSeq>,
    ) -> Answer<bool> {
        self.committed.remove(incarnation, last_heartbeat)
    }
}

impl Catalogue for SimulatedJournal {
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()> {
        self.committed.put_hunt(revision, files)
    }

    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>> {
        self.committed.hunt(revision)
    }

    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError> {
        self.committed.create_session(session)
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        self.committed.sessions()
    }

    fn mark_finished(&self, session: SessionId) -> Answer<()> {
        self.delayed("note a finish", move |committed| {
            committed.mark_finished(session)
        })
    }

    fn finished_sessions(&self) -> Answer<Vec<SessionId>> {
        self.committed.finished_sessions()
    }
}

impl History for SimulatedJournal {
    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError> {
        self.committed.read(session, after_seq, limit)
    }

    fn read_oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.delayed("read the oldest", move |committed| {
            committed.read_oldest(session, through_seq, max)
        })
    }

    fn read_newest(
        &self,
        session: SessionId,
        before_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.committed.read_newest(session, before_seq, max)
    }
}

impl Journal for SimulatedJournal {
    fn generation(&self) -> Answer<u32> {
        self.committed.generation()
    }

    fn close(&self) -> Answer<()> {
        self.committed.close()
    }
}

/// The batches of one session in a memory journal and in its archive.
pub struct CommittedTo {
    pub journal: MemoryJournal,
    pub archive: SimulatedArchive,
    pub session: SessionId,
}

impl Committed for CommittedTo {
    fn after(&self, seq: u64) -> Vec<StoredBatch> {
        let oldest = self
            .journal
            .read_oldest(self.session, u64::MAX, BatchesMax::UNBOUNDED);
        let stored = oldest.now_or_never().expect("memory answers at once");
        self.archive.with(seq, stored.expect("the session exists"))
    }
}
