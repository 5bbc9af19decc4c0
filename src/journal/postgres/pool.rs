//! The connections for everything that is neither an append nor a heartbeat.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::connect::Connector;
use super::path::PathMonitor;
use super::queries::Query;

/// Runs queries, each on a connection of its own.
pub(super) struct Pool {
    connector: Connector,
    connections_max: u32,
    /// Timeout of a query.
    answer_max: Duration,
    path: PathMonitor,
    current: Mutex<Current>,
    /// Runs every query: pooled connections outlive the runtime of a single caller.
    runtime: Handle,
    /// Pending queries. As many run as there are connections; callers bound how many wait.
    queries: TaskTracker,
}

#[derive(Clone)]
struct Current {
    connections: PgPool,
    opened_at: Instant,
}

impl Pool {
    /// Opens no connection yet. Queries run on the current runtime.
    pub(super) fn new(
        connector: Connector,
        connections_max: u32,
        answer_max: Duration,
        path: PathMonitor,
    ) -> Self {
        let current = Current {
            connections: connector.pool(connections_max),
            opened_at: Instant::now(),
        };
        Self {
            connector,
            connections_max,
            answer_max,
            path,
            current: Mutex::new(current),
            runtime: Handle::current(),
            queries: TaskTracker::new(),
        }
    }

    /// Runs a query in a task of its own, so that a dropped future does not leave a connection in the
    /// middle of a query.
    pub(super) fn run<T: Send + 'static>(
        &self,
        query: impl for<'c> FnOnce(&'c mut PgConnection) -> Query<'c, T> + Send + 'static,
    ) -> impl Future<Output = Result<T, sqlx::Error>> + Send + 'static {
        let Current {
            connections,
            opened_at,
        } = self.current();
        let (answer_max, path) = (self.answer_max, self.path.clone());
        let querying = async move {
            let suspect = || timed_out("a newer connection reached the server".to_owned());
            let mut connection = tokio::select! {
                connection = connections.acquire() => connection?,
                () = path.grace_over(opened_at) => return Err(suspect()),
            };
            let answer = tokio::select! {
                answer = timeout(answer_max, query(&mut connection)) => {
                    answer.map_err(|_| timed_out(format!("no answer within {answer_max:?}")))
                }
                () = path.grace_over(opened_at) => Err(suspect()),
            };
            answer.unwrap_or_else(|error| {
                // Dropped without a graceful close: a late answer must reach no other query.
                drop(connection.detach());
                Err(error)
            })
        };
        let running = self.queries.spawn_on(querying, &self.runtime);
        async move { running.await.unwrap_or(Err(sqlx::Error::WorkerCrashed)) }
    }

    /// Waits for pending queries and closes the connections.
    pub(super) async fn close(&self) {
        self.queries.close();
        self.queries.wait().await;
        let Current { connections, .. } = self.current();
        connections.close().await;
    }

    /// The current connections; replaced if they are suspect. Pending queries keep theirs.
    fn current(&self) -> Current {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if self.path.is_suspect(current.opened_at) {
            tracing::warn!("the journal's connections may be dead; new ones are opened");
            *current = Current {
                connections: self.connector.pool(self.connections_max),
                opened_at: Instant::now(),
            };
        }
        current.clone()
    }
}

fn timed_out(message: String) -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, message).into()
}
