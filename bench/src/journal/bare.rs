//! The bare loop: on each connection, one fenced statement after the other, all of the same rows but
//! for their numbers. No queue, nobody to tell, no check that a batch follows the head.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::task::JoinSet;

use super::{BARE_FROM, BenchError, Cell, OWNER, deadline};

/// The sessions of the batch are locked as the journal locks them, and the rows of those that are
/// owned are inserted.
const INSERT: &str = "\
    WITH held AS MATERIALIZED (\
        SELECT o.session_id FROM unnest($1::bigint[]) AS w (session_id) JOIN ownership o \
        ON o.session_id = w.session_id AND o.owner_inc = $2 AND o.epoch = 1 FOR SHARE OF o) \
    INSERT INTO journal (session_id, seq, last_seq, epoch, at_ms, events) \
    SELECT session_id, seq, seq, 1, 5, events \
    FROM unnest($3::bigint[], $4::bigint[], $5::bytea[]) AS b (session_id, seq, events) \
    WHERE (session_id IN (SELECT session_id FROM held)) IS TRUE";

/// Rows that were inserted, and how long that took.
pub(super) async fn play(
    connect: &PgConnectOptions,
    cell: Cell,
) -> Result<(u64, Duration), BenchError> {
    // As the journal's lanes are set up.
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
            sessions: sessions
                .map(|session| (BARE_FROM + session).cast_signed())
                .collect(),
            cell,
            turn: 0,
        };
        lane.prepare().await?;
        lanes.push(lane);
    }
    let (began, end) = deadline(cell);
    let mut running = JoinSet::new();
    for mut lane in lanes {
        running.spawn(async move {
            let mut rows = 0;
            while tokio::time::Instant::now() < end {
                rows += lane.insert().await?;
            }
            lane.connection.close().await?;
            Ok::<u64, sqlx::Error>(rows)
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
    sessions: Vec<i64>,
    cell: Cell,
    /// Rows so far; they go round the sessions.
    turn: usize,
}

impl Lane {
    /// Has the statement planned, without a row.
    async fn prepare(&mut self) -> Result<(), sqlx::Error> {
        let none: [i64; 0] = [];
        let no_events: [&[u8]; 0] = [];
        sqlx::query(INSERT)
            .bind(&none[..])
            .bind(OWNER.0.cast_signed())
            .bind(&none[..])
            .bind(&none[..])
            .bind(&no_events[..])
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    async fn insert(&mut self) -> Result<u64, sqlx::Error> {
        let count = self.sessions.len();
        let turns = self.turn..self.turn + self.cell.batch;
        self.turn = turns.end;
        let first_turns = turns.clone().take(count);
        let wanted: Vec<i64> = first_turns
            .map(|turn| self.sessions[turn % count])
            .collect();
        let sessions: Vec<i64> = turns
            .clone()
            .map(|turn| self.sessions[turn % count])
            .collect();
        let seqs: Vec<i64> = turns
            .clone()
            .map(|turn| i64::try_from(turn / count + 1).expect("few rows"))
            .collect();
        // Each row's events are bytes of its own, as they are in the server.
        let events: Vec<Vec<u8>> = turns.map(|_| vec![7; self.cell.bytes]).collect();
        let inserted = sqlx::query(INSERT)
            .bind(wanted)
            .bind(OWNER.0.cast_signed())
            .bind(sessions)
            .bind(seqs)
            .bind(events)
            .execute(&mut self.connection)
            .await?;
        Ok(inserted.rows_affected())
    }
}
