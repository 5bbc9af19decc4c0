//! Devices: adding, revoking and restoring.

use cluecast_hunt::{
    Audience, DeviceId, GameMasterOrder, PlayerId, Receipt, RegistrationOrder, Rejection, limits,
};

use crate::story::{Story, correct};

fn added(receipt: Result<Receipt, Rejection>) -> Result<DeviceId, Rejection> {
    match receipt? {
        Receipt::DeviceAdded { device } => Ok(device),
        other => panic!("adding a device is answered by {other:?}"),
    }
}

fn revokes(story: &mut Story, by: DeviceId, device: DeviceId) -> Result<Receipt, Rejection> {
    story.desk(RegistrationOrder::RevokeDevice { by, device })
}

fn restores(story: &mut Story, code: &str, player: PlayerId) -> Result<DeviceId, Rejection> {
    let team = story.team_with_code(code);
    added(story.desk(RegistrationOrder::RestorePlayer { team, player }))
}

fn uses_link(story: &mut Story, by: DeviceId, link: u64) -> Result<DeviceId, Rejection> {
    added(story.desk(RegistrationOrder::UseLink { by, link }))
}

/// Adds devices up to the player's limit.
fn fills_up(story: &mut Story, device: DeviceId) {
    while story.adds_device(device).is_ok() {}
}

#[test]
fn revoking_a_device_frees_its_slot() {
    let mut story = Story::in_lobby();
    let laptop = story.team("OWLS");
    let phone = story.adds_device(laptop).expect("the player has room");
    for _ in 2..5 {
        story.adds_device(laptop).expect("the player has room");
    }
    assert_eq!(story.adds_device(laptop), Err(Rejection::TooManyDevices));
    assert_eq!(revokes(&mut story, laptop, phone), Ok(Receipt::Done));
    assert_eq!(story.adds_device(laptop), Ok(DeviceId::from(6)));
    assert_eq!(story.adds_device(laptop), Err(Rejection::TooManyDevices));
}

#[test]
fn adding_and_revoking_in_turn_comes_to_an_end() {
    let mut story = Story::in_lobby();
    let laptop = story.team("OWLS");
    let player = story.player_of(laptop);
    for _ in 1..limits::DEVICES_PER_PLAYER_EVER_MAX {
        let phone = story.adds_device(laptop).expect("the player has room");
        revokes(&mut story, laptop, phone).expect("it is the player's own");
    }
    let too_many = Err(Rejection::TooManyDevices);
    assert_eq!(story.adds_device(laptop), too_many);
    assert_eq!(restores(&mut story, "OWLS", player), too_many);
    assert_eq!(uses_link(&mut story, laptop, 1), too_many);
    let by_game_master = story.order(GameMasterOrder::RestorePlayer { player });
    assert_eq!(added(by_game_master), too_many);
    let friend = story.joins("OWLS").expect("the team has room");
    assert!(story.adds_device(friend).is_ok());
}

#[test]
fn a_revoked_device_is_refused_whatever_it_asks() {
    let mut story = Story::running();
    let laptop = story.team("OWLS");
    let phone = story.adds_device(laptop).expect("the player has room");
    assert_eq!(story.guess_as(phone, 1, "flags", "spinnaker"), correct(10));
    assert_eq!(revokes(&mut story, laptop, phone), Ok(Receipt::Done));
    let entries = story.journal.len();
    for restarted in [false, true] {
        if restarted {
            story.restarts();
        }
        let accepted_before = story.guess_as(phone, 1, "flags", "spinnaker");
        assert_eq!(accepted_before, Err(Rejection::Revoked));
        let new = story.guess_as(phone, 2, "knots", "bowline");
        assert_eq!(new, Err(Rejection::Revoked));
        assert_eq!(story.adds_device(phone), Err(Rejection::Revoked));
        for device in [laptop, phone] {
            let revoked = revokes(&mut story, phone, device);
            assert_eq!(revoked, Err(Rejection::Revoked));
        }
    }
    assert_eq!(story.journal.len(), entries);
    assert_eq!(story.team_of(laptop).score, 10, "what it did stays");
    story.solves(laptop, "knots");
}

