//! A journal that injects failures and delays.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cluecast::ids::{
    Claim, Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};
use cluecast::journal::{
    Answer, AppendError, Batch, BatchesMax, Catalogue, ClaimError, CreateError, History, Journal,
    JournalError, Ledger, Loaded, Membership, MemoryJournal, PrivateRecord, ReadError,
    SessionRecord, Snapshot, StoredBatch, TruncateError, Truncation,
};
use tokio::sync::watch;

/// A journal that can refuse claims and appends, withhold their answers, or be unreachable. Clones share
/// the journal and its faults.
#[derive(Clone)]
pub(crate) struct Fragile {
    inner: MemoryJournal,
    pub(crate) broken: Arc<AtomicBool>,
    /// A claim while it is broken panics instead of failing.
    pub(crate) panics: Arc<AtomicBool>,
    /// While this is false, calls wait.
    pub(crate) is_reached: watch::Sender<bool>,
    pub(crate) claims_answered: watch::Sender<bool>,
    pub(crate) appends_answered: watch::Sender<bool>,
    /// Numbers of claims, of appends, and of reads of all ownerships.
    pub(crate) claims: watch::Sender<u64>,
    pub(crate) appends: watch::Sender<u64>,
    pub(crate) looks: watch::Sender<u64>,
}

impl Default for Fragile {
    fn default() -> Self {
        Self::on(MemoryJournal::new())
    }
}

impl Fragile {
    /// A journal with its own faults on a shared store.
    pub(crate) fn on(inner: MemoryJournal) -> Self {
        Self {
            inner,
            broken: Arc::default(),
            panics: Arc::default(),
            is_reached: watch::Sender::new(true),
            claims_answered: watch::Sender::new(true),
            appends_answered: watch::Sender::new(true),
            claims: watch::Sender::new(0),
            appends: watch::Sender::new(0),
            looks: watch::Sender::new(0),
        }
    }

    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }

    fn through<T: Send + 'static, E: Send + 'static>(
        &self,
        ask: impl FnOnce(&MemoryJournal) -> Answer<T, E> + Send + 'static,
    ) -> Answer<T, E> {
        let inner = self.inner.clone();
        let mut is_reached = self.is_reached.subscribe();
        Box::pin(async move {
            // An error means that the sender was dropped: the journal counts as reachable.
            drop(is_reached.wait_for(|is_reached| *is_reached).await);
            ask(&inner).await
        })
    }
}

/// Withholds an answer until `are_given` is true.
fn answered<T: Send + 'static, E: Send + 'static>(
    are_given: &watch::Sender<bool>,
    answer: Answer<T, E>,
) -> Answer<T, E> {
    let mut are_given = are_given.subscribe();
    Box::pin(async move {
        let answer = answer.await;
        drop(are_given.wait_for(|are_given| *are_given).await);
        answer
    })
}

impl Ledger for Fragile {
    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.looks.send_modify(|looks| *looks += 1);
        self.through(|inner| inner.ownerships())
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        self.through(move |inner| inner.ownership(session))
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        if self.is_broken() {
            let panics = self.panics.load(Ordering::SeqCst);
            assert!(!panics, "a panic that the test asked for");
            let error = JournalError {
                action: "claim",
                reason: "it is broken".to_owned(),
            };
            return Box::pin(async { Err(error.into()) });
        }
        self.claims.send_modify(|claims| *claims += 1);
        let claimed = self.through(move |inner| inner.claim(claim));
        answered(&self.claims_answered, claimed)
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError> {
        self.through(move |inner| inner.release(session, owner, epoch))
    }

    fn terminate_connections(&self, incarnation: Incarnation) -> Answer<()> {
        self.through(move |inner| inner.terminate_connections(incarnation))
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        if self.is_broken() {
            return Box::pin(async { Err(AppendError::Unknown("it is broken".to_owned())) });
        }
        self.appends.send_modify(|appends| *appends += 1);
        let appended = self.through(move |inner| inner.append(batch));
        answered(&self.appends_answered, appended)
    }

    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded> {
        self.through(move |inner| inner.load_before(session, seq))
    }

    fn private_records(&self, session: SessionId) -> Answer<Vec<PrivateRecord>> {
        self.through(move |inner| inner.private_records(session))
    }

    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()> {
        self.through(move |inner| inner.put_snapshot(session, snapshot))
    }

    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>> {
        self.through(move |inner| inner.snapshot(session, seq))
    }

    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool> {
        self.through(move |inner| inner.mark_verified(session, seq, digest))
    }

    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>> {
        self.through(move |inner| inner.verified_snapshots(session))
    }

    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError> {
        self.through(move |inner| inner.truncate(truncation))
    }
}

impl Membership for Fragile {
    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.through(move |inner| inner.join(node))
    }

    fn heartbeat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        self.through(move |inner| inner.heartbeat(node))
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        self.through(|inner| inner.nodes())
    }

    fn remove(
        &self,
        incarnation: Incarnation,
        last_heartbeat: Option<HeartbeatSeq>,
    ) -> Answer<bool> {
        self.through(move |inner| inner.remove(incarnation, last_heartbeat))
    }
}

impl Catalogue for Fragile {
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()> {
        self.through(move |inner| inner.put_hunt(revision, files))
    }

    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>> {
        self.through(move |inner| inner.hunt(revision))
    }

    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError> {
        self.through(move |inner| inner.create_session(session))
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        self.through(|inner| inner.sessions())
    }

    fn mark_finished(&self, session: SessionId) -> Answer<()> {
        self.inner.mark_finished(session)
    }

    fn finished_sessions(&self) -> Answer<Vec<SessionId>> {
        self.inner.finished_sessions()
    }
}

impl History for Fragile {
    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError> {
        self.through(move |inner| inner.read(session, after_seq, limit))
    }

    fn read_oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.through(move |inner| inner.read_oldest(session, through_seq, max))
    }

    fn read_newest(
        &self,
        session: SessionId,
        before_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.through(move |inner| inner.read_newest(session, before_seq, max))
    }
}

impl Journal for Fragile {
    fn generation(&self) -> Answer<u32> {
        self.inner.generation()
    }

    fn close(&self) -> Answer<()> {
        self.through(|inner| inner.close())
    }
}
