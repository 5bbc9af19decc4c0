//! The bare loop: on each connection one fenced statement after the other, with the same rows except for
//! their numbers. No queue and no callers.

use std::time::Duration;

use cluecast::journal::PostgresJournal;
use sqlx::postgres::{PgArguments, PgBindIterExt, PgConnectOptions};
use sqlx::{Arguments, ConnectOptions, Connection, PgConnection};
use tokio::task::JoinSet;

use super::{BARE_FROM, BenchError, Cell, EPOCH, OWNER, deadline};

/// The statement that the loop sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statement {
    /// The statement of the journal.
    Whole,
    /// Fenced the same way, without the check that a session's batches follow the stored head; the
    /// difference is the cost of the check.
    Unchecked,
}

/// Locks the sessions of the batch as the journal does and inserts the rows of those that are owned. The
/// arguments are the journal's.
const UNCHECKED: &str = "\
    WITH wanted AS MATERIALIZED (\
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) \
        AS w (session_id, owner_incarnation, epoch, first_seq)), \
    held AS MATERIALIZED (\
        SELECT o.session_id FROM wanted w JOIN ownership o \
        ON o.session_id = w.session_id AND o.owner_incarnation = w.owner_incarnation \
        AND o.epoch = w.epoch FOR SHARE OF o), \
    written AS (\
        INSERT INTO journal (session_id, seq, last_seq, epoch, at_ms, events) \
        SELECT * FROM unnest($5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], \
                             $9::bigint[], $10::bytea[]) \
        AS b (session_id, seq, last_seq, epoch, at_ms, events) \
        WHERE (b.session_id IN (SELECT session_id FROM held)) IS TRUE) \
    SELECT session_id FROM wanted \
    WHERE (session_id IN (SELECT session_id FROM held)) IS NOT TRUE";

/// Runs one window; returns the inserted rows and the duration.
pub(super) async fn run(
    connect: &PgConnectOptions,
    cell: Cell,
    statement: Statement,
) -> Result<(u64, Duration), BenchError> {
    // The settings of the journal's lanes.
    let connect = connect.clone().disable_statement_logging().options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("jit", "off"),
    ]);
    let mut lanes = Vec::new();
    for lane in 0..cell.lanes as u64 {
        let sessions = (0..cell.sessions).filter(|session| session % cell.lanes as u64 == lane);
        let mut lane = Lane {
            connection: connect.connect().await?,
            statement: match statement {
                Statement::Whole => PostgresJournal::APPEND_STATEMENT,
                Statement::Unchecked => UNCHECKED,
            },
            sessions: sessions
                .map(|session| (BARE_FROM + session).cast_signed())
                .collect(),
            cell,
            turn: 0,
        };
        // Plans the statement, without a row.
        lane.insert(0).await?;
        lanes.push(lane);
    }
    let (began, end) = deadline(cell);
    let mut running = JoinSet::new();
    for mut lane in lanes {
        running.spawn(async move {
            let mut rows = 0;
            while tokio::time::Instant::now() < end {
                rows += lane.insert(cell.batch).await?;
            }
            lane.connection.close().await?;
            Ok::<u64, BenchError>(rows)
        });
    }
    let mut rows = 0;
    for lane in running.join_all().await {
        rows += lane?;
    }
    Ok((rows, began.elapsed()))
}

struct Lane {
    connection: PgConnection,
    statement: &'static str,
    sessions: Vec<i64>,
    cell: Cell,
    /// Rows so far; they rotate over the sessions.
    turn: usize,
}

impl Lane {
    async fn insert(&mut self, batch: usize) -> Result<u64, BenchError> {
        let arguments = self.arguments(batch).map_err(sqlx::Error::Encode)?;
        self.turn += batch;
        let not_written = sqlx::query_with(self.statement, arguments)
            .fetch_all(&mut self.connection)
            .await?;
        if not_written.is_empty() {
            Ok(batch as u64)
        } else {
            Err(BenchError::NotWritten(not_written.len()))
        }
    }

    fn arguments(&self, batch: usize) -> Result<PgArguments, sqlx::error::BoxDynError> {
        let count = self.sessions.len();
        let turns = || self.turn..self.turn + batch;
        let session = |turn: usize| self.sessions[turn % count];
        let seq = |turn: usize| i64::try_from(turn / count + 1).expect("few rows");
        let first_turns = || turns().take(count);
        // Each row has its own buffer, as in the server.
        let events: Vec<Vec<u8>> = turns().map(|_| vec![7; self.cell.bytes]).collect();

        let mut arguments = PgArguments::default();
        arguments.add(first_turns().map(session).bind_iter())?;
        arguments.add(first_turns().map(|_| OWNER.0.cast_signed()).bind_iter())?;
        arguments.add(first_turns().map(|_| EPOCH.0.cast_signed()).bind_iter())?;
        arguments.add(first_turns().map(seq).bind_iter())?;
        arguments.add(turns().map(session).bind_iter())?;
        arguments.add(turns().map(seq).bind_iter())?;
        arguments.add(turns().map(seq).bind_iter())?;
        arguments.add(turns().map(|_| EPOCH.0.cast_signed()).bind_iter())?;
        arguments.add(turns().map(|_| 5_i64).bind_iter())?;
        arguments.add(events.iter().map(Vec::as_slice).bind_iter())?;
        Ok(arguments)
    }
}
