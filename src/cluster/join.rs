//! Before a node joins: whether its address is its own.
//!
//! Others reach a node, knock at it and place sessions by its address. Two that live and tell the same
//! one would each be taken for the other's earlier life.

use tokio::time::sleep;

use super::Shared;
use super::ports::StoreError;
use super::sightings::Sighting;
use crate::ids::Incarnation;

/// Why a node did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Another node lives at the same address.
    #[error(
        "node {node} lives at {address} too, and each needs an address of its own; set \
         cluster.listen, or cluster.address if others reach this node elsewhere"
    )]
    AddressTaken {
        /// Which.
        node: Incarnation,
        /// Where.
        address: String,
    },
    /// The store did not make it known.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Waits until every other life at this node's address is late, and forgets it. An earlier life of this
/// node is over and becomes late within that very time; one that beats meanwhile is another node.
pub(super) async fn outlive_predecessors(shared: &Shared) -> Result<(), JoinError> {
    let late = shared.patience.late;
    let youngest = same_address(shared).await?.into_iter();
    let Some(age) = youngest.map(|seen| seen.age).min() else {
        return Ok(());
    };
    sleep(late.saturating_sub(age) + shared.patience.margin).await;
    for seen in same_address(shared).await? {
        let node = seen.card.incarnation;
        let is_over = seen.age >= late && shared.store.forget(node, Some(seen.last_sign)).await?;
        if !is_over {
            let address = seen.card.address;
            return Err(JoinError::AddressTaken { node, address });
        }
        tracing::info!(%node, "the earlier life at this address is forgotten");
    }
    Ok(())
}

async fn same_address(shared: &Shared) -> Result<Vec<Sighting>, StoreError> {
    let me = shared.card();
    let nodes = shared.nodes().await?.into_iter();
    let is_same = |seen: &Sighting| {
        seen.card.address == me.address && seen.card.incarnation != me.incarnation
    };
    Ok(nodes.filter(is_same).collect())
}
