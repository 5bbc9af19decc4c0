//! Connections for everything that is neither an append nor a beat.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgPool;
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::connect::Connector;
use super::queries::Query;
use super::way::Way;

/// Runs queries, each on a connection of its own.
pub(super) struct Pool {
    connector: Connector,
    connections_max: u32,
    /// How long the server may take to answer.
    answer_max: Duration,
    way: Way,
    current: Mutex<Current>,
    /// Where queries run, whoever asks: a pool's connections outlive the runtime of a single caller.
    runtime: Handle,
    /// Queries under way. As many run as there are connections; the callers bound how many wait.
    queries: TaskTracker,
}

#[derive(Clone)]
struct Current {
    connections: PgPool,
    made_at: Instant,
}

impl Pool {
    /// No connections yet. Queries run on the current runtime.
    pub(super) fn new(
        connector: Connector,
        connections_max: u32,
        answer_max: Duration,
        way: Way,
    ) -> Self {
        let current = Current {
            connections: connector.pool(connections_max),
            made_at: Instant::now(),
        };
        Self {
            connector,
            connections_max,
            answer_max,
            way,
            current: Mutex::new(current),
            runtime: Handle::current(),
            queries: TaskTracker::new(),
        }
    }

    /// Runs a query in a task of its own: whoever gives up its answer leaves no connection behind in the
    /// middle of one.
    pub(super) fn run<T: Send + 'static>(
        &self,
        query: impl for<'c> FnOnce(&'c mut PgConnection) -> Query<'c, T> + Send + 'static,
    ) -> impl Future<Output = Result<T, sqlx::Error>> + Send + 'static {
        let Current {
            connections,
            made_at,
        } = self.current();
        let (answer_max, way) = (self.answer_max, self.way.clone());
        let querying = async move {
            let given_up = || late("the server was reached another way meanwhile".to_owned());
            let mut connection = tokio::select! {
                connection = connections.acquire() => connection?,
                () = way.given_up(made_at) => return Err(given_up()),
            };
            let answer = tokio::select! {
                answer = timeout(answer_max, query(&mut connection)) => {
                    answer.map_err(|_| late(format!("no answer within {answer_max:?}")))
                }
                () = way.given_up(made_at) => Err(given_up()),
            };
            answer.unwrap_or_else(|late| {
                // Dropped without a goodbye: what the server may still answer is nobody's.
                drop(connection.detach());
                Err(late)
            })
        };
        let running = self.queries.spawn_on(querying, &self.runtime);
        async move { running.await.unwrap_or(Err(sqlx::Error::WorkerCrashed)) }
    }

    /// Waits for the queries under way, and closes the connections.
    pub(super) async fn close(&self) {
        self.queries.close();
        self.queries.wait().await;
        let Current { connections, .. } = self.current();
        connections.close().await;
    }

    /// The connections; others, if these may lead nowhere. Queries under way keep theirs.
    fn current(&self) -> Current {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if self.way.is_suspect(current.made_at) {
            tracing::warn!("the journal's connections may lead nowhere; others are made");
            *current = Current {
                connections: self.connector.pool(self.connections_max),
                made_at: Instant::now(),
            };
        }
        current.clone()
    }
}

fn late(message: String) -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, message).into()
}
