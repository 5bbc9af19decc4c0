//! Game masters and admins: the scopes of their orders, and repeated orders.

use std::collections::BTreeSet;

use cluecast_hunt::GameMasterOrder::{self, Finish, Pause, Reopen, Resume, Start};
use cluecast_hunt::{
    Audience, ClueId, Command, CommandId, DeviceId, GameMasterId, InstanceId, Issuer, NameId,
    NewEnd, Origin, Phase, PlayerId, Receipt, Rejection, Scope, Target, TeamId, Timestamp, limits,
};

use crate::story::{DAWN, FINISH, Story, announcement, clue, invitation, replayed};

const SCHEDULE: GameMasterOrder = GameMasterOrder::ScheduleStart {
    at: Timestamp(DAWN.0 + 1),
};

/// The scope that an order requires, the admin's orders that must precede it, and the next order. The match
/// has no wildcard, so a new order does not compile without an arm here.
fn rights(order: &GameMasterOrder) -> (Scope, &'static [GameMasterOrder], Option<GameMasterOrder>) {
    match order {
        Start => (Scope::Run, &[], Some(Pause)),
        Pause => (Scope::Run, &[Start], Some(Resume)),
        Resume => (Scope::Run, &[Start, Pause], Some(FINISH)),
        Finish { .. } => (Scope::Run, &[], Some(Reopen)),
        Reopen => (Scope::Run, &[Start, FINISH], Some(SCHEDULE)),
        GameMasterOrder::ScheduleStart { .. } => {
            (Scope::Run, &[], Some(GameMasterOrder::CancelStart))
        }
        GameMasterOrder::CancelStart => {
            let to = NewEnd::Never;
            (
                Scope::Run,
                &[SCHEDULE],
                Some(GameMasterOrder::MoveEnd { to }),
            )
        }
        GameMasterOrder::MoveEnd { .. } => (
            Scope::Run,
            &[Start],
            Some(clue(Target::Everyone, "Look up")),
        ),
        GameMasterOrder::PushClue { .. } => {
            let clue = ClueId::from(1);
            (
                Scope::Hints,
                &[],
                Some(GameMasterOrder::CancelClue { clue }),
            )
        }
        GameMasterOrder::CancelClue { .. } => {
            (Scope::Hints, &[], Some(announcement("Lunch is served")))
        }
        GameMasterOrder::Announce { .. } => {
            let player = PlayerId::from(1);
            (
                Scope::Run,
                &[],
                Some(GameMasterOrder::RestorePlayer { player }),
            )
        }
        GameMasterOrder::RestorePlayer { .. } => {
            let device = DeviceId::from(1);
            (
                Scope::Run,
                &[],
                Some(GameMasterOrder::RevokeDevice { device }),
            )
        }
        GameMasterOrder::RevokeDevice { .. } => {
            let (team, name) = (TeamId::from(1), NameId(7));
            (
                Scope::Run,
                &[],
                Some(GameMasterOrder::RenameTeam { team, name }),
            )
        }
        GameMasterOrder::RenameTeam { .. } => {
            let (player, name) = (PlayerId::from(1), NameId(8));
            (
                Scope::Run,
                &[],
                Some(GameMasterOrder::RenamePlayer { player, name }),
            )
        }
        GameMasterOrder::RenamePlayer { .. } => {
            let team = TeamId::from(1);
            (
                Scope::Run,
                &[],
                Some(GameMasterOrder::RotateTeamCode { team }),
            )
        }
        GameMasterOrder::RotateTeamCode { .. } => (Scope::Run, &[], Some(invitation(&[]))),
        GameMasterOrder::InviteGameMaster { .. } => {
            let game_master = GameMasterId::from(1);
            (
                Scope::Run,
                &[],
                Some(GameMasterOrder::RevokeGameMaster { game_master }),
            )
        }
        GameMasterOrder::RevokeGameMaster { .. } => (Scope::Run, &[], None),
    }
}

/// Every order, each with its scope and the orders before it.
fn orders() -> Vec<(GameMasterOrder, Scope, &'static [GameMasterOrder])> {
    let mut orders = Vec::new();
    let mut next = Some(Start);
    while let Some(order) = next {
        let (scope, before, following) = rights(&order);
        orders.push((order, scope, before));
        next = following;
    }
    orders
}

