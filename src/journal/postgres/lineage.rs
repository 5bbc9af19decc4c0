//! Checks that the server is the one that the journal was last written on, or its successor.
//!
//! A server that was restored from a backup, or a former primary, may lack committed rows. Its system
//! identifier or its timeline reveals that. They do not reveal whether a promoted standby had received
//! everything, so that a higher timeline is accepted.

use std::time::Duration;

use sqlx::PgConnection;

/// Nodes with a heartbeat younger than this count as running.
const RUNNING_WITHIN_S: f64 = 10.0;

/// Longer than any node's `cluster.heartbeat_interval_ms`.
const HEARTBEAT_WAIT: Duration = Duration::from_millis(5_500);

/// Identity of a server's write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lineage {
    system: i64,
    timeline: i64,
}

/// Why a server is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineageError {
    #[error(
        "this database was restored on another server: the journal was last written on the system \
         {known}, and this is {found}. Acknowledged events may be missing. If it is the right one, stop \
         all nodes and run `cluecast journal raise-generation`, so that every client takes a snapshot; \
         if not, name the right one in journal.postgres_url"
    )]
    OtherSystem { known: u64, found: u64 },
    #[error(
        "this server is on timeline {found}, and the journal was last written on timeline {known}: it is \
         from before a failover or was restored, and acknowledged events are missing. Name the server \
         that was promoted in journal.postgres_url; if there is none, stop all nodes and run \
         `cluecast journal raise-generation`, so that every client takes a snapshot"
    )]
    EarlierTimeline { known: i64, found: i64 },
    #[error("{0} nodes sent a heartbeat in the last 10 s; stop all nodes first")]
    NodesRun(i64),
    #[error(transparent)]
    Failed(#[from] sqlx::Error),
}

/// Reads the server's lineage. The control file's timeline is that of the last checkpoint; the name of
/// the current log file is up to date.
async fn read_lineage(connection: &mut PgConnection) -> Result<Lineage, sqlx::Error> {
    let (system, timeline) = sqlx::query_as(
        "SELECT system_identifier, \
         ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint \
         FROM pg_control_system()",
    )
    .fetch_one(connection)
    .await?;
    Ok(Lineage { system, timeline })
}

/// Refuses a server that does not continue the stored lineage; stores its lineage otherwise.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), LineageError> {
    let found = read_lineage(connection).await?;
    let stored = sqlx::query(
        "UPDATE lineage SET system_identifier = $1, timeline = $2 \
         WHERE coalesce(system_identifier, $1) = $1 AND coalesce(timeline, $2) <= $2",
    )
    .bind(found.system)
    .bind(found.timeline)
    .execute(&mut *connection)
    .await?;
    if stored.rows_affected() == 1 {
        return Ok(());
    }
    let (system, timeline): (i64, i64) =
        sqlx::query_as("SELECT system_identifier, timeline FROM lineage")
            .fetch_one(connection)
            .await?;
    if system == found.system {
        let (known, found) = (timeline, found.timeline);
        return Err(LineageError::EarlierTimeline { known, found });
    }
    Err(LineageError::OtherSystem {
        known: system.cast_unsigned(),
        found: found.system.cast_unsigned(),
    })
}

/// Numbers of nodes by the age of their heartbeat, by the server's clock.
struct HeartbeatCounts {
    recent: i64,
    /// Dated in the future.
    future: i64,
}

impl HeartbeatCounts {
    async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let (recent, future) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE age BETWEEN 0 AND $1), count(*) FILTER (WHERE age < 0) \
             FROM (SELECT extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS age FROM node) \
             AS nodes",
        )
        .bind(RUNNING_WITHIN_S)
        .fetch_one(connection)
        .await?;
        Ok(Self { recent, future })
    }
}

/// Raises the generation and accepts this server's lineage. Refused while a node runs, because it would
/// not notice.
pub(super) async fn raise_generation(connection: &mut PgConnection) -> Result<i64, LineageError> {
    let mut counts = HeartbeatCounts::read(connection).await?;
    if counts.recent == 0 && counts.future > 0 {
        // These heartbeats were dated by another clock, or before this one was set back. Running nodes
        // send another one meanwhile.
        tokio::time::sleep(HEARTBEAT_WAIT).await;
        counts = HeartbeatCounts::read(connection).await?;
    }
    if counts.recent > 0 {
        return Err(LineageError::NodesRun(counts.recent));
    }
    let found = read_lineage(connection).await?;
    let raised = sqlx::query_scalar(
        "UPDATE lineage SET generation = generation + 1, system_identifier = $1, timeline = $2 \
         RETURNING generation",
    )
    .bind(found.system)
    .bind(found.timeline)
    .fetch_one(connection)
    .await?;
    Ok(raised)
}
