//! Tells the store, again and again, that this node is alive.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::Shared;
use super::ports::StoreError;
use super::watchdog::Watchdog;
use crate::clock::Moment;
use crate::ids::{HeartbeatOutcome, SessionId};
use crate::telemetry::metrics;

pub(super) async fn run(shared: &Shared, watchdog: &Watchdog) {
    let mut answered = Instant::now();
    while shared.pause(shared.settings.heartbeat_interval).await {
        if !watchdog.is_content() {
            metrics().cluster_heartbeats_withheld.increment(1);
            continue;
        }
        match beat(shared).await {
            Ok(()) => answered = Instant::now(),
            Err(error) => {
                metrics().cluster_heartbeats_failed.increment(1);
                shared.lost_touch();
                tracing::debug!(%error, "a beat failed");
            }
        }
        if answered.elapsed() > shared.settings.exit_after {
            tracing::error!("the store was out of reach for longer than cluster.exit_after_ms");
            shared.is_lost.send_replace(true);
        }
    }
}

/// One beat. It may take half as long as a validity lasts. By then its way to the store counts as dead;
/// the next beat goes another way, and is answered before the validity is over.
async fn beat(shared: &Shared) -> Result<(), StoreError> {
    let card = shared.card();
    let beat_max = card.lease / 2;
    let held_before = shared.validity.holds();
    let sent = Moment::now();
    let beat = timeout(beat_max, shared.store.beat(card)).await;
    let beat = beat.map_err(|_| StoreError(format!("no answer within {beat_max:?}")))??;
    metrics()
        .cluster_heartbeat_seconds
        .record(Moment::now().since(sent));
    match beat {
        HeartbeatOutcome::Renewed if held_before && shared.validity.holds() => {
            shared.renew(sent);
            Ok(())
        }
        HeartbeatOutcome::Renewed => {
            metrics().cluster_lease_expirations.increment(1);
            verify(shared).await?;
            shared.renew(sent);
            shared.look_now.notify_one();
            Ok(())
        }
        // It has left: nobody but itself took it out.
        HeartbeatOutcome::Evicted if shared.stop.is_cancelled() => Ok(()),
        HeartbeatOutcome::Evicted => begin_anew(shared).await,
    }
}

/// After a time without validity: throws away what has another owner by now. Nobody forgot this
/// node, so nobody should have taken anything; but nothing is said before that is known.
async fn verify(shared: &Shared) -> Result<(), StoreError> {
    // Before the owners: what is claimed and opened meanwhile is none of these.
    let held = shared.host.held();
    let ownerships = shared.store.ownerships().await?;
    let mine: BTreeSet<SessionId> = ownerships
        .into_iter()
        .filter(|ownership| ownership.owner == Some(shared.me))
        .map(|ownership| ownership.session)
        .collect();
    let lost = held.into_iter().filter(|held| !mine.contains(held));
    join_all(lost.map(|session| shared.host.abandon(session))).await;
    Ok(())
}

/// The others took this node for dead and may have taken any of its sessions. It throws all of them
/// away, and only then joins again: what nobody took is claimed anew, with a new epoch, by the next
/// look.
async fn begin_anew(shared: &Shared) -> Result<(), StoreError> {
    shared.validity.end();
    metrics().cluster_evictions_suffered.increment(1);
    tracing::warn!("the other nodes took this one for dead; it begins anew");
    let held = shared.host.held();
    join_all(held.into_iter().map(|session| shared.host.abandon(session))).await;
    if shared.stop.is_cancelled() {
        return Ok(());
    }
    let sent = Moment::now();
    shared.store.join(shared.card()).await?;
    shared.renew(sent);
    shared.look_now.notify_one();
    Ok(())
}