#[test]
fn a_device_is_revoked_by_its_player_the_captain_or_a_game_master() {
    let mut story = Story::in_lobby();
    let captain = story.team("OWLS");
    let laptop = story.joins("OWLS").expect("the team has room");
    let phone = story.adds_device(laptop).expect("the player has room");
    let teammate = story.joins("OWLS").expect("the team has room");
    let stranger = story.team("FOXES");
    let forbidden = Err(Rejection::Forbidden);
    for (by, device, expected) in [
        (teammate, phone, forbidden),
        (stranger, phone, forbidden),
        (laptop, captain, forbidden),
        (captain, stranger, forbidden),
        (captain, DeviceId::from(0), Err(Rejection::UnknownDevice)),
        (captain, DeviceId::from(99), Err(Rejection::UnknownDevice)),
        (DeviceId::from(99), phone, Err(Rejection::UnknownDevice)),
        (laptop, phone, Ok(Receipt::Done)),
        (laptop, laptop, Ok(Receipt::Done)),
        (captain, teammate, Ok(Receipt::Done)),
        // A requester without permission does not learn whether the device is revoked.
        (stranger, phone, forbidden),
    ] {
        let answer = revokes(&mut story, by, device);
        assert_eq!(answer, expected, "{by} revokes {device}");
    }
    let order = |device| GameMasterOrder::RevokeDevice { device };
    assert_eq!(story.order(order(captain)), Ok(Receipt::Done));
    let unknown = story.order(order(DeviceId::from(99)));
    assert_eq!(unknown, Err(Rejection::UnknownDevice));
}

#[test]
fn a_device_is_revoked_once() {
    let mut story = Story::in_lobby();
    let captain = story.team("OWLS");
    let phone = story.joins("OWLS").expect("the team has room");
    assert_eq!(revokes(&mut story, captain, phone), Ok(Receipt::Done));
    let entries = story.journal.len();
    assert!(revokes(&mut story, captain, phone).is_err());
    let by_game_master = story.order(GameMasterOrder::RevokeDevice { device: phone });
    assert!(by_game_master.is_err());
    assert_eq!(story.journal.len(), entries);
}

#[test]
fn a_captain_without_devices_stays_captain() {
    let mut story = Story::in_lobby();
    let captain = story.team("OWLS");
    let player = story.player_of(captain);
    let friend = story.joins("OWLS").expect("the team has room");
    revokes(&mut story, captain, captain).expect("it is the captain's own");
    assert_eq!(story.team_of(friend).captain(), Some(player));
    let restored = restores(&mut story, "OWLS", player).expect("the player has room");
    assert_eq!(revokes(&mut story, restored, friend), Ok(Receipt::Done));
}

#[test]
fn the_team_code_restores_a_player_of_the_team() {
    let mut story = Story::running();
    let lost = story.team("R7QM2KXD");
    let player = story.player_of(lost);
    story.solves(lost, "flags");
    revokes(&mut story, lost, lost).expect("it is the player's own");
    let found = restores(&mut story, "r7qm-2kxd", player).expect("the player has room");
    assert_eq!(story.player_of(found), player);
    assert_eq!(story.state.player_count(), 1);
    assert_eq!(story.guess_as(found, 1, "knots", "bowline"), correct(20));
    assert_eq!(story.team_of(found).score, 30);
}

#[test]
fn the_team_code_restores_no_player_of_another_team() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    let foxes = story.team("FOXES");
    let (owl, fox) = (story.player_of(owls), story.player_of(foxes));
    let entries = story.journal.len();
    for (code, player, expected) in [
        ("OWLS", fox, Rejection::UnknownPlayer),
        ("FOXES", owl, Rejection::UnknownPlayer),
        ("OWLS", PlayerId::from(0), Rejection::UnknownPlayer),
        ("OWLS", PlayerId::from(99), Rejection::UnknownPlayer),
        ("BEES", owl, Rejection::UnknownPlayer),
    ] {
        let answer = restores(&mut story, code, player);
        assert_eq!(answer, Err(expected), "{code:?} for {player}");
    }
    assert_eq!(story.journal.len(), entries);
    fills_up(&mut story, owls);
    let one_more = restores(&mut story, "OWLS", owl);
    assert_eq!(one_more, Err(Rejection::TooManyDevices));
}

