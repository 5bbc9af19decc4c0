//! The journal as the cluster's store: translates between their types.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{self, Answer, NodeCard, Store, StoreError};
use crate::journal::{self, Journal, JournalError, NodeRecord};
use futures_util::FutureExt;

/// The journal as what decides between nodes.
pub struct JournalStore {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// The version that this node tells the others.
    pub version: &'static str,
}

impl From<JournalError> for StoreError {
    fn from(error: JournalError) -> Self {
        Self(error.to_string())
    }
}

impl From<journal::ClaimError> for cluster::ClaimError {
    fn from(error: journal::ClaimError) -> Self {
        match error {
            journal::ClaimError::Lost => Self::Lost,
            journal::ClaimError::Busy => Self::Busy,
            journal::ClaimError::Failed(error) => Self::Failed(error.into()),
        }
    }
}

pub(super) fn session_of(session: cluster::SessionId) -> journal::SessionId {
    journal::SessionId::new(session.0)
}

fn life_of(node: cluster::Incarnation) -> journal::Incarnation {
    journal::Incarnation(node.0)
}

fn owned(ownership: journal::Ownership) -> cluster::Ownership {
    cluster::Ownership {
        session: cluster::SessionId(ownership.session.number()),
        owner: ownership.owner.map(|owner| cluster::Incarnation(owner.0)),
        epoch: cluster::Epoch(ownership.epoch.0),
    }
}

impl JournalStore {
    fn record(&self, card: NodeCard) -> NodeRecord {
        NodeRecord {
            incarnation: life_of(card.incarnation),
            address: card.address,
            version: self.version.to_owned(),
            weight: card.weight,
            valid_ms: u64::try_from(card.valid.as_millis()).unwrap_or(u64::MAX),
            is_leaving: card.is_leaving,
        }
    }
}

fn seen(node: journal::NodeSeen) -> cluster::NodeSeen {
    let record = node.record;
    cluster::NodeSeen {
        card: NodeCard {
            incarnation: cluster::Incarnation(record.incarnation.0),
            address: record.address,
            weight: record.weight,
            valid: Duration::from_millis(record.valid_ms),
            is_leaving: record.is_leaving,
        },
        last_sign: cluster::Sign(node.last_sign.0),
        age: node.age,
    }
}

impl Store for JournalStore {
    fn ownerships(&self) -> Answer<Vec<cluster::Ownership>> {
        let all = self.journal.ownerships();
        async move { Ok(all.await?.into_iter().map(owned).collect()) }.boxed()
    }

    fn finished(&self) -> Answer<Vec<cluster::SessionId>> {
        let finished = self.journal.finished_sessions();
        async move {
            let finished = finished.await?.into_iter();
            Ok(finished.map(|id| cluster::SessionId(id.number())).collect())
        }
        .boxed()
    }

    fn ownership(&self, session: cluster::SessionId) -> Answer<Option<cluster::Ownership>> {
        let one = self.journal.ownership(session_of(session));
        async move { Ok(one.await?.map(owned)) }.boxed()
    }

    fn claim(
        &self,
        ground: cluster::Ownership,
        to: cluster::Incarnation,
    ) -> Answer<cluster::Epoch, cluster::ClaimError> {
        let claimed = self.journal.claim(journal::Claim {
            session: session_of(ground.session),
            from: ground.owner.map(life_of),
            epoch: journal::Epoch(ground.epoch.0),
            to: life_of(to),
        });
        async move { Ok(cluster::Epoch(claimed.await?.0)) }.boxed()
    }

    fn release(&self, held: cluster::Ownership) -> Answer<(), cluster::ClaimError> {
        let Some(owner) = held.owner else {
            return async { Err(cluster::ClaimError::Lost) }.boxed();
        };
        let epoch = journal::Epoch(held.epoch.0);
        let session = session_of(held.session);
        let released = self.journal.release(session, life_of(owner), epoch);
        async move { Ok(released.await?) }.boxed()
    }

    fn evict(&self, node: cluster::Incarnation) -> Answer<()> {
        let evicted = self.journal.evict(life_of(node));
        async move { Ok(evicted.await?) }.boxed()
    }

    fn join(&self, card: NodeCard) -> Answer<()> {
        let joined = self.journal.join(self.record(card));
        async move { Ok(joined.await?) }.boxed()
    }

    fn beat(&self, card: NodeCard) -> Answer<cluster::Beat> {
        let beat = self.journal.beat(self.record(card));
        async move {
            Ok(match beat.await? {
                journal::Beat::Renewed => cluster::Beat::Renewed,
                journal::Beat::Forgotten => cluster::Beat::Forgotten,
            })
        }
        .boxed()
    }

    fn nodes(&self) -> Answer<Vec<cluster::NodeSeen>> {
        let nodes = self.journal.nodes();
        async move { Ok(nodes.await?.into_iter().map(seen).collect()) }.boxed()
    }

    fn forget(&self, node: cluster::Incarnation, last_sign: Option<cluster::Sign>) -> Answer<bool> {
        let last_sign = last_sign.map(|sign| journal::Sign(sign.0));
        let forgotten = self.journal.forget(life_of(node), last_sign);
        async move { Ok(forgotten.await?) }.boxed()
    }
}
