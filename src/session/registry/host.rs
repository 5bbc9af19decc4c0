//! The sessions as the cluster's host: opens sessions that this node claimed, and closes those that it
//! hands off, retires or lost.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::running::RunningSession;
use super::sessions::Sessions;
use crate::cluster::{Host, LeaseTerm};
use crate::ids::{Epoch, SessionId};
use crate::session::delivery::Delivery;

/// How long `open` waits for a session's recovery; the recovery continues afterwards.
const OPENING_MAX: Duration = Duration::from_secs(5);

impl<D: Delivery> Host for Sessions<D> {
    fn running(&self) -> Vec<SessionId> {
        let running = self.shared.running.iter();
        running.map(|session| *session.key()).collect()
    }

    fn broken(&self) -> Vec<SessionId> {
        let running = self.shared.running.iter();
        let broken = running.filter(|session| session.handle.is_broken());
        broken.map(|session| *session.key()).collect()
    }

    fn retirable(&self) -> Vec<SessionId> {
        self.retirable()
    }

    fn holds(&self, session: SessionId) -> bool {
        // In this order: a session is listed as being created until it runs.
        self.shared.creating.contains(&session) || self.shared.running.contains_key(&session)
    }

    fn open(&self, session: SessionId, epoch: Epoch, term: LeaseTerm) -> BoxFuture<'static, ()> {
        let sessions = self.clone();
        async move { open_claimed(&sessions, session, epoch, term).await }.boxed()
    }

    fn close(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>> {
        close(self.remove(session))
    }

    fn retire(&self, session: SessionId) -> BoxFuture<'static, Option<Epoch>> {
        close(self.remove_if_retirable(session))
    }

    fn abandon(&self, session: SessionId) -> BoxFuture<'static, ()> {
        let removed = self.remove(session);
        async move {
            if let Some(session) = removed {
                session.abandon().await;
            }
        }
        .boxed()
    }
}

async fn open_claimed<D: Delivery>(
    sessions: &Sessions<D>,
    id: SessionId,
    epoch: Epoch,
    term: LeaseTerm,
) {
    let catalogue = &sessions.shared.catalogue;
    let record = match catalogue.by_id(id).await {
        Ok(Some(record)) => record,
        Ok(None) => return,
        Err(error) => {
            tracing::warn!(session.id = %id, %error, "could not open a claimed session");
            return;
        }
    };
    let hunt = match catalogue.hunt(&record).await {
        Ok(hunt) => hunt,
        Err(error) => {
            tracing::error!(session.id = %id, %error, "could not open a claimed session");
            return;
        }
    };
    let Some(session) = sessions.open(record, hunt, Some(epoch), term) else {
        tracing::warn!(
            session.id = %id,
            "did not open a claimed session: this node was declared dead after the claim"
        );
        return;
    };
    drop(timeout(OPENING_MAX, session.handle.recovered()).await);
}

/// Stops a session that was removed. Returns the epoch in which this node owned it until then.
fn close<D: Delivery>(removed: Option<RunningSession<D>>) -> BoxFuture<'static, Option<Epoch>> {
    async move { removed?.close().await }.boxed()
}
