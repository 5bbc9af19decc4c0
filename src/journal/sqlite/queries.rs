//! What is read from the database, on connections that cannot write.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};

use super::super::{
    Epoch, Incarnation, Loaded, Name, Ownership, SessionId, SessionRecord, Snapshot, StoredBatch,
};

pub(super) async fn hunt(
    pool: SqlitePool,
    revision: String,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT files FROM hunt WHERE revision = ?")
        .bind(revision)
        .fetch_optional(&pool)
        .await
}

pub(super) async fn sessions(pool: SqlitePool) -> Result<Vec<SessionRecord>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, code, hunt_revision, created_at_ms FROM session ORDER BY created_at_ms, id",
    )
    .fetch_all(&pool)
    .await?;
    let records = rows.into_iter().map(|row| {
        Ok(SessionRecord {
            id: SessionId::from_i64(row.try_get(0)?),
            code: row.try_get(1)?,
            hunt_revision: row.try_get(2)?,
            created_at_ms: row.try_get::<i64, _>(3)?.cast_unsigned(),
        })
    });
    records.collect()
}

pub(super) async fn ownerships(pool: SqlitePool) -> Result<Vec<Ownership>, sqlx::Error> {
    let rows = sqlx::query("SELECT session_id, owner_inc, epoch FROM ownership")
        .fetch_all(&pool)
        .await?;
    rows.iter().map(stored_ownership).collect()
}

pub(super) async fn ownership(
    pool: SqlitePool,
    session: SessionId,
) -> Result<Option<Ownership>, sqlx::Error> {
    let row =
        sqlx::query("SELECT session_id, owner_inc, epoch FROM ownership WHERE session_id = ?")
            .bind(session.as_i64())
            .fetch_optional(&pool)
            .await?;
    row.as_ref().map(stored_ownership).transpose()
}

fn stored_ownership(row: &SqliteRow) -> Result<Ownership, sqlx::Error> {
    let owner: Option<i64> = row.try_get(1)?;
    Ok(Ownership {
        session: SessionId::from_i64(row.try_get(0)?),
        owner: owner.map(|owner| Incarnation(owner.cast_unsigned())),
        epoch: Epoch(row.try_get::<i64, _>(2)?.cast_unsigned()),
    })
}

/// Snapshot and tail as of one moment: both reads are in one transaction.
pub(super) async fn load(pool: SqlitePool, session: SessionId) -> Result<Loaded, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let row = sqlx::query(
        "SELECT seq, state FROM snapshot WHERE session_id = ?1 AND seq <= \
         (SELECT coalesce(max(last_seq), 0) FROM journal WHERE session_id = ?1) \
         ORDER BY seq DESC LIMIT 1",
    )
    .bind(session.as_i64())
    .fetch_optional(&mut *transaction)
    .await?;
    let snapshot = row.map(|row| {
        Ok::<_, sqlx::Error>(Snapshot {
            seq: row.try_get::<i64, _>(0)?.cast_unsigned(),
            state: row.try_get(1)?,
        })
    });
    let snapshot = snapshot.transpose()?;
    let from = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    let tail = read_batches(&mut transaction, session, from, i64::MAX).await?;
    Ok(Loaded { snapshot, tail })
}

pub(super) async fn batches(
    pool: SqlitePool,
    session: SessionId,
    after_seq: u64,
    limit: usize,
) -> Result<Vec<StoredBatch>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    read_batches(&mut connection, session, after_seq, limit).await
}

async fn read_batches(
    connection: &mut SqliteConnection,
    session: SessionId,
    after_seq: u64,
    limit: i64,
) -> Result<Vec<StoredBatch>, sqlx::Error> {
    // The first row sought is the last one that begins at or before the next number: a batch may
    // begin before it and end after it.
    let rows = sqlx::query(
        "SELECT seq, last_seq, epoch, events FROM journal WHERE session_id = ?1 AND last_seq > ?2 \
         AND seq >= coalesce((SELECT max(seq) FROM journal WHERE session_id = ?1 \
                              AND seq <= ?2 + 1), 0) \
         ORDER BY seq LIMIT ?3",
    )
    .bind(session.as_i64())
    .bind(after_seq.cast_signed())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(stored_batch).collect()
}

fn stored_batch(row: &SqliteRow) -> Result<StoredBatch, sqlx::Error> {
    Ok(StoredBatch {
        first_seq: row.try_get::<i64, _>(0)?.cast_unsigned(),
        last_seq: row.try_get::<i64, _>(1)?.cast_unsigned(),
        epoch: Epoch(row.try_get::<i64, _>(2)?.cast_unsigned()),
        events: row.try_get(3)?,
    })
}

pub(super) async fn names(pool: SqlitePool, session: SessionId) -> Result<Vec<Name>, sqlx::Error> {
    let rows = sqlx::query("SELECT id, text FROM name WHERE session_id = ? ORDER BY id")
        .bind(session.as_i64())
        .fetch_all(&pool)
        .await?;
    let names = rows.into_iter().map(|row| {
        Ok(Name {
            id: row.try_get::<i64, _>(0)?.cast_unsigned(),
            text: row.try_get(1)?,
        })
    });
    names.collect()
}
