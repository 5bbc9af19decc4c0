//! Client instances of game masters: each numbers its commands on its own.

use cluecast_hunt::GameMasterOrder::{Pause, Start};
use cluecast_hunt::{
    Command, CommandId, GameMasterId, GameMasterOrder, InstanceId, Origin, Receipt, Rejection,
    Scope, limits,
};

use crate::story::{Story, announcement, replayed};

fn with_game_master() -> (Story, GameMasterId) {
    let mut story = Story::in_lobby();
    let game_master = story.invites(&Scope::ALL);
    (story, game_master)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "stories compare it with what a command gives"
)]
fn announced(number: u32) -> Result<Receipt, Rejection> {
    let announcement = number.into();
    Ok(Receipt::Announced { announcement })
}

#[test]
fn two_instances_use_the_same_ids_independently() {
    let (mut story, host) = with_game_master();
    let first = story.opens_instance(host).expect("it is not revoked");
    let second = story.opens_instance(host).expect("it is not revoked");
    let said = story.order_in(host, first, 1, announcement("Welcome"));
    assert_eq!(said, announced(1));
    assert_eq!(
        story.order_in(host, second, 1, Start),
        Ok(Receipt::Done),
        "the second tab starts the session"
    );
    story.restarts();
    let again = story.order_in(host, first, 1, announcement("Welcome"));
    assert_eq!(again, announced(1));
    assert_eq!(story.order_in(host, second, 1, Start), Ok(Receipt::Done));
    let same = story.order_in(host, second, 2, announcement("Welcome"));
    assert_eq!(same, announced(2));
    let known = story.state.game_master(host).expect("it was invited");
    assert_eq!(known.last_command(first), Some(CommandId(1)));
    assert_eq!(known.last_command(second), Some(CommandId(2)));
}

#[test]
fn an_id_with_another_order_is_refused() {
    let (mut story, host) = with_game_master();
    let instance = story.opens_instance(host).expect("it is not revoked");
    let said = story.order_in(host, instance, 1, announcement("Welcome"));
    assert_eq!(said, announced(1));
    let entries = story.journal.len();
    let reused = Err(Rejection::IdReused);
    for restarted in [false, true] {
        if restarted {
            story.restarts();
        }
        assert_eq!(story.order_in(host, instance, 1, Start), reused);
        let other = story.order_in(host, instance, 1, announcement("Welcome!"));
        assert_eq!(other, reused);
        let again = story.order_in(host, instance, 1, announcement("Welcome"));
        assert_eq!(again, announced(1));
    }
    story.state = replayed(story.state.hunt(), &story.journal);
    assert_eq!(story.order_in(host, instance, 1, Start), reused);
    assert_eq!(story.journal.len(), entries);
    let with_another_id = story.order_in(host, instance, 2, Start);
    assert_eq!(with_another_id, Ok(Receipt::Done));
}

#[test]
fn the_newest_instances_are_kept_and_numbers_only_rise() {
    let (mut story, host) = with_game_master();
    let kept = u32::try_from(limits::INSTANCES_PER_GAME_MASTER_MAX).expect("it is small");
    assert_eq!(kept, 16);
    for number in 1..=kept {
        assert_eq!(story.opens_instance(host), Ok(InstanceId(number)));
        story.restarts();
    }
    let oldest = InstanceId::FIRST;
    let said = story.order_in(host, oldest, 1, announcement("Welcome"));
    assert_eq!(said, announced(1));
    assert_eq!(story.opens_instance(host), Ok(InstanceId(kept + 1)));
    let entries = story.journal.len();
    let last_command = None;
    let stale = Err(Rejection::StaleCommand { last_command });
    for restarted in [false, true] {
        if restarted {
            story.restarts();
        }
        for (instance, order) in [
            (oldest, announcement("Welcome")),
            (oldest, Start),
            (InstanceId(0), Start),
            (InstanceId(kept + 2), Start),
        ] {
            let answer = story.order_in(host, instance, 1, order);
            assert_eq!(answer, stale, "{instance:?}");
        }
    }
    assert_eq!(story.journal.len(), entries);
    let second = story.order_in(host, InstanceId(2), 1, announcement("Still here"));
    assert_eq!(second, announced(2));
    let known = story.state.game_master(host).expect("it was invited");
    assert!(!known.has_instance(oldest));
    assert!(known.has_instance(InstanceId(2)));
    assert_eq!(known.newest_instance(), Some(InstanceId(kept + 1)));
    assert_eq!(story.opens_instance(host), Ok(InstanceId(kept + 2)));
}

#[test]
fn each_game_master_has_instances_of_its_own() {
    let (mut story, first) = with_game_master();
    let second = story.invites(&[]);
    assert_eq!(story.opens_instance(first), Ok(InstanceId(1)));
    assert_eq!(story.opens_instance(second), Ok(InstanceId(1)));
    assert_eq!(story.opens_instance(first), Ok(InstanceId(2)));
    let origin = Origin::GameMaster {
        game_master: first,
        command: None,
    };
    assert_eq!(story.last_entry().origin, origin);
    assert!(story.audiences().is_empty(), "no stream carries it");
    let unknown = story.send(&Command::OpenInstance(GameMasterId::from(9)));
    assert_eq!(unknown, Err(Rejection::UnknownGameMaster));
}

#[test]
fn a_rejection_of_a_stale_order_contains_the_last_command() {
    let (mut story, host) = with_game_master();
    let instance = story.opens_instance(host).expect("it is not revoked");
    story.order(Start).expect("it is in the lobby");
    let done = story.order_in(host, instance, 41, Pause);
    assert_eq!(done, Ok(Receipt::Done));
    let last_command = Some(CommandId(41));
    let stale = story.order_in(host, instance, 0, Start);
    assert_eq!(stale, Err(Rejection::StaleCommand { last_command }));
}

#[test]
fn a_game_master_revokes_oneself_with_a_numbered_order() {
    let (mut story, host) = with_game_master();
    let instance = story.opens_instance(host).expect("it is not revoked");
    let revoke = GameMasterOrder::RevokeGameMaster { game_master: host };
    let done = story.order_in(host, instance, 1, revoke.clone());
    assert_eq!(done, Ok(Receipt::Done));
    let again = story.order_in(host, instance, 1, revoke);
    assert_eq!(again, Err(Rejection::Revoked));
    assert_eq!(story.opens_instance(host), Err(Rejection::Revoked));
    let replayed = replayed(story.state.hunt(), &story.journal);
    assert_eq!(replayed.hash(), story.state.hash());
}
