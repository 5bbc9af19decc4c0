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
use crate::cluster::{self, Answer, Era, Host, Store, StoreError};
use crate::ids::{
    Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};
use crate::journal::{self, Journal, JournalError};

/// How long the cluster waits for a session that it has opened; the session goes on recovering.
const OPENING_MAX: Duration = Duration::from_secs(5);

/// The journal as the store that arbitrates between nodes.
pub struct JournalStore(pub Arc<dyn Journal>);

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

/// The journal's answer with the error as the cluster declares it.
fn converted<T: Send + 'static, E: Send + 'static, F: From<E>>(
    answer: journal::Answer<T, E>,
) -> Answer<T, F> {
    answer.map(|outcome| outcome.map_err(F::from)).boxed()
}

impl Store for JournalStore {
    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        converted(self.0.ownerships())
    }

    fn finished(&self) -> Answer<Vec<SessionId>> {
        converted(self.0.finished_sessions())
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        converted(self.0.ownership(session))
    }

    fn claim(&self, expected: Ownership, to: Incarnation) -> Answer<Epoch, cluster::ClaimError> {
        converted(self.0.claim(expected.claim_for(to)))
    }

    fn release(&self, held: Ownership) -> Answer<(), cluster::ClaimError> {
        let Some(owner) = held.owner else {
            return async { Err(cluster::ClaimError::Lost) }.boxed();
        };
        converted(self.0.release(held.session, owner, held.epoch))
    }

    fn evict(&self, node: Incarnation) -> Answer<()> {
        converted(self.0.terminate_connections(node))
    }

    fn join(&self, node: NodeRecord) -> Answer<()> {
        converted(self.0.join(node))
    }

    fn beat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        converted(self.0.heartbeat(node))
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        converted(self.0.nodes())
    }

    fn forget(&self, node: Incarnation, last: Option<HeartbeatSeq>) -> Answer<bool> {
        converted(self.0.remove(node, last))
    }
}

impl<D: Delivery> Sessions<D> {
    /// A session that is about to end here: whoever asks for it from now on finds out where it goes.
    fn take_out(&self, session: SessionId) -> Option<Open<D>> {
        let held = self
            .running()
            .into_iter()
            .find(|open| open.id() == session)?;
        self.let_go(&held);
        Some(held)
    }
}

/// Stops a session that was taken out; the epoch in which it was owned to the end.
fn closed<D: Delivery>(held: Option<Open<D>>) -> BoxFuture<'static, Option<Epoch>> {
    async move { held?.close().await }.boxed()
}

impl<D: Delivery> Host for Sessions<D> {
    fn held(&self) -> Vec<SessionId> {
        let running = self.running();
        running.iter().map(Open::id).collect()
    }

    fn broken(&self) -> Vec<SessionId> {
        let running = self.running();
        let broken = running.iter().filter(|open| open.handle.is_broken());
        broken.map(Open::id).collect()
    }

    fn unneeded(&self) -> Vec<SessionId> {
        let unneeded = Self::unneeded(self).into_iter();
        unneeded.map(|record| record.id).collect()
    }

    fn holds(&self, session: SessionId) -> bool {
        // In this order: it is a newborn until it runs.
        self.is_being_created(session) || self.running().iter().any(|open| open.id() == session)
    }

    fn open(&self, session: SessionId, epoch: Epoch, era: Era) -> BoxFuture<'static, ()> {
        let this = self.clone();
        async move {
            let found = this.directory().by_id(session).await;
            let record = match found {
                Ok(Some(record)) => record,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(session.id = %session, %error, "a session that was claimed is not open");
                    return;
                }
            };
            let hunt = match this.directory().hunt(&record).await {
                Ok(hunt) => hunt,
                Err(error) => {
                    tracing::error!(session.id = %session, %error, "a session that was claimed is not open");
                    return;
                }
            };
            let tenure = Tenure::Claimed(epoch);
            let Some(mut open) = Self::open(&this, record, hunt, tenure, era) else {
                tracing::warn!(session.id = %session, "this node was taken for dead since its claim");
                return;
            };
            // If it takes longer, the session goes on by itself.
            drop(timeout(OPENING_MAX, open.opened()).await);
        }
        .boxed()
    }

    fn close(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>> {
        closed(self.take_out(session))
    }

    fn retire(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>> {
        closed(self.let_go_if_unneeded(session))
    }

    fn abandon(&self, session: SessionId) -> BoxFuture<'static, ()> {
        let held = self.take_out(session);
        async move {
            if let Some(held) = held {
                held.abandon().await;
            }
        }
        .boxed()
    }
}
