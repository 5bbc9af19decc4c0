//! The connection for beats: one, on the runtime of whoever beats.
//!
//! A socket belongs to the runtime that opened it, and a pool's connections belong to whichever came
//! first. A beat must wait for nobody else's work, so its connection is opened where the beat is polled
//! and used for nothing else. A beat that is given up takes the connection along: the server's machine
//! may have vanished without a word, while a new connection reaches the one that took its place.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::PgConnection;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::{HeartbeatOutcome, NodeRecord};
use super::connect::{ConnectError, Connector};
use super::ownership;
use super::way::Way;

/// Beats, one after the other.
pub(super) struct Heart {
    connector: Connector,
    way: Way,
    link: Mutex<Link>,
}

type Connecting = BoxFuture<'static, Result<PgConnection, ConnectError>>;

#[derive(Default)]
struct Link {
    /// Nothing while a beat is under way.
    open: Option<PgConnection>,
    /// When the connection was asked for.
    asked_at: Option<Instant>,
    /// Whether the last beat over a connection was dropped before its answer.
    was_dropped: bool,
    /// Kept over beats that are given up meanwhile: connecting to a slow server may take longer than
    /// one of them, and has a bound of its own.
    connecting: Option<Connecting>,
}

impl Heart {
    /// Tells the way when a beat gets through after one that was given up.
    pub(super) fn new(connector: Connector, way: Way) -> Self {
        Self {
            connector,
            way,
            link: Mutex::default(),
        }
    }

    /// One beat. Dropping it gives up its connection.
    pub(super) async fn beat(&self, node: NodeRecord) -> Result<HeartbeatOutcome, ConnectError> {
        let mut link = self.link.lock().await;
        let mut connection = link.take(&self.connector).await?;
        let was_dropped = std::mem::replace(&mut link.was_dropped, true);
        let beat = ownership::beat(&mut connection, node).await;
        link.was_dropped = false;
        let beat = beat?;
        if let Some(asked_at) = link.asked_at.filter(|_| was_dropped) {
            self.way.found(asked_at);
        }
        link.open = Some(connection);
        Ok(beat)
    }

    /// Lets go of the connection, without a goodbye: the runtime that it belongs to may be gone.
    pub(super) async fn close(&self) {
        *self.link.lock().await = Link::default();
    }
}

impl Link {
    /// The connection; makes one if there is none. Cancel-safe.
    async fn take(&mut self, connector: &Connector) -> Result<PgConnection, ConnectError> {
        if let Some(connection) = self.open.take() {
            return Ok(connection);
        }
        let asked_at = &mut self.asked_at;
        let connecting = self.connecting.get_or_insert_with(|| {
            *asked_at = Some(Instant::now());
            let connector = connector.clone();
            async move { connector.heart().await }.boxed()
        });
        let connected = connecting.await;
        self.connecting = None;
        connected
    }
}
