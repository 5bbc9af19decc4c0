//! A lane: one connection that appends the waiting batches, one statement at a time.
//!
//! A session's batches always use the same lane, in order. An unknown outcome is reported as such and
//! never retried here: the session's owner must claim it again first. Batches that were not sent yet wait
//! for the next connection.
//!
//! The lane keeps the server busy: while a flush runs, it completes the batches of the flush before and
//! receives the batches queued so far. Later ones stay in the channel until the flush is answered,
//! because waking the lane for each costs more than receiving all of them at once.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::ledger::AppendError;
use super::append::{FlushError, NotWritten, append_together, find_stored};
use super::connect::{ConnectError, Connector};
use super::group::{Append, FlushMax, Group, take_groups};
use super::notices::Notices;
use super::path::PathMonitor;
use crate::telemetry::{as_f64, metrics};

/// Backoff between attempts to connect: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LAST: Duration = Duration::from_secs(1);
/// Timeout of closing a connection gracefully.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// A connection to the server, and when it was requested.
pub(super) struct Link {
    pub(super) connection: PgConnection,
    requested_at: Instant,
}

impl Link {
    pub(super) async fn open(connector: &Connector) -> Result<Self, ConnectError> {
        let requested_at = Instant::now();
        Ok(Self {
            connection: connector.lane().await?,
            requested_at,
        })
    }
}

pub(super) struct Lane {
    connector: Connector,
    flush_max: FlushMax,
    /// Timeout of an append; then the connection is dropped.
    answer_max: Duration,
    path: PathMonitor,
    link: Option<Link>,
    notices: Notices,
    /// Received batches that are not flushed.
    waiting: VecDeque<Append>,
    /// Durable batches whose callers are notified once the next flush is sent.
    durable: Vec<Group>,
}

impl Lane {
    pub(super) fn new(
        connector: Connector,
        flush_max: FlushMax,
        answer_max: Duration,
        path: PathMonitor,
        link: Link,
    ) -> Self {
        Self {
            connector,
            flush_max,
            answer_max,
            path,
            link: Some(link),
            notices: Notices::new(),
            waiting: VecDeque::new(),
            durable: Vec::new(),
        }
    }

    /// Runs until `stop`, and until every batch queued by then is completed.
    pub(super) async fn run(mut self, jobs: mpsc::Receiver<Append>, stop: CancellationToken) {
        let mut intake = Intake {
            jobs,
            received: Vec::with_capacity(self.flush_max.batches),
        };
        loop {
            intake.receive_ready(&mut self.waiting, self.flush_max.batches);
            if self.waiting.is_empty() {
                self.complete_durable();
                tokio::select! {
                    biased;
                    count = intake.receive(&mut self.waiting, self.flush_max.batches) => if count == 0 {
                        break;
                    },
                    () = stop.cancelled(), if !intake.jobs.is_closed() => intake.jobs.close(),
                }
                continue;
            }
            self.write(&mut intake, &stop).await;
        }
        if let Some(link) = self.link.take() {
            close(link.connection).await;
        }
    }

    /// Runs one flush of the waiting batches.
    async fn write(&mut self, intake: &mut Intake, stop: &CancellationToken) {
        if !self.ensure_connected(stop).await {
            for append in self.waiting.drain(..) {
                append.complete(Err(server_unreachable()));
            }
            return;
        }
        let groups = take_groups(&mut self.waiting, self.flush_max);
        if !groups.is_empty() {
            self.flush(groups, intake, stop).await;
        }
    }

    /// Appends groups together and completes each with its outcome. If the server refuses the flush, the
    /// groups are split until only those that it refuses alone fail.
    async fn flush(&mut self, groups: Vec<Group>, intake: &mut Intake, stop: &CancellationToken) {
        let mut work = vec![groups];
        while let Some(groups) = work.pop() {
            if !self.ensure_connected(stop).await {
                complete_all(groups, &Err(server_unreachable()));
                continue;
            }
            match self.append(&groups, intake).await {
                Ok(not_written) if not_written.is_empty() => self.durable = groups,
                Ok(not_written) => self.complete_separately(groups, &not_written).await,
                Err(FlushError::Unknown { reason, is_usable }) => {
                    if !is_usable {
                        // Dropped without a graceful close: the server may be unreachable.
                        self.link = None;
                    }
                    complete_all(groups, &Err(AppendError::Unknown(reason)));
                }
                Err(FlushError::RolledBack(reason)) => {
                    split(groups, &reason, &mut work);
                }
            }
        }
    }

    /// Sends a flush and waits for its answer; meanwhile completes the flush before and receives batches.
    async fn append(
        &mut self,
        groups: &[Group],
        intake: &mut Intake,
    ) -> Result<Vec<NotWritten>, FlushError> {
        let before = std::mem::take(&mut self.durable);
        let Some(link) = &mut self.link else {
            complete_all(before, &Ok(()));
            let reason = "there is no connection".to_owned();
            return Err(FlushError::RolledBack(reason));
        };
        let began = Instant::now();
        let appending = append_together(&mut link.connection, &self.notices, groups);
        let mut appending = pin!(tokio::time::timeout(self.answer_max, appending));
        let early = futures_util::poll!(&mut appending);
        complete_all(before, &Ok(()));
        intake.receive_ready(&mut self.waiting, self.flush_max.batches);
        let answer = match early {
            Poll::Ready(answer) => answer,
            Poll::Pending => tokio::select! {
                biased;
                answer = appending => answer,
                () = self.path.grace_over(link.requested_at) => return Err(no_answer(
                    "no answer, while a newer connection reached the server".to_owned(),
                )),
            },
        };
        let Ok(appended) = answer else {
            return Err(no_answer(format!("no answer within {:?}", self.answer_max)));
        };
        if appended.is_ok() {
            metrics().commit_seconds.record(began.elapsed());
            let batches: f64 = groups.iter().map(|group| as_f64(group.len() as u64)).sum();
            metrics().commit_batches.record(batches);
        }
        appended
    }

