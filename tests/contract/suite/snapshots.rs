//! Snapshots, recovery points, and truncation.

use cluecast::ids::{Epoch, Incarnation};
use cluecast::journal::{BatchesMax, Loaded, ReadError, Snapshot, TruncateError, Truncation};
use futures_util::future::join;

use super::{Fixture, ME, batch, claim, id};

/// Larger than one part, and not a multiple of it.
const LARGE: usize = 1_000_003;

/// Creates the session with batches of one event each, from 1 on.
async fn filled(fixture: &Fixture, batches: u64) -> Epoch {
    let epoch = fixture.session(1).await;
    for seq in 1..=batches {
        let appended = fixture.append(batch(id(1), epoch, seq..=seq)).await;
        appended.expect("follows");
    }
    epoch
}

fn state(seq: u64) -> Snapshot {
    Snapshot::new(seq, format!("as of {seq}").into_bytes())
}

fn damaged(seq: u64) -> Snapshot {
    let mut snapshot = state(seq);
    snapshot.state.push(0);
    snapshot
}

async fn put(fixture: &Fixture, snapshot: Snapshot) {
    let put = fixture.journal.put_snapshot(id(1), snapshot).await;
    put.expect("stores");
}

async fn put_verified(fixture: &Fixture, seq: u64) {
    put(fixture, state(seq)).await;
    let marked = fixture
        .journal
        .mark_verified(id(1), seq, state(seq).digest)
        .await;
    assert!(marked.expect("marks"), "it is stored");
}

async fn load(fixture: &Fixture) -> Loaded {
    fixture.journal.load(id(1)).await.expect("loads")
}

fn firsts(loaded: &Loaded) -> Vec<u64> {
    loaded.tail.iter().map(|batch| batch.first_seq).collect()
}

async fn stored(fixture: &Fixture) -> Vec<u64> {
    let mut stored = Vec::new();
    for seq in 1..=20 {
        let snapshot = fixture.journal.snapshot(id(1), seq).await.expect("reads");
        stored.extend(snapshot.map(|snapshot| snapshot.seq));
    }
    stored
}

fn truncation(epoch: Epoch, through_seq: u64) -> Truncation {
    Truncation {
        session: id(1),
        owner: ME,
        epoch,
        through_seq,
        batches_max: 1_000,
    }
}

pub async fn a_recovery_starts_from_the_newest_snapshot(fixture: &Fixture) {
    filled(fixture, 4).await;
    for seq in [1, 2, 3] {
        put(fixture, state(seq)).await;
    }
    let loaded = load(fixture).await;
    assert_eq!(loaded.snapshot, Some(state(3)));
    assert_eq!(firsts(&loaded), [4]);
    assert_eq!(loaded.damaged, [0; 0]);
}

pub async fn a_snapshot_ahead_of_the_journal_is_ignored(fixture: &Fixture) {
    filled(fixture, 1).await;
    put(fixture, state(2)).await;
    let loaded = load(fixture).await;
    assert_eq!(loaded.snapshot, None);
    assert_eq!(firsts(&loaded), [1]);
}

pub async fn a_damaged_snapshot_gives_way_to_the_one_before(fixture: &Fixture) {
    filled(fixture, 5).await;
    put(fixture, state(2)).await;
    put(fixture, damaged(4)).await;
    let loaded = load(fixture).await;
    assert_eq!(loaded.snapshot, Some(state(2)));
    assert_eq!(firsts(&loaded), [3, 4, 5]);
    assert_eq!(loaded.damaged, [4]);
    let read_back = fixture.journal.snapshot(id(1), 4).await.expect("reads");
    assert_eq!(read_back, Some(damaged(4)), "as it was stored");
    let before = fixture.journal.load_before(id(1), 2).await.expect("loads");
    assert_eq!(before.snapshot, None);
    assert_eq!(firsts(&before), [1, 2, 3, 4, 5]);
}

pub async fn a_large_snapshot_reads_back(fixture: &Fixture) {
    filled(fixture, 1).await;
    let bytes = (0..LARGE).map(|index| u8::try_from(index % 251).expect("it fits"));
    let large = Snapshot::new(1, bytes.collect());
    put(fixture, large.clone()).await;
    assert!(large.is_intact());
    assert_eq!(load(fixture).await.snapshot, Some(large));
}

