//! One connection that appends: it writes what waits, in one statement at a time.
//!
//! A session's batches always go through the same lane, in their order. An outcome that is not known is
//! told as such, and never tried again here: whoever owns the session claims it anew first. What was
//! not sent yet waits for the next connection.
//!
//! The server is kept busy: while it works on a flush, the lane tells what came of the flush before, and
//! takes in what has been handed in by then. What is handed in later stays in the channel until the
//! answer is there, because waking the lane for each of them costs more than taking all of them at once.

use std::collections::{HashSet, VecDeque};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::AppendError;
use super::append::{FlushError, NotWritten, append_together, stored_already};
use super::connect::{ConnectError, Connector};
use super::group::{Append, FlushMax, Group, take_groups};
use super::notices::Notices;
use super::way::Way;
use crate::telemetry::{as_f64, metrics};

/// The waits between attempts to connect: doubled from the first to the last.
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_LAST: Duration = Duration::from_secs(1);
/// How long saying goodbye to the server may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// A connection to the server, and when it was asked for.
pub(super) struct Link {
    pub(super) connection: PgConnection,
    asked_at: Instant,
}

impl Link {
    pub(super) async fn open(connector: &Connector) -> Result<Self, ConnectError> {
        let asked_at = Instant::now();
        Ok(Self {
            connection: connector.lane().await?,
            asked_at,
        })
    }
}

/// A lane's connection and bounds.
pub(super) struct Lane {
    connector: Connector,
    flush_max: FlushMax,
    /// How long the server may take to answer an append before the connection is given up.
    answer_max: Duration,
    way: Way,
    link: Option<Link>,
    notices: Notices,
    /// Batches that were handed in and not flushed.
    waiting: VecDeque<Append>,
    /// What is durable and not told yet: it is told once the next flush is on its way.
    durable: Vec<Group>,
}

impl Lane {
    pub(super) fn new(
        connector: Connector,
        flush_max: FlushMax,
        answer_max: Duration,
        way: Way,
        link: Link,
    ) -> Self {
        Self {
            connector,
            flush_max,
            answer_max,
            way,
            link: Some(link),
            notices: Notices::new(),
            waiting: VecDeque::new(),
            durable: Vec::new(),
        }
    }

    /// Runs until `stop`, and until all that was handed in by then is told of.
    pub(super) async fn run(mut self, jobs: mpsc::Receiver<Append>, stop: CancellationToken) {
        let mut intake = Intake {
            jobs,
            taken: Vec::with_capacity(self.flush_max.batches),
        };
        loop {
            intake.take_ready(&mut self.waiting, self.flush_max.batches);
            if self.waiting.is_empty() {
                self.tell_durable();
                tokio::select! {
                    biased;
                    count = intake.take(&mut self.waiting, self.flush_max.batches) => if count == 0 {
                        break;
                    },
                    () = stop.cancelled(), if !intake.jobs.is_closed() => intake.jobs.close(),
                }
                continue;
            }
            self.write(&mut intake, &stop).await;
        }
        if let Some(link) = self.link.take() {
            hang_up(link.connection).await;
        }
    }

    /// One flush of what waits.
    async fn write(&mut self, intake: &mut Intake, stop: &CancellationToken) {
        if !self.connected(stop).await {
            for append in self.waiting.drain(..) {
                append.tell(Err(unreachable_server()));
            }
            return;
        }
        let groups = take_groups(&mut self.waiting, self.flush_max);
        if !groups.is_empty() {
            self.flush(groups, intake, stop).await;
        }
    }

    /// Appends groups together, and tells each of its outcome. If one of them makes the server refuse
    /// all, they are split until only those that it refuses alone are left.
    async fn flush(&mut self, groups: Vec<Group>, intake: &mut Intake, stop: &CancellationToken) {
        let mut work = vec![groups];
        while let Some(groups) = work.pop() {
            if !self.connected(stop).await {
                tell_all(groups, &Err(unreachable_server()));
                continue;
            }
            match self.append(&groups, intake).await {
                Ok(not_written) if not_written.is_empty() => self.durable = groups,
                Ok(not_written) => self.tell_apart(groups, &not_written).await,
                Err(FlushError::Unknown { reason, is_usable }) => {
                    if !is_usable {
                        // Dropped without a goodbye: the server may not be listening.
                        self.link = None;
                    }
                    tell_all(groups, &Err(AppendError::Unknown(reason)));
                }
                Err(FlushError::RolledBack(reason)) => {
                    split(groups, &reason, &mut work);
                }
            }
        }
    }

