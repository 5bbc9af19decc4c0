//! Queries on hunts, sessions, batches and names.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::super::catalogue::SessionRecord;
use super::super::history::BatchesMax;
use super::super::ledger::{PrivateKind, PrivateRecord, StoredBatch};
use crate::ids::{Epoch, SessionId};

/// A query in progress on a borrowed connection.
pub(super) type Query<'c, T> = BoxFuture<'c, Result<T, sqlx::Error>>;

pub(super) fn generation(connection: &mut PgConnection) -> Query<'_, i64> {
    sqlx::query_scalar("SELECT generation FROM lineage")
        .fetch_one(connection)
        .boxed()
}

pub(super) fn put_hunt(
    connection: &mut PgConnection,
    revision: String,
    files: Vec<u8>,
) -> Query<'_, ()> {
    async move {
        sqlx::query("INSERT INTO hunt (revision, files) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(revision)
            .bind(files)
            .execute(connection)
            .await?;
        Ok(())
    }
    .boxed()
}

pub(super) fn hunt(connection: &mut PgConnection, revision: String) -> Query<'_, Option<Vec<u8>>> {
    sqlx::query_scalar("SELECT files FROM hunt WHERE revision = $1")
        .bind(revision)
        .fetch_optional(connection)
        .boxed()
}

pub(super) fn create_session(
    connection: &mut PgConnection,
    session: SessionRecord,
) -> Query<'_, ()> {
    async move {
        sqlx::query(
            "WITH created AS (\
                 INSERT INTO session (id, code, hunt_revision, created_at_ms) \
                 VALUES ($1, $2, $3, $4) RETURNING id) \
             INSERT INTO ownership (session_id, owner_incarnation, epoch) SELECT id, NULL, 0 FROM created",
        )
        .bind(session.id.as_i64())
        .bind(session.code)
        .bind(session.hunt_revision)
        .bind(session.created_at_ms.cast_signed())
        .execute(connection)
        .await?;
        Ok(())
    }
    .boxed()
}

pub(super) fn sessions(connection: &mut PgConnection) -> Query<'_, Vec<SessionRecord>> {
    async move {
        let rows = sqlx::query(
            "SELECT id, code, hunt_revision, created_at_ms FROM session ORDER BY created_at_ms, id",
        )
        .fetch_all(connection)
        .await?;
        rows.iter().map(session_record).collect()
    }
    .boxed()
}

pub(super) fn session_by_code(
    connection: &mut PgConnection,
    code: String,
) -> Query<'_, Option<SessionRecord>> {
    async move {
        let row = sqlx::query(
            "SELECT id, code, hunt_revision, created_at_ms FROM session WHERE code = $1",
        )
        .bind(code)
        .fetch_optional(connection)
        .await?;
        row.as_ref().map(session_record).transpose()
    }
    .boxed()
}

pub(super) fn mark_finished(connection: &mut PgConnection, session: SessionId) -> Query<'_, ()> {
    async move {
        sqlx::query("UPDATE session SET is_finished = true WHERE id = $1 AND NOT is_finished")
            .bind(session.as_i64())
            .execute(connection)
            .await?;
        Ok(())
    }
    .boxed()
}

pub(super) fn finished_sessions(connection: &mut PgConnection) -> Query<'_, Vec<SessionId>> {
    async move {
        let ids = sqlx::query_scalar("SELECT id FROM session WHERE is_finished");
        let ids: Vec<i64> = ids.fetch_all(connection).await?;
        Ok(ids.into_iter().map(SessionId::from_i64).collect())
    }
    .boxed()
}

fn session_record(row: &PgRow) -> Result<SessionRecord, sqlx::Error> {
    Ok(SessionRecord {
        id: SessionId::from_i64(row.try_get(0)?),
        code: row.try_get(1)?,
        hunt_revision: row.try_get(2)?,
        created_at_ms: row.try_get::<i64, _>(3)?.cast_unsigned(),
    })
}

pub(super) fn batches(
    connection: &mut PgConnection,
    session: SessionId,
    after_seq: u64,
    limit: usize,
) -> Query<'_, Vec<StoredBatch>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    read_batches(connection, session, after_seq, limit).boxed()
}

