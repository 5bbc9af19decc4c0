//! Renaming and code rotation: who is authorized, and which audiences are notified.

use cluecast_hunt::{
    Audience, DeviceId, Event, GameMasterOrder, NameId, PlayerId, Receipt, RegistrationOrder,
    Rejection, TeamId,
};

use crate::story::Story;

const NAME: NameId = NameId(77);

fn renames_team(story: &mut Story, by: DeviceId) -> Result<Receipt, Rejection> {
    story.desk(RegistrationOrder::RenameTeam { by, name: NAME })
}

fn renames_player(story: &mut Story, by: DeviceId, player: PlayerId) -> Result<Receipt, Rejection> {
    let name = NAME;
    story.desk(RegistrationOrder::RenamePlayer { by, player, name })
}

fn rotates_code(story: &mut Story, by: DeviceId) -> Result<Receipt, Rejection> {
    story.desk(RegistrationOrder::RotateTeamCode { by })
}

#[test]
fn only_the_captain_renames_the_team() {
    let mut story = Story::in_lobby();
    let captain = story.team("OWLS");
    let teammate = story.joins("OWLS").expect("the team has room");
    let foxes = story.team("FOXES");
    let team = story.team_id_of(captain);
    let before = story.team_of(captain).name;
    assert_eq!(
        renames_team(&mut story, teammate),
        Err(Rejection::Forbidden)
    );
    assert_eq!(story.team_of(captain).name, before);
    assert_eq!(renames_team(&mut story, captain), Ok(Receipt::Done));
    let renamed = Event::TeamRenamed { team, name: NAME };
    assert_eq!(story.last_entry().events, [renamed]);
    let told = [Audience::Team(team), Audience::Public, Audience::View];
    assert_eq!(story.audiences(), told);
    assert_eq!(story.team_of(captain).name, NAME);
    assert_eq!(story.team_of(foxes).name, before, "another team keeps its");
}

#[test]
fn a_player_is_renamed_by_oneself_or_the_captain() {
    let mut story = Story::in_lobby();
    let captain = story.team("OWLS");
    let teammate = story.joins("OWLS").expect("the team has room");
    let other = story.joins("OWLS").expect("the team has room");
    let stranger = story.team("FOXES");
    let [leader, owl] = [captain, teammate].map(|device| story.player_of(device));
    let entries = story.journal.len();
    for (by, player) in [
        (other, owl),
        (stranger, owl),
        (teammate, leader),
        (captain, story.player_of(stranger)),
        (captain, PlayerId::from(99)),
    ] {
        let refused = renames_player(&mut story, by, player);
        assert_eq!(refused, Err(Rejection::Forbidden), "{by} renames {player}");
    }
    assert_eq!(story.journal.len(), entries);
    for by in [teammate, captain] {
        assert_eq!(renames_player(&mut story, by, owl), Ok(Receipt::Done));
        let team = story.team_id_of(captain);
        assert_eq!(story.audiences(), [Audience::Team(team), Audience::View]);
    }
    let name = |player| story.state.player(player).map(|player| player.name);
    assert_eq!(name(owl), Some(NAME));
    assert_ne!(name(leader), Some(NAME));
}

#[test]
fn only_the_captain_rotates_the_code_and_only_the_team_is_notified() {
    let mut story = Story::in_lobby();
    let captain = story.team("OWLS");
    let teammate = story.joins("OWLS").expect("the team has room");
    let refused = rotates_code(&mut story, teammate);
    assert_eq!(refused, Err(Rejection::Forbidden));
    assert_eq!(rotates_code(&mut story, captain), Ok(Receipt::Done));
    let team = story.team_id_of(captain);
    let rotated = Event::TeamCodeRotated { team };
    assert_eq!(story.last_entry().events, [rotated]);
    assert_eq!(story.audiences(), [Audience::Team(team)]);
}

#[test]
fn a_revoked_captain_renames_and_rotates_nothing() {
    let mut story = Story::in_lobby();
    let captain = story.team("OWLS");
    let player = story.player_of(captain);
    let revoke = RegistrationOrder::RevokeDevice {
        by: captain,
        device: captain,
    };
    story.desk(revoke).expect("it is the captain's own");
    let revoked = Err(Rejection::Revoked);
    assert_eq!(renames_team(&mut story, captain), revoked);
    assert_eq!(renames_player(&mut story, captain, player), revoked);
    assert_eq!(rotates_code(&mut story, captain), revoked);
    let unknown = Err(Rejection::UnknownDevice);
    assert_eq!(rotates_code(&mut story, DeviceId::from(99)), unknown);
}

#[test]
fn a_game_master_renames_every_team_and_player() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    let (team, player, name) = (story.team_id_of(owls), story.player_of(owls), NAME);
    for order in [
        GameMasterOrder::RenameTeam { team, name },
        GameMasterOrder::RenamePlayer { player, name },
        GameMasterOrder::RotateTeamCode { team },
    ] {
        assert_eq!(story.order(order), Ok(Receipt::Done));
    }
    assert_eq!(story.team_of(owls).name, NAME);
    let known = story.state.player(player).expect("it exists");
    assert_eq!(known.name, NAME);
    let (team, player) = (TeamId::from(99), PlayerId::from(99));
    let unknown_team = Err(Rejection::UnknownTeam);
    let rename = GameMasterOrder::RenameTeam { team, name };
    assert_eq!(story.order(rename), unknown_team);
    let rotate = GameMasterOrder::RotateTeamCode { team };
    assert_eq!(story.order(rotate), unknown_team);
    let rename = GameMasterOrder::RenamePlayer { player, name };
    assert_eq!(story.order(rename), Err(Rejection::UnknownPlayer));
}

/// Registration puts no text into the journal or the state. Debug output would show a text in quotation marks.
#[test]
fn no_code_or_name_is_part_of_the_session() {
    let mut story = Story::in_lobby();
    let captain = story.team("R7QM2KXD");
    story.joins("R7QM2KXD").expect("the team has room");
    rotates_code(&mut story, captain).expect("it is the captain");
    renames_team(&mut story, captain).expect("it is the captain");
    let shown = format!("{:?} {:?}", story.journal, story.state.progress());
    assert!(!shown.contains('"'), "{shown}");
}
