//! A client of a session that several nodes serve: where it connects, and what others want to know
//! of that.

use std::time::Duration;

use protocol::Update;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::WireClient;
use crate::client::connection::{Connection, Endpoint, OpenError};

/// Updates that are kept until they are taken. Whoever keeps them takes them after each command, so
/// that more than this means a defect.
const UPDATES_KEPT_MAX: usize = 1 << 20;

/// A place where a client's session can be reached.
#[derive(Debug)]
pub struct Node {
    pub(super) endpoint: Endpoint,
    /// Whether it answers, if somebody checks that.
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
    /// A node that somebody checks: it is left out while it is not up, and an attempt to connect to it
    /// ends when that is found out, as behind a load balancer.
    pub fn checked(endpoint: Endpoint, is_up: watch::Receiver<bool>) -> Self {
        Self {
            endpoint,
            is_up: Some(is_up),
        }
    }

    fn is_up(&self) -> bool {
        self.is_up.as_ref().is_none_or(|is_up| *is_up.borrow())
    }

    /// Returns once it is not up; never if nobody checks it.
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
    /// The same client, but when a node is gone it turns to the next of these, and so on in a
    /// circle. The one that it was made with comes first.
    #[must_use]
    pub fn with_other_nodes(mut self, others: impl IntoIterator<Item = impl Into<Node>>) -> Self {
        self.nodes.extend(others.into_iter().map(Into::into));
        self
    }

    /// The same client, but a connection on which nothing comes for so long counts as dead.
    #[must_use]
    pub fn with_silence_max(mut self, silence_max: Duration) -> Self {
        self.silence_max = Some(silence_max);
        self
    }

    /// The same client, but a connection that is not open within so long is given up. A node that holds a
    /// request until it knows a session's owner takes longer than it is silent on an open connection.
    #[must_use]
    pub fn with_opening_max(mut self, opening_max: Duration) -> Self {
        self.opening_max = Some(opening_max);
        self
    }

    /// The same client, but every update that it applies can be taken afterwards.
    #[must_use]
    pub fn with_updates_kept(mut self) -> Self {
        self.kept_updates = Some(Vec::new());
        self
    }

    /// The host and port that it uses now.
    pub fn authority(&self) -> &str {
        &self.nodes[self.node].endpoint.authority
    }

    /// When the newest connection was asked for; none before the first one.
    pub fn connected_at(&self) -> Option<Instant> {
        self.connected_at
    }

    /// When it last noticed that its stream had ended, for whatever reason.
    pub fn interrupted_at(&self) -> Option<Instant> {
        self.interrupted_at
    }

    /// When a server last told it to come back: by a close, or by refusing a connection. What it gave up
    /// itself is not among that.
    pub fn turned_away_at(&self) -> Option<Instant> {
        self.turned_away_at
    }

    /// The updates that were applied since the last call, in order.
    pub fn take_updates(&mut self) -> Vec<Update> {
        self.kept_updates
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    }

    /// Cuts the connection as [`cut`](Self::cut) does, and turns to the next node.
    pub fn move_on(&mut self) {
        self.cut();
        self.next_node();
    }

    pub(super) fn next_node(&mut self) {
        self.node = (self.node + 1) % self.nodes.len();
    }

    /// Opens a connection to the node that is used now, or to the next one that is up. If none is, all are
    /// taken for up: then the check says nothing.
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
