//! Whether the server is the one that the journal was written on, or its successor.
//!
//! Everything that is promised rests on committed rows staying there. A server that was restored from a
//! backup, or one from before a failover, may lack some of them. Its system identifier or its timeline
//! tells; what it cannot tell is whether a standby that was promoted had received everything, so that
//! a timeline that rises is believed.

use std::time::Duration;

use sqlx::PgConnection;

/// Nodes that were heard of so recently count as running.
const RUNNING_WITHIN_S: f64 = 10.0;

/// Longer than any node's `cluster.heartbeat_interval_ms`.
const BEAT_WAIT: Duration = Duration::from_millis(5_500);

/// What a server's write-ahead log is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lineage {
    system: i64,
    timeline: i64,
}

/// Why a server is not written on.
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
         that was promoted in journal.postgres_url; if there is none any more, stop all nodes and run \
         `cluecast journal raise-generation`, so that every client takes a snapshot"
    )]
    EarlierTimeline { known: i64, found: i64 },
    #[error("{0} nodes were heard of in the last 10 s; stop all of them first")]
    NodesRun(i64),
    #[error(transparent)]
    Failed(#[from] sqlx::Error),
}

/// Of the server itself. The control file's timeline is that of the last checkpoint; the name of the
/// file that is written to is up to date.
async fn found(connection: &mut PgConnection) -> Result<Lineage, sqlx::Error> {
    let (system, timeline) = sqlx::query_as(
        "SELECT system_identifier, \
         ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint \
         FROM pg_control_system()",
    )
    .fetch_one(connection)
    .await?;
    Ok(Lineage { system, timeline })
}

/// Refuses a server that does not go on from where the journal was last written, and remembers it.
pub(super) async fn check(connection: &mut PgConnection) -> Result<(), LineageError> {
    let found = found(connection).await?;
    let remembered = sqlx::query(
        "UPDATE lineage SET system_identifier = $1, timeline = $2 \
         WHERE coalesce(system_identifier, $1) = $1 AND coalesce(timeline, $2) <= $2",
    )
    .bind(found.system)
    .bind(found.timeline)
    .execute(&mut *connection)
    .await?;
    if remembered.rows_affected() == 1 {
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

/// How many nodes the server's clock says were heard of when.
struct HeardOf {
    recently: i64,
    /// In times that are still to come.
    later: i64,
}

impl HeardOf {
    async fn read(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let (recently, later) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE age BETWEEN 0 AND $1), count(*) FILTER (WHERE age < 0) \
             FROM (SELECT extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 AS age FROM node) \
             AS nodes",
        )
        .bind(RUNNING_WITHIN_S)
        .fetch_one(connection)
        .await?;
        Ok(Self { recently, later })
    }
}

/// Begins a new generation on this server, whatever came before; while a node runs that would not hear
/// of it, this is refused.
pub(super) async fn raise_generation(connection: &mut PgConnection) -> Result<i64, LineageError> {
    let mut heard_of = HeardOf::read(connection).await?;
    if heard_of.recently == 0 && heard_of.later > 0 {
        // They were heard of by another clock, or before this one was set back. Those that run are
        // heard of again by this one.
        tokio::time::sleep(BEAT_WAIT).await;
        heard_of = HeardOf::read(connection).await?;
    }
    if heard_of.recently > 0 {
        return Err(LineageError::NodesRun(heard_of.recently));
    }
    let found = found(connection).await?;
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
