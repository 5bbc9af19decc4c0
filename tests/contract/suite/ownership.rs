//! Ownership and membership.

use std::time::Duration;

use cluecast::ids::{Epoch, HeartbeatOutcome, Incarnation, NodeRecord, Ownership};
use cluecast::journal::{AppendError, Batch, ClaimError};
use futures_util::future::join_all;

use super::{Fixture, ME, OTHER, batch, claim, id, ownership};

const RACES: u64 = 1_000;
const RACERS: u64 = 4;

pub async fn a_claim_needs_the_expected_owner_and_epoch(fixture: &Fixture) {
    let journal = &*fixture.journal;
    let epoch = fixture.session(1).await;
    let found = ownership(journal, id(1)).await;
    let mine = Ownership {
        session: id(1),
        owner: Some(ME),
        epoch,
    };
    assert_eq!(found, mine);
    let wrong = [
        Ownership {
            owner: None,
            ..mine
        },
        Ownership {
            owner: Some(OTHER),
            ..mine
        },
        Ownership {
            epoch: Epoch(epoch.0 - 1),
            ..mine
        },
        Ownership {
            epoch: Epoch(epoch.0 + 1),
            ..mine
        },
    ];
    for expected in wrong {
        let lost = journal.claim(expected.claim_for(OTHER)).await;
        assert!(
            matches!(lost, Err(ClaimError::Lost)),
            "{expected:?}: {lost:?}"
        );
    }
    assert_eq!(ownership(journal, id(1)).await, mine, "nothing was changed");
    fixture.session(2).await;
    let taken = journal.claim(mine.claim_for(OTHER)).await.expect("claims");
    assert_eq!(taken, Epoch(epoch.0 + 1));
    let mut all = journal.ownerships().await.expect("lists");
    all.sort_by_key(|ownership| ownership.session);
    let owners: Vec<_> = all.iter().map(|ownership| ownership.owner).collect();
    assert_eq!(owners, [Some(OTHER), Some(ME)]);
}

pub async fn a_thousand_races_to_claim_have_one_winner_each(fixture: &Fixture) {
    let journal = &*fixture.journal;
    fixture.session(1).await;
    for race in 0..RACES {
        let found = ownership(journal, id(1)).await;
        let racers = (1..=RACERS).map(|racer| Incarnation(race * RACERS + racer));
        let claims = racers.clone().map(|to| journal.claim(found.claim_for(to)));
        let outcomes = join_all(claims).await;
        let winners: Vec<Incarnation> = racers
            .zip(&outcomes)
            .filter_map(|(racer, outcome)| outcome.is_ok().then_some(racer))
            .collect();
        assert_eq!(winners.len(), 1, "race {race}: {outcomes:?}");
        for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert!(
                matches!(refused, ClaimError::Lost),
                "race {race}: {refused}"
            );
        }
        let owner = ownership(journal, id(1)).await;
        assert_eq!(owner.owner, Some(winners[0]));
        assert_eq!(owner.epoch, Epoch(found.epoch.0 + 1));
    }
}

pub async fn a_released_session_has_no_owner_and_accepts_no_append(fixture: &Fixture) {
    let journal = &*fixture.journal;
    let epoch = fixture.session(1).await;
    let of_other = journal.release(id(1), OTHER, epoch).await;
    assert!(matches!(of_other, Err(ClaimError::Lost)), "{of_other:?}");
    let earlier = journal.release(id(1), ME, Epoch(epoch.0 - 1)).await;
    assert!(matches!(earlier, Err(ClaimError::Lost)), "{earlier:?}");
    journal.release(id(1), ME, epoch).await.expect("releases");
    assert_eq!(ownership(journal, id(1)).await.owner, None);
    let fenced = fixture.append(batch(id(1), epoch, 1..=1)).await;
    assert!(matches!(fenced, Err(AppendError::Fenced)), "{fenced:?}");
    let next = claim(journal, id(1), ME).await;
    assert!(next > epoch, "an epoch is never reused");
}

