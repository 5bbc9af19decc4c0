//! Looks who owns what, and carries out what the planner makes of it.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesUnordered};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::placement::preferences;
use super::planner::{Look, Planner, Step};
use super::ports::{ClaimError, StoreError};
use super::sightings::Sighting;
use super::{SCAN_EVERY, Shared};
use crate::ids::{NodeRecord, Ownership, SessionId};
use crate::telemetry::metrics;

/// How often a claim is made that finds an append of the dead owner under way; the store waits for
/// it each time. Before the second, the dead owner's connections are ended.
const BUSY_TRIES_MAX: u32 = 5;
/// Between two of them.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn run(shared: &Shared) {
    let mut planner = Planner::new(shared.me, shared.patience, shared.settings.rebalance_max);
    let mut moves = Moves::new(shared);
    loop {
        match moves.go_on_during(look(shared)).await {
            Ok(look) => {
                shared.routes.learn(&look.ownerships, &look.nodes);
                moves.begin(planner.plan(&look));
            }
            Err(error) => tracing::debug!(%error, "the sessions could not be listed"),
        }
        let next = timeout(SCAN_EVERY, shared.look_now.notified());
        let next = shared.stop.run_until_cancelled(next);
        if moves.go_on_during(next).await.is_none() {
            return;
        }
    }
}

/// The order matters: see [`Look`].
async fn look(shared: &Shared) -> Result<Look, StoreError> {
    let held = shared.host.held();
    let wanted = shared.routes.wanted();
    let ownerships = shared.store.ownerships().await?;
    let finished = shared.store.finished().await?;
    let nodes = shared.nodes().await?;
    Ok(Look {
        at: Instant::now(),
        ownerships,
        nodes,
        held: held.into_iter().collect(),
        broken: shared.host.broken().into_iter().collect(),
        unneeded: shared.host.unneeded().into_iter().collect(),
        finished: finished.into_iter().collect(),
        wanted,
    })
}

/// Steps that are being carried out, at most one for each session. The next look does not wait for
/// them: a session that cannot be opened holds up no other.
struct Moves<'a> {
    shared: &'a Shared,
    under_way: FuturesUnordered<BoxFuture<'a, SessionId>>,
    sessions: BTreeSet<SessionId>,
    /// How many sessions are taken or given at the same time.
    places: Arc<Semaphore>,
}

impl<'a> Moves<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            under_way: FuturesUnordered::new(),
            sessions: BTreeSet::new(),
            places: Arc::new(Semaphore::new(shared.settings.moves_max)),
        }
    }

    /// Begins with what is not under way yet.
    fn begin(&mut self, steps: Vec<Step>) {
        for step in steps {
            let session = step.session();
            if self.sessions.insert(session) {
                let carrying_out = carry_out(self.shared, self.places.clone(), step);
                self.under_way
                    .push(carrying_out.map(move |()| session).boxed());
            }
        }
        self.note_if_done();
    }

    /// Carries the steps out while something else is waited for.
    async fn go_on_during<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                ended = &mut other => return ended,
                Some(session) = self.under_way.next() => {
                    self.sessions.remove(&session);
                    self.note_if_done();
                }
            }
        }
    }

    fn note_if_done(&self) {
        if self.under_way.is_empty() {
            self.shared.looks.send_modify(|looks| *looks += 1);
        }
    }
}

async fn carry_out(shared: &Shared, places: Arc<Semaphore>, step: Step) {
    let _place = match step {
        // What another node owns is thrown away at once.
        Step::Abandon(_) | Step::Release(_) => None,
        Step::Take(_) | Step::HandOver(..) | Step::Retire(_) => {
            let place = places.acquire().await;
            Some(place.expect("the semaphore is never closed"))
        }
    };
    match step {
        Step::Abandon(session) => shared.host.abandon(session).await,
        Step::Take(ground) => take(shared, ground).await,
        Step::HandOver(session, to) => hand_over(shared, session, Some(&to)).await,
        Step::Retire(session) => retire(shared, session).await,
        // Between the look and now it may have been asked for, and be about to run.
        Step::Release(held) if shared.host.holds(held.session) => {}
        Step::Release(held) => release(shared, held).await,
    }
}