#[test]
fn a_link_is_used_once() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    let foxes = story.team("FOXES");
    let owl = story.player_of(owls);
    let phone = uses_link(&mut story, owls, 7).expect("the player has room");
    assert_eq!(story.player_of(phone), owl);
    assert_eq!(uses_link(&mut story, owls, 7), Err(Rejection::LinkUsed));
    story.restarts();
    assert_eq!(uses_link(&mut story, owls, 7), Err(Rejection::LinkUsed));
    assert!(uses_link(&mut story, owls, 8).is_ok());
    assert!(
        uses_link(&mut story, foxes, 7).is_ok(),
        "links are a player's"
    );
    let unknown = uses_link(&mut story, DeviceId::from(99), 9);
    assert_eq!(unknown, Err(Rejection::UnknownDevice));
}

#[test]
fn a_link_lives_no_longer_than_the_device_that_made_it() {
    let mut story = Story::in_lobby();
    let laptop = story.team("OWLS");
    let phone = story.adds_device(laptop).expect("the player has room");
    revokes(&mut story, laptop, phone).expect("it is the player's own");
    assert_eq!(uses_link(&mut story, phone, 7), Err(Rejection::Revoked));
    let again = revokes(&mut story, laptop, phone);
    assert_eq!(again, Err(Rejection::AlreadyRevoked));
}

#[test]
fn a_link_that_gave_no_device_is_not_used_up() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    let phone = story.adds_device(owls).expect("the player has room");
    fills_up(&mut story, owls);
    let full = uses_link(&mut story, owls, 7);
    assert_eq!(full, Err(Rejection::TooManyDevices));
    revokes(&mut story, owls, phone).expect("it is the player's own");
    assert!(uses_link(&mut story, owls, 7).is_ok());
}

#[test]
fn the_newest_used_links_are_remembered() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    let remembered = u64::try_from(limits::LINKS_REMEMBERED_MAX).expect("it is small");
    let mut use_and_revoke = |link| {
        let phone = uses_link(&mut story, owls, link)?;
        revokes(&mut story, owls, phone)
    };
    for link in 0..=remembered {
        assert_eq!(use_and_revoke(link), Ok(Receipt::Done));
    }
    for link in 1..=remembered {
        assert_eq!(use_and_revoke(link), Err(Rejection::LinkUsed));
    }
    let oldest = use_and_revoke(0);
    assert_eq!(oldest, Ok(Receipt::Done), "it was long out of date");
}

#[test]
fn a_game_master_restores_anybody() {
    let mut story = Story::in_lobby();
    let lost = story.team("OWLS");
    let player = story.player_of(lost);
    let order = |player| GameMasterOrder::RestorePlayer { player };
    revokes(&mut story, lost, lost).expect("it is the player's own");
    let found = added(story.order(order(player))).expect("the player has room");
    assert_eq!(story.player_of(found), player);
    let unknown = story.order(order(PlayerId::from(99)));
    assert_eq!(unknown, Err(Rejection::UnknownPlayer));
    fills_up(&mut story, found);
    let one_more = story.order(order(player));
    assert_eq!(one_more, Err(Rejection::TooManyDevices));
}

#[test]
fn the_player_sees_devices_come_and_go() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    let player = story.player_of(owls);
    let phone = uses_link(&mut story, owls, 7).expect("the player has room");
    let to_the_player = [Audience::Player(player)];
    assert_eq!(
        story.audiences(),
        to_the_player,
        "no audience sees the link itself"
    );
    restores(&mut story, "OWLS", player).expect("the player has room");
    assert_eq!(story.audiences(), to_the_player);
    revokes(&mut story, owls, phone).expect("it is the player's own");
    assert_eq!(
        story.audiences(),
        [Audience::Player(player), Audience::View]
    );
}
