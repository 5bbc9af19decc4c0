//! An archive that takes its time, fails, and may have kept what it says it has not.
//!
//! What is committed is what the journal and the archive hold together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cluecast::journal::{Answer, Archive, ArchiveError, ArchivePermit, Piece, StoredBatch};
use futures_util::FutureExt;

use crate::dice::Dice;

const TAKES_MS_MAX: usize = 40;
/// How many of a hundred pieces are refused, before or after they were kept.
const FAILING_PERCENT: usize = 20;

/// Clones share what is in it, as nodes share a folder.
#[derive(Clone)]
pub struct SimulatedArchive {
    dice: Dice,
    kept: Arc<Mutex<BTreeMap<u64, StoredBatch>>>,
}

impl SimulatedArchive {
    pub fn new(dice: Dice) -> Self {
        Self {
            dice,
            kept: Arc::default(),
        }
    }

    fn keep(&self, piece: &Piece) {
        let mut kept = self.kept.lock().expect("one thread");
        for batch in piece.batches() {
            let before = kept.insert(batch.first_seq, batch.clone());
            assert!(
                before.is_none_or(|before| before == *batch),
                "a batch is archived as another one than before"
            );
        }
    }

    /// The rows after an event that are here or in the journal, which has `stored`.
    pub fn with(&self, seq: u64, stored: Vec<StoredBatch>) -> Vec<StoredBatch> {
        let kept = self.kept.lock().expect("one thread");
        let begins_at = stored.first().map_or(u64::MAX, |first| first.first_seq);
        let kept = kept.range(..begins_at).map(|(_, batch)| batch.clone());
        let all = kept.chain(stored);
        all.filter(|batch| batch.last_seq > seq).collect()
    }
}

impl Archive for SimulatedArchive {
    fn store(&self, piece: Piece, permit: ArchivePermit) -> Answer<(), ArchiveError> {
        let archive = self.clone();
        async move {
            let _permit = permit;
            let takes = archive.dice.up_to_ms(TAKES_MS_MAX);
            let fails = archive.dice.chance(FAILING_PERCENT);
            let is_kept = !fails || archive.dice.chance(50);
            // Whoever dies meanwhile has kept nothing.
            tokio::time::sleep(takes).await;
            if is_kept {
                archive.keep(&piece);
            }
            if fails {
                return Err(std::io::Error::other("the weather").into());
            }
            Ok(())
        }
        .boxed()
    }
}
