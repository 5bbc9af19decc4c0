//! The behaviours of the contract.

mod ownership;
mod snapshots;

use std::ops::RangeInclusive;

use cluecast::ids::{Epoch, Incarnation, Ownership, SessionId};
use cluecast::journal::{
    AppendError, Batch, ClaimError, CreateError, Journal, PrivateKind, PrivateRecord,
    SessionRecord, StoredBatch,
};
use futures_util::future::join_all;

pub use ownership::*;
pub use snapshots::*;

pub const ME: Incarnation = Incarnation(1);
const OTHER: Incarnation = Incarnation(u64::MAX);
const REVISION: &str = "revision";

/// A fresh journal.
pub struct Fixture {
    journal: Box<dyn Journal>,
}

impl Fixture {
    pub fn new(journal: impl Journal) -> Self {
        Self {
            journal: Box::new(journal),
        }
    }

    async fn session(&self, number: u64) -> Epoch {
        hunt_and_session(&*self.journal, id(number), &format!("CODE{number}")).await
    }

    async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        append(&*self.journal, batch).await
    }

    async fn stored(&self, number: u64) -> Vec<StoredBatch> {
        self.journal
            .read(id(number), 0, usize::MAX)
            .await
            .expect("reads")
    }
}

pub fn id(number: u64) -> SessionId {
    SessionId::new(number)
}

pub fn batch(session: SessionId, epoch: Epoch, seqs: RangeInclusive<u64>) -> Batch {
    Batch {
        session,
        owner: ME,
        epoch,
        first_seq: *seqs.start(),
        last_seq: *seqs.end(),
        at_ms: 5,
        events: format!("{seqs:?}").into_bytes(),
        private: Vec::new(),
    }
}

fn record(session: SessionId, code: &str) -> SessionRecord {
    SessionRecord {
        id: session,
        code: code.to_owned(),
        hunt_revision: REVISION.to_owned(),
        created_at_ms: session.number(),
    }
}

pub async fn hunt_and_session(journal: &dyn Journal, session: SessionId, code: &str) -> Epoch {
    journal
        .put_hunt(REVISION.to_owned(), vec![1, 2])
        .await
        .expect("stores");
    journal
        .create_session(record(session, code))
        .await
        .expect("creates");
    claim(journal, session, ME).await
}

/// Claims a session from its current owner.
pub async fn claim(journal: &dyn Journal, session: SessionId, to: Incarnation) -> Epoch {
    let found = ownership(journal, session).await;
    journal.claim(found.claim_for(to)).await.expect("claims")
}

pub async fn ownership(journal: &dyn Journal, session: SessionId) -> Ownership {
    let found = journal.ownership(session).await.expect("reads");
    found.expect("the session exists")
}

pub async fn append(journal: &dyn Journal, batch: Batch) -> Result<(), AppendError> {
    journal.append(batch).await
}

pub async fn a_hunt_is_kept_under_its_revision(fixture: &Fixture) {
    let journal = &fixture.journal;
    let read = |revision: &str| journal.hunt(revision.to_owned());
    assert_eq!(read("a").await.expect("reads"), None);
    journal
        .put_hunt("a".to_owned(), vec![1])
        .await
        .expect("stores");
    journal
        .put_hunt("a".to_owned(), vec![1])
        .await
        .expect("stores it again");
    assert_eq!(read("a").await.expect("reads"), Some(vec![1]));
}

pub async fn a_session_needs_its_hunt_and_a_code_of_its_own(fixture: &Fixture) {
    let journal = &fixture.journal;
    let without = journal.create_session(record(id(1), "AAAA")).await;
    assert!(
        matches!(without, Err(CreateError::UnknownHunt)),
        "{without:?}"
    );
    hunt_and_session(&**journal, id(1), "AAAA").await;
    let taken = journal.create_session(record(id(2), "AAAA")).await;
    assert!(matches!(taken, Err(CreateError::CodeTaken)), "{taken:?}");
    assert_eq!(
        journal.sessions().await.expect("lists"),
        [record(id(1), "AAAA")]
    );
    let find = async |code: &str| {
        journal
            .session_by_code(code.to_owned())
            .await
            .expect("searches")
    };
    assert_eq!(find("AAAA").await, Some(record(id(1), "AAAA")));
    assert_eq!(find("AAAB").await, None);
}

pub async fn sessions_are_listed_in_the_order_of_creation(fixture: &Fixture) {
    for number in [3, 5, 9] {
        fixture.session(number).await;
    }
    let listed = fixture.journal.sessions().await.expect("lists");
    let ids: Vec<SessionId> = listed.iter().map(|record| record.id).collect();
    assert_eq!(ids, [id(3), id(5), id(9)]);
}

