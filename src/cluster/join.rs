//! Before a node joins: makes sure that no other live node has its address.
//!
//! Other nodes connect to a node, probe it and assign sessions to it by its address. If two live nodes had the
//! same address, each would be mistaken for an earlier incarnation of the other.

use tokio::time::sleep;

use super::observations::Observation;
use super::ports::StoreError;
use super::state::NodeState;
use crate::ids::Incarnation;

/// Why a node did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Another live node has the same address.
    #[error(
        "the live node {node} has the address {address} too; set cluster.listen to another address, or \
         cluster.address to the host and port at which other nodes reach this one"
    )]
    AddressTaken {
        /// The other node.
        node: Incarnation,
        /// The address.
        address: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Waits until every other incarnation at this node's address is late, and evicts it. An earlier incarnation
/// of this node is dead and becomes late within that time; one that sends heartbeats meanwhile is another
/// node.
pub(super) async fn evict_predecessors(node: &NodeState) -> Result<(), JoinError> {
    let late = node.patience.late;
    let same_address = nodes_at_my_address(node).await?.into_iter();
    let Some(age) = same_address.map(|observed| observed.age).min() else {
        return Ok(());
    };
    sleep(late.saturating_sub(age) + node.patience.margin).await;
    for observed in nodes_at_my_address(node).await? {
        let other = observed.record.incarnation;
        let last = Some(observed.last_heartbeat);
        let is_gone = observed.age >= late && node.store.remove(other, last).await?;
        if !is_gone {
            let address = observed.record.address;
            return Err(JoinError::AddressTaken {
                node: other,
                address,
            });
        }
        tracing::info!(node = %other, "evicted the earlier incarnation at this address");
    }
    Ok(())
}

async fn nodes_at_my_address(node: &NodeState) -> Result<Vec<Observation>, StoreError> {
    let me = node.record();
    let nodes = node.observe_nodes().await?.into_iter();
    let is_same = |observed: &Observation| {
        let other = &observed.record;
        other.address == me.address && other.incarnation != me.incarnation
    };
    Ok(nodes.filter(is_same).collect())
}