pub async fn a_session_is_handed_off_to_its_next_owner(fixture: &Fixture) {
    let journal = &*fixture.journal;
    let epoch = fixture.session(1).await;
    fixture
        .append(batch(id(1), epoch, 1..=1))
        .await
        .expect("follows");
    let handed_off = claim(journal, id(1), OTHER).await;
    assert_eq!(fixture.stored(1).await.len(), 1);
    let fenced = fixture.append(batch(id(1), epoch, 2..=2)).await;
    assert!(matches!(fenced, Err(AppendError::Fenced)), "{fenced:?}");
    let of_next = Batch {
        owner: OTHER,
        ..batch(id(1), handed_off, 2..=2)
    };
    fixture
        .append(of_next)
        .await
        .expect("the next owner writes");
}

pub async fn terminating_connections_keeps_committed_events(fixture: &Fixture) {
    let journal = &*fixture.journal;
    let epoch = fixture.session(1).await;
    fixture
        .append(batch(id(1), epoch, 1..=1))
        .await
        .expect("follows");
    journal
        .terminate_connections(OTHER)
        .await
        .expect("having no connections is no failure");
    let next = claim(journal, id(1), OTHER).await;
    assert!(next > epoch);
    assert_eq!(fixture.stored(1).await.len(), 1);
}

fn node(incarnation: Incarnation) -> NodeRecord {
    NodeRecord {
        incarnation,
        address: "192.0.2.1:9000".to_owned(),
        version: "1.2.3".to_owned(),
        weight: 100,
        lease: Duration::from_millis(1_500),
        is_leaving: false,
    }
}

pub async fn nodes_are_members_until_they_are_removed(fixture: &Fixture) {
    let journal = &*fixture.journal;
    let records = async || -> Vec<NodeRecord> {
        let nodes = journal.nodes().await.expect("lists");
        let mut records: Vec<_> = nodes.into_iter().map(|node| node.record).collect();
        records.sort_by_key(|record| record.incarnation);
        records
    };
    let unknown = journal.heartbeat(node(ME)).await.expect("answers");
    assert_eq!(unknown, HeartbeatOutcome::Evicted, "it has not joined");
    assert_eq!(records().await, []);
    journal.join(node(OTHER)).await.expect("joins");
    journal.join(node(ME)).await.expect("joins");
    assert_eq!(records().await, [node(ME), node(OTHER)]);
    let leaving = NodeRecord {
        weight: 7,
        is_leaving: true,
        ..node(ME)
    };
    let renewed = journal.heartbeat(leaving.clone()).await.expect("answers");
    assert_eq!(renewed, HeartbeatOutcome::Renewed);
    assert_eq!(records().await, [leaving, node(OTHER)]);
    assert!(journal.remove(ME, None).await.expect("removes"));
    assert!(journal.remove(ME, None).await.expect("is gone"));
    let late = journal.heartbeat(node(ME)).await.expect("answers");
    assert_eq!(
        late,
        HeartbeatOutcome::Evicted,
        "a late heartbeat does not add the node"
    );
    assert_eq!(records().await, [node(OTHER)]);
    journal.join(node(ME)).await.expect("joins again");
    assert_eq!(records().await, [node(ME), node(OTHER)]);
}

pub async fn a_node_with_a_later_heartbeat_is_not_removed(fixture: &Fixture) {
    let journal = &*fixture.journal;
    let status = async || {
        let mut nodes = journal.nodes().await.expect("lists");
        assert_eq!(nodes.len(), 1);
        nodes.remove(0)
    };
    journal.join(node(ME)).await.expect("joins");
    let joined = status().await;
    assert!(joined.age < Duration::from_hours(1), "{:?}", joined.age);
    assert_eq!(status().await.last_heartbeat, joined.last_heartbeat);
    let renewed = journal.heartbeat(node(ME)).await.expect("answers");
    assert_eq!(renewed, HeartbeatOutcome::Renewed);
    let renewed_status = status().await;
    assert_ne!(renewed_status.last_heartbeat, joined.last_heartbeat);
    let removed = journal.remove(ME, Some(joined.last_heartbeat)).await;
    assert!(!removed.expect("answers"), "it sent a later heartbeat");
    let removed = journal
        .remove(ME, Some(renewed_status.last_heartbeat))
        .await;
    assert!(removed.expect("removes"));
    assert_eq!(journal.nodes().await.expect("lists"), []);
}
