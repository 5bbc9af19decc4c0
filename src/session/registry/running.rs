//! A session that runs in this process: its handle, the signals that end it, and its exit.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::ids::Epoch;
use crate::session::actor::{SessionExit, SessionHandle};
use crate::session::delivery::Delivery;

/// A running session. Clones share it.
pub(super) struct RunningSession<D: Delivery> {
    pub(super) handle: SessionHandle<D>,
    pub(super) stop: CancellationToken,
    pub(super) abandon: CancellationToken,
    /// None while it runs. Set after it was removed from the registry.
    pub(super) exit: watch::Receiver<Option<SessionExit>>,
}

impl<D: Delivery> Clone for RunningSession<D> {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            stop: self.stop.clone(),
            abandon: self.abandon.clone(),
            exit: self.exit.clone(),
        }
    }
}

impl<D: Delivery> RunningSession<D> {
    /// Whether `exit` reports the exit of this run of the session.
    pub(super) fn exits_through(&self, exit: &watch::Sender<Option<SessionExit>>) -> bool {
        self.exit.same_channel(&exit.subscribe())
    }

    /// Whether it was asked to end.
    pub(super) fn is_ending(&self) -> bool {
        self.stop.is_cancelled() || self.abandon.is_cancelled()
    }

    /// Whether it was asked to end and has not exited yet.
    pub(super) fn is_closing(&self) -> bool {
        self.is_ending() && self.exit.borrow().is_none()
    }

    /// Waits until it has exited and can be opened again. Cancel-safe.
    pub(super) async fn exited(mut self) -> SessionExit {
        let exit = self.exit.wait_for(Option::is_some).await;
        // An error means that the session's task was dropped before it could report an exit.
        exit.map_or(SessionExit::Lost, |exit| {
            exit.expect("the wait ends with an exit")
        })
    }

    /// Stops it and waits for its exit. Returns the epoch in which this process owned it until then.
    pub(super) async fn close(self) -> Option<Epoch> {
        self.stop.cancel();
        match self.exited().await {
            SessionExit::Stopped(epoch) => epoch,
            SessionExit::Lost | SessionExit::Broken => None,
        }
    }

    /// Ends it at once and waits until it releases no more output.
    pub(super) async fn abandon(self) {
        self.abandon.cancel();
        self.exited().await;
    }
}
