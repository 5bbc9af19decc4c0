//! The one statement that appends, and its outcomes.
//!
//! It is its own transaction, in READ COMMITTED. It locks the ownership rows of its sessions `FOR SHARE`
//! and inserts only for sessions that still have the batch's owner and epoch once the lock is held: an
//! earlier claim has fenced it, and a later claim waits for its commit. A statement that read the rows
//! without the lock could insert after the next owner had read the tail, because it would still see the
//! rows as they were when it began.

use std::collections::HashSet;

use sqlx::postgres::{PgArguments, PgBindIterExt, PgDatabaseError, PgSeverity};
use sqlx::{Arguments, PgConnection, Row};

use super::super::ledger::PrivateRecord;
use super::group::Group;
use super::notices::Notices;
use crate::ids::SessionId;

/// A session whose batches were not written, and whether its owner still holds it.
pub(super) struct NotWritten {
    pub(super) session: SessionId,
    pub(super) is_held: bool,
}

/// Why a flush has no outcome per session.
pub(super) enum FlushError {
    /// Nothing was committed.
    RolledBack(String),
    /// It may have been committed. The connection is reusable only if `is_usable`.
    Unknown { reason: String, is_usable: bool },
}

/// `$1` to `$4` are sessions, `$5` to `$10` their batches. A session fits if its owner holds it and its
/// first batch follows the stored head; then all of its batches are inserted. The caller guarantees that
/// they are contiguous, and the primary key that no concurrent insert has the same numbers. The result is
/// the sessions that do not fit: usually none.
macro_rules! append_statement {
    ($more:literal) => {
        concat!(
            "WITH wanted AS MATERIALIZED (\
                 SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) \
                 AS w (session_id, owner_incarnation, epoch, first_seq)), \
             held AS MATERIALIZED (\
                 SELECT o.session_id, w.first_seq FROM wanted w JOIN ownership o \
                 ON o.session_id = w.session_id AND o.owner_incarnation = w.owner_incarnation \
                 AND o.epoch = w.epoch FOR SHARE OF o), \
             fitting AS MATERIALIZED (\
                 SELECT session_id FROM held WHERE first_seq = 1 + coalesce((\
                     SELECT j.last_seq FROM journal j WHERE j.session_id = held.session_id \
                     ORDER BY j.seq DESC LIMIT 1), 0)), \
             written AS (\
                 INSERT INTO journal (session_id, seq, last_seq, epoch, at_ms, events) \
                 SELECT * FROM unnest($5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], \
                                      $9::bigint[], $10::bytea[]) \
                 AS b (session_id, seq, last_seq, epoch, at_ms, events) \
                 WHERE (b.session_id IN (SELECT session_id FROM fitting)) IS TRUE)",
            $more,
            " SELECT session_id, (session_id IN (SELECT session_id FROM held)) IS TRUE FROM wanted \
              WHERE (session_id IN (SELECT session_id FROM fitting)) IS NOT TRUE"
        )
    };
}

pub(super) const APPEND: &str = append_statement!("");
/// Also puts private records, no two with the same key: `$11` to `$14`.
const APPEND_WITH_PRIVATE_RECORDS: &str = append_statement!(
    ", put AS (\
         INSERT INTO private_record (session_id, kind, id, text) \
         SELECT * FROM unnest($11::bigint[], $12::smallint[], $13::bigint[], $14::text[]) \
         AS r (session_id, kind, id, text) \
         WHERE (r.session_id IN (SELECT session_id FROM fitting)) IS TRUE \
         ON CONFLICT (session_id, kind, id) DO UPDATE SET text = excluded.text)"
);

/// Bytes of a batch in the arguments, without its events.
const ROW_BYTES: usize = 6 * 12;

/// Appends the batches of several sessions, all or none of each session. On success the batches are
/// durable for every session that is not in the result.
pub(super) async fn append_together(
    connection: &mut PgConnection,
    notices: &Notices,
    groups: &[Group],
) -> Result<Vec<NotWritten>, FlushError> {
    let private: Vec<_> = groups.iter().flat_map(Group::private_records).collect();
    let arguments =
        arguments(groups, &private).map_err(|error| FlushError::RolledBack(error.to_string()))?;
    let statement = if private.is_empty() {
        APPEND
    } else {
        APPEND_WITH_PRIVATE_RECORDS
    };
    // Read to the last message: the commit comes after the rows.
    let appending = sqlx::query_with(statement, arguments).fetch_all(connection);
    let (result, warning) = notices.watch(appending).await;
    let rows = result.map_err(|error| flush_error(&error))?;
    if let Some(warning) = warning {
        return Err(FlushError::Unknown {
            reason: format!("the server warned: {warning}"),
            is_usable: true,
        });
    }
    let not_written = rows.iter().map(|row| {
        Ok(NotWritten {
            session: SessionId::from_i64(row.try_get(0)?),
            is_held: row.try_get(1)?,
        })
    });
    not_written
        .collect::<Result<_, sqlx::Error>>()
        .map_err(|error| FlushError::Unknown {
            reason: error.to_string(),
            is_usable: false,
        })
}