    /// Sends a flush and waits for its answer; tells of the flush before and takes in meanwhile.
    async fn append(
        &mut self,
        groups: &[Group],
        intake: &mut Intake,
    ) -> Result<Vec<NotWritten>, FlushError> {
        let before = std::mem::take(&mut self.durable);
        let Some(link) = &mut self.link else {
            tell_all(before, &Ok(()));
            let reason = "there is no connection".to_owned();
            return Err(FlushError::RolledBack(reason));
        };
        let began = Instant::now();
        let appending = append_together(&mut link.connection, &self.notices, groups);
        let mut appending = pin!(tokio::time::timeout(self.answer_max, appending));
        let early = futures_util::poll!(&mut appending);
        tell_all(before, &Ok(()));
        intake.take_ready(&mut self.waiting, self.flush_max.batches);
        let answer = match early {
            Poll::Ready(answer) => answer,
            Poll::Pending => tokio::select! {
                biased;
                answer = appending => answer,
                () = self.way.given_up(link.asked_at) => return Err(no_answer(
                    "no answer, while the server was reached another way".to_owned(),
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

    fn tell_durable(&mut self) {
        tell_all(std::mem::take(&mut self.durable), &Ok(()));
    }

    /// Tells the sessions of a flush of which some were not written.
    async fn tell_apart(&mut self, groups: Vec<Group>, not_written: &[NotWritten]) {
        for group in groups {
            let named = not_written
                .iter()
                .find(|not_written| not_written.session == group.session);
            match named {
                None => group.tell(&Ok(())),
                Some(NotWritten { is_held: false, .. }) => group.tell(&Err(AppendError::Fenced)),
                Some(NotWritten { is_held: true, .. }) => self.tell_held(group).await,
            }
        }
    }

    /// Tells a session whose owner holds it, and whose batches do not follow the stored head.
    async fn tell_held(&mut self, group: Group) {
        let stored = match &mut self.link {
            None => HashSet::new(),
            Some(link) => {
                let looking = stored_already(&mut link.connection, &group);
                let Ok(Ok(stored)) = tokio::time::timeout(self.answer_max, looking).await else {
                    // What it knows for sure is enough to go on.
                    self.link = None;
                    return group.tell(&Err(AppendError::NotContiguous));
                };
                stored
            }
        };
        group.tell_each(|batch| {
            Err(if stored.contains(&batch.first_seq) {
                AppendError::AlreadyStored
            } else {
                AppendError::NotContiguous
            })
        });
    }

    /// Makes sure of a connection, however long it takes; false if the stop came first.
    async fn connected(&mut self, stop: &CancellationToken) -> bool {
        let is_suspect = |link: &mut Link| self.way.is_suspect(link.asked_at);
        drop(self.link.take_if(is_suspect));
        if self.link.is_none() {
            self.tell_durable();
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
                    tracing::warn!(%error, "a lane of the journal cannot connect; sessions wait");
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

/// Where batches come from.
struct Intake {
    jobs: mpsc::Receiver<Append>,
    /// Empty between calls.
    taken: Vec<Append>,
}

impl Intake {
    /// Waits for batches; gives how many came: none, once nobody can hand in any more. Cancellation
    /// loses nothing.
    async fn take(&mut self, waiting: &mut VecDeque<Append>, at_most: usize) -> usize {
        let count = self.jobs.recv_many(&mut self.taken, at_most).await;
        waiting.extend(self.taken.drain(..));
        count
    }

    /// Takes what is there, up to so many in all.
    fn take_ready(&mut self, waiting: &mut VecDeque<Append>, at_most: usize) {
        while waiting.len() < at_most {
            let Ok(append) = self.jobs.try_recv() else {
                break;
            };
            waiting.push_back(append);
        }
    }
}

/// Nobody knows what came of the flush, and the connection is of no use any more.
fn no_answer(reason: String) -> FlushError {
    FlushError::Unknown {
        reason,
        is_usable: false,
    }
}

fn unreachable_server() -> AppendError {
    AppendError::Refused("the server could not be reached before the stop".to_owned())
}

/// Halves what was refused; of a single session, its batches; a single batch is told.
fn split(mut groups: Vec<Group>, reason: &str, work: &mut Vec<Vec<Group>>) {
    if groups.len() > 1 {
        let half = groups.split_off(groups.len() / 2);
        work.push(half);
        work.push(groups);
        return;
    }
    for group in groups {
        if group.len() == 1 {
            group.tell(&Err(AppendError::Refused(reason.to_owned())));
        } else {
            // The first one is taken first.
            let apart = group.apart().into_iter().rev();
            work.extend(apart.map(|single| vec![single]));
        }
    }
}

fn tell_all(groups: Vec<Group>, outcome: &Result<(), AppendError>) {
    for group in groups {
        group.tell(outcome);
    }
}

/// Closes a connection for good; a failure is of no consequence for what is committed.
async fn hang_up(connection: PgConnection) {
    match tokio::time::timeout(GOODBYE_MAX, connection.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a journal connection did not close cleanly"),
        Err(_) => tracing::debug!("the server did not answer the goodbye"),
    }
}
