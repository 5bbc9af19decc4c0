//! The journal as the cluster's store: forwards calls and converts errors. It decides nothing.

use std::sync::Arc;

use futures_util::FutureExt;

use crate::cluster::{self, Answer, Store, StoreError};
use crate::ids::{
    Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};
use crate::journal::{self, Journal, JournalError};

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

    fn terminate_connections(&self, node: Incarnation) -> Answer<()> {
        converted(self.0.terminate_connections(node))
    }

    fn join(&self, node: NodeRecord) -> Answer<()> {
        converted(self.0.join(node))
    }

    fn heartbeat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        converted(self.0.heartbeat(node))
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        converted(self.0.nodes())
    }

    fn remove(&self, node: Incarnation, last: Option<HeartbeatSeq>) -> Answer<bool> {
        converted(self.0.remove(node, last))
    }
}