pub async fn the_newest_snapshots_and_the_newest_verified_ones_are_kept(fixture: &Fixture) {
    filled(fixture, 9).await;
    for seq in 1..=4 {
        put(fixture, state(seq)).await;
    }
    assert_eq!(stored(fixture).await, [3, 4]);
    for seq in [5, 6, 7] {
        put_verified(fixture, seq).await;
    }
    for seq in [8, 9] {
        put(fixture, state(seq)).await;
    }
    assert_eq!(stored(fixture).await, [6, 7, 8, 9]);
    let verified = fixture.journal.verified_snapshots(id(1)).await;
    assert_eq!(verified.expect("lists"), [7, 6]);
}

pub async fn a_snapshot_is_verified_by_its_digest(fixture: &Fixture) {
    filled(fixture, 3).await;
    put(fixture, state(2)).await;
    let mark = async |seq, digest| {
        let marked = fixture.journal.mark_verified(id(1), seq, digest).await;
        marked.expect("marks")
    };
    assert!(!mark(2, [7; 32]).await, "another digest");
    assert!(!mark(3, state(3).digest).await, "no such snapshot");
    let verified = async || fixture.journal.verified_snapshots(id(1)).await;
    assert_eq!(verified().await.expect("lists"), [0; 0]);
    assert!(mark(2, state(2).digest).await);
    assert_eq!(verified().await.expect("lists"), [2]);
    put(fixture, damaged(2)).await;
    assert_eq!(verified().await.expect("lists"), [2]);
    let kept = fixture.journal.snapshot(id(1), 2).await.expect("reads");
    assert_eq!(kept, Some(state(2)), "a verified snapshot is not replaced");
}

pub async fn an_unverified_snapshot_is_replaced(fixture: &Fixture) {
    filled(fixture, 3).await;
    put(fixture, damaged(2)).await;
    put(fixture, state(2)).await;
    let loaded = load(fixture).await;
    assert_eq!(loaded.snapshot, Some(state(2)));
    assert_eq!(loaded.damaged, [0; 0]);
}

/// As a former owner does concurrently with the next one.
pub async fn two_concurrent_snapshots_leave_an_intact_one(fixture: &Fixture) {
    filled(fixture, 3).await;
    let large = |seq| Snapshot::new(seq, vec![9; LARGE]);
    let first = fixture.journal.put_snapshot(id(1), large(2));
    let second = fixture.journal.put_snapshot(id(1), large(3));
    let (first, second) = join(first, second).await;
    assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
    let loaded = load(fixture).await;
    assert!(loaded.snapshot.is_some_and(|snapshot| snapshot.is_intact()));
    assert_eq!(loaded.damaged, [0; 0]);
}

pub async fn reads_of_the_oldest_batches_are_bounded_in_bytes(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    for (seq, bytes) in [(1, 50), (2, 10), (3, 10), (4, 50)] {
        let mut batch = batch(id(1), epoch, seq..=seq);
        batch.events = vec![7; bytes];
        fixture.append(batch).await.expect("follows");
    }
    let journal = &fixture.journal;
    let read = async |bytes| {
        let max = BatchesMax { batches: 9, bytes };
        let oldest = journal.read_oldest(id(1), 3, max).await.expect("reads");
        oldest.len()
    };
    assert_eq!(read(1).await, 1, "a larger batch is returned alone");
    assert_eq!(read(59).await, 1);
    assert_eq!(read(60).await, 2);
    assert_eq!(read(1_000).await, 3, "no later batch");
}

pub async fn the_newest_batches_are_read_backwards_and_bounded(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    for (seqs, bytes) in [(1..=1, 10), (2..=4, 10), (5..=5, 50), (6..=7, 10)] {
        let mut batch = batch(id(1), epoch, seqs);
        batch.events = vec![7; bytes];
        fixture.append(batch).await.expect("follows");
    }
    let journal = &fixture.journal;
    let read = async |before_seq, batches, bytes| {
        let max = BatchesMax { batches, bytes };
        let newest = journal.read_newest(id(1), before_seq, max).await;
        let newest = newest.expect("reads").into_iter();
        newest.map(|batch| batch.first_seq).collect::<Vec<_>>()
    };
    assert_eq!(read(u64::MAX, 9, usize::MAX).await, [6, 5, 2, 1]);
    assert_eq!(read(u64::MAX, 3, usize::MAX).await, [6, 5, 2]);
    assert_eq!(read(6, 9, 60).await, [5, 2], "those that begin before it");
    assert_eq!(read(7, 9, 59).await, [6], "a batch may end after it");
    assert_eq!(read(6, 9, 1).await, [5], "a larger batch is returned alone");
    assert_eq!(read(1, 9, usize::MAX).await, [0; 0]);
    let max = BatchesMax::UNBOUNDED;
    let other = journal.read_newest(id(1), 0, max).await.expect("reads");
    assert_eq!(other, []);
}

