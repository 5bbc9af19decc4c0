//! The journal under saturation: whenever a lane has flushed, a full flush of batches is queued for it.

use std::collections::VecDeque;
use std::time::Duration;

use cluecast::ids::SessionId;
use cluecast::journal::{
    Answer, AppendError, Batch, Journal, Ledger, PostgresJournal, PostgresOptions,
};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{BenchError, Cell, EPOCH, OWNER, WRITER_FROM, deadline};

/// Flushes per lane that are queued ahead.
const FLUSHES_AHEAD: usize = 3;

/// Runs one window; returns the acknowledged rows and the duration.
pub(super) async fn run(
    options: &PostgresOptions,
    cell: Cell,
) -> Result<(u64, Duration), BenchError> {
    let journal = PostgresJournal::open(PostgresOptions {
        lanes: cell.lanes,
        flush_batches_max: cell.batch,
        ..options.clone()
    })
    .await?;
    let sessions = usize::try_from(cell.sessions).expect("there are few sessions");
    let ahead = (FLUSHES_AHEAD * cell.batch * cell.lanes).div_ceil(sessions);
    let (began, end) = deadline(cell);
    let mut running = JoinSet::new();
    for session in 0..cell.sessions {
        let actor = Actor {
            journal: journal.clone(),
            session: SessionId::new(WRITER_FROM + session),
            last_seq: 0,
            bytes: cell.bytes,
            ahead,
        };
        running.spawn(actor.run(end));
    }
    let mut rows = 0;
    for actor in running.join_all().await {
        rows += actor?;
    }
    let took = began.elapsed();
    journal.close().await?;
    Ok((rows, took))
}

/// Appends the batches of one session, as its actor does.
struct Actor {
    journal: PostgresJournal,
    session: SessionId,
    last_seq: u64,
    bytes: usize,
    ahead: usize,
}

impl Actor {
    async fn run(mut self, end: Instant) -> Result<u64, AppendError> {
        let mut waiting: VecDeque<Answer<(), AppendError>> = VecDeque::with_capacity(self.ahead);
        let mut rows = 0;
        while Instant::now() < end {
            while waiting.len() < self.ahead {
                waiting.push_back(self.append());
            }
            if let Some(oldest) = waiting.pop_front() {
                oldest.await?;
                rows += 1;
            }
        }
        for answer in waiting {
            answer.await?;
            rows += 1;
        }
        Ok(rows)
    }

    fn append(&mut self) -> Answer<(), AppendError> {
        self.last_seq += 1;
        self.journal.append(Batch {
            session: self.session,
            owner: OWNER,
            epoch: EPOCH,
            first_seq: self.last_seq,
            last_seq: self.last_seq,
            at_ms: 5,
            events: vec![7; self.bytes],
            private: Vec::new(),
        })
    }
}
