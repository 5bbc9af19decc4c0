//! The only connection that writes, on a thread of its own: a transaction for all that waits.
//!
//! It calls SQLite directly. A driver that speaks to the connection's thread for each statement adds
//! two hand-overs to every commit, and each of those waits for a processor when there is load.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::{
    AppendError, Batch, Claim, ClaimError, CreateError, Epoch, JournalError, Ownership,
    SessionRecord,
};
use super::append::{FlushError, append_together};
use super::changes;
use crate::telemetry::{AppendFailure, as_f64, metrics};

/// Something to write, and whom to tell.
pub(super) enum Job {
    /// A batch, which is committed together with others.
    Append {
        batch: Batch,
        reply: oneshot::Sender<Result<(), AppendError>>,
    },
    /// Anything else.
    Other(Other),
    /// The end: everything queued before it is done first.
    Close { reply: Closing },
}

/// A job that is a transaction of its own.
pub(super) enum Other {
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
    /// A change that tells its outcome itself.
    Change(Box<dyn FnOnce(&mut Connection) + Send>),
}

impl Other {
    fn run(self, connection: &mut Connection) {
        match self {
            Self::PutHunt {
                revision,
                files,
                reply,
            } => tell(reply, changes::put_hunt(connection, &revision, &files)),
            Self::CreateSession { session, reply } => {
                tell(reply, changes::create_session(connection, &session));
            }
            Self::Claim { claim, reply } => {
                tell(reply, changes::take_ownership(connection, claim));
            }
            Self::Release { held, reply } => tell(reply, changes::release(connection, held)),
            Self::Change(change) => change(connection),
        }
    }
}

/// What is waiting to be committed, and whom to tell.
type Append = (Batch, oneshot::Sender<Result<(), AppendError>>);

/// Whom to tell that the journal is closed.
type Closing = oneshot::Sender<Result<(), JournalError>>;

/// Runs jobs in the order in which they were queued.
pub(super) struct Writer {
    connection: Connection,
    flush_batches_max: usize,
}

impl Writer {
    pub(super) fn new(connection: Connection, flush_batches_max: usize) -> Self {
        Self {
            connection,
            flush_batches_max,
        }
    }

    /// Runs until a [`Job::Close`] or until nobody can send any more. Blocks its thread.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let closing = self.work(&mut jobs);
        if let Err((_, error)) = self.connection.close() {
            tracing::debug!(%error, "the journal's writer did not close cleanly");
        }
        if let Some(reply) = closing {
            tell(reply, Ok(()));
        }
    }

    fn work(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Option<Closing> {
        let mut waiting = Vec::with_capacity(self.flush_batches_max);
        let mut appends: Vec<Append> = Vec::with_capacity(self.flush_batches_max);
        while jobs.blocking_recv_many(&mut waiting, self.flush_batches_max) > 0 {
            for job in waiting.drain(..) {
                match job {
                    Job::Append { batch, reply } => appends.push((batch, reply)),
                    Job::Close { reply } => {
                        self.flush(&mut appends);
                        return Some(reply);
                    }
                    Job::Other(other) => {
                        self.flush(&mut appends);
                        other.run(&mut self.connection);
                    }
                }
            }
            self.flush(&mut appends);
        }
        None
    }

    /// Commits batches together, and tells each of its own outcome. If one of them breaks the
    /// transaction, each is tried alone, so that it harms no other.
    fn flush(&mut self, appends: &mut Vec<Append>) {
        if appends.is_empty() {
            return;
        }
        let began = Instant::now();
        let batches = appends.iter().map(|(batch, _)| batch);
        match append_together(&mut self.connection, batches) {
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
                    self.flush(&mut vec![append]);
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
        metrics().append_failures.with_label(kind).increment(1);
    }
    tell(reply, outcome);
}

/// Whoever asked may be gone; then there is nobody to tell.
fn tell<T>(reply: oneshot::Sender<T>, outcome: T) {
    drop(reply.send(outcome));
}