    fn complete_durable(&mut self) {
        complete_all(std::mem::take(&mut self.durable), &Ok(()));
    }

    /// Completes the sessions of a flush of which some were not written.
    async fn complete_separately(&mut self, groups: Vec<Group>, not_written: &[NotWritten]) {
        for group in groups {
            let named = not_written
                .iter()
                .find(|not_written| not_written.session == group.session);
            match named {
                None => group.complete(&Ok(())),
                Some(NotWritten { is_held: false, .. }) => {
                    group.complete(&Err(AppendError::Fenced));
                }
                Some(NotWritten { is_held: true, .. }) => self.complete_held(group).await,
            }
        }
    }

    /// Completes a session whose owner holds it and whose batches do not follow the stored head.
    async fn complete_held(&mut self, group: Group) {
        let stored = match &mut self.link {
            None => HashSet::new(),
            Some(link) => {
                let finding = find_stored(&mut link.connection, &group);
                let Ok(Ok(stored)) = tokio::time::timeout(self.answer_max, finding).await else {
                    // That nothing was appended is certain, and enough for the owner.
                    self.link = None;
                    return group.complete(&Err(AppendError::NotContiguous));
                };
                stored
            }
        };
        group.complete_each(|batch| {
            Err(if stored.contains(&batch.first_seq) {
                AppendError::AlreadyStored
            } else {
                AppendError::NotContiguous
            })
        });
    }

    /// Connects if necessary, retrying without limit; false if the stop came first.
    async fn ensure_connected(&mut self, stop: &CancellationToken) -> bool {
        let is_suspect = |link: &mut Link| self.path.is_suspect(link.requested_at);
        drop(self.link.take_if(is_suspect));
        if self.link.is_none() {
            self.complete_durable();
        }
        let mut retry = RETRY_FIRST;
        while self.link.is_none() {
            let opening = Link::open(&self.connector);
            match stop.run_until_cancelled(opening).await {
                None => return false,
                Some(Ok(link)) => {
                    tracing::info!("a lane of the journal is connected again");
                    self.link = Some(link);
                    break;
                }
                Some(Err(error)) => {
                    metrics().lane_connects_failed.increment(1);
                    tracing::warn!(%error, "a lane of the journal cannot connect; its sessions wait");
                }
            }
            let waited = stop.run_until_cancelled(tokio::time::sleep(retry)).await;
            if waited.is_none() {
                return false;
            }
            retry = RETRY_LAST.min(retry * 2);
        }
        true
    }
}

/// The receiving end of the queue.
struct Intake {
    jobs: mpsc::Receiver<Append>,
    /// Empty between calls.
    received: Vec<Append>,
}

impl Intake {
    /// Waits for batches and returns how many came: none once the channel is closed. Cancel-safe.
    async fn receive(&mut self, waiting: &mut VecDeque<Append>, at_most: usize) -> usize {
        let count = self.jobs.recv_many(&mut self.received, at_most).await;
        waiting.extend(self.received.drain(..));
        count
    }

    /// Receives without waiting, until `at_most` batches are waiting.
    fn receive_ready(&mut self, waiting: &mut VecDeque<Append>, at_most: usize) {
        while waiting.len() < at_most {
            let Ok(append) = self.jobs.try_recv() else {
                break;
            };
            waiting.push_back(append);
        }
    }
}

/// The outcome of the flush is unknown, and the connection is unusable.
fn no_answer(reason: String) -> FlushError {
    FlushError::Unknown {
        reason,
        is_usable: false,
    }
}

fn server_unreachable() -> AppendError {
    AppendError::Refused("the server could not be reached before the stop".to_owned())
}

/// Halves a refused flush; splits a single session into its batches; completes a single batch.
fn split(mut groups: Vec<Group>, reason: &str, work: &mut Vec<Vec<Group>>) {
    if groups.len() > 1 {
        let half = groups.split_off(groups.len() / 2);
        work.push(half);
        work.push(groups);
        return;
    }
    for group in groups {
        if group.len() == 1 {
            group.complete(&Err(AppendError::Refused(reason.to_owned())));
        } else {
            // The last in the list is processed first.
            let batches = group.split().into_iter().rev();
            work.extend(batches.map(|single| vec![single]));
        }
    }
}

fn complete_all(groups: Vec<Group>, outcome: &Result<(), AppendError>) {
    for group in groups {
        group.complete(outcome);
    }
}

/// Closes a connection gracefully; a failure does not affect committed batches.
async fn close(connection: PgConnection) {
    match tokio::time::timeout(CLOSE_MAX, connection.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a journal connection did not close cleanly"),
        Err(_) => tracing::debug!("the server did not answer the close of a journal connection"),
    }
}
