//! What the cluster asks of the journal and of the sessions, answered: only the names of things
//! change on the way.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::delivery::Delivery;
use super::open::Open;
use super::registry::Sessions;
use super::supervisor::Tenure;
use crate::cluster::{self, Answer, Era, Host, NodeCard, Store, StoreError};
use crate::journal::{self, Journal, JournalError, NodeRecord};

/// How long the cluster waits for a session that it has opened; the session goes on recovering.
const OPENING_MAX: Duration = Duration::from_secs(5);

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

fn session_of(session: cluster::SessionId) -> journal::SessionId {
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
            valid_ms: u64::try_from(card.lease.as_millis()).unwrap_or(u64::MAX),
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
            lease: Duration::from_millis(record.valid_ms),
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

impl<D: Delivery> Sessions<D> {
    /// A session that is about to end here: whoever asks for it from now on finds out where it goes.
    fn take_out(&self, session: cluster::SessionId) -> Option<Open<D>> {
        let id = session_of(session);
        let held = self.running().into_iter().find(|open| open.id() == id)?;
        self.let_go(&held);
        Some(held)
    }
}

/// Stops a session that was taken out; the epoch in which it was owned to the end.
fn closed<D: Delivery>(held: Option<Open<D>>) -> BoxFuture<'static, Option<cluster::Epoch>> {
    async move {
        let epoch = held?.close().await?;
        Some(cluster::Epoch(epoch.0))
    }
    .boxed()
}

impl<D: Delivery> Host for Sessions<D> {
    fn held(&self) -> Vec<cluster::SessionId> {
        let running = self.running();
        let ids = running.iter().map(|open| open.id().number());
        ids.map(cluster::SessionId).collect()
    }

    fn broken(&self) -> Vec<cluster::SessionId> {
        let running = self.running();
        let broken = running.iter().filter(|open| open.handle.is_broken());
        let ids = broken.map(|open| open.id().number());
        ids.map(cluster::SessionId).collect()
    }

    fn unneeded(&self) -> Vec<cluster::SessionId> {
        let unneeded = Self::unneeded(self).into_iter();
        unneeded
            .map(|record| cluster::SessionId(record.id.number()))
            .collect()
    }

    fn holds(&self, session: cluster::SessionId) -> bool {
        let id = session_of(session);
        // In this order: it is a newborn until it runs.
        self.is_being_created(id) || self.running().iter().any(|open| open.id() == id)
    }

    fn open(
        &self,
        session: cluster::SessionId,
        epoch: cluster::Epoch,
        era: Era,
    ) -> BoxFuture<'static, ()> {
        let this = self.clone();
        let id = session_of(session);
        async move {
            let found = this.directory().by_id(id).await;
            let record = match found {
                Ok(Some(record)) => record,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(session.id = %id, %error, "a session that was claimed is not open");
                    return;
                }
            };
            let hunt = match this.directory().hunt(&record).await {
                Ok(hunt) => hunt,
                Err(error) => {
                    tracing::error!(session.id = %id, %error, "a session that was claimed is not open");
                    return;
                }
            };
            let tenure = Tenure::Claimed(journal::Epoch(epoch.0));
            let Some(mut open) = Self::open(&this, record, hunt, tenure, era) else {
                tracing::warn!(session.id = %id, "this node was taken for dead since its claim");
                return;
            };
            // If it takes longer, the session goes on by itself.
            drop(timeout(OPENING_MAX, open.opened()).await);
        }
        .boxed()
    }

    fn close(&self, session: cluster::SessionId) -> BoxFuture<'static, Option<cluster::Epoch>> {
        closed(self.take_out(session))
    }

    fn retire(&self, session: cluster::SessionId) -> BoxFuture<'static, Option<cluster::Epoch>> {
        closed(self.let_go_if_unneeded(session_of(session)))
    }

    fn abandon(&self, session: cluster::SessionId) -> BoxFuture<'static, ()> {
        let held = self.take_out(session);
        async move {
            if let Some(held) = held {
                held.abandon().await;
            }
        }
        .boxed()
    }
}
