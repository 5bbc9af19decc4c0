//! The bytes of snapshots. As with the journal, a file changes only together with the format.

use cluecast_hunt::{
    AnnouncementId, ClueId, DeviceId, GameMasterId, GameMasterOrder, InstanceId, NameId, NewEnd,
    Phase, PlayerId, Progress, Receipt, RegistrationOrder, Rejection, Scope, State, Target, TeamId,
    Verdict,
};

use crate::golden::check;
use crate::story::{
    DAWN, FINISH, MINUTE, Story, announcement, clue, guess_command, invitation, short_clue,
};

fn golden_phase(phase: Phase) -> (&'static str, Option<Phase>) {
    match phase {
        Phase::Lobby => (
            include_str!("../golden/phase_lobby.hex"),
            Some(Phase::Running),
        ),
        Phase::Running => (
            include_str!("../golden/phase_running.hex"),
            Some(Phase::Paused),
        ),
        Phase::Paused => (
            include_str!("../golden/phase_paused.hex"),
            Some(Phase::Finished),
        ),
        Phase::Finished => (include_str!("../golden/phase_finished.hex"), None),
    }
}

fn golden_receipt(receipt: &Receipt) -> (&'static str, Option<Receipt>) {
    let (team, player, device) = (TeamId::from(3), PlayerId::from(70_000), DeviceId::from(8));
    match receipt {
        Receipt::Guess { .. } => (
            include_str!("../golden/receipt_guess.hex"),
            Some(Receipt::Joined {
                team,
                player,
                device,
            }),
        ),
        Receipt::Joined { .. } => (
            include_str!("../golden/receipt_joined.hex"),
            Some(Receipt::DeviceAdded { device }),
        ),
        Receipt::DeviceAdded { .. } => (
            include_str!("../golden/receipt_device_added.hex"),
            Some(Receipt::GameMasterInvited {
                game_master: GameMasterId::from(2),
            }),
        ),
        Receipt::GameMasterInvited { .. } => (
            include_str!("../golden/receipt_game_master_invited.hex"),
            Some(Receipt::CluePushed {
                clue: ClueId::from(200),
            }),
        ),
        Receipt::CluePushed { .. } => (
            include_str!("../golden/receipt_clue_pushed.hex"),
            Some(Receipt::Announced {
                announcement: AnnouncementId::from(300),
            }),
        ),
        Receipt::Announced { .. } => (
            include_str!("../golden/receipt_announced.hex"),
            Some(Receipt::InstanceOpened {
                instance: InstanceId(17),
            }),
        ),
        Receipt::InstanceOpened { .. } => (
            include_str!("../golden/receipt_instance_opened.hex"),
            Some(Receipt::Done),
        ),
        Receipt::Done => (include_str!("../golden/receipt_done.hex"), None),
    }
}

#[test]
fn every_phase_is_written_as_ever() {
    let mut next = Some(Phase::Lobby);
    while let Some(phase) = next {
        let (golden, following) = golden_phase(phase);
        check(golden, &phase);
        next = following;
    }
}

#[test]
fn every_receipt_is_written_as_ever() {
    let mut next = Some(Receipt::Guess {
        verdict: Verdict::Correct,
        points: 10,
    });
    while let Some(receipt) = next {
        let (golden, following) = golden_receipt(&receipt);
        check(golden, &receipt);
        next = following;
    }
}

/// A session that starts in a minute.
fn scheduled() -> Story {
    let mut story = Story::in_lobby();
    let at = DAWN.plus_ms(MINUTE);
    let schedule = GameMasterOrder::ScheduleStart { at };
    story.order(schedule).expect("it is in the lobby");
    story
}

/// A paused session that uses every part of a snapshot.
fn eventful() -> Story {
    let mut story = scheduled();
    let laptop = story.team("OWLS");
    story.wait(MINUTE);
    let team = story.team_id_of(laptop);
    let player = story.player_of(laptop);
    let link = RegistrationOrder::UseLink {
        by: laptop,
        link: 7,
    };
    story.desk(link).expect("the player has room");
    let lost = story.adds_device(laptop).expect("the player has room");
    story.joins("OWLS").expect("the team has room");
    let game_master = story.invites(&Scope::ALL);
    story.wait(MINUTE);
    story.solves(laptop, "flags");
    let wrong = story.guess(lost, "knots", "sail");
    assert!(wrong.is_ok());
    for (id, order) in [
        GameMasterOrder::RevokeDevice { device: lost },
        clue(Target::Everyone, "Look up"),
        clue(Target::Team { team }, "Look down"),
        clue(Target::Player { player }, "Look again"),
        short_clue(5 * MINUTE),
        GameMasterOrder::CancelClue {
            clue: ClueId::from(2),
        },
        announcement("Lunch is served"),
        invitation(&[Scope::View]),
        GameMasterOrder::RevokeGameMaster {
            game_master: GameMasterId::from(2),
        },
        GameMasterOrder::RestorePlayer { player },
        GameMasterOrder::RenameTeam {
            team,
            name: NameId(70),
        },
        GameMasterOrder::RenamePlayer {
            player,
            name: NameId(71),
        },
        GameMasterOrder::RotateTeamCode { team },
        GameMasterOrder::MoveEnd {
            to: NewEnd::At(DAWN.plus_ms(100 * MINUTE)),
        },
        GameMasterOrder::Pause,
    ]
    .into_iter()
    .enumerate()
    {
        let id = u64::try_from(id).expect("it is small") + 1;
        let answer = story.order_as(game_master, id, order.clone());
        assert!(answer.is_ok(), "{order:?}: {answer:?}");
    }
    story.wait(MINUTE);
    story
}

#[test]
fn a_snapshot_is_written_as_ever() {
    let mut story = scheduled();
    check(
        include_str!("../golden/progress_in_lobby.hex"),
        story.state.progress(),
    );
    story = eventful();
    check(
        include_str!("../golden/progress.hex"),
        story.state.progress(),
    );
    story.order(FINISH).expect("it is paused");
    check(
        include_str!("../golden/progress_finished.hex"),
        story.state.progress(),
    );
}

/// A snapshot in which a device's highest evicted command id is set by hand, because reaching it would take
/// hundreds of commands.
#[test]
fn what_is_evicted_is_written_as_ever() {
    let story = eventful();
    let mut bytes =
        rmp_serde::to_vec_named(story.state.progress()).expect("progress can be written");
    let none = b"\xadevicted_up_to\xc0";
    let at = bytes.windows(none.len()).position(|window| window == none);
    let last = at.expect("the first device has evicted nothing") + none.len() - 1;
    let evicted_up_to = 127;
    bytes[last] = evicted_up_to;
    let progress: Progress = rmp_serde::from_slice(&bytes).expect("a number fits there");
    let again = rmp_serde::to_vec_named(&progress).expect("progress can be written");
    assert_eq!(again, bytes);
    let state = State::from_progress(story.state.hunt().clone(), progress);
    let evicted = guess_command(DeviceId::from(1), evicted_up_to.into(), "bell", "ring");
    let answer = state.decide(&evicted, story.now);
    assert!(matches!(answer, Err(Rejection::StaleCommand { .. })));
}
