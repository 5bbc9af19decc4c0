//! The journal traits: each call as the query or the job that serves it.

use futures_util::FutureExt;
use std::sync::atomic::Ordering;

use super::super::Journal;
use super::super::answer::Answer;
use super::super::catalogue::{Catalogue, CreateError, SessionRecord};
use super::super::history::{BatchesMax, History, ReadError, contiguous};
use super::super::ledger::{
    AppendError, Batch, ClaimError, Ledger, Loaded, PrivateRecord, Snapshot, StoredBatch,
    TruncateError, Truncation,
};
use super::super::membership::Membership;
use super::writer::Job;
use super::{SqliteJournal, changes, closed, queries, snapshots};
use crate::ids::{
    Claim, Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};

impl Ledger for SqliteJournal {
    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.query("list owners", queries::ownerships)
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        self.query("read an owner", move |pool| {
            queries::ownership(pool, session)
        })
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        let claimed = self.submit_change(move |connection| changes::claim(connection, claim));
        async move {
            let closed = Err(ClaimError::Failed(closed("claim")));
            claimed.await.unwrap_or(closed)
        }
        .boxed()
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
        let released = self.submit_change(move |connection| changes::release(connection, held));
        async move {
            let closed = Err(ClaimError::Failed(closed("release")));
            released.await.unwrap_or(closed)
        }
        .boxed()
    }

    fn terminate_connections(&self, _incarnation: Incarnation) -> Answer<()> {
        // A dead process has released the file lock and has no open transaction.
        async { Ok(()) }.boxed()
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        self.appends.fetch_add(1, Ordering::Relaxed);
        let answer = self.submit(|reply| Job::Append { batch, reply });
        async move {
            let lost = AppendError::Unknown("the writer ended".to_owned());
            answer.await.unwrap_or(Err(lost))
        }
        .boxed()
    }

    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded> {
        self.query("load", move |pool| queries::load(pool, session, seq))
    }

    fn private_records(&self, session: SessionId) -> Answer<Vec<PrivateRecord>> {
        self.query("read private records", move |pool| {
            queries::private_records(pool, session)
        })
    }

    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()> {
        // A task: it completes even if the caller drops its future.
        let putting = snapshots::put(self.clone(), session, snapshot);
        let putting = self.snapshots.spawn(putting);
        async move {
            let put = putting.await;
            put.unwrap_or_else(|_| Err(closed("store a snapshot")))
        }
        .boxed()
    }

    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>> {
        self.query("read a snapshot", move |pool| {
            queries::snapshot(pool, session, seq)
        })
    }

    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool> {
        self.change("verify a snapshot", move |connection| {
            snapshots::mark_verified(connection, session, seq, digest)
        })
    }

    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>> {
        self.query("list snapshots", move |pool| {
            queries::verified_snapshots(pool, session)
        })
    }

    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError> {
        let truncated = self.change("truncate", move |connection| {
            snapshots::truncate(connection, truncation)
        });
        async move { truncated.await? }.boxed()
    }
}

impl Membership for SqliteJournal {
    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.nodes.join(node);
        async { Ok(()) }.boxed()
    }

    fn heartbeat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        let outcome = self.nodes.heartbeat(node);
        async move { Ok(outcome) }.boxed()
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        let nodes = self.nodes.all();
        async move { Ok(nodes) }.boxed()
    }

    fn remove(
        &self,
        incarnation: Incarnation,
        last_heartbeat: Option<HeartbeatSeq>,
    ) -> Answer<bool> {
        let is_removed = self.nodes.remove(incarnation, last_heartbeat);
        async move { Ok(is_removed) }.boxed()
    }
}

impl Catalogue for SqliteJournal {
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()> {
        self.change("store a hunt", move |connection| {
            changes::put_hunt(connection, &revision, &files)
        })
    }

    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>> {
        self.query("read a hunt", |pool| queries::hunt(pool, revision))
    }

    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError> {
        let created =
            self.submit_change(move |connection| changes::create_session(connection, &session));
        async move {
            let closed = Err(CreateError::Failed(closed("create a session")));
            created.await.unwrap_or(closed)
        }
        .boxed()
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        self.query("list sessions", queries::sessions)
    }

    fn mark_finished(&self, session: SessionId) -> Answer<()> {
        self.change("record a finish", move |connection| {
            changes::mark_finished(connection, session)
        })
    }

    fn finished_sessions(&self) -> Answer<Vec<SessionId>> {
        self.query("list finished sessions", queries::finished_sessions)
    }
}

impl History for SqliteJournal {
    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError> {
        let read = self.query("read", move |pool| {
            queries::batches(pool, session, after_seq, limit)
        });
        async move { contiguous(after_seq, read.await?) }.boxed()
    }

    fn read_oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.query("read the oldest batches", move |pool| {
            queries::oldest(pool, session, through_seq, max)
        })
    }

    fn read_newest(
        &self,
        session: SessionId,
        before_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.query("read the newest batches", move |pool| {
            queries::newest(pool, session, before_seq, max)
        })
    }
}

impl Journal for SqliteJournal {
    fn generation(&self) -> Answer<u32> {
        self.query("read the generation", queries::generation)
    }

    fn close(&self) -> Answer<()> {
        let this = self.clone();
        async move {
            this.snapshots.close();
            this.snapshots.wait().await;
            let ended = this.submit(|reply| Job::Close { reply }).await;
            this.stop.cancel();
            let mut tasks = this.tasks.lock().await;
            while tasks.join_next().await.is_some() {}
            this.readers.close().await;
            drop(this.lock.lock().await.take());
            ended.unwrap_or_else(|| Err(closed("close")))
        }
        .boxed()
    }
}
