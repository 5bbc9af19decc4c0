//! A node's connection to the store, which has latency, loses replies, and can be cut.
//!
//! A statement that has arrived keeps running if the node dies or the connection breaks, as in PostgreSQL.
//! Only terminating its backend rolls back what has not committed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluecast::ids::{
    Claim, Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};
use cluecast::journal::{
    Answer, AppendError, Batch, BatchesMax, Catalogue, ClaimError, CreateError, History, Journal,
    JournalError, Ledger, Loaded, Membership, PrivateRecord, ReadError, SessionRecord, Snapshot,
    StoredBatch, TruncateError, Truncation,
};
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dice::Dice;
use crate::store::Store;

const WAY_MS_MAX: usize = 4;
/// Timeout of a call to an unreachable store.
const PATIENCE: Duration = Duration::from_millis(80);
/// More statements than all incarnations of a session on one node can have in flight.
const QUEUED_MAX: usize = 1_000;

/// A node's connection to the store. Clones share it.
#[derive(Clone)]
pub struct Link {
    store: Store,
    dice: Dice,
    state: Arc<Mutex<State>>,
}

struct State {
    is_cut: bool,
    /// Percentage of appends whose connection breaks while they run.
    lost_percent: usize,
    lane: Option<Lane>,
    /// The store's tasks that run statements of this node.
    backends: JoinSet<()>,
}

/// The connection that appends go over, one after the other.
#[derive(Clone)]
struct Lane {
    statements: mpsc::Sender<Statement>,
    broken: CancellationToken,
}

struct Statement {
    batch: Batch,
    reply: oneshot::Sender<Result<(), AppendError>>,
}

fn unknown() -> AppendError {
    AppendError::Unknown("the connection is gone".to_owned())
}

fn unreachable(action: &'static str) -> JournalError {
    JournalError {
        action,
        reason: "the store is out of reach".to_owned(),
    }
}

/// A call that no session makes.
fn not_here<T: Send + 'static, E: From<JournalError> + Send + 'static>(
    action: &'static str,
) -> Answer<T, E> {
    let reason = "not simulated".to_owned();
    std::future::ready(Err(JournalError { action, reason }.into())).boxed()
}

impl Link {
    pub fn new(store: Store, dice: Dice) -> Self {
        let state = State {
            is_cut: false,
            lost_percent: 0,
            lane: None,
            backends: JoinSet::new(),
        };
        Self {
            store,
            dice,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().expect("one thread"))
    }

    fn is_cut(&self) -> bool {
        self.with_state(|state| state.is_cut)
    }

    pub fn set_cut(&self, is_cut: bool) {
        self.with_state(|state| state.is_cut = is_cut);
        if is_cut {
            self.lose_connection();
        }
    }

    pub fn set_lost_percent(&self, percent: usize) {
        self.with_state(|state| state.lost_percent = percent);
    }

    /// Breaks the connection: all replies in flight and all statements that have not arrived are lost.
    pub fn lose_connection(&self) {
        if let Some(lane) = self.with_state(|state| state.lane.take()) {
            lane.broken.cancel();
        }
    }

    /// Terminates all work of the store for this node.
    pub fn terminate_backends(&self) {
        self.lose_connection();
        self.with_state(|state| state.backends.abort_all());
    }

    fn lane(&self) -> Lane {
        let (store, dice) = (self.store.clone(), self.dice.clone());
        self.with_state(|state| {
            let new = || {
                let (statements, queued) = mpsc::channel(QUEUED_MAX);
                let broken = CancellationToken::new();
                let lane = Lane { statements, broken };
                state
                    .backends
                    .spawn(serve(queued, lane.broken.clone(), store, dice));
                lane
            };
            state.lane.get_or_insert_with(new).clone()
        })
    }

    /// Runs a call in the store, with latency in both directions. Fails if the store is unreachable at either
    /// moment.
    fn call<T, F>(
        &self,
        action: &'static str,
        work: impl FnOnce(Store) -> F + Send + 'static,
    ) -> Answer<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let link = self.clone();
        async move {
            link.pass(action).await?;
            let (done, result) = oneshot::channel();
            let working = work(link.store.clone());
            link.with_state(|state| {
                state.backends.spawn(async move {
                    // The caller may have been cancelled.
                    drop(done.send(working.await));
                });
            });
            let result = result.await.map_err(|_| unreachable(action))?;
            link.pass(action).await?;
            Ok(result)
        }
        .boxed()
    }

    async fn pass(&self, action: &'static str) -> Result<(), JournalError> {
        tokio::time::sleep(self.dice.up_to_ms(WAY_MS_MAX)).await;
        if self.is_cut() {
            tokio::time::sleep(PATIENCE).await;
            return Err(unreachable(action));
        }
        Ok(())
    }

    fn change<T, F>(
        &self,
        action: &'static str,
        work: impl FnOnce(Store) -> F + Send + 'static,
    ) -> Answer<T, ClaimError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, ClaimError>> + Send + 'static,
    {
        let called = self.call(action, work);
        async move { called.await? }.boxed()
    }
}

