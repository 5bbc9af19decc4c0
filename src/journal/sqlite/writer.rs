//! The only connection that writes: a transaction for all that waits.

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::{
    AppendError, Batch, Claim, ClaimError, CreateError, Epoch, Incarnation, JournalError,
    Ownership, SessionId, SessionRecord, Snapshot,
};
use super::append::{FlushError, append_together};
use super::hang_up;
use crate::telemetry::{AppendFailure, as_f64, metrics};

/// Something to write, and whom to tell.
pub(super) enum Job {
    PutHunt {
        revision: String,
        files: Vec<u8>,
        reply: oneshot::Sender<Result<(), JournalError>>,
    },
    CreateSession {
        session: SessionRecord,
        reply: oneshot::Sender<Result<(), CreateError>>,
    },
    Claim {
        claim: Claim,
        reply: oneshot::Sender<Result<Epoch, ClaimError>>,
    },
    Release {
        held: Ownership,
        reply: oneshot::Sender<Result<(), ClaimError>>,
    },
    Append {
        batch: Batch,
        reply: oneshot::Sender<Result<(), AppendError>>,
    },
    PutSnapshot {
        session: SessionId,
        snapshot: Snapshot,
        reply: oneshot::Sender<Result<(), JournalError>>,
    },
    Close {
        reply: oneshot::Sender<Result<(), JournalError>>,
    },
}

type Append = (Batch, oneshot::Sender<Result<(), AppendError>>);

/// Runs jobs in the order in which they were queued.
pub(super) struct Writer {
    connection: SqliteConnection,
    flush_batches_max: usize,
}

impl Writer {
    pub(super) fn new(connection: SqliteConnection, flush_batches_max: usize) -> Self {
        Self {
            connection,
            flush_batches_max,
        }
    }

    /// Runs until a [`Job::Close`] or until nobody can send any more.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(self.flush_batches_max);
        let mut appends: Vec<Append> = Vec::with_capacity(self.flush_batches_max);
        let closing = 'work: loop {
            if jobs.recv_many(&mut waiting, self.flush_batches_max).await == 0 {
                break None;
            }
            for job in waiting.drain(..) {
                match job {
                    Job::Append { batch, reply } => appends.push((batch, reply)),
                    other => {
                        self.flush(&mut appends).await;
                        if let Some(reply) = self.run_single(other).await {
                            break 'work Some(reply);
                        }
                    }
                }
            }
            self.flush(&mut appends).await;
        };
        hang_up(self.connection).await;
        if let Some(reply) = closing {
            tell(reply, Ok(()));
        }
    }

    /// Runs a job that is no append; gives back whom to tell when it was the last one.
    async fn run_single(&mut self, job: Job) -> Option<oneshot::Sender<Result<(), JournalError>>> {
        let connection = &mut self.connection;
        match job {
            Job::PutHunt {
                revision,
                files,
                reply,
            } => tell(reply, put_hunt(connection, &revision, files).await),
            Job::CreateSession { session, reply } => {
                tell(reply, create_session(connection, session).await);
            }
            Job::Claim { claim, reply } => tell(reply, take_ownership(connection, claim).await),
            Job::Release { held, reply } => tell(reply, release(connection, held).await),
            Job::PutSnapshot {
                session,
                snapshot,
                reply,
            } => tell(reply, put_snapshot(connection, session, snapshot).await),
            Job::Append { batch, reply } => {
                let mut single = vec![(batch, reply)];
                self.flush(&mut single).await;
            }
            Job::Close { reply } => return Some(reply),
        }
        None
    }

    /// Commits batches together, and tells each of its own outcome. If one of them breaks the
    /// transaction, each is tried alone, so that it harms no other.
    async fn flush(&mut self, appends: &mut Vec<Append>) {
        if appends.is_empty() {
            return;
        }
        let began = Instant::now();
        let batches: Vec<&Batch> = appends.iter().map(|(batch, _)| batch).collect();
        match append_together(&mut self.connection, &batches).await {
            Ok(outcomes) => {
                metrics().commit_seconds.record(began.elapsed());
                metrics()
                    .commit_batches
                    .record(as_f64(appends.len() as u64));
                for ((_, reply), outcome) in appends.drain(..).zip(outcomes) {
                    tell_appended(reply, outcome);
                }
            }
            Err(FlushError::Unknown(reason)) => {
                for (_, reply) in appends.drain(..) {
                    tell_appended(reply, Err(AppendError::Unknown(reason.clone())));
                }
            }
            Err(FlushError::RolledBack(reason)) if appends.len() == 1 => {
                for (_, reply) in appends.drain(..) {
                    tell_appended(reply, Err(AppendError::Refused(reason.clone())));
                }
            }
            Err(FlushError::RolledBack(_)) => {
                for append in std::mem::take(appends) {
                    Box::pin(self.flush(&mut vec![append])).await;
                }
            }
        }
    }
}