pub async fn a_finished_session_stays_finished_under_every_owner(fixture: &Fixture) {
    let journal = &*fixture.journal;
    for number in [1, 2] {
        fixture.session(number).await;
    }
    let finished = async || journal.finished_sessions().await.expect("lists");
    assert_eq!(finished().await, []);
    for _ in 0..2 {
        journal.mark_finished(id(2)).await.expect("records");
        assert_eq!(finished().await, [id(2)]);
    }
    claim(journal, id(2), OTHER).await;
    assert_eq!(finished().await, [id(2)]);
}

pub async fn batches_are_read_back_as_they_were_appended(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    fixture
        .append(batch(id(1), epoch, 1..=1))
        .await
        .expect("follows");
    fixture
        .append(batch(id(1), epoch, 2..=4))
        .await
        .expect("follows");
    let expected = |seqs: RangeInclusive<u64>| StoredBatch {
        first_seq: *seqs.start(),
        last_seq: *seqs.end(),
        epoch,
        events: format!("{seqs:?}").into_bytes(),
    };
    assert_eq!(fixture.stored(1).await, [expected(1..=1), expected(2..=4)]);
    let loaded = fixture.journal.load(id(1)).await.expect("loads");
    assert_eq!(loaded.snapshot, None);
    assert_eq!(loaded.tail, [expected(1..=1), expected(2..=4)]);
}

pub async fn a_batch_must_follow_the_head(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    fixture
        .append(batch(id(1), epoch, 1..=2))
        .await
        .expect("follows");
    for seqs in [1..=1, 2..=3, 4..=4] {
        let refused = fixture.append(batch(id(1), epoch, seqs)).await;
        assert!(
            matches!(refused, Err(AppendError::NotContiguous)),
            "{refused:?}"
        );
    }
    fixture
        .append(batch(id(1), epoch, 3..=3))
        .await
        .expect("follows");
    assert_eq!(fixture.stored(1).await.len(), 2);
}

pub async fn a_batch_that_is_stored_already_is_reported_as_such(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    for seqs in [1..=2, 3..=4] {
        fixture
            .append(batch(id(1), epoch, seqs))
            .await
            .expect("follows");
    }
    for seqs in [1..=2, 3..=4] {
        let repeated = fixture.append(batch(id(1), epoch, seqs)).await;
        assert!(
            matches!(repeated, Err(AppendError::AlreadyStored)),
            "{repeated:?}"
        );
    }
    let other_events = Batch {
        events: vec![7],
        ..batch(id(1), epoch, 3..=4)
    };
    let refused = fixture.append(other_events).await;
    assert!(
        matches!(refused, Err(AppendError::NotContiguous)),
        "{refused:?}"
    );
    let later = claim(&*fixture.journal, id(1), ME).await;
    let of_other_epoch = fixture.append(batch(id(1), later, 3..=4)).await;
    assert!(
        matches!(of_other_epoch, Err(AppendError::NotContiguous)),
        "{of_other_epoch:?}"
    );
    assert_eq!(fixture.stored(1).await.len(), 2);
}

/// Every outcome, in one flush where the journal has flushes.
pub async fn concurrent_appends_have_separate_outcomes(fixture: &Fixture) {
    let journal = &*fixture.journal;
    let mut epochs = Vec::new();
    for number in 1..=4 {
        epochs.push(fixture.session(number).await);
    }
    fixture
        .append(batch(id(2), epochs[1], 1..=1))
        .await
        .expect("follows");
    claim(journal, id(4), OTHER).await;
    let appends = [
        journal.append(batch(id(1), epochs[0], 1..=3)),
        journal.append(batch(id(2), epochs[1], 1..=1)),
        journal.append(batch(id(3), epochs[2], 2..=2)),
        journal.append(batch(id(4), epochs[3], 1..=1)),
        journal.append(batch(id(1), epochs[0], 4..=4)),
    ];
    let outcomes = join_all(appends).await;
    assert!(
        matches!(
            outcomes[..],
            [
                Ok(()),
                Err(AppendError::AlreadyStored),
                Err(AppendError::NotContiguous),
                Err(AppendError::Fenced),
                Ok(()),
            ]
        ),
        "{outcomes:?}"
    );
    assert_eq!(fixture.stored(1).await.len(), 2);
    assert_eq!(fixture.stored(4).await, []);
}

pub async fn an_earlier_owner_is_fenced(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    let later = claim(&*fixture.journal, id(1), Incarnation(2)).await;
    assert!(later > epoch);
    let fenced = fixture.append(batch(id(1), epoch, 1..=1)).await;
    assert!(matches!(fenced, Err(AppendError::Fenced)), "{fenced:?}");
    let of_other = batch(id(1), later, 1..=1);
    let fenced = fixture.append(of_other).await;
    assert!(
        matches!(fenced, Err(AppendError::Fenced)),
        "the epoch alone is not enough: {fenced:?}"
    );
    assert_eq!(fixture.stored(1).await, []);
}

