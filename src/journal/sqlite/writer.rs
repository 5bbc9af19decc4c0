//! The only connection that writes, on its own thread: one transaction for all waiting batches.
//!
//! It calls SQLite directly. A driver that dispatches each statement to the connection's thread adds two
//! thread hand-overs to every commit, and each of those waits for a processor under load.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::answer::JournalError;
use super::super::ledger::{AppendError, Batch};
use super::append::{FlushError, append_together};
use crate::telemetry::{AppendFailure, as_f64, metrics};

/// Work for the writer, with the channel for its outcome.
pub(super) enum Job {
    /// A batch, committed together with others.
    Append {
        batch: Batch,
        reply: oneshot::Sender<Result<(), AppendError>>,
    },
    /// A transaction of its own, which sends its outcome itself.
    Change(Box<dyn FnOnce(&mut Connection) + Send>),
    /// Ends the writer after everything that was queued before.
    Close { reply: Closing },
}

/// A batch that is not committed yet, with the channel for its outcome.
type Append = (Batch, oneshot::Sender<Result<(), AppendError>>);

/// The channel for the outcome of closing.
type Closing = oneshot::Sender<Result<(), JournalError>>;

/// Runs jobs in queue order.
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

    /// Runs until a [`Job::Close`] or until every sender is dropped. Blocks its thread.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let closing = self.run_jobs(&mut jobs);
        if let Err((_, error)) = self.connection.close() {
            tracing::debug!(%error, "the journal's writer did not close cleanly");
        }
        if let Some(reply) = closing {
            send(reply, Ok(()));
        }
    }

    fn run_jobs(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Option<Closing> {
        let mut queued = Vec::with_capacity(self.flush_batches_max);
        let mut appends: Vec<Append> = Vec::with_capacity(self.flush_batches_max);
        while jobs.blocking_recv_many(&mut queued, self.flush_batches_max) > 0 {
            for job in queued.drain(..) {
                match job {
                    Job::Append { batch, reply } => appends.push((batch, reply)),
                    Job::Close { reply } => {
                        self.flush(&mut appends);
                        return Some(reply);
                    }
                    Job::Change(change) => {
                        self.flush(&mut appends);
                        change(&mut self.connection);
                    }
                }
            }
            self.flush(&mut appends);
        }
        None
    }

    /// Commits batches together and sends each its own outcome. If one of them aborts the transaction,
    /// each is retried alone, so that it affects no other.
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
                    send_outcome(reply, outcome);
                }
            }
            Err(FlushError::Unknown(reason)) => {
                for (_, reply) in appends.drain(..) {
                    send_outcome(reply, Err(AppendError::Unknown(reason.clone())));
                }
            }
            Err(FlushError::RolledBack(reason)) if appends.len() == 1 => {
                for (_, reply) in appends.drain(..) {
                    send_outcome(reply, Err(AppendError::Refused(reason.clone())));
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

fn send_outcome(reply: oneshot::Sender<Result<(), AppendError>>, outcome: Result<(), AppendError>) {
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
    send(reply, outcome);
}

fn send<T>(reply: oneshot::Sender<T>, outcome: T) {
    // The caller may have dropped its future.
    drop(reply.send(outcome));
}
