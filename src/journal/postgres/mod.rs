//! The journal in PostgreSQL, which many nodes share.
//!
//! A few connections append (`lane`): each writes the waiting batches of many sessions in one statement,
//! fenced by the owner and epoch of each session (`append`). A pool serves all other calls (`pool`), and
//! heartbeats have their own connection (`heartbeat`), so that a busy node is not declared dead. The
//! connections' application name is the node's incarnation, so that other nodes can terminate them.
//!
//! Never here: changing the schema at start (`schema` refuses it).

mod append;
mod calls;
mod connect;
mod group;
mod heartbeat;
mod lane;
mod lineage;
mod notices;
mod ownership;
mod path;
mod pool;
mod queries;
mod schema;
mod snapshots;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, JournalError};
use super::ledger::ClaimError;
use crate::ids::{Incarnation, SessionId};
use connect::Connector;
use group::{Append, FlushMax};
use heartbeat::Heartbeats;
use lane::{Lane, Link};
use path::PathMonitor;
use pool::Pool;
use queries::Query;
pub use schema::{SchemaError, SchemaStatus, SchemaStep};

/// Batches queued for one lane. Each session bounds its pending appends, so that only many sessions
/// together fill the queue; then their appends wait in call order.
const LANE_JOBS_MAX: usize = 8_192;

/// How a PostgreSQL journal is opened.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Address of the server, role and password.
    pub connect: PgConnectOptions,
    /// This process; names its connections.
    pub incarnation: Incarnation,
    /// Connections that append.
    pub lanes: usize,
    /// Connections of the pool.
    pub connections_max: u32,
    /// Batches per flush at most.
    pub flush_batches_max: usize,
    /// Bytes of events per flush at most; a larger batch is flushed alone.
    pub flush_bytes_max: usize,
    /// Timeout of connecting.
    pub connect_max: Duration,
    /// Timeout of every query and append.
    pub answer_max: Duration,
}

impl PostgresOptions {
    /// The defaults of `config/default.toml` for a server.
    pub fn new(connect: PgConnectOptions, incarnation: Incarnation) -> Self {
        Self {
            connect,
            incarnation,
            lanes: 2,
            connections_max: 8,
            flush_batches_max: 512,
            flush_bytes_max: 4 << 20,
            connect_max: Duration::from_secs(5),
            answer_max: Duration::from_secs(30),
        }
    }

    fn connector(&self) -> Connector {
        Connector::new(self.connect.clone(), self.incarnation, self.connect_max)
    }
}

/// A journal in PostgreSQL. Clones share it.
#[derive(Clone)]
pub struct PostgresJournal {
    shared: Arc<Shared>,
}

struct Shared {
    lanes: Vec<mpsc::Sender<Append>>,
    lane_tasks: Mutex<JoinSet<()>>,
    pool: Pool,
    heartbeats: Heartbeats,
    stop: CancellationToken,
}

impl PostgresJournal {
    /// The statement that appends batches without names, for measuring its cost without the lanes. Its
    /// arguments are those that [`append`](super::Ledger::append) sends; its rows are the sessions that
    /// were not written.
    pub const APPEND_STATEMENT: &str = append::APPEND;

