//! Snapshots, written in parts: each part is a transaction of its own, so that batches are committed in
//! between. The last step makes the snapshot visible. Invisible ones are deleted in equally small steps.

use std::time::Duration;

use rusqlite::{Connection, Error, OptionalExtension, TransactionBehavior, params};
use tokio::time::Instant;

use super::super::answer::JournalError;
use super::super::ledger::{Snapshot, TruncateError, Truncation};
use super::SqliteJournal;
use crate::ids::SessionId;

/// Bytes of a part: it delays the next commit no longer than a large batch does.
const PART_BYTES: usize = 64 << 10;
/// While batches are appended, the pause after a part is this many times the part's own duration, so that
/// few batches wait for a part.
const PAUSE_FACTOR: u32 = 3;
/// Longest pause, because the part before may have waited for a stalled disk.
const PAUSE_MAX: Duration = Duration::from_millis(20);
/// Parts that one step deletes: their pages only move to the free list.
const DELETED_PARTS: i64 = 16;

const ACTION: &str = "store a snapshot";

/// Writes a snapshot. What a failure or a crash leaves of it is deleted with the session's next snapshot.
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
    delete_invisible(&journal, session, id).await?;
    for (number, part) in (0..).zip(state.chunks(PART_BYTES)) {
        let part = part.to_vec();
        let (appends, put_at) = (journal.appends(), Instant::now());
        let put = journal.change(ACTION, move |connection| {
            put_part(connection, id, number, &part)
        });
        ensure_current(put.await?)?;
        if journal.appends() != appends {
            let pause = put_at.elapsed().saturating_mul(PAUSE_FACTOR);
            tokio::time::sleep(pause.min(PAUSE_MAX)).await;
        }
    }
    let finished = journal.change(ACTION, move |connection| finish(connection, session, id));
    ensure_current(finished.await?)?;
    delete_invisible(&journal, session, id).await
}

fn ensure_current(is_current: bool) -> Result<(), JournalError> {
    if is_current {
        return Ok(());
    }
    Err(JournalError {
        action: ACTION,
        reason: "a later snapshot of the session was begun meanwhile".to_owned(),
    })
}

/// Deletes the invisible snapshots of a session that were begun before this one: of two concurrent ones the
/// later one stays.
async fn delete_invisible(
    journal: &SqliteJournal,
    session: SessionId,
    writing: i64,
) -> Result<(), JournalError> {
    loop {
        let deleted = journal.change(ACTION, move |connection| {
            delete_some(connection, session, writing)
        });
        if !deleted.await? {
            return Ok(());
        }
    }
}

/// Begins a snapshot under a new id, unless a verified one of this event exists.
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

/// Returns false if the snapshot was deleted meanwhile.
fn put_part(connection: &Connection, id: i64, number: i64, part: &[u8]) -> Result<bool, Error> {
    let insert = "INSERT INTO snapshot_part (snapshot_id, number, bytes) SELECT ?1, ?2, ?3 \
                  WHERE EXISTS (SELECT 1 FROM snapshot WHERE id = ?1)";
    let mut insert = connection.prepare_cached(insert)?;
    Ok(insert.execute(params![id, number, part])? == 1)
}

/// Makes a snapshot visible instead of an unverified one of the same event, and hides those that are no
/// longer kept.
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

/// Returns whether more may be left.
fn delete_some(
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
    let deleted = transaction.execute(
        "DELETE FROM snapshot_part WHERE rowid IN \
         (SELECT rowid FROM snapshot_part WHERE snapshot_id = ? LIMIT ?)",
        params![id, DELETED_PARTS],
    )?;
    if deleted == 0 {
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
