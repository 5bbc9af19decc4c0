//! The journal in PostgreSQL, which many nodes share.
//!
//! A few connections append (`lane`): each writes the batches that wait, of many sessions, in one
//! statement that is fenced by the owner and epoch of each session (`append`). A pool serves everything
//! else (`queries`, `ownership`), and the beats have a connection of their own (`heart`), so that a node
//! that is busy is not taken for a dead one. The connections carry the node's incarnation as their name, so that others can end them.
//!
//! Never here: changing the schema of a database that a server is started on (`schema` refuses it).

mod append;
mod calls;
mod connect;
mod group;
mod heart;
mod lane;
mod lineage;
mod notices;
mod ownership;
mod pool;
mod queries;
mod schema;
mod snapshots;
mod way;

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
use heart::Heart;
use lane::{Lane, Link};
use pool::Pool;
use queries::Query;
pub use schema::{SchemaError, SchemaStatus, SchemaStep};
use way::Way;

/// Batches that may wait for one lane. The sessions bound what they have under way, so that this is
/// reached by many sessions together; then their appends wait here in turn.
const LANE_JOBS_MAX: usize = 8_192;

/// How a PostgreSQL journal is opened.
#[derive(Clone)]
pub struct PostgresOptions {
    /// Where the server is, and as whom to connect. Holds a password.
    pub connect: PgConnectOptions,
    /// This process's life: the name of its connections.
    pub incarnation: Incarnation,
    /// Connections that append.
    pub lanes: usize,
    /// Connections for everything else but beats.
    pub connections_max: u32,
    /// Batches that one flush takes at most.
    pub flush_batches_max: usize,
    /// Bytes of events that one flush takes at most; a larger batch goes alone.
    pub flush_bytes_max: usize,
    /// How long connecting may take.
    pub connect_max: Duration,
    /// How long the server may take to answer.
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
    heart: Heart,
    stop: CancellationToken,
}

impl PostgresJournal {
    /// Connects to a server and looks at it.
    ///
    /// Fails if it cannot be reached, if its schema is not this program's (see
    /// [`migrate`](Self::migrate)), or if it might lose what it has committed.
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
        let (stop, way) = (CancellationToken::new(), Way::new());
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
            let lane = Lane::new(connector.clone(), flush_max, answer_max, way.clone(), link);
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
                way.clone(),
            ),
            heart: Heart::new(connector, way),
            stop,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// How a database's schema stands to this program.
    pub async fn schema(options: &PostgresOptions) -> Result<SchemaStatus, JournalError> {
        const ACTION: &str = "look at the schema";
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

    /// Begins a new generation of every stream, on the server as it is now; the new one.
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

    fn lane_of(&self, session: SessionId) -> &mpsc::Sender<Append> {
        let mut hasher = DefaultHasher::new();
        session.hash(&mut hasher);
        let lanes = self.shared.lanes.len() as u64;
        let lane = usize::try_from(hasher.finish() % lanes).expect("fewer than there are lanes");
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
