//! The snapshots of one session in the simulated store.

use std::collections::BTreeMap;

use cluecast::journal::Snapshot;

/// Newest snapshots that are kept, and newest verified ones.
const KEPT: usize = 2;

/// Snapshots by event, each with whether it is verified.
#[derive(Default)]
pub struct States(BTreeMap<u64, (Snapshot, bool)>);

impl States {
    pub fn put(&mut self, snapshot: Snapshot) {
        let seq = snapshot.seq;
        if !self
            .0
            .get(&seq)
            .is_some_and(|(_, is_verified)| *is_verified)
        {
            self.0.insert(seq, (snapshot, false));
        }
        let newest: Vec<u64> = self.0.keys().rev().take(KEPT).copied().collect();
        let verified: Vec<u64> = self.verified().into_iter().take(KEPT).collect();
        self.0
            .retain(|seq, _| newest.contains(seq) || verified.contains(seq));
    }

    pub fn get(&self, seq: u64) -> Option<Snapshot> {
        self.0.get(&seq).map(|(snapshot, _)| snapshot.clone())
    }

    pub fn mark(&mut self, seq: u64, digest: [u8; 32]) -> bool {
        match self.0.get_mut(&seq) {
            Some((snapshot, is_verified)) if snapshot.digest == digest => {
                *is_verified = true;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Events of the verified snapshots, newest first.
    pub fn verified(&self) -> Vec<u64> {
        let newest_first = self.0.iter().rev();
        let verified = newest_first.filter(|(_, (_, is_verified))| *is_verified);
        verified.map(|(seq, _)| *seq).collect()
    }

    /// The newest sound snapshot before an event, and the events of newer ones that are damaged.
    pub fn usable(&self, before_seq: u64) -> (Option<Snapshot>, Vec<u64>) {
        let mut damaged = Vec::new();
        for (seq, (snapshot, _)) in self.0.range(..before_seq).rev() {
            if snapshot.is_intact() {
                return (Some(snapshot.clone()), damaged);
            }
            damaged.push(*seq);
        }
        (None, damaged)
    }
}