/// A lobby with a team, a clue and a game master who may do nothing, after some orders of an admin.
fn prepared(before: &[GameMasterOrder]) -> Story {
    let mut story = Story::in_lobby();
    story.team("OWLS");
    story.invites(&[]);
    let pushed = story.order(clue(Target::Everyone, "Look down"));
    pushed.expect("there is room for a clue");
    for order in before {
        story.order(order.clone()).expect("these orders fit");
    }
    story
}

/// Every set of scopes, from none to all.
fn scope_sets() -> Vec<Vec<Scope>> {
    let mut sets = vec![Vec::new()];
    for scope in Scope::ALL {
        let with = sets.iter().map(|set| [set.as_slice(), &[scope]].concat());
        sets.extend(with.collect::<Vec<_>>());
    }
    sets
}

#[test]
fn each_order_takes_its_scope() {
    assert_eq!(scope_sets().len(), 16);
    for (order, scope, before) in orders() {
        assert_eq!(order.scope(), scope, "{order:?}");
        for scopes in scope_sets() {
            let mut story = prepared(before);
            let game_master = story.invites(&scopes);
            let entries = story.journal.len();
            let answer = story.order_by(game_master, order.clone());
            if scopes.contains(&scope) {
                assert!(answer.is_ok(), "{order:?} with {scopes:?}: {answer:?}");
                let origin = story.journal.last().map(|entry| entry.origin);
                let by = Origin::GameMaster {
                    game_master,
                    command: None,
                };
                assert_eq!(origin, Some(by));
            } else {
                assert_eq!(answer, Err(Rejection::Forbidden), "{order:?} {scopes:?}");
                assert_eq!(story.journal.len(), entries);
            }
        }
    }
}

#[test]
fn an_admin_may_order_everything() {
    for (order, _, before) in orders() {
        let mut story = prepared(before);
        let answer = story.order(order.clone());
        assert!(answer.is_ok(), "{order:?}: {answer:?}");
        let origin = story.journal.last().map(|entry| entry.origin);
        assert_eq!(origin, Some(Origin::Admin));
    }
}

#[test]
fn a_revoked_game_master_may_order_nothing() {
    for (order, _, before) in orders() {
        let mut story = prepared(before);
        let game_master = story.invites(&Scope::ALL);
        let revoke = GameMasterOrder::RevokeGameMaster { game_master };
        assert_eq!(story.order(revoke), Ok(Receipt::Done));
        let entries = story.journal.len();
        let without = story.order_by(game_master, order.clone());
        assert_eq!(without, Err(Rejection::Revoked), "{order:?}");
        let with = story.order_as(game_master, 1, order.clone());
        assert_eq!(with, Err(Rejection::Revoked), "{order:?}");
        assert_eq!(story.journal.len(), entries);
    }
}

#[test]
fn a_revoked_game_master_is_refused_what_was_accepted_before() {
    let mut story = Story::in_lobby();
    let game_master = story.invites(&Scope::ALL);
    let first = story.order_as(game_master, 1, announcement("Welcome"));
    assert!(first.is_ok());
    let revoke = GameMasterOrder::RevokeGameMaster { game_master };
    story.order(revoke).expect("it is not revoked yet");
    let again = story.order_as(game_master, 1, announcement("Welcome"));
    assert_eq!(again, Err(Rejection::Revoked));
}

#[test]
fn an_unknown_game_master_may_order_nothing() {
    let mut story = Story::in_lobby();
    story.invites(&Scope::ALL);
    for unknown in [0, 2, u32::MAX].map(GameMasterId::from) {
        let without = story.order_by(unknown, Start);
        assert_eq!(without, Err(Rejection::UnknownGameMaster));
        let with = story.order_as(unknown, 1, Start);
        assert_eq!(with, Err(Rejection::UnknownGameMaster));
    }
    assert_eq!(story.state.phase(), Phase::Lobby);
}

