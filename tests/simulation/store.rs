//! A simulated shared store: what PostgreSQL does with the rows of one session. The steps of a statement
//! (its snapshot, the wait for the row lock, the commit) are separate, so that the statements of several
//! nodes interleave in every order.
//!
//! An append reads the ownership row, waits for a share lock on it, reads it again, and commits; a claim
//! waits for the exclusive lock. `against_postgres` compares this with a real server.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cluecast::ids::{Claim, Epoch, Incarnation, Ownership, SessionId};
use cluecast::journal::{
    AppendError, Batch, BatchesMax, ClaimError, Loaded, PrivateRecord, Snapshot, StoredBatch,
    TruncateError, Truncation,
};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, RwLockWriteGuard};

use crate::archive::SimulatedArchive;
use crate::dice::Dice;
use crate::oracle::Committed;
use crate::states::States;

/// Lock timeout of a claim, as on PostgreSQL.
const LOCK_WAIT: Duration = Duration::from_millis(500);

/// Whether appends lock the ownership row. Without the lock the fence fails, which a test must detect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fence {
    RowLock,
    SnapshotOnly,
}

/// The committed rows of one session. Clones share them.
#[derive(Clone)]
pub struct Store {
    session: SessionId,
    fence: Fence,
    dice: Dice,
    /// Where nodes archive old rows.
    pub archive: SimulatedArchive,
    rows: Arc<Mutex<Rows>>,
    /// The lock of the ownership row: appends share it, a claim holds it exclusively.
    row_lock: Arc<RwLock<()>>,
}

/// The ownership row, locked by a transaction until this is dropped.
#[expect(dead_code, reason = "only held")]
pub enum Held {
    Shared(OwnedRwLockReadGuard<()>),
    Alone(OwnedRwLockWriteGuard<()>),
}

struct Rows {
    ownership: Ownership,
    batches: Vec<StoredBatch>,
    snapshots: States,
    private: Vec<PrivateRecord>,
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
            private: Vec::new(),
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
        self.rows
            .lock()
            .expect("nothing panics while it holds the lock")
    }

    /// Requests that a correct node never sends.
    pub fn violations(&self) -> Vec<String> {
        self.rows().violations.clone()
    }

    pub fn ownership(&self) -> Ownership {
        self.rows().ownership
    }

    async fn delay(&self, ms_max: usize) {
        tokio::time::sleep(self.dice.up_to_ms(ms_max)).await;
    }

    /// An append statement, from its snapshot to its commit. Dropped earlier, it has no effect.
    pub async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        assert_eq!(batch.session, self.session);
        if !self.rows().is_owner(batch.owner, batch.epoch) {
            return Err(AppendError::Fenced);
        }
        self.delay(6).await;
        let _held = match self.fence {
            Fence::RowLock => {
                let held = self.row_lock.read().await;
                // After the wait the row is read again.
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
        self.delay(ms_max).await;
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
        rows.private.extend(batch.private);
        Ok(())
    }

    /// A claim statement. Dropped before its end, it has no effect.
    pub async fn claim(&self, claim: Claim) -> Result<Epoch, ClaimError> {
        let _held = self
            .lock_if((claim.expected.owner, claim.expected.epoch))
            .await?;
        self.delay(3).await;
        let mut rows = self.rows();
        let ownership = &mut rows.ownership;
        ownership.owner = Some(claim.to);
        ownership.epoch = Epoch(claim.expected.epoch.0 + 1);
        Ok(ownership.epoch)
    }

    /// A release statement.
    pub async fn release(&self, owner: Incarnation, epoch: Epoch) -> Result<(), ClaimError> {
        let _held = self.lock_if((Some(owner), epoch)).await?;
        self.rows().ownership.owner = None;
        Ok(())
    }

    /// Locks the row for a change if it is as expected, both when the statement begins and after the wait for
    /// the lock.
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

    /// Locks the ownership row, as a transaction that has not ended does.
    pub async fn hold(&self, shares: bool) -> Held {
        let lock = self.row_lock.clone();
        if shares {
            Held::Shared(lock.read_owned().await)
        } else {
            Held::Alone(lock.write_owned().await)
        }
    }

    /// Sets the owner, on behalf of a transaction that holds the row exclusively.
    pub fn set_owner(&self, to: Incarnation) {
        let mut rows = self.rows();
        rows.ownership.owner = Some(to);
        rows.ownership.epoch.0 += 1;
    }

    /// A statement that deletes old rows. It locks the ownership row as an append does.
    pub async fn truncate(&self, cut: Truncation) -> Result<u64, TruncateError> {
        let is_owner = || self.rows().is_owner(cut.owner, cut.epoch);
        if !is_owner() {
            return Err(TruncateError::Fenced);
        }
        let _held = self.row_lock.read().await;
        if !is_owner() {
            return Err(TruncateError::Fenced);
        }
        self.delay(6).await;
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

    /// Records a request that a correct node never sends.
    pub fn record_violation(&self, violation: String) {
        self.rows().violations.push(violation);
    }

    pub fn private_records(&self) -> Vec<PrivateRecord> {
        self.rows().private.clone()
    }
}

impl Committed for Store {
    fn after(&self, seq: u64) -> Vec<StoredBatch> {
        self.archive
            .with(seq, self.oldest(u64::MAX, BatchesMax::UNBOUNDED))
    }
}
