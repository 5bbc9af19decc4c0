//! Scans the ownerships periodically, and carries out the steps that the planner derives from them.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::observations::Observation;
use super::placement::preferences;
use super::planner::{ClusterView, Planner, Step};
use super::ports::{ClaimError, StoreError};
use super::state::NodeState;

use crate::ids::{NodeRecord, Ownership, SessionId};
use crate::telemetry::metrics;

/// Time between scans.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);
/// Attempts to claim a session while an append of its dead owner is in progress. The store waits for the append
/// in each attempt. Before the second attempt, the dead owner's connections are terminated.
const CLAIM_ATTEMPTS_MAX: u32 = 5;
/// Pause between two attempts.
const CLAIM_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn run(node: &NodeState) {
    let mut planner = Planner::new(node.me, node.patience, node.settings.rebalance_max);
    let mut moves = Moves::new(node);
    loop {
        match moves.run_while(read_view(node)).await {
            Ok(view) => {
                node.routes.update(&view.ownerships, &view.nodes);
                moves.start(planner.plan(&view));
            }
            Err(error) => tracing::debug!(%error, "could not list the sessions"),
        }
        let next = timeout(SCAN_INTERVAL, node.scan_now.notified());
        let next = node.stop.run_until_cancelled(next);
        if moves.run_while(next).await.is_none() {
            return;
        }
    }
}

/// Reads a view. [`ClusterView`] explains the order of the reads.
async fn read_view(node: &NodeState) -> Result<ClusterView, StoreError> {
    let running = node.host.running();
    let requested = node.routes.requested();
    let ownerships = node.store.ownerships().await?;
    let finished = node.store.finished().await?;
    let nodes = node.observe_nodes().await?;
    Ok(ClusterView {
        at: Instant::now(),
        ownerships,
        nodes,
        running: running.into_iter().collect(),
        broken: node.host.broken().into_iter().collect(),
        retirable: node.host.retirable().into_iter().collect(),
        finished: finished.into_iter().collect(),
        requested,
    })
}

/// The steps in progress, at most one for each session. The next scan does not wait for them, so a session
/// that cannot be opened delays no other.
struct Moves<'a> {
    node: &'a NodeState,
    in_progress: FuturesUnordered<BoxFuture<'a, SessionId>>,
    sessions: BTreeSet<SessionId>,
    /// Limits the sessions that are claimed or handed off at the same time.
    permits: Arc<Semaphore>,
}

impl<'a> Moves<'a> {
    fn new(node: &'a NodeState) -> Self {
        Self {
            node,
            in_progress: FuturesUnordered::new(),
            sessions: BTreeSet::new(),
            permits: Arc::new(Semaphore::new(node.settings.moves_max)),
        }
    }

    /// Starts the steps for sessions without a step in progress.
    fn start(&mut self, steps: Vec<Step>) {
        for step in steps {
            let session = step.session();
            if self.sessions.insert(session) {
                let step = carry_out(self.node, self.permits.clone(), step);
                self.in_progress.push(step.map(move |()| session).boxed());
            }
        }
        self.count_if_done();
    }

    /// Carries out the steps while a future runs, until that is ready.
    async fn run_while<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                ended = &mut other => return ended,
                Some(session) = self.in_progress.next() => {
                    self.sessions.remove(&session);
                    self.count_if_done();
                }
            }
        }
    }

    fn count_if_done(&self) {
        if self.in_progress.is_empty() {
            self.node.scans_done.send_modify(|scans| *scans += 1);
        }
    }
}

async fn carry_out(node: &NodeState, permits: Arc<Semaphore>, step: Step) {
    let _permit = match step {
        // Sessions of other nodes are abandoned at once.
        Step::Abandon(_) | Step::Release(_) => None,
        Step::Claim(_) | Step::HandOff(..) | Step::Retire(_) => {
            let permit = permits.acquire().await;
            Some(permit.expect("the semaphore is never closed"))
        }
    };
    match step {
        Step::Abandon(session) => node.host.abandon(session).await,
        Step::Claim(expected) => claim(node, expected).await,
        Step::HandOff(session, to) => hand_off(node, session, Some(&to)).await,
        Step::Retire(session) => retire(node, session).await,
        // A request since the scan may have started it.
        Step::Release(held) if node.host.holds(held.session) => {}
        Step::Release(held) => release(node, held).await,
    }
}