pub async fn the_same_owner_is_fenced_from_its_earlier_epoch(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    let again = claim(&*fixture.journal, id(1), ME).await;
    let fenced = fixture.append(batch(id(1), epoch, 1..=1)).await;
    assert!(matches!(fenced, Err(AppendError::Fenced)), "{fenced:?}");
    fixture
        .append(batch(id(1), again, 1..=1))
        .await
        .expect("the later epoch writes");
}

pub async fn an_unclaimed_session_accepts_no_append(fixture: &Fixture) {
    let journal = &fixture.journal;
    journal
        .put_hunt(REVISION.to_owned(), Vec::new())
        .await
        .expect("stores");
    journal
        .create_session(record(id(1), "AAAA"))
        .await
        .expect("creates");
    let fenced = fixture.append(batch(id(1), Epoch(0), 1..=1)).await;
    assert!(matches!(fenced, Err(AppendError::Fenced)), "{fenced:?}");
}

pub async fn appends_commit_in_the_order_of_the_calls(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    let batches = (1..=200).map(|seq| batch(id(1), epoch, seq..=seq));
    let appends: Vec<_> = batches.map(|batch| fixture.journal.append(batch)).collect();
    // Polled in reverse: the order of the calls counts.
    let outcomes = join_all(appends.into_iter().rev()).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(fixture.stored(1).await.len(), 200);
}

pub async fn a_failing_session_affects_no_other(fixture: &Fixture) {
    let first = fixture.session(1).await;
    let second = fixture.session(2).await;
    let good = fixture.journal.append(batch(id(1), first, 1..=1));
    let hole = fixture.journal.append(batch(id(2), second, 5..=5));
    let also_good = fixture.journal.append(batch(id(1), first, 2..=2));
    good.await.expect("follows");
    assert!(hole.await.is_err());
    also_good.await.expect("follows");
    assert_eq!(fixture.stored(2).await, []);
}

pub async fn private_records_are_stored_with_their_batch_or_not_at_all(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    let record = |kind, id, text: &str| PrivateRecord {
        kind,
        id,
        text: text.to_owned(),
    };
    let with = |seq, record| Batch {
        private: vec![record],
        ..batch(id(1), epoch, seq..=seq)
    };
    let name = record(PrivateKind::Name, u64::MAX, "Ana");
    let code = record(PrivateKind::TeamCode, u64::MAX, "R7QM2KXD");
    for (seq, record) in (1..).zip([&name, &code]) {
        let appended = fixture.append(with(seq, record.clone())).await;
        appended.expect("follows");
    }
    let stray = record(PrivateKind::Name, 8, "Ben");
    assert!(fixture.append(with(5, stray)).await.is_err());
    let stored = fixture.journal.private_records(id(1)).await;
    assert_eq!(stored.expect("reads"), [name, code]);
}

pub async fn a_private_record_replaces_the_earlier_one_with_its_key(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    let code = |text: &str| PrivateRecord {
        kind: PrivateKind::TeamCode,
        id: 3,
        text: text.to_owned(),
    };
    let with = |seq, private| Batch {
        private,
        ..batch(id(1), epoch, seq..=seq)
    };
    // Both in one commit, and twice in one batch.
    let first = fixture.journal.append(with(1, vec![code("A")]));
    let second = fixture.journal.append(with(2, vec![code("B"), code("C")]));
    first.await.expect("follows");
    second.await.expect("follows");
    let stored = fixture.journal.private_records(id(1)).await;
    assert_eq!(stored.expect("reads"), [code("C")]);
    let third = fixture.append(with(3, vec![code("D")])).await;
    third.expect("follows");
    let stored = fixture.journal.private_records(id(1)).await;
    assert_eq!(stored.expect("reads"), [code("D")]);
}

pub async fn a_read_may_start_inside_a_batch(fixture: &Fixture) {
    let epoch = fixture.session(1).await;
    for seqs in [1..=3, 4..=4, 5..=9] {
        fixture
            .append(batch(id(1), epoch, seqs))
            .await
            .expect("follows");
    }
    let firsts = async |after, limit| -> Vec<u64> {
        let read = fixture
            .journal
            .read(id(1), after, limit)
            .await
            .expect("reads");
        read.iter().map(|batch| batch.first_seq).collect()
    };
    assert_eq!(firsts(0, 9).await, [1, 4, 5]);
    assert_eq!(firsts(2, 9).await, [1, 4, 5]);
    assert_eq!(firsts(3, 1).await, [4]);
    assert_eq!(firsts(6, 9).await, [5]);
    assert_eq!(firsts(9, 9).await, [0; 0]);
}

pub async fn unknown_sessions_are_refused(fixture: &Fixture) {
    let unknown = Ownership {
        session: id(7),
        owner: None,
        epoch: Epoch(0),
    };
    let refused = fixture.journal.claim(unknown.claim_for(ME)).await;
    assert!(matches!(refused, Err(ClaimError::Lost)), "{refused:?}");
    assert_eq!(fixture.journal.ownership(id(7)).await.expect("reads"), None);
    assert!(fixture.append(batch(id(7), Epoch(1), 1..=1)).await.is_err());
}