fn tell_appended(
    reply: oneshot::Sender<Result<(), AppendError>>,
    outcome: Result<(), AppendError>,
) {
    if let Err(error) = &outcome {
        let kind = match error {
            AppendError::Fenced => AppendFailure::Fenced,
            AppendError::AlreadyStored => AppendFailure::AlreadyStored,
            AppendError::NotContiguous => AppendFailure::NotContiguous,
            AppendError::Refused(_) => AppendFailure::Refused,
            AppendError::Unknown(_) => AppendFailure::Unknown,
        };
        metrics().append_failures.of(kind).increment(1);
    }
    tell(reply, outcome);
}

/// Whoever asked may be gone; then there is nobody to tell.
fn tell<T>(reply: oneshot::Sender<T>, outcome: T) {
    drop(reply.send(outcome));
}

fn failed(action: &'static str) -> impl Fn(sqlx::Error) -> JournalError {
    move |error| JournalError {
        action,
        reason: error.to_string(),
    }
}

async fn put_hunt(
    connection: &mut SqliteConnection,
    revision: &str,
    files: Vec<u8>,
) -> Result<(), JournalError> {
    let insert =
        sqlx::query("INSERT INTO hunt (revision, files) VALUES (?, ?) ON CONFLICT DO NOTHING");
    let inserted = insert.bind(revision).bind(files).execute(connection).await;
    inserted.map(drop).map_err(failed("store a hunt"))
}

async fn create_session(
    connection: &mut SqliteConnection,
    session: SessionRecord,
) -> Result<(), CreateError> {
    let failed = failed("create a session");
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(&failed)?;
    let inserted = sqlx::query(
        "INSERT INTO session (id, code, hunt_revision, created_at_ms) VALUES (?, ?, ?, ?)",
    )
    .bind(session.id.as_i64())
    .bind(session.code.as_str())
    .bind(session.hunt_revision.as_str())
    .bind(session.created_at_ms.cast_signed())
    .execute(&mut *transaction)
    .await;
    if let Err(error) = inserted {
        let database = error.as_database_error();
        if database.is_some_and(sqlx::error::DatabaseError::is_unique_violation) {
            return Err(CreateError::CodeTaken);
        }
        if database.is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation) {
            return Err(CreateError::UnknownHunt);
        }
        return Err(failed(error).into());
    }
    sqlx::query("INSERT INTO ownership (session_id, owner_inc, epoch) VALUES (?, NULL, 0)")
        .bind(session.id.as_i64())
        .execute(&mut *transaction)
        .await
        .map_err(&failed)?;
    transaction.commit().await.map_err(&failed)?;
    Ok(())
}

async fn take_ownership(
    connection: &mut SqliteConnection,
    claim: Claim,
) -> Result<Epoch, ClaimError> {
    let epoch: Option<i64> = sqlx::query_scalar(
        "UPDATE ownership SET owner_inc = ?, epoch = epoch + 1 \
         WHERE session_id = ? AND owner_inc IS ? AND epoch = ? RETURNING epoch",
    )
    .bind(claim.to.0.cast_signed())
    .bind(claim.session.as_i64())
    .bind(claim.from.map(|from| from.0.cast_signed()))
    .bind(claim.epoch.0.cast_signed())
    .fetch_optional(connection)
    .await
    .map_err(failed("claim"))?;
    let epoch = epoch.ok_or(ClaimError::Lost)?;
    Ok(Epoch(epoch.cast_unsigned()))
}

async fn release(connection: &mut SqliteConnection, held: Ownership) -> Result<(), ClaimError> {
    let released = sqlx::query(
        "UPDATE ownership SET owner_inc = NULL \
         WHERE session_id = ? AND owner_inc IS ? AND epoch = ?",
    )
    .bind(held.session.as_i64())
    .bind(held.owner.map(|Incarnation(owner)| owner.cast_signed()))
    .bind(held.epoch.0.cast_signed())
    .execute(connection)
    .await
    .map_err(failed("release"))?;
    match released.rows_affected() {
        0 => Err(ClaimError::Lost),
        _ => Ok(()),
    }
}

async fn put_snapshot(
    connection: &mut SqliteConnection,
    session: SessionId,
    snapshot: Snapshot,
) -> Result<(), JournalError> {
    let failed = failed("store a snapshot");
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(&failed)?;
    sqlx::query("INSERT OR REPLACE INTO snapshot (session_id, seq, state) VALUES (?, ?, ?)")
        .bind(session.as_i64())
        .bind(snapshot.seq.cast_signed())
        .bind(snapshot.state)
        .execute(&mut *transaction)
        .await
        .map_err(&failed)?;
    // The one before the newest stays, for looking into what a damaged one held.
    sqlx::query(
        "DELETE FROM snapshot WHERE session_id = ?1 AND seq NOT IN \
         (SELECT seq FROM snapshot WHERE session_id = ?1 ORDER BY seq DESC LIMIT 2)",
    )
    .bind(session.as_i64())
    .execute(&mut *transaction)
    .await
    .map_err(&failed)?;
    transaction.commit().await.map_err(&failed)
}
