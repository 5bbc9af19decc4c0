//! Looks who is late, knocks, and forgets who is dead.

use futures_util::future::join_all;

use super::Shared;
use super::ports::StoreError;
use super::sightings::Sighting;
use super::suspicion::Verdict;
use crate::telemetry::{as_f64, metrics};

pub(super) async fn run(shared: &Shared) {
    while shared.pause(shared.settings.heartbeat_interval).await {
        if let Err(error) = look(shared).await {
            tracing::debug!(%error, "the nodes could not be listed");
        }
    }
}

async fn look(shared: &Shared) -> Result<(), StoreError> {
    let nodes = shared.nodes().await?;
    metrics().cluster_nodes.set(as_f64(nodes.len() as u64));
    let late = nodes
        .iter()
        .filter(|node| shared.patience.is_late(node, shared.me));
    let buried = join_all(late.map(|node| bury_if_dead(shared, node))).await;
    if buried.contains(&true) {
        shared.look_now.notify_one();
    }
    Ok(())
}

/// Knocks at a node that is late; whether it is forgotten now.
async fn bury_if_dead(shared: &Shared, node: &Sighting) -> bool {
    let probe = shared.neighbours.probe(node.card.address.clone()).await;
    let Verdict::Dead { unseen_for } = shared.patience.judge(node, probe) else {
        return false;
    };
    if !shared.may_judge(unseen_for) {
        return false;
    }
    let life = node.card.incarnation;
    match shared.store.forget(life, Some(node.last_sign)).await {
        Ok(is_gone) => {
            if is_gone {
                metrics().cluster_nodes_evicted.increment(1);
                tracing::warn!(node = %life, ?probe, "a node is dead; its sessions are taken over");
            }
            is_gone
        }
        Err(error) => {
            tracing::debug!(%error, "a dead node could not be forgotten");
            false
        }
    }
}
