//! The journal after a power loss: a new journal on the durable files has every acknowledged batch.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluecast::ids::{Epoch, Incarnation, SessionId};
use cluecast::journal::{
    Batch, Catalogue, Journal, Ledger, SessionRecord, SqliteJournal, SqliteOptions,
    SqliteSynchronous,
};
use tokio::task::JoinSet;

use crate::vfs;

const SESSIONS: u64 = 4;
const IMAGES: u32 = 12;
const HUNT: &str = "revision";
const OWNER: Incarnation = Incarnation(1);

/// The last acknowledged event of each session.
type Acknowledged = Arc<Mutex<BTreeMap<SessionId, u64>>>;

fn acknowledged_now(acknowledged: &Acknowledged) -> BTreeMap<SessionId, u64> {
    let acknowledged = acknowledged.lock();
    acknowledged.unwrap_or_else(PoisonError::into_inner).clone()
}

/// Content that identifies the batch with this number, of a realistic size.
fn events(session: SessionId, seq: u64) -> Vec<u8> {
    format!("{session}:{seq};").into_bytes().repeat(8)
}

async fn create_session(journal: &SqliteJournal, number: u64) -> (SessionId, Epoch) {
    let id = SessionId::new(number);
    let record = SessionRecord {
        id,
        code: format!("KITE{number}"),
        hunt_revision: HUNT.to_owned(),
        created_at_ms: 1,
    };
    journal.create_session(record).await.expect("it is created");
    let epoch = claim(journal, id, OWNER).await;
    (id, epoch.expect("it is claimed"))
}

/// Claims a session, if it exists.
async fn claim(journal: &SqliteJournal, id: SessionId, to: Incarnation) -> Option<Epoch> {
    let found = journal.ownership(id).await.expect("what is left is read")?;
    Some(
        journal
            .claim(found.claim_for(to))
            .await
            .expect("there is no other claim"),
    )
}

/// Appends batches of one event each, one after the other, until it is dropped.
async fn append_forever(
    journal: SqliteJournal,
    session: SessionId,
    epoch: Epoch,
    acknowledged: Acknowledged,
) {
    for seq in 1.. {
        let batch = Batch {
            session,
            owner: OWNER,
            epoch,
            first_seq: seq,
            last_seq: seq,
            at_ms: seq,
            events: events(session, seq),
            private: Vec::new(),
        };
        journal.append(batch).await.expect("it is appended");
        let mut acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        acknowledged.insert(session, seq);
    }
}

/// How many acknowledged events a folder lacks.
async fn lost(folder: &Path, acknowledged: &BTreeMap<SessionId, u64>) -> u64 {
    let journal = SqliteJournal::open(SqliteOptions::new(folder))
        .await
        .expect("what is left opens");
    let mut lost = 0;
    for (session, last_seq) in acknowledged {
        let loaded = match claim(&journal, *session, Incarnation(2)).await {
            Some(_) => journal.load(*session).await.expect("what is left loads"),
            // The session itself is lost.
            None => cluecast::journal::Loaded::default(),
        };
        for (batch, seq) in loaded.tail.iter().zip(1..) {
            assert_eq!((batch.first_seq, batch.last_seq), (seq, seq));
            assert_eq!(batch.events, events(*session, seq));
        }
        let stored = loaded.tail.last().map_or(0, |batch| batch.last_seq);
        lost += last_seq.saturating_sub(stored);
    }
    journal.close().await.expect("it closes");
    lost
}

/// Appends from several sessions concurrently, cuts the power at several moments, and returns the total
/// number of lost acknowledged events.
async fn lost_in_total(
    name: &str,
    synchronous: SqliteSynchronous,
    checkpoint_every: Duration,
) -> u64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let vfs = format!("power-loss-journal-{name}");
    let recorder = vfs::register(&vfs, folder.path());
    let journal = SqliteJournal::open(SqliteOptions {
        checkpoint_every,
        // Small, so that the log restarts during the test.
        wal_bytes_max: 1 << 16,
        synchronous,
        vfs: Some(vfs),
        ..SqliteOptions::new(folder.path())
    })
    .await
    .expect("the journal opens");
    let hunt = journal.put_hunt(HUNT.to_owned(), b"files".to_vec());
    hunt.await.expect("the hunt is stored");

    let acknowledged = Acknowledged::default();
    let mut writers = JoinSet::new();
    for number in 1..=SESSIONS {
        let (session, epoch) = create_session(&journal, number).await;
        let acknowledged = Arc::clone(&acknowledged);
        writers.spawn(append_forever(
            journal.clone(),
            session,
            epoch,
            acknowledged,
        ));
    }
    let mut lost_in_total = 0;
    for image in 0..IMAGES {
        // Varies the moment within flushes and checkpoints.
        tokio::time::sleep(Duration::from_millis(u64::from(7 + 13 * image))).await;
        let before = acknowledged_now(&acknowledged);
        let left = tempfile::tempdir().expect("a temporary folder");
        let written = recorder.write_image_to(left.path());
        written.expect("the image can be written");
        lost_in_total += lost(left.path(), &before).await;
    }
    writers.shutdown().await;
    let acknowledged = acknowledged_now(&acknowledged);
    assert_eq!(
        acknowledged.len() as u64,
        SESSIONS,
        "every session wrote meanwhile"
    );
    journal.close().await.expect("the journal closes");
    lost_in_total
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_loss_loses_no_acknowledged_event() {
    let often = Duration::from_millis(20);
    assert_eq!(
        lost_in_total("full", SqliteSynchronous::Full, often).await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn weakened_synchronisation_is_detected() {
    let seldom = Duration::from_secs(5);
    for (name, synchronous) in [
        ("normal", SqliteSynchronous::Normal),
        ("off", SqliteSynchronous::Off),
    ] {
        let lost = lost_in_total(name, synchronous, seldom).await;
        assert!(
            lost > 0,
            "{name} loses acknowledged events, and the test must detect it"
        );
    }
}
