//! Changes that are transactions of their own, on the writer's thread.

use rusqlite::{Connection, ErrorCode, OptionalExtension, TransactionBehavior, params};

use super::super::answer::JournalError;
use super::super::catalogue::{CreateError, SessionRecord};
use super::super::ledger::ClaimError;
use crate::ids::{Claim, Epoch, Incarnation, Ownership, SessionId};

fn failed(action: &'static str) -> impl Fn(rusqlite::Error) -> JournalError {
    move |error| JournalError {
        action,
        reason: error.to_string(),
    }
}

pub(super) fn put_hunt(
    connection: &Connection,
    revision: &str,
    files: &[u8],
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO hunt (revision, files) VALUES (?, ?) ON CONFLICT DO NOTHING";
    connection
        .execute(insert, params![revision, files])
        .map(drop)
}

pub(super) fn create_session(
    connection: &mut Connection,
    session: &SessionRecord,
) -> Result<(), CreateError> {
    let failed = failed("create a session");
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&failed)?;
    let inserted = transaction.execute(
        "INSERT INTO session (id, code, hunt_revision, created_at_ms) VALUES (?, ?, ?, ?)",
        params![
            session.id.as_i64(),
            session.code,
            session.hunt_revision,
            session.created_at_ms.cast_signed(),
        ],
    );
    match inserted {
        Ok(_) => {}
        Err(error) => {
            return Err(match violated(&error) {
                Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE) => CreateError::CodeTaken,
                Some(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => CreateError::UnknownHunt,
                Some(_) | None => failed(error).into(),
            });
        }
    }
    transaction
        .execute(
            "INSERT INTO ownership (session_id, owner_incarnation, epoch) VALUES (?, NULL, 0)",
            [session.id.as_i64()],
        )
        .map_err(&failed)?;
    match transaction.commit() {
        Ok(()) => Ok(()),
        Err(error) => Err(failed(error).into()),
    }
}

pub(super) fn raise_generation(connection: &Connection) -> rusqlite::Result<u32> {
    let update = "UPDATE lineage SET generation = generation + 1 RETURNING generation";
    connection.query_row(update, [], |row| row.get(0))
}

pub(super) fn mark_finished(connection: &Connection, session: SessionId) -> rusqlite::Result<()> {
    let update = "UPDATE session SET is_finished = 1 WHERE id = ? AND NOT is_finished";
    connection.execute(update, [session.as_i64()]).map(drop)
}

/// The extended error code of a violated constraint.
fn violated(error: &rusqlite::Error) -> Option<i32> {
    let error = error.sqlite_error()?;
    (error.code == ErrorCode::ConstraintViolation).then_some(error.extended_code)
}

pub(super) fn claim(connection: &Connection, claim: Claim) -> Result<Epoch, ClaimError> {
    let update = "UPDATE ownership SET owner_incarnation = ?, epoch = epoch + 1 \
                  WHERE session_id = ? AND owner_incarnation IS ? AND epoch = ? RETURNING epoch";
    let arguments = params![
        claim.to.0.cast_signed(),
        claim.expected.session.as_i64(),
        claim.expected.owner.map(|from| from.0.cast_signed()),
        claim.expected.epoch.0.cast_signed(),
    ];
    let epoch: Option<i64> = connection
        .query_row(update, arguments, |row| row.get(0))
        .optional()
        .map_err(failed("claim"))?;
    let epoch = epoch.ok_or(ClaimError::Lost)?;
    Ok(Epoch(epoch.cast_unsigned()))
}

pub(super) fn release(connection: &Connection, held: Ownership) -> Result<(), ClaimError> {
    let update = "UPDATE ownership SET owner_incarnation = NULL \
                  WHERE session_id = ? AND owner_incarnation IS ? AND epoch = ?";
    let arguments = params![
        held.session.as_i64(),
        held.owner.map(|Incarnation(owner)| owner.cast_signed()),
        held.epoch.0.cast_signed(),
    ];
    match connection.execute(update, arguments) {
        Ok(0) => Err(ClaimError::Lost),
        Ok(_) => Ok(()),
        Err(error) => Err(failed("release")(error).into()),
    }
}
