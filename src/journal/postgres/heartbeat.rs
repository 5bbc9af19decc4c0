//! The connection for heartbeats: one, on the runtime that polls them.
//!
//! A socket belongs to the runtime that opened it, and pooled connections serve requests in order. A
//! heartbeat must not wait for other work, so its connection is opened where the heartbeat is polled and
//! used for nothing else. A heartbeat that is dropped takes its connection along: the server's machine may
//! have vanished, while a new connection reaches its replacement.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::PgConnection;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::connect::{ConnectError, Connector};
use super::ownership;
use super::path::PathMonitor;
use crate::ids::{HeartbeatOutcome, NodeRecord};

/// Sends heartbeats, one after the other.
pub(super) struct Heartbeats {
    connector: Connector,
    path: PathMonitor,
    link: Mutex<Link>,
}

type Connecting = BoxFuture<'static, Result<PgConnection, ConnectError>>;

#[derive(Default)]
struct Link {
    /// `None` while a heartbeat uses it.
    open: Option<PgConnection>,
    /// When the connection was requested.
    requested_at: Option<Instant>,
    /// Whether the last heartbeat over a connection was dropped before its answer.
    was_dropped: bool,
    /// Kept when a heartbeat is dropped: connecting to a slow server may take longer than a heartbeat's
    /// timeout, and has its own.
    connecting: Option<Connecting>,
}

impl Heartbeats {
    /// Reports to `path` when a heartbeat succeeds after one that was dropped.
    pub(super) fn new(connector: Connector, path: PathMonitor) -> Self {
        Self {
            connector,
            path,
            link: Mutex::default(),
        }
    }

    /// Sends one heartbeat. Dropping the future closes its connection.
    pub(super) async fn send(&self, node: NodeRecord) -> Result<HeartbeatOutcome, ConnectError> {
        let mut link = self.link.lock().await;
        let mut connection = link.take_connection(&self.connector).await?;
        let was_dropped = std::mem::replace(&mut link.was_dropped, true);
        let outcome = ownership::heartbeat(&mut connection, node).await;
        link.was_dropped = false;
        let outcome = outcome?;
        if let Some(requested_at) = link.requested_at.filter(|_| was_dropped) {
            self.path.mark_reachable(requested_at);
        }
        link.open = Some(connection);
        Ok(outcome)
    }

    /// Drops the connection without a graceful close: its runtime may be gone.
    pub(super) async fn close(&self) {
        *self.link.lock().await = Link::default();
    }
}

impl Link {
    /// Takes the connection, or opens one. Cancel-safe.
    async fn take_connection(
        &mut self,
        connector: &Connector,
    ) -> Result<PgConnection, ConnectError> {
        if let Some(connection) = self.open.take() {
            return Ok(connection);
        }
        let requested_at = &mut self.requested_at;
        let connecting = self.connecting.get_or_insert_with(|| {
            *requested_at = Some(Instant::now());
            let connector = connector.clone();
            async move { connector.heartbeat().await }.boxed()
        });
        let connected = connecting.await;
        self.connecting = None;
        connected
    }
}