#[test]
fn a_game_master_is_revoked_once() {
    let mut story = Story::in_lobby();
    let game_master = story.invites(&[Scope::Run]);
    let revoke = |game_master| GameMasterOrder::RevokeGameMaster { game_master };
    let own = story.order_by(game_master, revoke(game_master));
    assert_eq!(own, Ok(Receipt::Done), "one may lay down one's own rights");
    let again = story.order(revoke(game_master));
    assert_eq!(again, Err(Rejection::AlreadyRevoked));
    let unknown = Err(Rejection::UnknownGameMaster);
    assert_eq!(story.order(revoke(GameMasterId::from(0))), unknown);
    assert_eq!(story.order(revoke(GameMasterId::from(99))), unknown);
    let known = story.state.game_master(game_master);
    let known = known.expect("revoked game masters are remembered");
    assert!(known.revoked);
    for scope in Scope::ALL {
        assert!(!known.may(scope));
    }
}

#[test]
fn a_game_master_grants_only_scopes_that_it_has() {
    for own in scope_sets() {
        for given in scope_sets() {
            let mut story = Story::in_lobby();
            let inviter = story.invites(&own);
            let answer = story.order_by(inviter, invitation(&given));
            let may = own.contains(&Scope::Run) && given.iter().all(|scope| own.contains(scope));
            if may {
                let game_master = GameMasterId::from(2);
                assert_eq!(answer, Ok(Receipt::GameMasterInvited { game_master }));
                let known = story.state.game_master(game_master);
                let scopes = &known.expect("it was invited").scopes;
                assert!(scopes.iter().eq(given.iter().collect::<BTreeSet<_>>()));
            } else {
                let refused = Err(Rejection::Forbidden);
                assert_eq!(answer, refused, "{own:?} gives {given:?}");
            }
        }
    }
}

#[test]
fn a_game_master_with_more_scopes_cannot_be_revoked() {
    for own in scope_sets() {
        for theirs in scope_sets() {
            let mut story = Story::in_lobby();
            let revoker = story.invites(&own);
            let game_master = story.invites(&theirs);
            let revoke = GameMasterOrder::RevokeGameMaster { game_master };
            let answer = story.order_by(revoker, revoke);
            let may = own.contains(&Scope::Run) && theirs.iter().all(|scope| own.contains(scope));
            let expected = if may {
                Ok(Receipt::Done)
            } else {
                Err(Rejection::Forbidden)
            };
            assert_eq!(answer, expected, "{own:?} revokes {theirs:?}");
            let known = story.state.game_master(game_master);
            assert_eq!(known.expect("it was invited").revoked, may);
        }
    }
}

#[test]
fn a_journaled_revocation_of_a_game_master_with_more_scopes_replays() {
    let mut story = Story::in_lobby();
    let host = story.invites(&Scope::ALL);
    let revoker = story.invites(&[Scope::Run]);
    let revoke = GameMasterOrder::RevokeGameMaster { game_master: host };
    story.order(revoke).expect("an admin may");
    let entry = story.journal.last_mut().expect("it was accepted");
    entry.origin = Origin::GameMaster {
        game_master: revoker,
        command: None,
    };
    let state = replayed(story.state.hunt(), &story.journal);
    let known = state.game_master(host).expect("it was invited");
    assert!(known.revoked);
}

#[test]
fn a_session_has_so_many_game_masters_revoked_or_not() {
    let mut story = Story::in_lobby();
    for _ in 0..limits::GAME_MASTERS_MAX {
        story.invites(&[Scope::View]);
    }
    let full = Err(Rejection::TooManyGameMasters);
    assert_eq!(story.order(invitation(&[])), full);
    let game_master = GameMasterId::from(1);
    let revoke = GameMasterOrder::RevokeGameMaster { game_master };
    story.order(revoke).expect("it is not revoked yet");
    assert_eq!(story.order(invitation(&[])), full);
}

#[test]
fn game_masters_alone_see_who_is_one_of_them() {
    let mut story = Story::in_lobby();
    let game_master = story.invites(&[Scope::View]);
    assert_eq!(story.audiences(), [Audience::View]);
    let revoke = GameMasterOrder::RevokeGameMaster { game_master };
    story.order(revoke).expect("it is not revoked yet");
    assert_eq!(story.audiences(), [Audience::View]);
}

