//! The journal in PostgreSQL, which many nodes share.
//!
//! A few connections append (`lane`): each writes the batches that wait, of many sessions, in one
//! statement that is fenced by the owner and epoch of each session (`append`). A pool serves everything
//! else (`queries`, `ownership`), and the beats have a connection of their own (`heart`), so that a node
//! that is busy is not taken for a dead one. The connections carry the node's incarnation as their name, so that others can end them.
//!
//! Never here: changing the schema of a database that a server is started on (`schema` refuses it).

mod append;
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
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::types::contiguous;
use super::{
    Answer, AppendError, Batch, BatchesMax, Claim, ClaimError, CreateError, Epoch,
    HeartbeatOutcome, HeartbeatSeq, Incarnation, Journal, JournalError, Loaded, Name, NodeRecord,
    NodeStatus, Ownership, ReadError, SessionId, SessionRecord, Snapshot, StoredBatch,
    TruncateError, Truncation,
};
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

    /// Brings a database's schema up to date. Servers of the release before go on meanwhile.
    pub async fn migrate(options: &PostgresOptions) -> Result<(), JournalError> {
        let connected = options.connector().single().await;
        let mut connection = connected.map_err(failed("change the schema"))?;
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

impl Journal for PostgresJournal {
    fn generation(&self) -> Answer<u32> {
        let read = self.query("read the generation", queries::generation);
        async move {
            let generation = u32::try_from(read.await?);
            generation.map_err(failed("read the generation"))
        }
        .boxed()
    }

    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()> {
        self.query("store a hunt", |connection| {
            queries::put_hunt(connection, revision, files)
        })
    }

    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>> {
        self.query("read a hunt", |connection| {
            queries::hunt(connection, revision)
        })
    }

    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError> {
        let pool = &self.shared.pool;
        let created = pool.run(|connection| queries::create_session(connection, session));
        async move {
            let error = match created.await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let database = error.as_database_error();
            Err(match database.map(sqlx::error::DatabaseError::kind) {
                Some(sqlx::error::ErrorKind::UniqueViolation) => CreateError::CodeTaken,
                Some(sqlx::error::ErrorKind::ForeignKeyViolation) => CreateError::UnknownHunt,
                _ => failed("create a session")(error).into(),
            })
        }
        .boxed()
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        self.query("list sessions", queries::sessions)
    }

    fn session_by_code(&self, code: String) -> Answer<Option<SessionRecord>> {
        self.query("find a session", |connection| {
            queries::session_by_code(connection, code)
        })
    }

    fn mark_finished(&self, session: SessionId) -> Answer<()> {
        self.query("note a finish", move |connection| {
            queries::mark_finished(connection, session)
        })
    }

    fn finished_sessions(&self) -> Answer<Vec<SessionId>> {
        self.query("list finished sessions", queries::finished_sessions)
    }

    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.query("list who owns the sessions", ownership::all)
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        self.query("tell who owns a session", move |connection| {
            ownership::one(connection, session)
        })
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        self.change_owner("claim", move |connection| {
            ownership::claim(connection, claim)
        })
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError> {
        self.change_owner("release", move |connection| {
            ownership::release(connection, session, owner, epoch)
        })
    }

    fn evict(&self, incarnation: Incarnation) -> Answer<()> {
        self.query("evict a node", move |connection| {
            ownership::evict(connection, incarnation)
        })
    }

    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.query("make a node known", |connection| {
            ownership::join(connection, node)
        })
    }

    fn beat(&self, node: NodeRecord) -> Answer<HeartbeatOutcome> {
        let shared = self.shared.clone();
        async move { shared.heart.beat(node).await.map_err(failed("beat")) }.boxed()
    }

    fn nodes(&self) -> Answer<Vec<NodeStatus>> {
        self.query("list the nodes", ownership::nodes)
    }

    fn forget(&self, incarnation: Incarnation, last_sign: Option<HeartbeatSeq>) -> Answer<bool> {
        self.query("forget a node", move |connection| {
            ownership::forget(connection, incarnation, last_sign)
        })
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        let (reply, answer) = oneshot::channel();
        let lane = self.lane_of(batch.session);
        let append = Append {
            batch,
            reply,
            since: Instant::now(),
        };
        // At once if there is room, so that appends keep the order of the calls.
        let queued = lane.try_send(append).map_err(|error| match error {
            mpsc::error::TrySendError::Full(append) => Some((lane.clone(), append)),
            mpsc::error::TrySendError::Closed(_) => None,
        });
        async move {
            let closed = || AppendError::Refused("the journal is closed".to_owned());
            if let Err(queued) = queued {
                let (lane, append) = queued.ok_or_else(closed)?;
                lane.send(append).await.map_err(|_| closed())?;
            }
            let lost = AppendError::Unknown("the lane ended".to_owned());
            answer.await.unwrap_or(Err(lost))
        }
        .boxed()
    }

    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded> {
        self.query("load", move |connection| {
            snapshots::load(connection, session, seq)
        })
    }

    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError> {
        let read = self.query("read", move |connection| {
            queries::batches(connection, session, after_seq, limit)
        });
        async move { contiguous(after_seq, read.await?) }.boxed()
    }

    fn oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        max: BatchesMax,
    ) -> Answer<Vec<StoredBatch>> {
        self.query("read the oldest", move |connection| {
            queries::oldest(connection, session, through_seq, max)
        })
    }

    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()> {
        self.query("store a snapshot", move |connection| {
            snapshots::put(connection, session, snapshot)
        })
    }

    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>> {
        self.query("read a snapshot", move |connection| {
            snapshots::one(connection, session, seq)
        })
    }

    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool> {
        self.query("verify a snapshot", move |connection| {
            snapshots::mark_verified(connection, session, seq, digest)
        })
    }

    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>> {
        self.query("list snapshots", move |connection| {
            snapshots::verified(connection, session)
        })
    }

    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError> {
        let truncated = self.query("truncate", move |connection| {
            snapshots::truncate(connection, truncation)
        });
        async move { truncated.await? }.boxed()
    }

    fn names(&self, session: SessionId) -> Answer<Vec<Name>> {
        self.query("read names", move |connection| {
            queries::names(connection, session)
        })
    }

    fn close(&self) -> Answer<()> {
        let shared = self.shared.clone();
        async move {
            shared.stop.cancel();
            let mut lanes = shared.lane_tasks.lock().await;
            while let Some(ended) = lanes.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a lane of the journal failed");
                }
            }
            shared.pool.close().await;
            shared.heart.close().await;
            Ok(())
        }
        .boxed()
    }
}