pub async fn a_truncated_journal_accepts_appends(fixture: &Fixture) {
    let epoch = filled(fixture, 6).await;
    let other = fixture.session(2).await;
    let appended = fixture.append(batch(id(2), other, 1..=3)).await;
    appended.expect("follows");
    put_verified(fixture, 3).await;
    put_verified(fixture, 5).await;
    let journal = &fixture.journal;
    let few = |batches| BatchesMax {
        batches,
        bytes: usize::MAX,
    };
    let oldest = journal.read_oldest(id(1), 3, few(2)).await.expect("reads");
    assert_eq!(oldest.len(), 2);
    assert_eq!((oldest[0].first_seq, oldest[1].last_seq), (1, 2));

    let one = Truncation {
        batches_max: 1,
        ..truncation(epoch, 3)
    };
    assert_eq!(journal.truncate(one).await.expect("truncates"), 1);
    assert_eq!(
        journal
            .truncate(truncation(epoch, 3))
            .await
            .expect("truncates"),
        2
    );
    assert_eq!(
        journal
            .truncate(truncation(epoch, 3))
            .await
            .expect("nothing is left"),
        0
    );

    assert_eq!(
        journal.read_oldest(id(1), 3, few(9)).await.expect("reads"),
        []
    );
    let beyond = journal.read(id(1), 0, 9).await;
    assert!(
        matches!(beyond, Err(ReadError::Archived { first_seq: 4 })),
        "{beyond:?}"
    );
    let rest = journal.read(id(1), 3, 9).await.expect("none is missing");
    assert_eq!(rest.len(), 3);
    assert_eq!(journal.read(id(1), 6, 9).await.expect("no more"), []);
    assert_eq!(journal.read(id(2), 0, 9).await.expect("untouched").len(), 1);
    assert_eq!(firsts(&load(fixture).await), [6]);
    let older = journal.load_before(id(1), 5).await.expect("loads");
    assert_eq!(older.snapshot, Some(state(3)));
    assert_eq!(firsts(&older), [4, 5, 6]);

    let next = fixture.append(batch(id(1), epoch, 7..=8)).await;
    next.expect("follows the head");
    let claimed = claim(&**journal, id(1), ME).await;
    let refused = fixture.append(batch(id(1), claimed, 3..=3)).await;
    refused.expect_err("truncated numbers are not reused");
}

pub async fn only_what_two_verified_snapshots_cover_is_truncated(fixture: &Fixture) {
    let epoch = filled(fixture, 6).await;
    let refused = async |through_seq| {
        let refused = fixture
            .journal
            .truncate(truncation(epoch, through_seq))
            .await;
        assert!(
            matches!(refused, Err(TruncateError::NotCovered)),
            "{through_seq}: {refused:?}"
        );
    };
    refused(1).await;
    put(fixture, state(2)).await;
    put(fixture, state(3)).await;
    refused(1).await;
    put_verified(fixture, 4).await;
    refused(1).await;
    put_verified(fixture, 5).await;
    refused(5).await;
    let covered = fixture.journal.truncate(truncation(epoch, 4)).await;
    assert_eq!(covered.expect("truncates"), 4);
    assert_eq!(firsts(&load(fixture).await), [6]);
}

pub async fn an_earlier_owner_cannot_truncate(fixture: &Fixture) {
    let epoch = filled(fixture, 4).await;
    put_verified(fixture, 2).await;
    put_verified(fixture, 3).await;
    let later = claim(&*fixture.journal, id(1), Incarnation(2)).await;
    let of_other = Truncation {
        owner: Incarnation(3),
        ..truncation(later, 2)
    };
    for stale in [truncation(epoch, 2), truncation(later, 2), of_other] {
        let fenced = fixture.journal.truncate(stale).await;
        assert!(
            matches!(fenced, Err(TruncateError::Fenced)),
            "{stale:?}: {fenced:?}"
        );
    }
    assert_eq!(fixture.stored(1).await.len(), 4);
}
