//! Queries on snapshots: storing, loading for a recovery, verifying, and truncating the journal.

use futures_util::FutureExt;
use sqlx::{Connection, PgConnection};

use super::super::ledger::{Loaded, Snapshot, TruncateError, Truncation};
use super::queries::{Query, read_batches};
use crate::ids::SessionId;

type Row = (i64, Vec<u8>, Vec<u8>);

/// Snapshot and tail from one database snapshot.
pub(super) fn load(
    connection: &mut PgConnection,
    session: SessionId,
    before_seq: u64,
) -> Query<'_, Loaded> {
    async move {
        let mut transaction = connection
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await?;
        let mut loaded = Loaded::default();
        let mut before = i64::try_from(before_seq).unwrap_or(i64::MAX);
        loop {
            // One at a time: they are large, and usually the first one is intact.
            let row: Option<Row> = sqlx::query_as(
                "SELECT seq, state, digest FROM snapshot WHERE session_id = $1 AND seq < $2 \
                 AND seq <= coalesce((SELECT last_seq FROM journal WHERE session_id = $1 \
                                      ORDER BY seq DESC LIMIT 1), 0) \
                 ORDER BY seq DESC LIMIT 1",
            )
            .bind(session.as_i64())
            .bind(before)
            .fetch_optional(&mut *transaction)
            .await?;
            let Some(row) = row else {
                break;
            };
            before = row.0;
            let snapshot = stored(row);
            if snapshot.is_intact() {
                loaded.snapshot = Some(snapshot);
                break;
            }
            loaded.damaged.push(snapshot.seq);
        }
        let from = loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        loaded.tail = read_batches(&mut transaction, session, from, i64::MAX).await?;
        transaction.commit().await?;
        Ok(loaded)
    }
    .boxed()
}

fn stored((seq, state, digest): Row) -> Snapshot {
    Snapshot {
        seq: seq.cast_unsigned(),
        state,
        // A digest of another length is damaged; zeros match no state.
        digest: digest.try_into().unwrap_or_default(),
    }
}

pub(super) fn one(
    connection: &mut PgConnection,
    session: SessionId,
    seq: u64,
) -> Query<'_, Option<Snapshot>> {
    async move {
        let row: Option<Row> = sqlx::query_as(
            "SELECT seq, state, digest FROM snapshot WHERE session_id = $1 AND seq = $2",
        )
        .bind(session.as_i64())
        .bind(seq.cast_signed())
        .fetch_optional(connection)
        .await?;
        Ok(row.map(stored))
    }
    .boxed()
}

pub(super) fn put(
    connection: &mut PgConnection,
    session: SessionId,
    snapshot: Snapshot,
) -> Query<'_, ()> {
    async move {
        let mut transaction = connection.begin().await?;
        sqlx::query(
            "INSERT INTO snapshot (session_id, seq, state, digest) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (session_id, seq) DO UPDATE \
             SET state = excluded.state, digest = excluded.digest WHERE NOT snapshot.is_verified",
        )
        .bind(session.as_i64())
        .bind(snapshot.seq.cast_signed())
        .bind(snapshot.state)
        .bind(snapshot.digest.as_slice())
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "DELETE FROM snapshot WHERE session_id = $1 \
             AND seq NOT IN (SELECT seq FROM snapshot WHERE session_id = $1 \
                             ORDER BY seq DESC LIMIT 2) \
             AND seq NOT IN (SELECT seq FROM snapshot WHERE session_id = $1 AND is_verified \
                             ORDER BY seq DESC LIMIT 2)",
        )
        .bind(session.as_i64())
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }
    .boxed()
}

pub(super) fn mark_verified(
    connection: &mut PgConnection,
    session: SessionId,
    seq: u64,
    digest: [u8; 32],
) -> Query<'_, bool> {
    async move {
        let marked = sqlx::query(
            "UPDATE snapshot SET is_verified = true \
             WHERE session_id = $1 AND seq = $2 AND digest = $3",
        )
        .bind(session.as_i64())
        .bind(seq.cast_signed())
        .bind(digest.as_slice())
        .execute(connection)
        .await?;
        Ok(marked.rows_affected() == 1)
    }
    .boxed()
}

pub(super) fn verified(connection: &mut PgConnection, session: SessionId) -> Query<'_, Vec<u64>> {
    async move {
        let seqs: Vec<i64> = sqlx::query_scalar(
            "SELECT seq FROM snapshot WHERE session_id = $1 AND is_verified ORDER BY seq DESC",
        )
        .bind(session.as_i64())
        .fetch_all(connection)
        .await?;
        Ok(seqs.into_iter().map(i64::cast_unsigned).collect())
    }
    .boxed()
}

/// One statement, which locks the ownership row as an append does: an earlier claim has fenced it, and a
/// later one waits for it. So nothing is deleted while a new owner reads.
pub(super) fn truncate(
    connection: &mut PgConnection,
    cut: Truncation,
) -> Query<'_, Result<u64, TruncateError>> {
    async move {
        let (is_held, is_covered, deleted): (bool, bool, i64) = sqlx::query_as(
            "WITH held AS MATERIALIZED (\
                 SELECT session_id FROM ownership \
                 WHERE session_id = $1 AND owner_incarnation = $2 AND epoch = $3 FOR SHARE), \
             covering AS MATERIALIZED (\
                 SELECT session_id FROM held WHERE $4 <= (\
                     SELECT s.seq FROM snapshot s WHERE s.session_id = $1 AND s.is_verified \
                     ORDER BY s.seq DESC LIMIT 1 OFFSET 1)), \
             deleted AS (\
                 DELETE FROM journal j USING covering c WHERE j.session_id = c.session_id \
                 AND j.seq IN (SELECT seq FROM journal WHERE session_id = $1 AND last_seq <= $4 \
                               ORDER BY seq LIMIT $5) RETURNING 1) \
             SELECT EXISTS (SELECT 1 FROM held), EXISTS (SELECT 1 FROM covering), \
                    (SELECT count(*) FROM deleted)",
        )
        .bind(cut.session.as_i64())
        .bind(cut.owner.0.cast_signed())
        .bind(cut.epoch.0.cast_signed())
        .bind(i64::try_from(cut.through_seq).unwrap_or(i64::MAX))
        .bind(i64::try_from(cut.batches_max).unwrap_or(i64::MAX))
        .fetch_one(connection)
        .await?;
        Ok(match (is_held, is_covered) {
            (false, _) => Err(TruncateError::Fenced),
            (true, false) => Err(TruncateError::NotCovered),
            (true, true) => Ok(deleted.cast_unsigned()),
        })
    }
    .boxed()
}
