//! A shared store in slow motion: what PostgreSQL does with the rows of one session, with the steps of
//! a statement (its snapshot, the wait for the row's lock, the commit) apart, so that those of several
//! nodes interleave in every way.
//!
//! An append looks at the ownership row, waits for a share lock on it, looks again, and commits; a
//! claim waits for the exclusive lock. `against_postgres` compares this with a real server.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cluecast::journal::{
    AppendError, Batch, BatchesMax, Claim, ClaimError, Epoch, Incarnation, Loaded, Name, Ownership,
    SessionId, Snapshot, StoredBatch, TruncateError, Truncation,
};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockWriteGuard};

use crate::archive::SimulatedArchive;
use crate::dice::Dice;
use crate::oracle::Committed;
use crate::states::States;

/// How long a claim waits for the row's lock, as on PostgreSQL.
const LOCK_WAIT: Duration = Duration::from_millis(500);

/// Whether appends lock the row; without that the fence leaks, and somebody must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    RowLock,
    SnapshotOnly,
}

/// What is committed of one session. Clones share it.
#[derive(Clone)]
pub struct Store {
    session: SessionId,
    fence: Fence,
    dice: Dice,
    /// Where the nodes put old rows.
    pub archive: SimulatedArchive,
    rows: Arc<Mutex<Rows>>,
    /// The lock of the ownership row: appends share it, a claim has it alone.
    row_lock: Arc<RwLock<()>>,
}

/// The ownership row, held by a transaction; dropping it ends that.
#[expect(dead_code, reason = "only held")]
pub enum Held {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

struct Rows {
    ownership: Ownership,
    batches: Vec<StoredBatch>,
    snapshots: States,
    names: Vec<Name>,
    violations: Vec<String>,
}

impl Rows {
    fn head(&self) -> u64 {
        self.batches.last().map_or(0, |batch| batch.last_seq)
    }

    fn is_owner(&self, owner: Incarnation, epoch: Epoch) -> bool {
        let ownership = self.ownership;
        ownership.owner == Some(owner) && ownership.epoch == epoch
    }
}

impl Store {
    pub fn new(session: SessionId, fence: Fence, dice: Dice) -> Self {
        let ownership = Ownership {
            session,
            owner: None,
            epoch: Epoch(0),
        };
        let rows = Rows {
            ownership,
            batches: Vec::new(),
            snapshots: States::default(),
            names: Vec::new(),
            violations: Vec::new(),
        };
        Self {
            session,
            fence,
            archive: SimulatedArchive::new(dice.clone()),
            dice,
            rows: Arc::new(Mutex::new(rows)),
            row_lock: Arc::default(),
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().expect("nothing panics while it holds it")
    }

    /// What should never have come to the store.
    pub fn violations(&self) -> Vec<String> {
        self.rows().violations.clone()
    }

    pub fn ownership(&self) -> Ownership {
        self.rows().ownership
    }

    async fn dawdle(&self, ms_max: usize) {
        tokio::time::sleep(self.dice.up_to_ms(ms_max)).await;
    }

    /// One append statement, from its snapshot to its commit. Dropped before that, it did nothing.
    pub async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        assert_eq!(batch.session, self.session);
        if !self.rows().is_owner(batch.owner, batch.epoch) {
            return Err(AppendError::Fenced);
        }
        self.dawdle(6).await;
        let _held = match self.fence {
            Fence::RowLock => {
                let held = self.row_lock.read().await;
                // The wait over, the row is looked at anew.
                if !self.rows().is_owner(batch.owner, batch.epoch) {
                    return Err(AppendError::Fenced);
                }
                Some(held)
            }
            Fence::SnapshotOnly => None,
        };
        let ms_max = match self.dice.throw(100) {
            0..2 => 700,
            2..25 => 150,
            _ => 6,
        };
        self.dawdle(ms_max).await;
        self.commit(batch)
    }

    fn commit(&self, batch: Batch) -> Result<(), AppendError> {
        let mut rows = self.rows();
        let stored = StoredBatch {
            first_seq: batch.first_seq,
            last_seq: batch.last_seq,
            epoch: batch.epoch,
            events: batch.events,
        };
        let head = rows.head();
        if stored.first_seq != head + 1 {
            if rows.batches.contains(&stored) {
                return Err(AppendError::AlreadyStored);
            }
            if stored.first_seq <= head {
                let found = format!("event {} is appended on {head}", stored.first_seq);
                rows.violations.push(found);
            }
            return Err(AppendError::NotContiguous);
        }
        let epoch = rows.ownership.epoch;
        if stored.epoch != epoch {
            let found = format!("a row of {:?} is committed in {epoch:?}", stored.epoch);
            rows.violations.push(found);
        }
        rows.batches.push(stored);
        rows.names.extend(batch.names);
        Ok(())
    }

