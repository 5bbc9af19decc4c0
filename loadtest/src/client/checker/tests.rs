//! Every violation of the stream's guarantees, and streams without one.

use protocol::{Audience, Event, Heads, HeadsFrame, Reconnect, Resume, Update, Welcome};

use super::{StreamChecker, StreamFault};

const RECONNECT: Reconnect = Reconnect {
    min_in_ms: 0,
    max_in_ms: 1,
};

fn heads(everyone: u64, team: u64, player: u64) -> Heads {
    Heads {
        everyone,
        team,
        player,
        public: 0,
        view: 0,
        hints: 0,
        answers: 0,
    }
}

fn welcome(resume: Resume, generation: u32, heads: Heads) -> Welcome {
    Welcome {
        device: Some("d1".to_owned()),
        player: Some("p1".to_owned()),
        team: Some("t1".to_owned()),
        game_master: None,
        instance: None,
        scopes: Vec::new(),
        resume,
        generation,
        heads,
        server_time_ms: 0,
        last_command: 0,
        reconnect: RECONNECT,
    }
}

fn update(audience: Audience, number: u64) -> Update {
    Update {
        audience,
        number,
        at_ms: 0,
        event: Event::Unknown,
    }
}

fn frame(generation: u32, heads: Heads) -> HeadsFrame {
    HeadsFrame {
        generation,
        heads,
        server_time_ms: 0,
        reconnect: RECONNECT,
    }
}

/// A checker after a snapshot with these heads in generation 1.
fn attached(at: Heads) -> StreamChecker {
    let mut checker = StreamChecker::default();
    assert_eq!(checker.welcome(&welcome(Resume::Snapshot, 1, at)), Ok(()));
    assert!(!checker.is_caught_up());
    assert_eq!(checker.snapshot(at), Ok(()));
    assert!(checker.is_caught_up());
    checker
}

#[test]
fn each_audience_counts_by_itself() {
    let mut checker = attached(heads(4, 7, 1));
    for (audience, number) in [
        (Audience::Team, 8),
        (Audience::Everyone, 5),
        (Audience::Team, 9),
        (Audience::Player, 2),
    ] {
        assert_eq!(checker.update(&update(audience, number)), Ok(true));
    }
    let cursor = checker.cursor().expect("a snapshot was taken");
    assert_eq!((cursor.generation, cursor.everyone), (1, 5));
    assert_eq!((cursor.team, cursor.player), (9, 2));
}

#[test]
fn a_gap_is_reported_and_leaves_the_cursor_before_it() {
    let mut checker = attached(heads(0, 7, 0));
    let fault = checker.update(&update(Audience::Team, 9));
    let expected = StreamFault::Gap {
        audience: Audience::Team,
        seen: 7,
        number: 9,
    };
    assert_eq!(fault, Err(expected));
    assert!(expected.asks_for_resync());
    checker.detach();
    assert_eq!(checker.update(&update(Audience::Team, 10)), Ok(false));
    assert_eq!(checker.cursor().map(|cursor| cursor.team), Some(7));
}

#[test]
fn a_repeated_number_is_reported() {
    let mut checker = attached(heads(0, 7, 0));
    for number in [7, 3] {
        let repeated = StreamFault::Repeated {
            audience: Audience::Team,
            seen: 7,
            number,
        };
        assert_eq!(
            checker.update(&update(Audience::Team, number)),
            Err(repeated)
        );
    }
    assert_eq!(checker.update(&update(Audience::Team, 8)), Ok(true));
}

#[test]
fn a_replay_is_whole_only_at_the_heads_of_the_welcome() {
    let mut checker = attached(heads(1, 1, 1));
    checker.detach();
    let resumed = welcome(Resume::Replay, 1, heads(1, 3, 1));
    assert_eq!(checker.welcome(&resumed), Ok(()));
    assert_eq!(checker.update(&update(Audience::Team, 2)), Ok(true));
    assert!(!checker.is_caught_up());
    assert_eq!(checker.update(&update(Audience::Team, 3)), Ok(true));
    assert!(checker.is_caught_up());
}

#[test]
fn heads_show_a_lost_last_update() {
    let mut checker = attached(heads(1, 1, 1));
    assert_eq!(checker.heads(&frame(1, heads(1, 1, 1))), Ok(()));
    let missing = StreamFault::Missing {
        audience: Audience::Player,
        seen: 1,
        head: 2,
    };
    assert_eq!(checker.heads(&frame(1, heads(1, 1, 2))), Err(missing));
}

#[test]
fn a_server_that_lost_sent_updates_is_reported() {
    let forgotten = Err(StreamFault::Forgotten {
        audience: Audience::Team,
        seen: 9,
        head: 8,
    });
    let behind = heads(0, 8, 0);
    let mut checker = attached(heads(0, 9, 0));
    assert_eq!(checker.heads(&frame(1, behind)), forgotten);
    assert_eq!(
        checker.welcome(&welcome(Resume::Replay, 1, behind)),
        forgotten
    );
    assert_eq!(
        checker.welcome(&welcome(Resume::Snapshot, 1, behind)),
        forgotten
    );
    assert_eq!(checker.snapshot(behind), forgotten);
}

#[test]
fn a_new_generation_starts_afresh_with_a_snapshot_only() {
    let mut checker = attached(heads(0, 9, 0));
    let behind = heads(0, 8, 0);
    let replay = checker.welcome(&welcome(Resume::Replay, 2, behind));
    assert!(matches!(replay, Err(StreamFault::OutOfOrder(_))));
    assert_eq!(
        checker.welcome(&welcome(Resume::Snapshot, 2, behind)),
        Ok(())
    );
    assert_eq!(checker.snapshot(behind), Ok(()));
    assert_eq!(checker.cursor().map(|cursor| cursor.generation), Some(2));
}

#[test]
fn a_snapshot_may_be_newer_than_its_welcome_but_not_older() {
    let mut checker = StreamChecker::default();
    let promised = welcome(Resume::Snapshot, 1, heads(2, 2, 2));
    assert_eq!(checker.welcome(&promised), Ok(()));
    assert_eq!(checker.snapshot(heads(2, 3, 2)), Ok(()));
    assert_eq!(
        checker.welcome(&welcome(Resume::Snapshot, 1, heads(2, 4, 2))),
        Ok(())
    );
    let short = checker.snapshot(heads(2, 3, 2));
    assert!(matches!(short, Err(StreamFault::Missing { .. })));
}

#[test]
fn an_unexpected_message_is_reported() {
    let mut checker = StreamChecker::default();
    let replay = checker.welcome(&welcome(Resume::Replay, 1, heads(0, 0, 0)));
    assert!(matches!(replay, Err(StreamFault::OutOfOrder(_))));
    let early = checker.snapshot(heads(0, 0, 0));
    assert!(matches!(early, Err(StreamFault::OutOfOrder(_))));
    let promised = welcome(Resume::Snapshot, 1, heads(0, 0, 0));
    assert_eq!(checker.welcome(&promised), Ok(()));
    let update = checker.update(&update(Audience::Team, 1));
    assert!(matches!(update, Err(StreamFault::OutOfOrder(_))));
    let frame = checker.heads(&frame(1, heads(0, 0, 0)));
    assert!(matches!(frame, Err(StreamFault::OutOfOrder(_))));
}
