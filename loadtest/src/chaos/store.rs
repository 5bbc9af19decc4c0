//! Reads the journal from its store: ownership, claims and the epochs of rows.
//!
//! It uses SQL, because only the store can prove that a replaced owner wrote nothing. Never writes.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::TryStreamExt;
use rusqlite::OpenFlags;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::claims;
use super::rows::{Row, RowChecker};

/// Timeout of one query. A frozen store does not answer.
const LOOK_WAIT_MAX: Duration = Duration::from_secs(5);

/// Timeout of reading all rows.
const ROWS_WAIT_MAX: Duration = Duration::from_mins(5);

const OWNED: &str = "
    SELECT s.code, o.owner_incarnation, o.epoch FROM session s JOIN ownership o ON o.session_id = s.id";

const ROWS: &str = "
    SELECT s.code, j.seq, j.last_seq, j.epoch
      FROM journal j JOIN session s ON s.id = j.session_id
     ORDER BY j.session_id, j.seq";

const NODES: &str = "SELECT address, incarnation FROM node ORDER BY heartbeat_at";

/// Ownership of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OwnedSession {
    pub(super) code: String,
    pub(super) owner: Option<i64>,
    pub(super) epoch: i64,
}

/// The journal's store.
#[derive(Debug)]
pub(super) enum Store {
    Sqlite {
        database: PathBuf,
    },
    Postgres {
        url: String,
        open: Option<PgConnection>,
    },
}

/// Error of a query.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("cannot read the journal: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("cannot read the journal: {0}")]
    Postgres(#[from] sqlx::Error),
    #[error("a query of the journal timed out after {0:?}")]
    Late(Duration),
}

impl Store {
    /// Returns the ownership of every session; empty with a single node.
    pub(super) async fn owned(&mut self) -> Result<Vec<OwnedSession>, StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(Vec::new()),
            Self::Postgres { url, open } => {
                let rows: Vec<(String, Option<i64>, i64)> =
                    query(url, open, LOOK_WAIT_MAX, async |connection| {
                        sqlx::query_as(OWNED).fetch_all(connection).await
                    })
                    .await?;
                let owned = rows.into_iter().map(|(code, owner, epoch)| OwnedSession {
                    code,
                    owner,
                    epoch,
                });
                Ok(owned.collect())
            }
        }
    }

    /// Returns the newest incarnation of each node by cluster address; empty with a single node.
    pub(super) async fn incarnations(&mut self) -> Result<HashMap<String, i64>, StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(HashMap::new()),
            Self::Postgres { url, open } => {
                let rows: Vec<(String, i64)> =
                    query(url, open, LOOK_WAIT_MAX, async |connection| {
                        sqlx::query_as(NODES).fetch_all(connection).await
                    })
                    .await?;
                Ok(rows.into_iter().collect())
            }
        }
    }

    /// Makes PostgreSQL begin a new log segment, which needs disk space.
    pub(super) async fn begin_log_segment(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(()),
            Self::Postgres { url, open } => {
                query(url, open, LOOK_WAIT_MAX, async |connection| {
                    let switch = sqlx::query("SELECT pg_switch_wal()");
                    switch.execute(connection).await.map(drop)
                })
                .await
            }
        }
    }

    /// Passes all logged claims to the checker. With SQLite one node holds the file lock, so that its
    /// rows cannot be stale.
    pub(super) async fn check_claims(
        &mut self,
        checker: &mut RowChecker,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(()),
            Self::Postgres { url, open } => {
                let claims = query(url, open, ROWS_WAIT_MAX, claims::logged_claims).await?;
                for (code, claim) in claims {
                    checker.claim_count(&code, claim);
                }
                Ok(())
            }
        }
    }

    /// Passes every row to the checker, session by session and in order.
    pub(super) async fn check_rows(&mut self, checker: &mut RowChecker) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { database } => {
                let reader = open_sqlite(database)?;
                let mut statement = reader.prepare(ROWS)?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let code: String = row.get(0)?;
                    let row = Row {
                        seq: row.get(1)?,
                        last_seq: row.get(2)?,
                        epoch: row.get(3)?,
                    };
                    checker.take(&code, row);
                }
                Ok(())
            }
            Self::Postgres { url, open } => {
                query(url, open, ROWS_WAIT_MAX, async |connection| {
                    let mut rows = sqlx::query_as(ROWS).fetch(connection);
                    while let Some((code, seq, last_seq, epoch)) = rows.try_next().await? {
                        let code: String = code;
                        let row = Row {
                            seq,
                            last_seq,
                            epoch,
                        };
                        checker.take(&code, row);
                    }
                    Ok(())
                })
                .await
            }
        }
    }
}

fn open_sqlite(database: &PathBuf) -> Result<rusqlite::Connection, rusqlite::Error> {
    rusqlite::Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Queries once, on the open connection if it is alive, otherwise on a new one: faults cut this
/// connection too.
async fn query<T>(
    url: &str,
    open: &mut Option<PgConnection>,
    within: Duration,
    ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
) -> Result<T, StoreError> {
    let querying = async {
        let mut before = open.take();
        let is_alive = match &mut before {
            Some(connection) => connection.ping().await.is_ok(),
            None => false,
        };
        let mut connection = match before.filter(|_| is_alive) {
            Some(connection) => connection,
            None => PgConnection::connect(url).await?,
        };
        let answer = ask(&mut connection).await?;
        *open = Some(connection);
        Ok(answer)
    };
    let queried = timeout(within, querying).await;
    queried.map_err(|_| StoreError::Late(within))?
}