    /// One claim statement. Dropped before its end, it did nothing.
    pub async fn claim(&self, claim: Claim) -> Result<Epoch, ClaimError> {
        let _held = self
            .lock_if((claim.expected.owner, claim.expected.epoch))
            .await?;
        self.dawdle(3).await;
        let mut rows = self.rows();
        let ownership = &mut rows.ownership;
        ownership.owner = Some(claim.to);
        ownership.epoch = Epoch(claim.expected.epoch.0 + 1);
        Ok(ownership.epoch)
    }

    /// One release statement.
    pub async fn release(&self, owner: Incarnation, epoch: Epoch) -> Result<(), ClaimError> {
        let _held = self.lock_if((Some(owner), epoch)).await?;
        self.rows().ownership.owner = None;
        Ok(())
    }

    /// Locks the row for a change, if it is as it should be: when the statement begins, and again
    /// after the wait.
    async fn lock_if(
        &self,
        ground: (Option<Incarnation>, Epoch),
    ) -> Result<RwLockWriteGuard<'_, ()>, ClaimError> {
        let stands = || {
            let ownership = self.ownership();
            (ownership.owner, ownership.epoch) == ground
        };
        if !stands() {
            return Err(ClaimError::Lost);
        }
        let held = tokio::time::timeout(LOCK_WAIT, self.row_lock.write()).await;
        let held = held.map_err(|_| ClaimError::Busy)?;
        if stands() {
            Ok(held)
        } else {
            Err(ClaimError::Lost)
        }
    }

    /// Holds the ownership row as a transaction does that has not ended.
    pub async fn hold(&self, shares: bool) -> Held {
        let lock = self.row_lock.clone();
        if shares {
            Held::Shared(lock.read_owned().await)
        } else {
            Held::Alone(lock.write_owned().await)
        }
    }

    /// Gives the session to somebody, for whoever holds the row alone.
    pub fn take_away(&self, to: Incarnation) {
        let mut rows = self.rows();
        rows.ownership.owner = Some(to);
        rows.ownership.epoch.0 += 1;
    }

    /// One statement that deletes old rows. It locks the ownership row as an append does.
    pub async fn truncate(&self, cut: Truncation) -> Result<u64, TruncateError> {
        let is_owner = || self.rows().is_owner(cut.owner, cut.epoch);
        if !is_owner() {
            return Err(TruncateError::Fenced);
        }
        let _held = self.row_lock.read().await;
        if !is_owner() {
            return Err(TruncateError::Fenced);
        }
        self.dawdle(6).await;
        let mut rows = self.rows();
        let covered = rows.snapshots.verified().get(1).copied();
        if covered.is_none_or(|covered| cut.through_seq > covered) {
            return Err(TruncateError::NotCovered);
        }
        let old = rows.batches.iter();
        let old = old.take_while(|batch| batch.last_seq <= cut.through_seq);
        let count = old.take(cut.batches_max).count();
        rows.batches.drain(..count);
        Ok(count as u64)
    }

    pub fn load(&self) -> Loaded {
        self.load_before(u64::MAX)
    }

    pub fn load_before(&self, seq: u64) -> Loaded {
        let rows = self.rows();
        let (snapshot, damaged) = rows.snapshots.usable(seq.min(rows.head() + 1));
        let from = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        let tail = rows.batches.iter().filter(|batch| batch.last_seq > from);
        Loaded {
            tail: tail.cloned().collect(),
            snapshot,
            damaged,
        }
    }

    pub fn put_snapshot(&self, snapshot: Snapshot) {
        let mut rows = self.rows();
        let head = rows.head();
        if snapshot.seq > head {
            let found = format!("a state as of event {} is stored on {head}", snapshot.seq);
            rows.violations.push(found);
        }
        rows.snapshots.put(snapshot);
    }

    pub fn snapshot(&self, seq: u64) -> Option<Snapshot> {
        self.rows().snapshots.get(seq)
    }

    pub fn mark_verified(&self, seq: u64, digest: [u8; 32]) -> bool {
        self.rows().snapshots.mark(seq, digest)
    }

    pub fn verified_snapshots(&self) -> Vec<u64> {
        self.rows().snapshots.verified()
    }

    pub fn oldest(&self, through_seq: u64, max: BatchesMax) -> Vec<StoredBatch> {
        let rows = self.rows();
        let old = rows.batches.iter();
        let old = old.take_while(|batch| batch.last_seq <= through_seq);
        let count = max.fitting(old.clone().map(|batch| batch.events.len()));
        old.take(count).cloned().collect()
    }

    /// A node asked for what it should not have.
    pub fn note_violation(&self, violation: String) {
        self.rows().violations.push(violation);
    }

    pub fn names(&self) -> Vec<Name> {
        self.rows().names.clone()
    }
}

impl Committed for Store {
    fn after(&self, seq: u64) -> Vec<StoredBatch> {
        self.archive
            .with(seq, self.oldest(u64::MAX, BatchesMax::UNBOUNDED))
    }
}
