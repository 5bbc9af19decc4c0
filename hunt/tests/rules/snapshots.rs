//! The bytes of snapshots. As with the journal, a file is never changed.

use cluecast_hunt::{
    AnnouncementId, Audience, ClueId, Command, Decision, DeviceId, GameMasterId, GameMasterOrder,
    Phase, PlayerId, Progress, Receipt, RegistrationOrder, Rejection, Scope, State, Target, TeamId,
    Verdict,
};

use crate::golden::{bytes_of, check};
use crate::story::{
    MINUTE, Story, announcement, clue, correct, guess_command, invitation, short_clue,
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

/// A paused session in which everything has happened that a snapshot can hold.
fn eventful() -> Story {
    let mut story = Story::running();
    let laptop = story.team("OWLS");
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
    let story = eventful();
    check(
        include_str!("../golden/progress_without_field_names.hex"),
        story.state.progress(),
    );
}

/// Snapshots in which guesses and receipts had the names of their fields.
#[test]
fn a_snapshot_with_field_names_is_read() {
    let stored = stored(include_str!("../golden/progress_with_ids_from_one.hex"));
    assert_eq!(stored, *eventful().state.progress());
}

fn stored(golden: &str) -> Progress {
    let (_, bytes) = golden.split_once('\n').unwrap_or_default();
    rmp_serde::from_slice(&bytes_of(bytes)).expect("it is stored")
}

/// Commands with the number 0 were accepted once. Their receipts are kept, and given again.
#[test]
fn a_snapshot_with_the_receipt_of_a_command_0_is_read() {
    let golden = include_str!("../golden/progress.hex");
    let progress = stored(golden);
    assert_eq!(golden.lines().next(), Some(&*format!("# {progress:?}")));

    let mut story = Story::in_lobby();
    story.state = State::from_progress(story.state.hunt().clone(), progress);
    let first = GameMasterId::from(1);
    let pause = || GameMasterOrder::Pause;
    assert_eq!(story.order_as(first, 0, pause()), Ok(Receipt::Done));
}

/// A snapshot in which the number up to which a device's receipts are forgotten is filled in by
/// hand: to get there takes hundreds of commands.
#[test]
fn what_is_forgotten_is_written_as_ever() {
    let story = eventful();
    let mut bytes =
        rmp_serde::to_vec_named(story.state.progress()).expect("progress can be written");
    let none = b"\xafforgotten_up_to\xc0";
    let at = bytes.windows(none.len()).position(|window| window == none);
    let last = at.expect("the first device has forgotten nothing") + none.len() - 1;
    let forgotten_up_to = 127;
    bytes[last] = forgotten_up_to;
    let progress: Progress = rmp_serde::from_slice(&bytes).expect("a number fits there");
    let again = rmp_serde::to_vec_named(&progress).expect("progress can be written");
    assert_eq!(again, bytes);
    let state = State::from_progress(story.state.hunt().clone(), progress);
    let forgotten = guess_command(DeviceId::from(1), forgotten_up_to.into(), "bell", "ring");
    let answer = state.decide(&forgotten, story.now);
    assert_eq!(answer, Err(Rejection::StaleCommand));
}

/// Snapshots of sessions that began before there were game masters, clues, announcements, revoked
/// devices and one-use links.
#[test]
fn a_snapshot_from_before_game_masters_is_read() {
    let progress = stored(include_str!("../golden/progress_before_game_masters.hex"));

    let mut story = Story::in_lobby();
    story.state = State::from_progress(story.state.hunt().clone(), progress);
    let state = &story.state;
    state.assert_invariants();
    assert_eq!(state.phase(), Phase::Paused);
    assert_eq!(state.head(Audience::Everyone), 2);
    assert_eq!(state.head(Audience::GameMasters), 0);
    assert_eq!(state.game_masters().len(), 0);
    assert_eq!(state.live_clues().count(), 0);
    assert_eq!(state.announcements().len(), 0);
    let (laptop, phone) = (DeviceId::from(1), DeviceId::from(2));
    assert_eq!(story.team_of(laptop).score, 10);
    assert_eq!(story.guess_as(laptop, 1, "flags", "spinnaker"), correct(10));

    let mut state = story.state.clone();
    let player = story.player_of(phone);
    let resume = Command::admin(GameMasterOrder::Resume);
    let push = Command::admin(clue(Target::Player { player }, "Look up"));
    let link = RegistrationOrder::UseLink {
        by: laptop,
        link: 7,
    };
    let revoke = RegistrationOrder::RevokeDevice {
        by: laptop,
        device: phone,
    };
    for command in [
        resume,
        push,
        Command::Registration(link),
        Command::Registration(revoke),
        guess_command(laptop, 3, "knots", "bowline"),
    ] {
        match state.decide(&command, state.last_at()) {
            Ok(Decision::Accepted(entry)) => state.apply_entry(&entry),
            other => panic!("{command:?} fits, but: {other:?}"),
        }
    }
    state.assert_invariants();
    assert_eq!(state.live_clues().count(), 1);
}
