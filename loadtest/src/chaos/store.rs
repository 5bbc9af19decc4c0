//! The journal as its store holds it: who owns which session, who claimed it when, and the epochs of the
//! rows.
//!
//! It is read by SQL, because only the store itself can tell that a replaced owner wrote nothing.
//! Never here: a write.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::TryStreamExt;
use rusqlite::OpenFlags;
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::claims;
use super::rows::{Row, RowChecker};

/// How long one look may take. A frozen store answers none.
const LOOK_WAIT_MAX: Duration = Duration::from_secs(5);

/// How long reading every row may take.
const ROWS_WAIT_MAX: Duration = Duration::from_mins(5);

const OWNED: &str = "
    SELECT s.code, o.owner_incarnation, o.epoch FROM session s JOIN ownership o ON o.session_id = s.id";

const ROWS: &str = "
    SELECT s.code, j.seq, j.last_seq, j.epoch
      FROM journal j JOIN session s ON s.id = j.session_id
     ORDER BY j.session_id, j.seq";

const NODES: &str = "SELECT address, incarnation FROM node ORDER BY heartbeat_at";

/// Who owns a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) code: String,
    pub(super) owner: Option<i64>,
    pub(super) epoch: i64,
}

/// Where the journal is.
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

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("cannot read the journal: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("cannot read the journal: {0}")]
    Postgres(#[from] sqlx::Error),
    #[error("the journal's store gave no answer within {0:?}")]
    Late(Duration),
}

impl Store {
    /// Who owns what at this moment; nothing is told where a node is alone.
    pub(super) async fn owned(&mut self) -> Result<Vec<Owned>, StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(Vec::new()),
            Self::Postgres { url, open } => {
                let rows: Vec<(String, Option<i64>, i64)> =
                    look(url, open, LOOK_WAIT_MAX, async |connection| {
                        sqlx::query_as(OWNED).fetch_all(connection).await
                    })
                    .await?;
                let owned =
                    rows.into_iter()
                        .map(|(code, owner, epoch)| Owned { code, owner, epoch });
                Ok(owned.collect())
            }
        }
    }

    /// The incarnations of the nodes by the addresses where others reach them, the newest of each; none
    /// where a node is alone.
    pub(super) async fn incarnations(&mut self) -> Result<HashMap<String, i64>, StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(HashMap::new()),
            Self::Postgres { url, open } => {
                let rows: Vec<(String, i64)> = look(url, open, LOOK_WAIT_MAX, async |connection| {
                    sqlx::query_as(NODES).fetch_all(connection).await
                })
                .await?;
                Ok(rows.into_iter().collect())
            }
        }
    }

    /// Makes PostgreSQL begin a new segment of its log, so that it asks the disk for room.
    pub(super) async fn begin_log_segment(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(()),
            Self::Postgres { url, open } => {
                look(url, open, LOOK_WAIT_MAX, async |connection| {
                    let switch = sqlx::query("SELECT pg_switch_wal()");
                    switch.execute(connection).await.map(drop)
                })
                .await
            }
        }
    }

    /// Shows the checker all claims that PostgreSQL noted. On SQLite there is one node, which takes the
    /// file's lock: its rows can only follow each other.
    pub(super) async fn show_claims(&mut self, checker: &mut RowChecker) -> Result<(), StoreError> {
        match self {
            Self::Sqlite { .. } => Ok(()),
            Self::Postgres { url, open } => {
                let claims = look(url, open, ROWS_WAIT_MAX, claims::noted).await?;
                for (code, claim) in claims {
                    checker.claimed(&code, claim);
                }
                Ok(())
            }
        }
    }

    /// Shows every row of every session to the checker, session by session and in order.
    pub(super) async fn show_rows(&mut self, checker: &mut RowChecker) -> Result<(), StoreError> {
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
                look(url, open, ROWS_WAIT_MAX, async |connection| {
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

/// Looks once, on the connection that is open if it still answers, or else on a new one: the faults
/// cut this connection too.
async fn look<T>(
    url: &str,
    open: &mut Option<PgConnection>,
    within: Duration,
    ask: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
) -> Result<T, StoreError> {
    let looking = async {
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
    let looked = timeout(within, looking).await;
    looked.map_err(|_| StoreError::Late(within))?
}
