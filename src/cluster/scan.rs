//! Looks who owns what, and carries out what the planner makes of it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::{Instant, timeout};

use super::placement::preferences;
use super::planner::{Look, Planner, Step};
use super::ports::{ClaimError, NodeCard, Ownership, StoreError};
use super::{SCAN_EVERY, SessionId, Shared};
use crate::telemetry::metrics;

/// How often a claim is made that finds an append of the dead owner under way; the store waits for
/// it each time. Before the second, the dead owner's connections are ended.
const BUSY_TRIES_MAX: u32 = 5;
/// Between two of them.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn run(shared: &Shared) {
    let mut planner = Planner::new(shared.me, shared.settings.rebalance_max);
    loop {
        match look(shared).await {
            Ok(look) => {
                shared.routes.learn(&look.ownerships, &look.nodes);
                carry_out(shared, planner.plan(&look)).await;
                shared.looks.send_modify(|looks| *looks += 1);
            }
            Err(error) => tracing::debug!(%error, "the sessions could not be listed"),
        }
        let next = timeout(SCAN_EVERY, shared.look_now.notified());
        if shared.stop.run_until_cancelled(next).await.is_none() {
            return;
        }
    }
}

/// The order matters: see [`Look`].
async fn look(shared: &Shared) -> Result<Look, StoreError> {
    let held = shared.host.held();
    let ownerships = shared.store.ownerships().await?;
    let nodes = shared.store.nodes().await?;
    Ok(Look {
        at: Instant::now(),
        ownerships,
        nodes,
        held: held.into_iter().collect(),
    })
}

async fn carry_out(shared: &Shared, steps: Vec<Step>) {
    stream::iter(steps)
        .for_each_concurrent(shared.settings.moves_max, |step| async {
            match step {
                Step::Abandon(session) => shared.host.abandon(session).await,
                Step::Take(ground) => take(shared, ground).await,
                Step::HandOver(session, to) => hand_over(shared, session, Some(&to)).await,
            }
        })
        .await;
}

/// Claims a session and has it run.
async fn take(shared: &Shared, ground: Ownership) {
    if !shared.validity.holds() || shared.card().is_leaving {
        return;
    }
    let session = ground.session;
    for try_number in 1..=BUSY_TRIES_MAX {
        match shared.store.claim(ground, shared.me).await {
            Ok(epoch) => {
                metrics().cluster_sessions_taken.increment(1);
                shared.host.open(session, epoch).await;
                shared.routes.is_mine(session, epoch);
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

/// Stops a session and gives it to another node, or to nobody.
async fn hand_over(shared: &Shared, session: SessionId, to: Option<&NodeCard>) {
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
            metrics().cluster_sessions_given.increment(1);
            shared.routes.is_at(session, to, epoch);
            shared.neighbours.hint(to.address.clone()).await;
        }
        Ok(None) => metrics().cluster_sessions_given.increment(1),
        // If it is still this node's, the next look takes it up again.
        Err(error) => tracing::info!(session.id = %session, %error, "a session was not given"),
    }
}

/// Gives every session to the node that it prefers of those that stay.
pub(super) async fn give_all(shared: &Shared) {
    let nodes = shared.store.nodes().await.unwrap_or_default();
    let cards = nodes.into_iter().map(|seen| seen.card);
    let others: Vec<NodeCard> = cards
        .filter(|card| card.incarnation != shared.me && !card.is_leaving)
        .collect();
    stream::iter(shared.host.held())
        .for_each_concurrent(shared.settings.moves_max, |session| {
            let next = preferences(session, &others).first().copied();
            hand_over(shared, session, next)
        })
        .await;
}
