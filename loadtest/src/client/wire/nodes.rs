//! A client of a session that several nodes serve: where it connects, and what others want to know
//! of that.

use std::time::Duration;

use protocol::Update;
use tokio::time::Instant;

use super::WireClient;
use crate::client::connection::Endpoint;

/// Updates that are kept until they are taken. Whoever keeps them takes them after each command, so
/// that more than this means a defect.
const UPDATES_KEPT_MAX: usize = 1 << 20;

impl WireClient {
    /// The same client, but when a node is gone it turns to the next of these, and so on in a
    /// circle. The one that it was made with comes first.
    #[must_use]
    pub fn with_other_nodes(mut self, others: impl IntoIterator<Item = Endpoint>) -> Self {
        self.endpoints.extend(others);
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
        &self.endpoints[self.node].authority
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
    pub fn told_at(&self) -> Option<Instant> {
        self.told_at
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
        self.node = (self.node + 1) % self.endpoints.len();
    }

    pub(super) fn keep(&mut self, update: Update) {
        if let Some(kept) = &mut self.kept_updates {
            assert!(kept.len() < UPDATES_KEPT_MAX, "nobody takes the updates");
            kept.push(update);
        }
    }
}
