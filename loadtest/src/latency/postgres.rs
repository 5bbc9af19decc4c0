//! A PostgreSQL server of the measurement's own: what the server under test committed on it, and bare
//! commits beside that.
//!
//! One connection sends the server's own statement with the rows that were recorded, at the same rate,
//! to a database of the same server that nobody else uses. No queue, no other thread on the way.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgBindIterExt, PgConnectOptions};
use sqlx::{Arguments, ConnectOptions, Connection, PgConnection, Row};
use testkit::{Postgres, PostgresOptions};

use super::LatencyError;
use super::commit_timings::CommitTimings;
use super::recording::{Recording, Watched};
use crate::managed_server;

/// The database of the bare loop.
const BARE_DATABASE: &str = "bare";

/// Who owns the bare loop's sessions, and since which epoch.
const OWNER: i64 = 7;
const EPOCH: i64 = 1;

/// The statement by which the server appends: the harness may not ask it, and a test compares.
pub const APPEND_STATEMENT: &str = "WITH wanted AS MATERIALIZED (\
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) \
     AS w (session_id, owner_incarnation, epoch, first_seq)), \
 held AS MATERIALIZED (\
     SELECT o.session_id, w.first_seq FROM wanted w JOIN ownership o \
     ON o.session_id = w.session_id AND o.owner_incarnation = w.owner_incarnation \
     AND o.epoch = w.epoch FOR SHARE OF o), \
 fitting AS MATERIALIZED (\
     SELECT session_id FROM held WHERE first_seq = 1 + coalesce((\
         SELECT j.last_seq FROM journal j WHERE j.session_id = held.session_id \
         ORDER BY j.seq DESC LIMIT 1), 0)), \
 written AS (\
     INSERT INTO journal (session_id, seq, last_seq, epoch, at_ms, events) \
     SELECT * FROM unnest($5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], \
                          $9::bigint[], $10::bytea[]) \
     AS b (session_id, seq, last_seq, epoch, at_ms, events) \
     WHERE (b.session_id IN (SELECT session_id FROM fitting)) IS TRUE) \
 SELECT session_id, (session_id IN (SELECT session_id FROM held)) IS TRUE FROM wanted \
 WHERE (session_id IN (SELECT session_id FROM fitting)) IS NOT TRUE";

/// A running PostgreSQL with a database for the server under test and another one for bare commits.
pub(super) struct PostgresBaseline {
    server: Postgres,
    /// The last session of the bare loop.
    bare_session: i64,
}

impl PostgresBaseline {
    /// Starts it, with the schema of the server's binary in both databases.
    pub(super) async fn start(binary: Option<&Path>) -> Result<Self, LatencyError> {
        let server = Postgres::start(&PostgresOptions::default()).await?;
        let mut connection = PgConnection::connect(&server.url()).await?;
        // A constant, but the syntax of names is the server's.
        sqlx::query("CREATE DATABASE bare")
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        let store = Self {
            server,
            bare_session: 0,
        };
        managed_server::migrate(binary, &settings(&store.server.url())).await?;
        managed_server::migrate(binary, &settings(&store.bare_url())).await?;
        Ok(store)
    }

    /// What a server has to be told to use it.
    pub(super) fn settings(&self) -> Vec<String> {
        settings(&self.server.url())
    }

    fn bare_url(&self) -> String {
        self.server.database_url(BARE_DATABASE)
    }

    /// What a session got while it was watched. Rows of one transaction were committed together.
    pub(super) async fn recorded(
        &self,
        session: &str,
        watched: &Watched,
    ) -> Result<Recording, LatencyError> {
        let mut connection = PgConnection::connect(&self.server.url()).await?;
        let rows = sqlx::query(
            "SELECT journal.xmin::text, octet_length(events) FROM journal \
             JOIN session ON session.id = journal.session_id \
             WHERE session.code = $1 AND at_ms BETWEEN $2 AND $3 ORDER BY seq",
        )
        .bind(session)
        .bind(watched.began_ms.cast_signed())
        .bind(watched.ended_ms.cast_signed())
        .fetch_all(&mut connection)
        .await?;
        connection.close().await?;
        let rows = rows.iter().map(|row| {
            let bytes: i32 = row.try_get(1)?;
            let bytes = usize::try_from(bytes).expect("a length is not negative");
            Ok((row.try_get::<String, _>(0)?, bytes))
        });
        let rows: Vec<(String, usize)> = rows.collect::<Result<_, sqlx::Error>>()?;
        let commits = rows.chunk_by(|(one, _), (next, _)| one == next);
        let commits = commits.map(|rows| rows.iter().map(|(_, bytes)| *bytes).collect());
        Recording::of_commits(commits.collect(), watched.length)
            .ok_or(LatencyError::NothingRecorded)
    }