    /// Connects to a server and checks it.
    ///
    /// Fails if it cannot be reached, if its schema is not this program's (see
    /// [`migrate`](Self::migrate)), or if its settings or its history make it unsafe.
    pub async fn open(options: PostgresOptions) -> Result<Self, JournalError> {
        let connector = options.connector();
        let mut link = Link::open(&connector).await.map_err(failed("open"))?;
        let connection = &mut link.connection;
        let status = schema::status(connection).await;
        let status = status.map_err(failed("open"))?.map_err(failed("open"))?;
        status.check().map_err(failed("open"))?;
        let checked = lineage::check(connection).await;
        checked.map_err(failed("open"))?;

        let flush_max = FlushMax {
            batches: options.flush_batches_max,
            bytes: options.flush_bytes_max,
        };
        let (stop, path) = (CancellationToken::new(), PathMonitor::new());
        let mut lanes = Vec::with_capacity(options.lanes);
        let mut lane_tasks = JoinSet::new();
        let mut first = Some(link);
        for _ in 0..options.lanes {
            let link = match first.take() {
                Some(first) => first,
                None => Link::open(&connector).await.map_err(failed("open"))?,
            };
            let (jobs, waiting) = mpsc::channel(LANE_JOBS_MAX);
            let answer_max = options.answer_max;
            let lane = Lane::new(connector.clone(), flush_max, answer_max, path.clone(), link);
            lane_tasks.spawn(lane.run(waiting, stop.clone()));
            lanes.push(jobs);
        }
        let shared = Shared {
            lanes,
            lane_tasks: Mutex::new(lane_tasks),
            pool: Pool::new(
                connector.clone(),
                options.connections_max,
                options.answer_max,
                path.clone(),
            ),
            heartbeats: Heartbeats::new(connector, path),
            stop,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Compares a database's schema with this program's.
    pub async fn schema(options: &PostgresOptions) -> Result<SchemaStatus, JournalError> {
        const ACTION: &str = "read the schema";
        let connected = options.connector().single().await;
        let mut connection = connected.map_err(failed(ACTION))?;
        let status = schema::status(&mut connection).await;
        status.map_err(failed(ACTION))?.map_err(failed(ACTION))
    }

    /// Applies the missing steps of the schema. Refuses a database with the schema of an earlier version.
    pub async fn migrate(options: &PostgresOptions) -> Result<(), JournalError> {
        let connected = options.connector().single().await;
        let mut connection = connected.map_err(failed("change the schema"))?;
        let status = schema::status(&mut connection).await;
        let status = status.map_err(failed("change the schema"))?;
        status.map_err(failed("change the schema"))?;
        let applied = schema::apply(&mut connection).await;
        applied.map_err(failed("change the schema"))
    }

    /// Raises the generation of every stream, accepts the server's current lineage, and returns the new
    /// generation. Refused while nodes run.
    pub async fn raise_generation(options: &PostgresOptions) -> Result<u32, JournalError> {
        const ACTION: &str = "raise the generation";
        let connected = options.connector().single().await;
        let mut connection = connected.map_err(failed(ACTION))?;
        let status = schema::status(&mut connection).await;
        let status = status.map_err(failed(ACTION))?.map_err(failed(ACTION))?;
        status.check().map_err(failed(ACTION))?;
        let raised = lineage::raise_generation(&mut connection).await;
        u32::try_from(raised.map_err(failed(ACTION))?).map_err(failed(ACTION))
    }

    fn lane(&self, session: SessionId) -> &mpsc::Sender<Append> {
        let mut hasher = DefaultHasher::new();
        session.hash(&mut hasher);
        let lanes = self.shared.lanes.len() as u64;
        let lane =
            usize::try_from(hasher.finish() % lanes).expect("it is below the number of lanes");
        &self.shared.lanes[lane]
    }

    fn query<T: Send + 'static>(
        &self,
        action: &'static str,
        query: impl for<'c> FnOnce(&'c mut PgConnection) -> Query<'c, T> + Send + 'static,
    ) -> Answer<T> {
        let answer = self.shared.pool.run(query);
        async move { answer.await.map_err(failed(action)) }.boxed()
    }

    fn change_owner<T: Send + 'static>(
        &self,
        action: &'static str,
        query: impl for<'c> FnOnce(&'c mut PgConnection) -> Query<'c, Option<T>> + Send + 'static,
    ) -> Answer<T, ClaimError> {
        let answer = self.shared.pool.run(query);
        async move {
            match answer.await {
                Ok(Some(changed)) => Ok(changed),
                Ok(None) => Err(ClaimError::Lost),
                Err(error) if ownership::is_lock_timeout(&error) => Err(ClaimError::Busy),
                Err(error) => Err(failed(action)(error).into()),
            }
        }
        .boxed()
    }
}

fn failed<E: std::fmt::Display>(action: &'static str) -> impl Fn(E) -> JournalError {
    move |error| JournalError {
        action,
        reason: error.to_string(),
    }
}
