//! Queries on ownership and on nodes.
//!
//! A claim is one compare-and-set on the row that every append of the session locks: it waits for a
//! running append, and fences every later one.

use std::time::Duration;

use futures_util::FutureExt;
use sqlx::{PgConnection, Row};

use super::connect::application_name;
use super::queries::Query;
use crate::ids::{
    Claim, Epoch, HeartbeatOutcome, HeartbeatSeq, Incarnation, NodeRecord, NodeStatus, Ownership,
    SessionId,
};

/// How long to wait for each terminated connection to end.
const TERMINATE_WAIT_MS: i64 = 500;
/// SQLSTATE of a lock timeout.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// Whether a statement failed with a lock timeout. Nothing was changed then.
pub(super) fn is_lock_timeout(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}

pub(super) fn all(connection: &mut PgConnection) -> Query<'_, Vec<Ownership>> {
    async move {
        let rows: Vec<(i64, Option<i64>, i64)> =
            sqlx::query_as("SELECT session_id, owner_incarnation, epoch FROM ownership")
                .fetch_all(connection)
                .await?;
        Ok(rows.into_iter().map(ownership).collect())
    }
    .boxed()
}

pub(super) fn one(
    connection: &mut PgConnection,
    session: SessionId,
) -> Query<'_, Option<Ownership>> {
    async move {
        let row: Option<(i64, Option<i64>, i64)> = sqlx::query_as(
            "SELECT session_id, owner_incarnation, epoch FROM ownership WHERE session_id = $1",
        )
        .bind(session.as_i64())
        .fetch_optional(connection)
        .await?;
        Ok(row.map(ownership))
    }
    .boxed()
}

fn ownership((session, owner, epoch): (i64, Option<i64>, i64)) -> Ownership {
    Ownership {
        session: SessionId::from_i64(session),
        owner: owner.map(|owner| Incarnation(owner.cast_unsigned())),
        epoch: Epoch(epoch.cast_unsigned()),
    }
}

/// The epoch of the claim; `None` if the stored ownership is not the expected one.
pub(super) fn claim(connection: &mut PgConnection, claim: Claim) -> Query<'_, Option<Epoch>> {
    async move {
        let epoch: Option<i64> = sqlx::query_scalar(
            "UPDATE ownership SET owner_incarnation = $4, epoch = epoch + 1 \
             WHERE session_id = $1 AND epoch = $2 AND owner_incarnation IS NOT DISTINCT FROM $3 \
             RETURNING epoch",
        )
        .bind(claim.expected.session.as_i64())
        .bind(claim.expected.epoch.0.cast_signed())
        .bind(claim.expected.owner.map(|from| from.0.cast_signed()))
        .bind(claim.to.0.cast_signed())
        .fetch_optional(connection)
        .await?;
        Ok(epoch.map(|epoch| Epoch(epoch.cast_unsigned())))
    }
    .boxed()
}

/// `None` if `owner` does not hold the session in this epoch.
pub(super) fn release(
    connection: &mut PgConnection,
    session: SessionId,
    owner: Incarnation,
    epoch: Epoch,
) -> Query<'_, Option<()>> {
    async move {
        let released = sqlx::query(
            "UPDATE ownership SET owner_incarnation = NULL \
             WHERE session_id = $1 AND owner_incarnation = $2 AND epoch = $3",
        )
        .bind(session.as_i64())
        .bind(owner.0.cast_signed())
        .bind(epoch.0.cast_signed())
        .execute(connection)
        .await?;
        Ok((released.rows_affected() == 1).then_some(()))
    }
    .boxed()
}

pub(super) fn terminate_connections(
    connection: &mut PgConnection,
    incarnation: Incarnation,
) -> Query<'_, ()> {
    async move {
        sqlx::query(
            "SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity \
             WHERE application_name = $1 AND pid <> pg_backend_pid()",
        )
        .bind(application_name(incarnation))
        .bind(TERMINATE_WAIT_MS)
        .fetch_all(connection)
        .await?;
        Ok(())
    }
    .boxed()
}

