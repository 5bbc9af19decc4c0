//! Node selection of a client whose session is served by several nodes.

use std::time::Duration;

use protocol::Update;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::WireClient;
use crate::client::connection::{Connection, Endpoint, OpenError};

/// Maximum number of retained updates. Callers take them after each command, so that more indicate a
/// defect.
const UPDATES_KEPT_MAX: usize = 1 << 20;

/// A node that serves the client's session.
#[derive(Debug)]
pub struct Node {
    pub(super) endpoint: Endpoint,
    /// Result of its health checks, if any.
    is_up: Option<watch::Receiver<bool>>,
}

impl From<Endpoint> for Node {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            is_up: None,
        }
    }
}

impl Node {
    /// A node with health checks: it is skipped while it is down, and an attempt to connect to it ends
    /// when it goes down, as behind a load balancer.
    pub fn checked(endpoint: Endpoint, is_up: watch::Receiver<bool>) -> Self {
        Self {
            endpoint,
            is_up: Some(is_up),
        }
    }

    fn is_up(&self) -> bool {
        self.is_up.as_ref().is_none_or(|is_up| *is_up.borrow())
    }

    /// Waits until the node is down; forever without health checks.
    async fn went_down(&self) {
        if let Some(mut is_up) = self.is_up.clone()
            && is_up.wait_for(|is_up| !is_up).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

impl WireClient {
    /// Adds nodes for failover, tried round-robin after the first one.
    #[must_use]
    pub fn with_other_nodes(mut self, others: impl IntoIterator<Item = impl Into<Node>>) -> Self {
        self.nodes.extend(others.into_iter().map(Into::into));
        self
    }

    /// Sets the idle timeout of connections.
    #[must_use]
    pub fn with_silence_max(mut self, silence_max: Duration) -> Self {
        self.silence_max = Some(silence_max);
        self
    }

    /// Sets the timeout of opening a connection. A node that holds a request until it knows a session's
    /// owner takes longer than the idle timeout.
    #[must_use]
    pub fn with_opening_max(mut self, opening_max: Duration) -> Self {
        self.opening_max = Some(opening_max);
        self
    }

    /// Retains every applied update for `take_updates`.
    #[must_use]
    pub fn with_updates_kept(mut self) -> Self {
        self.kept_updates = Some(Vec::new());
        self
    }

    /// Host and port of the current node.
    pub fn authority(&self) -> &str {
        &self.nodes[self.node].endpoint.authority
    }

    /// When the newest connection was requested; `None` before the first one.
    pub fn connected_at(&self) -> Option<Instant> {
        self.connected_at
    }

    /// When the stream was last interrupted, for any reason.
    pub fn interrupted_at(&self) -> Option<Instant> {
        self.interrupted_at
    }

    /// When a server last closed or refused a connection. Timeouts of the client do not count.
    pub fn turned_away_at(&self) -> Option<Instant> {
        self.turned_away_at
    }

    /// Returns the updates applied since the last call, in order.
    pub fn take_updates(&mut self) -> Vec<Update> {
        self.kept_updates
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Drops the connection as [`cut`](Self::cut) does, and selects the next node.
    pub fn move_on(&mut self) {
        self.cut();
        self.next_node();
    }

    pub(super) fn next_node(&mut self) {
        self.node = (self.node + 1) % self.nodes.len();
    }

    /// Connects to the current node, or to the next one that is up. If none is up, the health checks are
    /// ignored.
    pub(super) async fn open(&mut self) -> Result<Connection, OpenError> {
        let all = 0..self.nodes.len();
        let places = all.map(|place| (self.node + place) % self.nodes.len());
        let up = places.clone().find(|place| self.nodes[*place].is_up());
        self.node = up.unwrap_or(self.node);
        let node = &self.nodes[self.node];
        let opening = async {
            let opening = Connection::open(&node.endpoint);
            match self.opening_max {
                Some(opening_max) => timeout(opening_max, opening)
                    .await
                    .unwrap_or(Err(OpenError::Late)),
                None => opening.await,
            }
        };
        tokio::select! {
            opened = opening => opened,
            () = node.went_down(), if up.is_some() => Err(OpenError::Late),
        }
    }

    pub(super) fn retain_update(&mut self, update: Update) {
        if let Some(kept) = &mut self.kept_updates {
            assert!(kept.len() < UPDATES_KEPT_MAX, "nobody takes the updates");
            kept.push(update);
        }
    }
}