pub(super) async fn read_batches(
    connection: &mut PgConnection,
    session: SessionId,
    after_seq: u64,
    limit: i64,
) -> Result<Vec<StoredBatch>, sqlx::Error> {
    // The first row is the last batch that begins at or before the next number: it may begin before that
    // number and end after it.
    let rows = sqlx::query(
        "SELECT seq, last_seq, epoch, events FROM journal WHERE session_id = $1 AND last_seq > $2 \
         AND seq >= coalesce((SELECT max(seq) FROM journal WHERE session_id = $1 \
                              AND seq <= $2 + 1), 0) \
         ORDER BY seq LIMIT $3",
    )
    .bind(session.as_i64())
    .bind(after_seq.cast_signed())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(stored_batch).collect()
}

/// The oldest batches that end at or before an event.
pub(super) fn oldest(
    connection: &mut PgConnection,
    session: SessionId,
    through_seq: u64,
    max: BatchesMax,
) -> Query<'_, Vec<StoredBatch>> {
    async move {
        let through_seq = i64::try_from(through_seq).unwrap_or(i64::MAX);
        // The length of a batch is read without the batch.
        let lengths: Vec<i32> = sqlx::query_scalar(
            "SELECT octet_length(events) FROM journal \
             WHERE session_id = $1 AND last_seq <= $2 ORDER BY seq LIMIT $3",
        )
        .bind(session.as_i64())
        .bind(through_seq)
        .bind(i64::try_from(max.batches).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await?;
        let lengths = lengths
            .into_iter()
            .map(|length| usize::try_from(length).unwrap_or(0));
        let rows = sqlx::query(
            "SELECT seq, last_seq, epoch, events FROM journal \
             WHERE session_id = $1 AND last_seq <= $2 ORDER BY seq LIMIT $3",
        )
        .bind(session.as_i64())
        .bind(through_seq)
        .bind(i64::try_from(max.fitting(lengths)).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
        rows.iter().map(stored_batch).collect()
    }
    .boxed()
}

/// The newest batches that begin before an event, newest first.
pub(super) fn newest(
    connection: &mut PgConnection,
    session: SessionId,
    before_seq: u64,
    max: BatchesMax,
) -> Query<'_, Vec<StoredBatch>> {
    async move {
        let before_seq = i64::try_from(before_seq).unwrap_or(i64::MAX);
        // The length of a batch is read without the batch.
        let lengths: Vec<i32> = sqlx::query_scalar(
            "SELECT octet_length(events) FROM journal \
             WHERE session_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3",
        )
        .bind(session.as_i64())
        .bind(before_seq)
        .bind(i64::try_from(max.batches).unwrap_or(i64::MAX))
        .fetch_all(&mut *connection)
        .await?;
        let lengths = lengths
            .into_iter()
            .map(|length| usize::try_from(length).unwrap_or(0));
        // Batches that were appended in the meantime are read instead of older ones.
        let rows = sqlx::query(
            "SELECT seq, last_seq, epoch, events FROM journal \
             WHERE session_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3",
        )
        .bind(session.as_i64())
        .bind(before_seq)
        .bind(i64::try_from(max.fitting(lengths)).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
        rows.iter().map(stored_batch).collect()
    }
    .boxed()
}

fn stored_batch(row: &PgRow) -> Result<StoredBatch, sqlx::Error> {
    Ok(StoredBatch {
        first_seq: row.try_get::<i64, _>(0)?.cast_unsigned(),
        last_seq: row.try_get::<i64, _>(1)?.cast_unsigned(),
        epoch: Epoch(row.try_get::<i64, _>(2)?.cast_unsigned()),
        events: row.try_get(3)?,
    })
}

pub(super) fn private_records(
    connection: &mut PgConnection,
    session: SessionId,
) -> Query<'_, Vec<PrivateRecord>> {
    async move {
        let rows = sqlx::query(
            "SELECT kind, id, text FROM private_record WHERE session_id = $1 ORDER BY kind, id",
        )
        .bind(session.as_i64())
        .fetch_all(connection)
        .await?;
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            // A kind of a later version is left alone.
            if let Some(kind) = PrivateKind::from_number(row.try_get(0)?) {
                records.push(PrivateRecord {
                    kind,
                    id: row.try_get::<i64, _>(1)?.cast_unsigned(),
                    text: row.try_get(2)?,
                });
            }
        }
        Ok(records)
    }
    .boxed()
}