    /// The next window of bare commits; a blocking thread plays it.
    pub(super) fn bare(&mut self) -> BareWindow {
        self.bare_session += 1;
        BareWindow {
            url: self.bare_url(),
            session: self.bare_session,
        }
    }
}

fn settings(url: &str) -> Vec<String> {
    vec![
        "journal.backend=postgres".to_owned(),
        format!("journal.postgres_url={url}"),
    ]
}

/// Bare commits of a session of their own.
pub(super) struct BareWindow {
    url: String,
    session: i64,
}

impl BareWindow {
    /// Commits what was recorded, as often as it was, for so long; gives the commits that
    /// began after the warm-up. Blocks its thread, which must not be a runtime's.
    pub(super) fn replay(
        &self,
        recording: &Recording,
        warm_up: Duration,
        window: Duration,
    ) -> Result<CommitTimings, LatencyError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let mut connection = runtime.block_on(self.connect())?;
        let timings = CommitTimings::replay(recording, warm_up, window, |after_seq, rows| {
            runtime.block_on(self.commit(&mut connection, after_seq, rows))
        })?;
        runtime.block_on(connection.close())?;
        Ok(timings)
    }

    /// A connection set up as the server's are, with the session owned and the statement planned.
    async fn connect(&self) -> Result<PgConnection, LatencyError> {
        let connect: PgConnectOptions = self.url.parse()?;
        let connect = connect.disable_statement_logging().options([
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("jit", "off"),
        ]);
        let mut connection = connect.connect().await?;
        sqlx::query(
            "INSERT INTO ownership (session_id, owner_incarnation, epoch) VALUES ($1, $2, $3)",
        )
        .bind(self.session)
        .bind(OWNER)
        .bind(EPOCH)
        .execute(&mut connection)
        .await?;
        self.commit(&mut connection, 0, &[]).await?;
        Ok(connection)
    }

    async fn commit(
        &self,
        connection: &mut PgConnection,
        after_seq: i64,
        rows: &[usize],
    ) -> Result<i64, LatencyError> {
        let arguments = self.arguments(after_seq, rows);
        let arguments = arguments.map_err(sqlx::Error::Encode)?;
        let left_out = sqlx::query_with(APPEND_STATEMENT, arguments)
            .fetch_all(connection)
            .await?;
        if !left_out.is_empty() {
            return Err(LatencyError::BareLeftOut);
        }
        Ok((after_seq..).nth(rows.len()).expect("few rows"))
    }

    fn arguments(
        &self,
        after_seq: i64,
        rows: &[usize],
    ) -> Result<PgArguments, sqlx::error::BoxDynError> {
        let each = || (after_seq + 1..).take(rows.len());
        let events = rows.iter().map(|bytes| vec![0xA5_u8; *bytes]);
        let mut arguments = PgArguments::default();
        for of_session in [self.session, OWNER, EPOCH, after_seq + 1] {
            arguments.add(each().take(1).map(|_| of_session).bind_iter())?;
        }
        arguments.add(each().map(|_| self.session).bind_iter())?;
        arguments.add(each().bind_iter())?;
        arguments.add(each().bind_iter())?;
        arguments.add(each().map(|_| EPOCH).bind_iter())?;
        arguments.add(each().map(|_| 1_800_000_000_000_i64).bind_iter())?;
        arguments.add(events.bind_iter())?;
        Ok(arguments)
    }
}
