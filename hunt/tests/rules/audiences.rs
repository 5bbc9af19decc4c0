//! The audiences of events, and the origin of entries.

use cluecast_hunt::GameMasterOrder::{self, Pause, Start};
use cluecast_hunt::{
    Audience, Command, Event, Issuer, NameId, Origin, Receipt, RegistrationOrder, Scope, Target,
};

use crate::story::{FINISH, MINUTE, Story, announcement, clue, correct, restored, wrong};

#[test]
fn a_wrong_guess_reaches_the_team_and_those_who_view() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let team = Audience::Team(story.team_id_of(owls));
    let spectators = story.state.head(Audience::Public);
    assert_eq!(story.guess(owls, "flags", "sail"), wrong());
    assert_eq!(story.audiences(), [team, Audience::View]);
    assert_eq!(story.state.head(Audience::Public), spectators);
}

#[test]
fn a_correct_guess_reaches_spectators_and_those_who_read_answers_too() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let team = Audience::Team(story.team_id_of(owls));
    let spectators = story.state.head(Audience::Public);
    assert_eq!(story.guess(owls, "flags", "spinnaker"), correct(10));
    assert_eq!(
        story.audiences(),
        [team, Audience::Public, Audience::View, Audience::Answers]
    );
    assert_eq!(story.state.head(Audience::Public), spectators + 1);
    let restored = restored(&story.state);
    for audience in [Audience::Public, Audience::View, Audience::Answers] {
        assert_eq!(restored.head(audience), story.state.head(audience));
    }
}

/// What the public stream must never carry: clues, unlocks, players, devices and wrong guesses.
#[test]
fn spectators_see_phases_announcements_teams_and_solves_only() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    story.joins("OWLS").expect("the team has room");
    story.adds_device(owls).expect("the player has room");
    story.invites(&[Scope::View]);
    story.order(Start).expect("it is in the lobby");
    assert_eq!(story.guess(owls, "flags", "sail"), wrong());
    for puzzle in ["bell", "knots", "flags"] {
        story.solves(owls, puzzle);
    }
    let orders = [clue(Target::Everyone, "Look up"), announcement("Lunch")];
    for order in orders.into_iter().chain([Pause, FINISH]) {
        story.order(order).expect("these orders fit");
    }
    let events = story.journal.iter().flat_map(|entry| &entry.events);
    let public = events.filter(|event| event.audiences().any(|it| it == Audience::Public));
    let public: Vec<&Event> = public.collect();
    assert!(
        matches!(
            public[..],
            [
                Event::TeamCreated { .. },
                Event::SessionStarted { .. },
                Event::GuessJudged { .. },
                Event::GuessJudged { .. },
                Event::GuessJudged { .. },
                Event::Announced { .. },
                Event::SessionPaused,
                Event::SessionFinished,
            ]
        ),
        "{public:?}"
    );
}

#[test]
fn each_entry_says_who_caused_it() {
    let mut story = Story::in_lobby();
    let captain = story.team("OWLS");
    assert_eq!(story.last_entry().origin, Origin::Founder);
    let teammate = story.joins("OWLS").expect("the team has room");
    assert_eq!(story.last_entry().origin, Origin::TeamCode);
    let restore = RegistrationOrder::RestorePlayer {
        team: story.team_id_of(teammate),
        player: story.player_of(teammate),
    };
    story.desk(restore).expect("the player has room");
    assert_eq!(story.last_entry().origin, Origin::TeamCode);
    let player = story.player_of(teammate);
    let name = NameId(7);
    let by = captain;
    for order in [
        RegistrationOrder::AddDevice { by },
        RegistrationOrder::UseLink { by, link: 7 },
        RegistrationOrder::RenameTeam { by, name },
        RegistrationOrder::RenamePlayer { by, player, name },
        RegistrationOrder::RotateTeamCode { by },
        RegistrationOrder::RevokeDevice {
            by,
            device: teammate,
        },
    ] {
        assert_eq!(order.device(), Some(captain));
        story.desk(order.clone()).expect("the captain may");
        let origin = Origin::Device {
            device: captain,
            command: None,
        };
        assert_eq!(story.last_entry().origin, origin, "{order:?}");
    }
    story.order(Start).expect("it is in the lobby");
    assert_eq!(story.last_entry().origin, Origin::Admin);
    story.wait(60 * MINUTE);
    assert_eq!(story.last_entry().origin, Origin::Timer);
    let kept = restored(&story.state);
    assert_eq!(kept.hash(), story.state.hash());
}

#[test]
fn the_reason_of_an_order_is_kept_in_its_entry() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    let host = story.invites(&[Scope::Run]);
    for (by, reason) in [
        (Issuer::Admin, Some(NameId(9))),
        (Issuer::GameMaster(host), Some(NameId(10))),
        (Issuer::GameMaster(host), None),
    ] {
        let device = story.adds_device(owls).expect("the player has room");
        let order = GameMasterOrder::RevokeDevice { device };
        let command = Command::GameMaster {
            by,
            key: None,
            reason,
            order,
        };
        assert_eq!(story.send(&command), Ok(Receipt::Done));
        assert_eq!(story.last_entry().reason, reason);
    }
    let bytes = rmp_serde::to_vec_named(&story.journal).expect("entries can be written");
    let read: Vec<cluecast_hunt::Entry> =
        rmp_serde::from_slice(&bytes).expect("entries can be read");
    assert_eq!(read, story.journal);
}
