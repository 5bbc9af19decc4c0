//! Reads, on connections that cannot write.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};

use super::super::catalogue::SessionRecord;
use super::super::history::BatchesMax;
use super::super::ledger::{Loaded, PrivateKind, PrivateRecord, Snapshot, StoredBatch};
use crate::ids::{Epoch, Incarnation, Ownership, SessionId};

pub(super) async fn hunt(
    pool: SqlitePool,
    revision: String,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT files FROM hunt WHERE revision = ?")
        .bind(revision)
        .fetch_optional(&pool)
        .await
}

pub(super) async fn generation(pool: SqlitePool) -> Result<u32, sqlx::Error> {
    sqlx::query_scalar("SELECT generation FROM lineage")
        .fetch_one(&pool)
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

pub(super) async fn finished_sessions(pool: SqlitePool) -> Result<Vec<SessionId>, sqlx::Error> {
    let ids = sqlx::query_scalar("SELECT id FROM session WHERE is_finished");
    let ids: Vec<i64> = ids.fetch_all(&pool).await?;
    Ok(ids.into_iter().map(SessionId::from_i64).collect())
}

pub(super) async fn ownerships(pool: SqlitePool) -> Result<Vec<Ownership>, sqlx::Error> {
    let rows = sqlx::query("SELECT session_id, owner_incarnation, epoch FROM ownership")
        .fetch_all(&pool)
        .await?;
    rows.iter().map(stored_ownership).collect()
}

pub(super) async fn ownership(
    pool: SqlitePool,
    session: SessionId,
) -> Result<Option<Ownership>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT session_id, owner_incarnation, epoch FROM ownership WHERE session_id = ?",
    )
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

/// Snapshot and tail, read in one transaction.
pub(super) async fn load(
    pool: SqlitePool,
    session: SessionId,
    before_seq: u64,
) -> Result<Loaded, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let rows: Vec<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT id, seq, digest FROM snapshot WHERE session_id = ?1 AND is_whole AND seq < ?2 \
         AND seq <= (SELECT coalesce(max(last_seq), 0) FROM journal WHERE session_id = ?1) \
         ORDER BY seq DESC",
    )
    .bind(session.as_i64())
    .bind(i64::try_from(before_seq).unwrap_or(i64::MAX))
    .fetch_all(&mut *transaction)
    .await?;
    let mut loaded = Loaded::default();
    for row in rows {
        let snapshot = whole_snapshot(&mut transaction, row).await?;
        if snapshot.is_intact() {
            loaded.snapshot = Some(snapshot);
            break;
        }
        loaded.damaged.push(snapshot.seq);
    }
    let from = loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    loaded.tail = read_batches(&mut transaction, session, from, i64::MAX).await?;
    Ok(loaded)
}

pub(super) async fn snapshot(
    pool: SqlitePool,
    session: SessionId,
    seq: u64,
) -> Result<Option<Snapshot>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let row: Option<(i64, i64, Vec<u8>)> = sqlx::query_as(
        "SELECT id, seq, digest FROM snapshot WHERE session_id = ? AND seq = ? AND is_whole",
    )
    .bind(session.as_i64())
    .bind(seq.cast_signed())
    .fetch_optional(&mut *transaction)
    .await?;
    match row {
        Some(row) => Ok(Some(whole_snapshot(&mut transaction, row).await?)),
        None => Ok(None),
    }
}

/// A snapshot, assembled from its parts.
async fn whole_snapshot(
    connection: &mut SqliteConnection,
    (id, seq, digest): (i64, i64, Vec<u8>),
) -> Result<Snapshot, sqlx::Error> {
    let parts: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT bytes FROM snapshot_part WHERE snapshot_id = ? ORDER BY number")
            .bind(id)
            .fetch_all(connection)
            .await?;
    Ok(Snapshot {
        seq: seq.cast_unsigned(),
        state: parts.concat(),
        // A digest of another length is damaged; zeros match no state.
        digest: digest.try_into().unwrap_or_default(),
    })
}

pub(super) async fn verified_snapshots(
    pool: SqlitePool,
    session: SessionId,
) -> Result<Vec<u64>, sqlx::Error> {
    let seqs: Vec<i64> = sqlx::query_scalar(
        "SELECT seq FROM snapshot WHERE session_id = ? AND is_verified ORDER BY seq DESC",
    )
    .bind(session.as_i64())
    .fetch_all(&pool)
    .await?;
    Ok(seqs.into_iter().map(i64::cast_unsigned).collect())
}

pub(super) async fn oldest(
    pool: SqlitePool,
    session: SessionId,
    through_seq: u64,
    max: BatchesMax,
) -> Result<Vec<StoredBatch>, sqlx::Error> {
    let through_seq = i64::try_from(through_seq).unwrap_or(i64::MAX);
    // The length of a batch is read without the batch.
    let lengths: Vec<i64> = sqlx::query_scalar(
        "SELECT length(events) FROM journal WHERE session_id = ? AND last_seq <= ? \
         ORDER BY seq LIMIT ?",
    )
    .bind(session.as_i64())
    .bind(through_seq)
    .bind(i64::try_from(max.batches).unwrap_or(i64::MAX))
    .fetch_all(&pool)
    .await?;
    let lengths = lengths
        .into_iter()
        .map(|length| usize::try_from(length).unwrap_or(0));
    let rows = sqlx::query(
        "SELECT seq, last_seq, epoch, events FROM journal WHERE session_id = ? AND last_seq <= ? \
         ORDER BY seq LIMIT ?",
    )
    .bind(session.as_i64())
    .bind(through_seq)
    .bind(i64::try_from(max.fitting(lengths)).unwrap_or(i64::MAX))
    .fetch_all(&pool)
    .await?;
    rows.iter().map(stored_batch).collect()
}

pub(super) async fn newest(
    pool: SqlitePool,
    session: SessionId,
    before_seq: u64,
    max: BatchesMax,
) -> Result<Vec<StoredBatch>, sqlx::Error> {
    let before_seq = i64::try_from(before_seq).unwrap_or(i64::MAX);
    // The length of a batch is read without the batch.
    let lengths: Vec<i64> = sqlx::query_scalar(
        "SELECT length(events) FROM journal WHERE session_id = ? AND seq < ? \
         ORDER BY seq DESC LIMIT ?",
    )
    .bind(session.as_i64())
    .bind(before_seq)
    .bind(i64::try_from(max.batches).unwrap_or(i64::MAX))
    .fetch_all(&pool)
    .await?;
    let lengths = lengths
        .into_iter()
        .map(|length| usize::try_from(length).unwrap_or(0));
    // Batches that were appended in the meantime are read instead of older ones.
    let rows = sqlx::query(
        "SELECT seq, last_seq, epoch, events FROM journal WHERE session_id = ? AND seq < ? \
         ORDER BY seq DESC LIMIT ?",
    )
    .bind(session.as_i64())
    .bind(before_seq)
    .bind(i64::try_from(max.fitting(lengths)).unwrap_or(i64::MAX))
    .fetch_all(&pool)
    .await?;
    rows.iter().map(stored_batch).collect()
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
    // The first row is the last batch that begins at or before the next number: it may begin before that
    // number and end after it.
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

pub(super) async fn private_records(
    pool: SqlitePool,
    session: SessionId,
) -> Result<Vec<PrivateRecord>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT kind, id, text FROM private_record WHERE session_id = ? ORDER BY kind, id",
    )
    .bind(session.as_i64())
    .fetch_all(&pool)
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
