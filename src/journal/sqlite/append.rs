//! One transaction for many batches.

use rusqlite::{CachedStatement, Connection, Error, ToSql, params};

use super::super::ledger::{AppendError, Batch};

/// Inserts a batch if its owner holds the session and it follows the stored head.
const INSERT_BATCH: &str = "\
    INSERT INTO journal (session_id, seq, last_seq, epoch, at_ms, events) \
    SELECT ?1, ?2, ?3, ?4, ?5, ?6 FROM ownership \
    WHERE session_id = ?1 AND owner_incarnation = ?7 AND epoch = ?4 \
    AND ?2 = 1 + coalesce((SELECT last_seq FROM journal WHERE session_id = ?1 \
                           ORDER BY seq DESC LIMIT 1), 0)";
const PUT_PRIVATE_RECORD: &str = "INSERT INTO private_record (session_id, kind, id, text) VALUES (?, ?, ?, ?) \
     ON CONFLICT (session_id, kind, id) DO UPDATE SET text = excluded.text";
const IS_OWNER: &str = "\
    SELECT EXISTS (SELECT 1 FROM ownership WHERE session_id = ? AND owner_incarnation = ? AND epoch = ?)";
/// Whether the identical batch is stored already.
const IS_STORED: &str = "\
    SELECT EXISTS (SELECT 1 FROM journal \
                   WHERE session_id = ? AND seq = ? AND last_seq = ? AND epoch = ? AND events = ?)";

/// Why a flush has no outcome per batch.
pub(super) enum FlushError {
    /// Nothing was committed.
    RolledBack(String),
    /// The commit failed; it may or may not be durable.
    Unknown(String),
}

/// Commits batches in one transaction and returns the outcome of each, in order.
pub(super) fn append_together<'a>(
    connection: &mut Connection,
    batches: impl Iterator<Item = &'a Batch>,
) -> Result<Vec<Result<(), AppendError>>, FlushError> {
    let outcomes = match insert_all(connection, batches) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            roll_back(connection);
            return Err(FlushError::RolledBack(error.to_string()));
        }
    };
    if let Err(error) = execute(connection, "COMMIT") {
        roll_back(connection);
        return Err(FlushError::Unknown(error.to_string()));
    }
    Ok(outcomes)
}

/// Ends an open transaction, so that it does not become part of the next one. Fails if none is open,
/// which is harmless.
fn roll_back(connection: &Connection) {
    drop(execute(connection, "ROLLBACK"));
}

fn execute(connection: &Connection, statement: &str) -> Result<(), Error> {
    connection.prepare_cached(statement)?.execute([]).map(drop)
}

/// Begins a transaction and inserts the batches.
fn insert_all<'a>(
    connection: &Connection,
    batches: impl Iterator<Item = &'a Batch>,
) -> Result<Vec<Result<(), AppendError>>, Error> {
    execute(connection, "BEGIN IMMEDIATE")?;
    let mut insert = connection.prepare_cached(INSERT_BATCH)?;
    let outcomes = batches.map(|batch| {
        if insert_batch(&mut insert, batch)? == 0 {
            return Ok(Err(explain_refusal(connection, batch)?));
        }
        for record in &batch.private {
            let mut put = connection.prepare_cached(PUT_PRIVATE_RECORD)?;
            put.execute(params![
                batch.session.as_i64(),
                record.kind.number(),
                record.id.cast_signed(),
                record.text
            ])?;
        }
        Ok(Ok(()))
    });
    outcomes.collect()
}

/// Returns the number of inserted rows: 0 or 1.
fn insert_batch(insert: &mut CachedStatement<'_>, batch: &Batch) -> Result<usize, Error> {
    insert.execute(params![
        batch.session.as_i64(),
        batch.first_seq.cast_signed(),
        batch.last_seq.cast_signed(),
        batch.epoch.0.cast_signed(),
        batch.at_ms.cast_signed(),
        batch.events,
        batch.owner.0.cast_signed(),
    ])
}

/// Why a batch was not inserted.
fn explain_refusal(connection: &Connection, batch: &Batch) -> Result<AppendError, Error> {
    let session = batch.session.as_i64();
    let epoch = batch.epoch.0.cast_signed();
    let owner = params![session, batch.owner.0.cast_signed(), epoch];
    if !query_bool(connection, IS_OWNER, owner)? {
        return Ok(AppendError::Fenced);
    }
    let first_seq = batch.first_seq.cast_signed();
    let last_seq = batch.last_seq.cast_signed();
    let row = params![session, first_seq, last_seq, epoch, batch.events];
    Ok(if query_bool(connection, IS_STORED, row)? {
        AppendError::AlreadyStored
    } else {
        AppendError::NotContiguous
    })
}

fn query_bool(
    connection: &Connection,
    query: &str,
    arguments: &[&dyn ToSql],
) -> Result<bool, Error> {
    let mut query = connection.prepare_cached(query)?;
    query.query_row(arguments, |row| row.get(0))
}
