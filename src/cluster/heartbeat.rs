//! Sends heartbeats to the store, and extends this node's lease by them.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::ports::StoreError;
use super::state::NodeState;
use super::watchdog::Watchdog;
use crate::clock::Moment;
use crate::ids::{HeartbeatOutcome, SessionId};
use crate::telemetry::metrics;

pub(super) async fn run(node: &NodeState, watchdog: &Watchdog) {
    let mut answered_at = Instant::now();
    while node.pause(node.settings.heartbeat_interval).await {
        if !watchdog.is_fresh() {
            metrics().cluster_heartbeats_withheld.increment(1);
            continue;
        }
        match send_heartbeat(node).await {
            Ok(()) => answered_at = Instant::now(),
            Err(error) => {
                metrics().cluster_heartbeats_failed.increment(1);
                node.reset_contact();
                tracing::debug!(%error, "a heartbeat failed");
            }
        }
        if answered_at.elapsed() > node.settings.exit_after {
            tracing::error!("the journal was unreachable for longer than cluster.exit_after_ms");
            node.is_lost.send_replace(true);
        }
    }
}

/// Sends one heartbeat. Its timeout is half a lease: after that its connection counts as dead, and the
/// next heartbeat, on another connection, can still be answered before the lease expires.
async fn send_heartbeat(node: &NodeState) -> Result<(), StoreError> {
    let record = node.record();
    let answer_max = record.lease / 2;
    let held_before = node.lease.is_held();
    let sent_at = Moment::now();
    let outcome = timeout(answer_max, node.store.heartbeat(record)).await;
    let outcome = outcome.map_err(|_| StoreError(format!("no answer within {answer_max:?}")))??;
    metrics()
        .cluster_heartbeat_seconds
        .record(Moment::now().since(sent_at));
    match outcome {
        HeartbeatOutcome::Renewed if held_before && node.lease.is_held() => {
            node.extend_lease(sent_at);
            Ok(())
        }
        HeartbeatOutcome::Renewed => {
            metrics().cluster_lease_expirations.increment(1);
            abandon_lost_sessions(node).await?;
            node.extend_lease(sent_at);
            node.scan_now.notify_one();
            Ok(())
        }
        // The node has left: it evicted itself.
        HeartbeatOutcome::Evicted if node.stop.is_cancelled() => Ok(()),
        HeartbeatOutcome::Evicted => rejoin(node).await,
    }
}

/// After an expired lease: abandons sessions that have another owner by now. The node was not evicted, so no
/// other node should have claimed anything; but the lease is not extended before that is known.
async fn abandon_lost_sessions(node: &NodeState) -> Result<(), StoreError> {
    // Read before the ownerships: sessions that are claimed and opened meanwhile are not in it.
    let running = node.host.running();
    let ownerships = node.store.ownerships().await?;
    let owned: BTreeSet<SessionId> = ownerships
        .into_iter()
        .filter(|ownership| ownership.owner == Some(node.me))
        .map(|ownership| ownership.session)
        .collect();
    let lost = running
        .into_iter()
        .filter(|session| !owned.contains(session));
    join_all(lost.map(|session| node.host.abandon(session))).await;
    Ok(())
}

/// After an eviction: other nodes may have claimed any of this node's sessions. Abandons all of them, and
/// only then joins again. The next scan claims those that no other node has claimed, with a new epoch.
async fn rejoin(node: &NodeState) -> Result<(), StoreError> {
    node.lease.revoke();
    metrics().cluster_evictions_suffered.increment(1);
    tracing::warn!("the other nodes declared this node dead; it abandons its sessions and rejoins");
    let running = node.host.running();
    join_all(
        running
            .into_iter()
            .map(|session| node.host.abandon(session)),
    )
    .await;
    if node.stop.is_cancelled() {
        return Ok(());
    }
    let sent_at = Moment::now();
    node.store.join(node.record()).await?;
    node.extend_lease(sent_at);
    node.scan_now.notify_one();
    Ok(())
}
