//! A session that runs here: how it is reached, and how it is ended and waited for.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::delivery::Delivery;
use super::handle::SessionHandle;
use super::supervisor::{Condition, Departure};
use crate::journal::{Epoch, SessionId};

/// A session that this server runs, with what ends it. Clones share it.
pub(super) struct Open<D: Delivery> {
    pub(super) handle: SessionHandle<D>,
    pub(super) condition: watch::Receiver<Condition>,
    pub(super) stop: CancellationToken,
    pub(super) abandon: CancellationToken,
    /// How it ended; none while it runs.
    pub(super) departed: watch::Receiver<Option<Departure>>,
}

impl<D: Delivery> Clone for Open<D> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            condition: self.condition.clone(),
            stop: self.stop.clone(),
            abandon: self.abandon.clone(),
            departed: self.departed.clone(),
        }
    }
}

impl<D: Delivery> Open<D> {
    pub(super) fn id(&self) -> SessionId {
        self.handle.id()
    }

    pub(super) fn is_of(&self, departing: &watch::Sender<Option<Departure>>) -> bool {
        self.departed.same_channel(&departing.subscribe())
    }

    /// Waits until it has been recovered, or will not be before somebody acts, or has ended.
    pub(super) async fn opened(&mut self) {
        let is_settled = |condition: &Condition| *condition != Condition::Recovering;
        // An error means that the session's task ended: it has logged why.
        drop(self.condition.wait_for(is_settled).await);
    }

    /// Whether it was told to end.
    pub(super) fn is_ending(&self) -> bool {
        self.stop.is_cancelled() || self.abandon.is_cancelled()
    }

    /// Whether it was told to end and has not ended yet.
    pub(super) fn is_closing(&self) -> bool {
        self.is_ending() && self.departed.borrow().is_none()
    }

    /// Waits until it has ended, and can be opened anew.
    pub(super) async fn ended(mut self) {
        self.departed().await;
    }

    /// Stops it and waits for its end; the epoch in which it was owned until then.
    pub(super) async fn close(mut self) -> Option<Epoch> {
        self.stop.cancel();
        match self.departed().await {
            Departure::Stopped(epoch) => epoch,
            Departure::Lost | Departure::Broken => None,
        }
    }

    /// Throws it away and waits until nothing of it is let out any more.
    pub(super) async fn abandon(mut self) {
        self.abandon.cancel();
        self.departed().await;
    }

    async fn departed(&mut self) -> Departure {
        let departed = self.departed.wait_for(Option::is_some).await;
        // Without a word its task was dropped, and the session with it.
        departed.map_or(Departure::Lost, |departed| {
            departed.expect("it was waited for")
        })
    }
}