pub(super) fn join(connection: &mut PgConnection, node: NodeRecord) -> Query<'_, ()> {
    async move {
        let insert = sqlx::query(
            "INSERT INTO node (incarnation, address, version, weight, lease_ms, is_leaving, heartbeat_at) \
             VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp()) ON CONFLICT (incarnation) DO UPDATE SET \
             address = excluded.address, version = excluded.version, weight = excluded.weight, \
             lease_ms = excluded.lease_ms, is_leaving = excluded.is_leaving, \
             heartbeat_at = clock_timestamp()",
        );
        bind_node(insert, node).execute(connection).await?;
        Ok(())
    }
    .boxed()
}

pub(super) fn heartbeat(
    connection: &mut PgConnection,
    node: NodeRecord,
) -> Query<'_, HeartbeatOutcome> {
    async move {
        let update = sqlx::query(
            "UPDATE node SET address = $2, version = $3, weight = $4, lease_ms = $5, \
             is_leaving = $6, heartbeat_at = clock_timestamp() WHERE incarnation = $1",
        );
        let renewed = bind_node(update, node).execute(connection).await?;
        Ok(match renewed.rows_affected() {
            0 => HeartbeatOutcome::Evicted,
            _ => HeartbeatOutcome::Renewed,
        })
    }
    .boxed()
}

type PgQuery = sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bind_node(query: PgQuery, node: NodeRecord) -> PgQuery {
    query
        .bind(node.incarnation.0.cast_signed())
        .bind(node.address)
        .bind(node.version)
        .bind(i64::from(node.weight))
        .bind(i64::try_from(node.lease.as_millis()).unwrap_or(i64::MAX))
        .bind(node.is_leaving)
}

pub(super) fn nodes(connection: &mut PgConnection) -> Query<'_, Vec<NodeStatus>> {
    async move {
        let rows = sqlx::query(
            "SELECT incarnation, address, version, weight, lease_ms, is_leaving, \
             floor(1000 * extract(epoch FROM clock_timestamp() - heartbeat_at))::bigint, \
             (1000000 * extract(epoch FROM heartbeat_at))::bigint FROM node",
        )
        .fetch_all(connection)
        .await?;
        let nodes = rows.into_iter().map(|row| {
            let weight = u32::try_from(row.try_get::<i64, _>(3)?);
            let age_ms: i64 = row.try_get(6)?;
            Ok(NodeStatus {
                record: NodeRecord {
                    incarnation: Incarnation(row.try_get::<i64, _>(0)?.cast_unsigned()),
                    address: row.try_get(1)?,
                    version: row.try_get(2)?,
                    weight: weight.map_err(|error| sqlx::Error::Decode(error.into()))?,
                    lease: Duration::from_millis(row.try_get::<i64, _>(4)?.cast_unsigned()),
                    is_leaving: row.try_get(5)?,
                },
                last_heartbeat: HeartbeatSeq(row.try_get(7)?),
                // Negative if the server's clock was set back.
                age: Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)),
            })
        });
        nodes.collect()
    }
    .boxed()
}

pub(super) fn remove(
    connection: &mut PgConnection,
    incarnation: Incarnation,
    last_heartbeat: Option<HeartbeatSeq>,
) -> Query<'_, bool> {
    async move {
        let incarnation = incarnation.0.cast_signed();
        let removed = sqlx::query(
            "DELETE FROM node WHERE incarnation = $1 \
             AND coalesce((1000000 * extract(epoch FROM heartbeat_at))::bigint = $2, true)",
        )
        .bind(incarnation)
        .bind(last_heartbeat.map(|HeartbeatSeq(last)| last))
        .execute(&mut *connection)
        .await?;
        if removed.rows_affected() > 0 {
            return Ok(true);
        }
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM node WHERE incarnation = $1)")
            .bind(incarnation)
            .fetch_one(connection)
            .await
    }
    .boxed()
}