/// Runs the statements of one connection. If the connection breaks, a statement in progress may complete;
/// statements queued by the client are lost.
async fn serve(
    mut queued: mpsc::Receiver<Statement>,
    broken: CancellationToken,
    store: Store,
    dice: Dice,
) {
    while let Some(Some(statement)) = broken.run_until_cancelled(queued.recv()).await {
        tokio::time::sleep(dice.up_to_ms(WAY_MS_MAX)).await;
        if broken.is_cancelled() && dice.chance(50) {
            break;
        }
        let outcome = store.append(statement.batch).await;
        tokio::time::sleep(dice.up_to_ms(2)).await;
        // The caller may have been cancelled, or may consider the connection broken.
        drop(statement.reply.send(outcome));
    }
}

impl Ledger for Link {
    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.call(
            "list owners",
            |store| async move { vec![store.ownership()] },
        )
    }

    fn ownership(&self, _session: SessionId) -> Answer<Option<Ownership>> {
        self.call(
            "read an owner",
            |store| async move { Some(store.ownership()) },
        )
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        self.change(
            "claim",
            move |store| async move { store.claim(claim).await },
        )
    }

    fn release(
        &self,
        _session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError> {
        self.change("release", move |store| async move {
            store.release(owner, epoch).await
        })
    }

    fn terminate_connections(&self, _incarnation: Incarnation) -> Answer<()> {
        not_here("terminate connections")
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        if self.is_cut() {
            return async { Err(unknown()) }.boxed();
        }
        let lane = self.lane();
        let (reply, answer) = oneshot::channel();
        let queued = lane.statements.try_send(Statement { batch, reply });
        let breaks = self
            .dice
            .chance(self.with_state(|state| state.lost_percent));
        let breaks_after = breaks.then(|| self.dice.up_to_ms(12));
        let link = self.clone();
        async move {
            queued.map_err(|_| unknown())?;
            let breaking = async {
                match breaks_after {
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = lane.broken.cancelled() => Err(unknown()),
                () = breaking => {
                    link.lose_connection();
                    lane.broken.cancel();
                    Err(unknown())
                }
                outcome = answer => outcome.map_err(|_| unknown())?,
            }
        }
        .boxed()
    }

    fn load_before(&self, _session: SessionId, seq: u64) -> Answer<Loaded> {
        self.call("load", move |store| async move { store.load_before(seq) })
    }

    fn private_records(&self, _session: SessionId) -> Answer<Vec<PrivateRecord>> {
        self.call("read private records", |store| async move {
            store.private_records()
        })
    }

    fn put_snapshot(&self, _session: SessionId, snapshot: Snapshot) -> Answer<()> {
        self.call("store a snapshot", move |store| async move {
            store.put_snapshot(snapshot);
        })
    }

    fn snapshot(&self, _session: SessionId, seq: u64) -> Answer<Option<Snapshot>> {
        self.call("read a snapshot", move |store| async move {
            store.snapshot(seq)
        })
    }

    fn mark_verified(&self, _session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool> {
        self.call("verify a snapshot", move |store| async move {
            store.mark_verified(seq, digest)
        })
    }

    fn verified_snapshots(&self, _session: SessionId) -> Answer<Vec<u64>> {
        self.call("list snapshots", |store| async move {
            store.verified_snapshots()
        })
    }

    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError> {
        let truncated = self.call("truncate", move |store| async move {
            let truncated = store.truncate(truncation).await;
            if matches!(truncated, Err(TruncateError::NotCovered)) {
                store.record_violation(format!("{truncation:?} goes beyond what is covered"));
            }
            truncated
        });
        async move { truncated.await? }.boxed()
    }
}

impl Membership for Link {
    fn join(&self, _node: NodeRecord) -> Answer<()> {
        not_here("join")
    }

    fn heartbeat(&self, _node: NodeRecord) -> Answer<HeartbeatOutcome> {
        not_here("record a heartbeat")
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        not_here("list nodes")
    }

    fn remove(
        &self,
        _incarnation: Incarnation,
        _last_heartbeat: Option<HeartbeatSeq>,
    ) -> Answer<bool> {
        not_here("remove a node")
    }
}

impl Catalogue for Link {
    fn put_hunt(&self, _revision: String, _files: Vec<u8>) -> Answer<()> {
        not_here("store a hunt")
    }

    fn hunt(&self, _revision: String) -> Answer<Option<Vec<u8>>> {
        not_here("read a hunt")
    }

    fn create_session(&self, _session: SessionRecord) -> Answer<(), CreateError> {
        not_here("create a session")
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        not_here("list sessions")
    }

    fn mark_finished(&self, _session: SessionId) -> Answer<()> {
        not_here("note a finish")
    }

    fn finished_sessions(&self) -> Answer<Vec<SessionId>> {
        not_here("list finished sessions")
    }
}

impl History for Link {
    fn read(
        &self,
        _session: SessionId,
        _after_seq: u64,
        _limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError> {
        not_here("read")
    }

    fn read_oldest(
        &self,
        _session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.call("read the oldest", move |store| async move {
            store.oldest(through_seq, max)
        })
    }

    fn read_newest(
        &self,
        _session: SessionId,
        _before_seq: u64,
        _max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        not_here("read the newest")
    }
}

impl Journal for Link {
    fn generation(&self) -> Answer<u32> {
        not_here("read the generation")
    }

    fn close(&self) -> Answer<()> {
        async { Ok(()) }.boxed()
    }
}
