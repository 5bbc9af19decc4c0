//! Snapshots, which are written in parts: each is a transaction of its own, between which others'
//! batches are committed. The last step makes all of it count, and what does not count is swept away in
//! steps as small.

use std::time::Duration;

use rusqlite::{Connection, Error, OptionalExtension, TransactionBehavior, params};
use tokio::time::Instant;

use super::super::{JournalError, SessionId, Snapshot, TruncateError, Truncation};
use super::SqliteJournal;

/// Bytes of a part: the commit behind it waits no longer than for a large batch.
const PART_BYTES: usize = 64 << 10;
/// While others append, a part is put off by so many times as long as the one before took: a batch that
/// comes meanwhile seldom meets one.
const REST_TIMES: u32 = 3;
/// The longest that a part is put off, since the one before may have met a disk that stood still.
const REST_MAX: Duration = Duration::from_millis(20);
/// Parts that one step sweeps away: their pages only change their list.
const SWEPT_PARTS: i64 = 16;

const ACTION: &str = "store a snapshot";

/// Writes a snapshot. What is left of it by a failure or a crash is swept away by the next one of its
/// session.
pub(super) async fn put(
    journal: SqliteJournal,
    session: SessionId,
    snapshot: Snapshot,
) -> Result<(), JournalError> {
    let Snapshot { seq, state, digest } = snapshot;
    let begun = journal.change(ACTION, move |connection| {
        begin(connection, session, seq, digest)
    });
    let Some(id) = begun.await? else {
        return Ok(());
    };
    sweep(&journal, session, id).await?;
    for (number, part) in (0..).zip(state.chunks(PART_BYTES)) {
        let part = part.to_vec();
        let (appends, put_at) = (journal.appends(), Instant::now());
        let put = journal.change(ACTION, move |connection| {
            put_part(connection, id, number, &part)
        });
        must_stand(put.await?)?;
        if journal.appends() != appends {
            let rest = put_at.elapsed().saturating_mul(REST_TIMES);
            tokio::time::sleep(rest.min(REST_MAX)).await;
        }
    }
    let finished = journal.change(ACTION, move |connection| finish(connection, session, id));
    must_stand(finished.await?)?;
    sweep(&journal, session, id).await
}

fn must_stand(stands: bool) -> Result<(), JournalError> {
    if stands {
        return Ok(());
    }
    Err(JournalError {
        action: ACTION,
        reason: "a later one of the session was begun meanwhile".to_owned(),
    })
}

/// Sweeps away all of a session that does not count and was begun before this one: of two that are
/// written at once, the later one stays.
async fn sweep(
    journal: &SqliteJournal,
    session: SessionId,
    writing: i64,
) -> Result<(), JournalError> {
    loop {
        let swept = journal.change(ACTION, move |connection| {
            sweep_some(connection, session, writing)
        });
        if !swept.await? {
            return Ok(());
        }
    }
}

/// Begins one, under an id of its own, unless there is a verified one of this event.
fn begin(
    connection: &Connection,
    session: SessionId,
    seq: u64,
    digest: [u8; 32],
) -> Result<Option<i64>, Error> {
    let insert = "INSERT INTO snapshot (session_id, seq, digest) SELECT ?1, ?2, ?3 \
                  WHERE NOT EXISTS (SELECT 1 FROM snapshot WHERE session_id = ?1 AND seq = ?2 \
                                    AND is_verified) RETURNING id";
    let arguments = params![session.as_i64(), seq.cast_signed(), digest];
    let mut insert = connection.prepare_cached(insert)?;
    insert.query_row(arguments, |row| row.get(0)).optional()
}

/// Whether the snapshot is still being written.
fn put_part(connection: &Connection, id: i64, number: i64, part: &[u8]) -> Result<bool, Error> {
    let insert = "INSERT INTO snapshot_part (snapshot_id, number, bytes) SELECT ?1, ?2, ?3 \
                  WHERE EXISTS (SELECT 1 FROM snapshot WHERE id = ?1)";
    let mut insert = connection.prepare_cached(insert)?;
    Ok(insert.execute(params![id, number, part])? == 1)
}