/// Claims a session and has it run.
async fn take(shared: &Shared, ground: Ownership) {
    if !shared.validity.holds() || shared.card().is_leaving {
        return;
    }
    let session = ground.session;
    if ground.owner == Some(shared.me) && shared.host.holds(session) {
        // It was opened after the look had seen what runs, or is being created: its claim is not to be
        // fenced by another one.
        return;
    }
    let era = shared.validity.era();
    for try_number in 1..=BUSY_TRIES_MAX {
        match shared.store.claim(ground, shared.me).await {
            Ok(epoch) => {
                metrics().cluster_sessions_claimed.increment(1);
                shared.routes.is_mine(session, epoch);
                shared.host.open(session, epoch, era).await;
                return;
            }
            Err(ClaimError::Busy) => {
                metrics().cluster_claims_busy.increment(1);
                evict_owner(shared, ground, try_number).await;
            }
            // The next look tells who has it.
            Err(ClaimError::Lost) => {
                metrics().cluster_claims_lost.increment(1);
                return;
            }
            Err(error @ ClaimError::Failed(_)) => {
                tracing::info!(session.id = %session, %error, "a session could not be claimed");
                return;
            }
        }
    }
    tracing::warn!(session.id = %session, "a dead owner's append still holds a session up");
}

async fn evict_owner(shared: &Shared, ground: Ownership, try_number: u32) {
    if try_number > 1 {
        tokio::time::sleep(BUSY_PAUSE).await;
    }
    let Some(owner) = ground.owner.filter(|owner| *owner != shared.me) else {
        return;
    };
    if let Err(error) = shared.store.evict(owner).await {
        tracing::info!(%error, "a dead node's connections could not be ended");
    }
}

/// Stops a session that nobody needs, and leaves it to nobody.
async fn retire(shared: &Shared, session: SessionId) {
    let Some(epoch) = shared.host.retire(session).await else {
        return;
    };
    metrics().sessions_retired.increment(1);
    let owner = Some(shared.me);
    release(
        shared,
        Ownership {
            session,
            owner,
            epoch,
        },
    )
    .await;
}

async fn release(shared: &Shared, held: Ownership) {
    if let Err(error) = shared.store.release(held).await {
        // The next look tries again.
        tracing::info!(session.id = %held.session, %error, "a session was not left to nobody");
    }
}

/// Stops a session and gives it to another node, or to nobody.
async fn hand_over(shared: &Shared, session: SessionId, to: Option<&NodeRecord>) {
    let Some(epoch) = shared.host.close(session).await else {
        return;
    };
    let held = Ownership {
        session,
        owner: Some(shared.me),
        epoch,
    };
    let given = match to {
        Some(to) => {
            let claimed = shared.store.claim(held, to.incarnation).await;
            claimed.map(|epoch| Some((to, epoch)))
        }
        None => shared.store.release(held).await.map(|()| None),
    };
    match given {
        Ok(Some((to, epoch))) => {
            metrics().cluster_sessions_released.increment(1);
            shared.routes.is_at(session, to, epoch);
            shared.neighbours.hint(to.address.clone()).await;
        }
        Ok(None) => metrics().cluster_sessions_released.increment(1),
        // If it is still this node's, the next look takes it up again.
        Err(error) => tracing::info!(session.id = %session, %error, "a session was not given"),
    }
}

/// Gives every session to the node that it prefers of those that stay and are not late: one that was
/// killed and not forgotten yet would get sessions that nobody runs. Finished ones go to nobody.
pub(super) async fn give_all(shared: &Shared) {
    let nodes = shared.nodes().await.unwrap_or_default();
    let finished = shared.store.finished().await.unwrap_or_default();
    let is_next = |seen: &Sighting| {
        let is_other = seen.card.incarnation != shared.me && !seen.card.is_leaving;
        is_other && !shared.patience.is_late(seen, shared.me)
    };
    let others = nodes.into_iter().filter(is_next);
    let others: Vec<NodeRecord> = others.map(|seen| seen.card).collect();
    stream::iter(shared.host.held())
        .for_each_concurrent(shared.settings.moves_max, |session| {
            let next = preferences(session, &others).first().copied();
            let next = next.filter(|_| !finished.contains(&session));
            hand_over(shared, session, next)
        })
        .await;
}
