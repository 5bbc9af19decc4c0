//! Teams, players and devices.

use cluecast_hunt::{DeviceId, NameId, RegistrationOrder, Rejection, limits, normalise_code};

use crate::story::{FINISH, Story, create_team};

#[test]
fn players_join_a_team_that_exists() {
    let mut story = Story::in_lobby();
    let first = story.team("OWLS");
    let second = story.joins("OWLS").expect("the team has room");
    assert_eq!(story.team_id_of(first), story.team_id_of(second));
    assert_eq!(story.team_of(first).players.len(), 2);
    assert_eq!(story.joins("NOSUCH"), Err(Rejection::UnknownTeam));
}

#[test]
fn codes_are_compared_as_people_type_them() {
    for typed in ["R7QM2KXD", "r7qm-2kxd", " R7QM 2KXD.\n"] {
        assert_eq!(normalise_code(typed), "R7QM2KXD");
    }
    assert_eq!(normalise_code("Ключ 7"), "7");
}

#[test]
fn a_device_is_of_the_player_that_asked() {
    let mut story = Story::in_lobby();
    let laptop = story.team("OWLS");
    let phone = story.adds_device(laptop).expect("the player has room");
    let player = |device| story.state.device(device).expect("it exists").player;
    assert_eq!(player(laptop), player(phone));
    assert_eq!(story.state.player_count(), 1);
    let unknown = story.adds_device(DeviceId::from(99));
    assert_eq!(unknown, Err(Rejection::UnknownDevice));
}

#[test]
fn a_finished_session_accepts_new_devices_but_no_new_players() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    story.order(FINISH).expect("it is running");
    assert_eq!(story.send(&create_team()), Err(Rejection::Finished));
    assert_eq!(story.joins("OWLS"), Err(Rejection::Finished));
    assert!(story.adds_device(owls).is_ok());
}

#[test]
fn a_team_takes_so_many_players() {
    let mut story = Story::in_lobby();
    story.team("OWLS");
    for _ in 1..limits::PLAYERS_PER_TEAM_MAX {
        story.joins("OWLS").expect("the team has room");
    }
    assert_eq!(story.joins("OWLS"), Err(Rejection::TeamFull));
    story.team("FOXES");
    assert!(story.joins("FOXES").is_ok());
}

#[test]
fn a_player_takes_so_many_devices() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    for _ in 1..limits::DEVICES_PER_PLAYER_MAX {
        story.adds_device(owls).expect("the player has room");
    }
    assert_eq!(story.adds_device(owls), Err(Rejection::TooManyDevices));
}

#[test]
fn names_are_stored_only_as_references() {
    let mut story = Story::in_lobby();
    let order = RegistrationOrder::CreateTeam {
        team_name: NameId(77),
        player_name: NameId(78),
    };
    story.desk(order).expect("there is room for a team");
    let (_, team) = story.state.teams().next().expect("it was created");
    assert_eq!(team.name, NameId(77));
    let player = story.state.player(team.players[0]).expect("it joined");
    assert_eq!(player.name, NameId(78));
}