/// Makes it count, in place of another one of the same event that is not verified, and those no more
/// that nobody needs.
fn finish(connection: &mut Connection, session: SessionId, id: i64) -> Result<bool, Error> {
    let session = session.as_i64();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "UPDATE snapshot SET is_whole = 0, is_verified = 0 WHERE session_id = ?1 \
         AND seq = (SELECT seq FROM snapshot WHERE id = ?2) AND NOT is_verified",
        params![session, id],
    )?;
    let finished = transaction.execute(
        "UPDATE snapshot SET is_whole = 1 WHERE id = ?2 AND NOT EXISTS (\
         SELECT 1 FROM snapshot s WHERE s.session_id = ?1 AND s.seq = snapshot.seq AND s.is_whole)",
        params![session, id],
    )?;
    transaction.execute(
        "UPDATE snapshot SET is_whole = 0, is_verified = 0 WHERE session_id = ?1 AND is_whole \
         AND seq NOT IN (SELECT seq FROM snapshot WHERE session_id = ?1 AND is_whole \
                         ORDER BY seq DESC LIMIT 2) \
         AND seq NOT IN (SELECT seq FROM snapshot WHERE session_id = ?1 AND is_verified \
                         ORDER BY seq DESC LIMIT 2)",
        [session],
    )?;
    transaction.commit()?;
    Ok(finished == 1)
}

/// Whether there may be more.
fn sweep_some(
    connection: &mut Connection,
    session: SessionId,
    writing: i64,
) -> Result<bool, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let find = "SELECT id FROM snapshot WHERE session_id = ? AND NOT is_whole AND id < ? LIMIT 1";
    let found: Option<i64> = transaction
        .query_row(find, params![session.as_i64(), writing], |row| row.get(0))
        .optional()?;
    let Some(id) = found else {
        return Ok(false);
    };
    let swept = transaction.execute(
        "DELETE FROM snapshot_part WHERE rowid IN \
         (SELECT rowid FROM snapshot_part WHERE snapshot_id = ? LIMIT ?)",
        params![id, SWEPT_PARTS],
    )?;
    if swept == 0 {
        transaction.execute("DELETE FROM snapshot WHERE id = ?", [id])?;
    }
    transaction.commit()?;
    Ok(true)
}

pub(super) fn mark_verified(
    connection: &Connection,
    session: SessionId,
    seq: u64,
    digest: [u8; 32],
) -> Result<bool, Error> {
    let update = "UPDATE snapshot SET is_verified = 1 \
                  WHERE session_id = ? AND seq = ? AND is_whole AND digest = ?";
    let marked =
        connection.execute(update, params![session.as_i64(), seq.cast_signed(), digest])?;
    Ok(marked == 1)
}

pub(super) fn truncate(
    connection: &mut Connection,
    cut: Truncation,
) -> Result<Result<u64, TruncateError>, Error> {
    let session = cut.session.as_i64();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let is_owner: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM ownership \
                        WHERE session_id = ? AND owner_incarnation = ? AND epoch = ?)",
        params![
            session,
            cut.owner.0.cast_signed(),
            cut.epoch.0.cast_signed()
        ],
        |row| row.get(0),
    )?;
    if !is_owner {
        return Ok(Err(TruncateError::Fenced));
    }
    let covered: Option<i64> = transaction
        .query_row(
            "SELECT seq FROM snapshot WHERE session_id = ? AND is_verified \
             ORDER BY seq DESC LIMIT 1 OFFSET 1",
            [session],
            |row| row.get(0),
        )
        .optional()?;
    if covered.is_none_or(|covered| cut.through_seq > covered.cast_unsigned()) {
        return Ok(Err(TruncateError::NotCovered));
    }
    let deleted = transaction.execute(
        "DELETE FROM journal WHERE session_id = ?1 AND seq IN \
         (SELECT seq FROM journal WHERE session_id = ?1 AND last_seq <= ?2 ORDER BY seq LIMIT ?3)",
        params![
            session,
            cut.through_seq.cast_signed(),
            i64::try_from(cut.batches_max).unwrap_or(i64::MAX)
        ],
    )?;
    transaction.commit()?;
    Ok(Ok(deleted as u64))
}