/// The arguments of the statement, encoded directly from the batches.
fn arguments(
    groups: &[Group],
    private: &[(SessionId, &PrivateRecord)],
) -> Result<PgArguments, sqlx::Error> {
    let batches = || groups.iter().flat_map(Group::batches);
    let bytes: usize = batches().map(|batch| ROW_BYTES + batch.events.len()).sum();
    let mut arguments = PgArguments::default();
    arguments.reserve(14, bytes + ROW_BYTES * groups.len());
    let mut add = || -> Result<(), sqlx::error::BoxDynError> {
        arguments.add(
            groups
                .iter()
                .map(|group| group.session.as_i64())
                .bind_iter(),
        )?;
        arguments.add(
            groups
                .iter()
                .map(|group| group.owner.0.cast_signed())
                .bind_iter(),
        )?;
        arguments.add(
            groups
                .iter()
                .map(|group| group.epoch.0.cast_signed())
                .bind_iter(),
        )?;
        arguments.add(
            groups
                .iter()
                .map(|group| group.first_seq.cast_signed())
                .bind_iter(),
        )?;
        arguments.add(batches().map(|batch| batch.session.as_i64()).bind_iter())?;
        arguments.add(
            batches()
                .map(|batch| batch.first_seq.cast_signed())
                .bind_iter(),
        )?;
        arguments.add(
            batches()
                .map(|batch| batch.last_seq.cast_signed())
                .bind_iter(),
        )?;
        arguments.add(
            batches()
                .map(|batch| batch.epoch.0.cast_signed())
                .bind_iter(),
        )?;
        arguments.add(batches().map(|batch| batch.at_ms.cast_signed()).bind_iter())?;
        arguments.add(batches().map(|batch| batch.events.as_slice()).bind_iter())?;
        if !private.is_empty() {
            let records = || private.iter().map(|(_, record)| record);
            let sessions = private.iter().map(|(session, _)| session.as_i64());
            arguments.add(sessions.bind_iter())?;
            arguments.add(records().map(|record| record.kind.number()).bind_iter())?;
            arguments.add(records().map(|record| record.id.cast_signed()).bind_iter())?;
            arguments.add(records().map(|record| record.text.as_str()).bind_iter())?;
        }
        Ok(())
    };
    add().map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

/// Whether a failed statement may have committed.
fn flush_error(error: &sqlx::Error) -> FlushError {
    let reason = error.to_string();
    let refused = error.as_database_error().map(|error| {
        let error = error.downcast_ref::<PgDatabaseError>();
        matches!(error.severity(), PgSeverity::Error) && !leaves_unknown(error.code())
    });
    match refused {
        // The server reports it only after it has rolled back.
        Some(true) => FlushError::RolledBack(reason),
        Some(false) | None => FlushError::Unknown {
            reason,
            is_usable: false,
        },
    }
}

/// Whether an SQLSTATE leaves the outcome unknown: a broken connection (class 08), operator intervention
/// (class 57), and `statement_completion_unknown` (40003).
fn leaves_unknown(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57") || code == "40003"
}

/// The first numbers of those batches of a group that are stored already, byte for byte.
pub(super) async fn find_stored(
    connection: &mut PgConnection,
    group: &Group,
) -> Result<HashSet<u64>, sqlx::Error> {
    let batches = || group.batches();
    let stored: Vec<i64> = sqlx::query_scalar(
        "SELECT b.seq FROM unnest($3::bigint[], $4::bigint[], $5::bytea[]) AS b (seq, last_seq, events) \
         JOIN journal j ON j.session_id = $1 AND j.epoch = $2 AND j.seq = b.seq \
         AND j.last_seq = b.last_seq AND j.events = b.events",
    )
    .bind(group.session.as_i64())
    .bind(group.epoch.0.cast_signed())
    .bind(batches().map(|batch| batch.first_seq.cast_signed()).bind_iter())
    .bind(batches().map(|batch| batch.last_seq.cast_signed()).bind_iter())
    .bind(batches().map(|batch| batch.events.as_slice()).bind_iter())
    .fetch_all(connection)
    .await?;
    Ok(stored.into_iter().map(i64::cast_unsigned).collect())
}
