//! The failure detector: probes nodes that missed heartbeats, and evicts those that are dead.

use futures_util::future::join_all;

use super::observations::Observation;
use super::ports::StoreError;
use super::state::NodeState;
use super::suspicion::Verdict;
use crate::telemetry::{as_f64, metrics};

pub(super) async fn run(node: &NodeState) {
    while node.pause(node.settings.heartbeat_interval).await {
        if let Err(error) = check_nodes(node).await {
            tracing::debug!(%error, "could not list the nodes");
        }
    }
}

async fn check_nodes(node: &NodeState) -> Result<(), StoreError> {
    let nodes = node.observe_nodes().await?;
    metrics().cluster_nodes.set(as_f64(nodes.len() as u64));
    let late = nodes
        .iter()
        .filter(|observed| node.patience.is_late(observed, node.me));
    let evicted = join_all(late.map(|suspect| evict_if_dead(node, suspect))).await;
    if evicted.contains(&true) {
        node.scan_now.notify_one();
    }
    Ok(())
}

/// Probes a late node, and evicts it if it is dead. Returns whether it was evicted.
async fn evict_if_dead(node: &NodeState, suspect: &Observation) -> bool {
    let probe = node.peers.probe(suspect.record.address.clone()).await;
    let Verdict::Dead { contact_min } = node.patience.judge(suspect, probe) else {
        return false;
    };
    if !node.can_judge(contact_min) {
        return false;
    }
    let dead = suspect.record.incarnation;
    match node.store.remove(dead, Some(suspect.last_heartbeat)).await {
        Ok(is_evicted) => {
            if is_evicted {
                metrics().cluster_nodes_evicted.increment(1);
                tracing::warn!(node = %dead, ?probe, "declared a node dead; its sessions are claimed");
            }
            is_evicted
        }
        Err(error) => {
            tracing::debug!(%error, "could not evict a dead node");
            false
        }
    }
}
