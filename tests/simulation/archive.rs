//! A simulated archive: it is slow, fails, and may have stored a piece although it reports a failure.
//!
//! Committed are the batches that the journal and the archive hold together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cluecast::journal::{Answer, Archive, ArchiveError, ArchivePermit, Piece, StoredBatch};
use futures_util::FutureExt;

use crate::dice::Dice;

const STORE_MS_MAX: usize = 40;
/// Percentage of pieces that fail, before or after they were stored.
const FAILING_PERCENT: usize = 20;

/// Clones share its content, as nodes share a folder.
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
                "a batch is archived twice with different contents"
            );
        }
    }

    /// The batches after event `seq` in the archive and in the journal, whose batches are `stored`.
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
            let delay = archive.dice.up_to_ms(STORE_MS_MAX);
            let fails = archive.dice.chance(FAILING_PERCENT);
            let is_kept = !fails || archive.dice.chance(50);
            // A node that dies during this sleep stores nothing.
            tokio::time::sleep(delay).await;
            if is_kept {
                archive.keep(&piece);
            }
            if fails {
                return Err(std::io::Error::other("injected failure").into());
            }
            Ok(())
        }
        .boxed()
    }
}
