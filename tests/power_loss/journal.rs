//! The server's journal on files that lose their power: every batch that it acknowledged is there
//! when a new journal opens what is left.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluecast::journal::{
    Batch, Catalogue, Epoch, Incarnation, Journal, Ledger, SessionId, SessionRecord, SqliteJournal,
    SqliteOptions, SqliteSynchronous,
};
use tokio::task::JoinSet;

use crate::vfs;

const SESSIONS: u64 = 4;
const IMAGES: u32 = 12;
const HUNT: &str = "revision";
const OWNER: Incarnation = Incarnation(1);

/// Of each session: the number of the last event that was acknowledged.
type Acknowledged = Arc<Mutex<BTreeMap<SessionId, u64>>>;

fn acknowledged_now(acknowledged: &Acknowledged) -> BTreeMap<SessionId, u64> {
    let acknowledged = acknowledged.lock();
    acknowledged.unwrap_or_else(PoisonError::into_inner).clone()
}

/// What the batch with this number holds: something to recognise it by, of a realistic size.
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

/// Claims a session, if there is one.
async fn claim(journal: &SqliteJournal, id: SessionId, to: Incarnation) -> Option<Epoch> {
    let found = journal.ownership(id).await.expect("what is left is read")?;
    Some(
        journal
            .claim(found.claim_for(to))
            .await
            .expect("nobody else claims"),
    )
}

/// Appends batches of one event each until it is dropped, one after the other.
async fn append_for_ever(
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
            names: Vec::new(),
        };
        journal
            .append(batch)
            .await
            .expect("nothing stands against it");
        let mut acknowledged = acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        acknowledged.insert(session, seq);
    }
}

/// How many of the acknowledged events are not in a folder.
async fn lost(folder: &Path, acknowledged: &BTreeMap<SessionId, u64>) -> u64 {
    let journal = SqliteJournal::open(SqliteOptions::new(folder))
        .await
        .expect("what is left opens");
    let mut lost = 0;
    for (session, last_seq) in acknowledged {
        let loaded = match claim(&journal, *session, Incarnation(2)).await {
            Some(_) => journal.load(*session).await.expect("what is left loads"),
            // Not even the session is left.
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

/// Writes to a journal from several sessions at once, cuts the power at several moments, and gives
/// how many acknowledged events were lost in all.
async fn lost_in_all(
    name: &str,
    synchronous: SqliteSynchronous,
    checkpoint_every: Duration,
) -> u64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let vfs = format!("power-loss-journal-{name}");
    let recorder = vfs::register(&vfs, folder.path());
    let journal = SqliteJournal::open(SqliteOptions {
        checkpoint_every,
        // Small, so that the log starts over during the test.
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
        writers.spawn(append_for_ever(
            journal.clone(),
            session,
            epoch,
            acknowledged,
        ));
    }
    let mut lost_in_all = 0;
    for image in 0..IMAGES {
        // Different moments of the writers' and the checkpoints' work.
        tokio::time::sleep(Duration::from_millis(u64::from(7 + 13 * image))).await;
        let before = acknowledged_now(&acknowledged);
        let left = tempfile::tempdir().expect("a temporary folder");
        let written = recorder.write_image_to(left.path());
        written.expect("the image can be written");
        lost_in_all += lost(left.path(), &before).await;
    }
    writers.shutdown().await;
    let acknowledged = acknowledged_now(&acknowledged);
    assert_eq!(
        acknowledged.len() as u64,
        SESSIONS,
        "every session wrote meanwhile"
    );
    journal.close().await.expect("the journal closes");
    lost_in_all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_loss_takes_nothing_that_was_acknowledged() {
    let often = Duration::from_millis(20);
    assert_eq!(lost_in_all("full", SqliteSynchronous::Full, often).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn weakened_synchronisation_is_noticed() {
    let seldom = Duration::from_secs(5);
    for (name, synchronous) in [
        ("normal", SqliteSynchronous::Normal),
        ("off", SqliteSynchronous::Off),
    ] {
        let lost = lost_in_all(name, synchronous, seldom).await;
        assert!(
            lost > 0,
            "{name} loses acknowledged events, and the test must see it"
        );
    }
}