#[test]
fn an_order_sent_again_gives_the_same_receipt_and_changes_nothing() {
    for (order, _, before) in orders() {
        let mut story = prepared(before);
        let game_master = story.invites(&Scope::ALL);
        let first = story.order_as(game_master, 41, order.clone());
        assert!(first.is_ok(), "{order:?}: {first:?}");
        let entries = story.journal.len();
        assert_eq!(story.order_as(game_master, 41, order.clone()), first);
        story.restarts();
        assert_eq!(story.order_as(game_master, 41, order.clone()), first);
        let other = if order == FINISH { Pause } else { FINISH };
        let reused = story.order_as(game_master, 41, other);
        assert_eq!(reused, Err(Rejection::IdReused), "{order:?}");
        assert_eq!(story.journal.len(), entries);
        let Origin::GameMaster {
            game_master: by,
            command: Some((instance, command)),
        } = story.last_entry().origin
        else {
            panic!("a game master caused {:?}", story.last_entry());
        };
        assert_eq!((by, instance), (game_master, InstanceId::FIRST));
        assert_eq!(command.id, CommandId(41));
    }
}

#[test]
fn each_game_master_has_ids_of_its_own_and_a_device_too() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let (first, second) = (story.invites(&[Scope::Run]), story.invites(&[Scope::Run]));
    assert!(story.guess_as(owls, 1, "flags", "spinnaker").is_ok());
    for (game_master, expected) in [(first, 1), (second, 2), (first, 1)] {
        let said = story.order_as(game_master, 1, announcement("Hear, hear"));
        let announcement = expected.into();
        assert_eq!(said, Ok(Receipt::Announced { announcement }));
    }
    assert_eq!(story.state.announcements().len(), 2);
    let known = story.state.game_master(first).expect("it was invited");
    let instance = known.newest_instance().expect("it numbered an order");
    assert_eq!(known.last_command(instance), Some(CommandId(1)));
}

#[test]
fn without_an_id_every_order_counts() {
    let mut story = Story::in_lobby();
    let game_master = story.invites(&[Scope::Run]);
    let by_admin = Command::GameMaster {
        by: Issuer::Admin,
        key: Some((InstanceId::FIRST, CommandId(1))),
        reason: None,
        order: announcement("Welcome"),
    };
    for _ in 0..2 {
        let said = story.order_by(game_master, announcement("Welcome"));
        assert!(said.is_ok());
        assert!(story.send(&by_admin).is_ok(), "admins have no receipts");
    }
    assert_eq!(story.state.announcements().len(), 4);
    let known = story.state.game_master(game_master);
    assert_eq!(known.expect("it was invited").newest_instance(), None);
}

#[test]
fn a_refused_order_is_judged_anew() {
    let mut story = Story::in_lobby();
    let game_master = story.invites(&[Scope::Run]);
    let early = story.order_as(game_master, 1, Pause);
    assert_eq!(early, Err(Rejection::WrongPhase));
    story.order(Start).expect("it is in the lobby");
    assert_eq!(story.order_as(game_master, 1, Pause), Ok(Receipt::Done));
}

#[test]
fn an_order_older_than_the_kept_receipts_is_stale() {
    let mut story = Story::in_lobby();
    let game_master = story.invites(&[Scope::Run]);
    let kept = u64::try_from(limits::RECEIPTS_PER_DEVICE_MAX).expect("it is small");
    for id in 1..=kept + 1 {
        let said = story.order_as(game_master, id, announcement("Welcome"));
        assert!(said.is_ok());
    }
    let entries = story.journal.len();
    story.restarts();
    let last_command = Some(CommandId(kept + 1));
    let stale = Err(Rejection::StaleCommand { last_command });
    for id in [0, 1] {
        let answer = story.order_as(game_master, id, announcement("Welcome"));
        assert_eq!(answer, stale);
    }
    let kept = story.order_as(game_master, 2, announcement("Welcome"));
    let announcement = 2.into();
    assert_eq!(kept, Ok(Receipt::Announced { announcement }));
    assert_eq!(story.journal.len(), entries);
}