/// Claims a session and opens it.
async fn claim(node: &NodeState, expected: Ownership) {
    if !node.lease.is_held() || node.record().is_leaving {
        return;
    }
    let session = expected.session;
    if expected.owner == Some(node.me) && node.host.holds(session) {
        // It was opened after the scan, or is being created: another claim would fence it.
        return;
    }
    let term = node.lease.term();
    for attempt in 1..=CLAIM_ATTEMPTS_MAX {
        match node.store.claim(expected, node.me).await {
            Ok(epoch) => {
                metrics().cluster_sessions_claimed.increment(1);
                node.routes.set_local(session, epoch);
                node.host.open(session, epoch, term).await;
                return;
            }
            Err(ClaimError::Busy) => {
                metrics().cluster_claims_busy.increment(1);
                terminate_owner(node, expected, attempt).await;
            }
            // The next scan shows the new owner.
            Err(ClaimError::Lost) => {
                metrics().cluster_claims_lost.increment(1);
                return;
            }
            Err(error @ ClaimError::Failed(_)) => {
                tracing::info!(session.id = %session, %error, "could not claim a session");
                return;
            }
        }
    }
    tracing::warn!(session.id = %session, "an append of a dead owner still delays the claim of its session");
}

async fn terminate_owner(node: &NodeState, expected: Ownership, attempt: u32) {
    if attempt > 1 {
        tokio::time::sleep(CLAIM_PAUSE).await;
    }
    let Some(owner) = expected.owner.filter(|owner| *owner != node.me) else {
        return;
    };
    if let Err(error) = node.store.terminate_connections(owner).await {
        tracing::info!(%error, "could not terminate the connections of a dead node");
    }
}

/// Closes an unused finished session, and releases it.
async fn retire(node: &NodeState, session: SessionId) {
    let Some(epoch) = node.host.retire(session).await else {
        return;
    };
    metrics().sessions_retired.increment(1);
    let owner = Some(node.me);
    release(
        node,
        Ownership {
            session,
            owner,
            epoch,
        },
    )
    .await;
}

async fn release(node: &NodeState, held: Ownership) {
    if let Err(error) = node.store.release(held).await {
        // The next scan retries.
        tracing::info!(session.id = %held.session, %error, "could not release a session");
    }
}

/// Closes a session, and hands it off to another node or releases it.
async fn hand_off(node: &NodeState, session: SessionId, to: Option<&NodeRecord>) {
    let Some(epoch) = node.host.close(session).await else {
        return;
    };
    let held = Ownership {
        session,
        owner: Some(node.me),
        epoch,
    };
    let outcome = match to {
        Some(to) => {
            let claimed = node.store.claim(held, to.incarnation).await;
            claimed.map(|epoch| Some((to, epoch)))
        }
        None => node.store.release(held).await.map(|()| None),
    };
    match outcome {
        Ok(Some((to, epoch))) => {
            metrics().cluster_sessions_released.increment(1);
            node.routes.set_remote(session, to, epoch);
            node.peers.hint(to.address.clone()).await;
        }
        Ok(None) => metrics().cluster_sessions_released.increment(1),
        // If this node still owns it, the next scan claims it again.
        Err(error) => tracing::info!(session.id = %session, %error, "could not hand off a session"),
    }
}

/// Hands off every session to the node that it prefers among those that are neither leaving nor late: a dead
/// node that is not evicted yet would get sessions that then do not run. Releases finished sessions.
pub(super) async fn hand_off_all(node: &NodeState) {
    let nodes = node.observe_nodes().await.unwrap_or_default();
    let finished = node.store.finished().await.unwrap_or_default();
    let is_next = |other: &Observation| {
        let is_other = other.record.incarnation != node.me && !other.record.is_leaving;
        is_other && !node.patience.is_late(other, node.me)
    };
    let others = nodes.into_iter().filter(is_next);
    let others: Vec<NodeRecord> = others.map(|other| other.record).collect();
    stream::iter(node.host.running())
        .for_each_concurrent(node.settings.moves_max, |session| {
            let next = preferences(session, &others).first().copied();
            let next = next.filter(|_| !finished.contains(&session));
            hand_off(node, session, next)
        })
        .await;
}
