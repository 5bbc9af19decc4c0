//! The journal traits: each call as the query or the append that serves it.

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::Journal;
use super::super::answer::Answer;
use super::super::catalogue::{Catalogue, CreateError, SessionRecord};
use super::super::history::{BatchesMax, History, ReadError, contiguous};
use super::super::ledger::{
    AppendError, Batch, ClaimError, Ledger, Loaded, PrivateRecord, Snapshot, StoredBatch,
    TruncateError, Truncation,
};
use super::super::membership::Membership;
use super::group::Append;
use super::{PostgresJournal, failed, ownership, queries, snapshots};
use crate::ids::{
    Claim, Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};

impl Ledger for PostgresJournal {
    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.query("list owners", ownership::all)
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        self.query("read an owner", move |connection| {
            ownership::one(connection, session)
        })
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        self.change_owner("claim", move |connection| {
            ownership::claim(connection, claim)
        })
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError> {
        self.change_owner("release", move |connection| {
            ownership::release(connection, session, owner, epoch)
        })
    }

    fn terminate_connections(&self, incarnation: Incarnation) -> Answer<()> {
        self.query("terminate connections", move |connection| {
            ownership::terminate_connections(connection, incarnation)
        })
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        let (reply, answer) = oneshot::channel();
        let lane = self.lane(batch.session);
        let append = Append {
            batch,
            reply,
            since: Instant::now(),
        };
        // Queued during the call if the lane has room, so that appends keep the call order.
        let queued = lane.try_send(append).map_err(|error| match error {
            mpsc::error::TrySendError::Full(append) => Some((lane.clone(), append)),
            mpsc::error::TrySendError::Closed(_) => None,
        });
        async move {
            let closed = || AppendError::Refused("the journal is closed".to_owned());
            if let Err(queued) = queued {
                let (lane, append) = queued.ok_or_else(closed)?;
                lane.send(append).await.map_err(|_| closed())?;
            }
            let lost = AppendError::Unknown("the lane ended".to_owned());
            answer.await.unwrap_or(Err(lost))
        }
        .boxed()
    }

    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded> {
        self.query("load", move |connection| {
            snapshots::load(connection, session, seq)
        })
    }

    fn private_records(&self, session: SessionId) -> Answer<Vec<PrivateRecord>> {
        self.query("read private records", move |connection| {
            queries::private_records(connection, session)
        })
    }

    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()> {
        self.query("store a snapshot", move |connection| {
            snapshots::put(connection, session, snapshot)
        })
    }

    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>> {
        self.query("read a snapshot", move |connection| {
            snapshots::one(connection, session, seq)
        })
    }

    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool> {
        self.query("verify a snapshot", move |connection| {
            snapshots::mark_verified(connection, session, seq, digest)
        })
    }

    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>> {
        self.query("list snapshots", move |connection| {
            snapshots::verified(connection, session)
        })
    }

    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError> {
        let truncated = self.query("truncate", move |connection| {
            snapshots::truncate(connection, truncation)
        });
        async move { truncated.await? }.boxed()
    }
}

impl Membership for PostgresJournal {
    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.query("add a node", |connection| ownership::join(connection, node))
    }

    fn heartbeat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        let shared = self.shared.clone();
        async move {
            shared
                .heartbeats
                .send(node)
                .await
                .map_err(failed("record a heartbeat"))
        }
        .boxed()
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        self.query("list the nodes", ownership::nodes)
    }

    fn remove(
        &self,
        incarnation: Incarnation,
        last_heartbeat: Option<HeartbeatSeq>,
    ) -> Answer<bool> {
        self.query("remove a node", move |connection| {
            ownership::remove(connection, incarnation, last_heartbeat)
        })
    }
}

impl Catalogue for PostgresJournal {
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()> {
        self.query("store a hunt", |connection| {
            queries::put_hunt(connection, revision, files)
        })
    }

    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>> {
        self.query("read a hunt", |connection| {
            queries::hunt(connection, revision)
        })
    }

    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError> {
        let pool = &self.shared.pool;
        let created = pool.run(|connection| queries::create_session(connection, session));
        async move {
            let error = match created.await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let database = error.as_database_error();
            Err(match database.map(sqlx::error::DatabaseError::kind) {
                Some(sqlx::error::ErrorKind::UniqueViolation) => CreateError::CodeTaken,
                Some(sqlx::error::ErrorKind::ForeignKeyViolation) => CreateError::UnknownHunt,
                _ => failed("create a session")(error).into(),
            })
        }
        .boxed()
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        self.query("list sessions", queries::sessions)
    }

    fn session_by_code(&self, code: String) -> Answer<Option<SessionRecord>> {
        self.query("find a session", |connection| {
            queries::session_by_code(connection, code)
        })
    }

    fn mark_finished(&self, session: SessionId) -> Answer<()> {
        self.query("record a finish", move |connection| {
            queries::mark_finished(connection, session)
        })
    }

    fn finished_sessions(&self) -> Answer<Vec<SessionId>> {
        self.query("list finished sessions", queries::finished_sessions)
    }
}

impl History for PostgresJournal {
    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError> {
        let read = self.query("read", move |connection| {
            queries::batches(connection, session, after_seq, limit)
        });
        async move { contiguous(after_seq, read.await?) }.boxed()
    }

    fn read_oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.query("read the oldest batches", move |connection| {
            queries::oldest(connection, session, through_seq, max)
        })
    }

    fn read_newest(
        &self,
        session: SessionId,
        before_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.query("read the newest batches", move |connection| {
            queries::newest(connection, session, before_seq, max)
        })
    }
}

impl Journal for PostgresJournal {
    fn generation(&self) -> Answer<u32> {
        let read = self.query("read the generation", queries::generation);
        async move {
            let generation = u32::try_from(read.await?);
            generation.map_err(failed("read the generation"))
        }
        .boxed()
    }

    fn close(&self) -> Answer<()> {
        let shared = self.shared.clone();
        async move {
            shared.stop.cancel();
            let mut lanes = shared.lane_tasks.lock().await;
            while let Some(ended) = lanes.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a lane of the journal failed");
                }
            }
            shared.pool.close().await;
            shared.heartbeats.close().await;
            Ok(())
        }
        .boxed()
    }
}
