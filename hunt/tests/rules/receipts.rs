//! Repeated commands and their receipts.

use cluecast_hunt::{CommandId, GameMasterOrder, Rejection, limits};

use crate::story::{FINISH, MINUTE, Story, correct, replayed, wrong};

/// A rejection because the outcome is no longer known, with the last accepted command.
fn stale(last: u64) -> Rejection {
    let last_command = Some(CommandId(last));
    Rejection::StaleCommand { last_command }
}

#[test]
fn sent_again_it_gives_the_same_receipt_and_changes_nothing() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    assert_eq!(story.guess_as(owls, 41, "flags", "spinnaker"), correct(10));
    let entries = story.journal.len();
    story.wait(MINUTE);
    for _ in 0..3 {
        assert_eq!(story.guess_as(owls, 41, "flags", "spinnaker"), correct(10));
    }
    assert_eq!(story.journal.len(), entries);
    assert_eq!(story.team_of(owls).score, 10);
}

#[test]
fn the_receipt_survives_restarts_pauses_and_the_end() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), correct(10));
    story.restarts();
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), correct(10));
    story.order(GameMasterOrder::Pause).expect("it is running");
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), correct(10));
    story.order(FINISH).expect("it is paused");
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), correct(10));
}

#[test]
fn an_id_with_other_content_is_refused() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    assert_eq!(story.guess_as(owls, 1, "flags", "sail"), wrong());
    let entries = story.journal.len();
    for restarted in [false, true] {
        if restarted {
            story.restarts();
        }
        for (puzzle, guess) in [("flags", "spinnaker"), ("knots", "sail"), ("flags", "Sail")] {
            let reused = story.guess_as(owls, 1, puzzle, guess);
            assert_eq!(reused, Err(Rejection::IdReused), "{puzzle} {guess}");
        }
        assert_eq!(story.guess_as(owls, 1, "flags", "sail"), wrong());
    }
    assert_eq!(story.journal.len(), entries);
    assert_eq!(story.team_of(owls).score, 0);
    story.state = replayed(story.state.hunt(), &story.journal);
    let reused = story.guess_as(owls, 1, "flags", "spinnaker");
    assert_eq!(reused, Err(Rejection::IdReused));
    assert_eq!(story.guess_as(owls, 2, "flags", "spinnaker"), correct(10));
}

#[test]
fn each_device_has_ids_of_its_own() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let phone = story.adds_device(owls).expect("the player has room");
    assert_eq!(story.guess_as(owls, 1, "flags", "sail"), wrong());
    assert_eq!(story.guess_as(phone, 1, "flags", "spinnaker"), correct(10));
}

#[test]
fn a_rejected_command_is_judged_anew() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    let early = story.guess_as(owls, 1, "flags", "spinnaker");
    assert_eq!(early, Err(Rejection::NotStarted));
    story
        .order(GameMasterOrder::Start)
        .expect("it is in the lobby");
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), correct(10));
}

#[test]
fn commands_may_overtake_each_other() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    assert_eq!(story.guess_as(owls, 7, "flags", "sail"), wrong());
    assert_eq!(story.guess_as(owls, 3, "flags", "spinnaker"), correct(10));
    assert_eq!(story.guess_as(owls, 7, "flags", "sail"), wrong());
    assert_eq!(story.guess_as(owls, 3, "flags", "spinnaker"), correct(10));
    let device = story.state.device(owls).expect("it exists");
    assert_eq!(device.last_command(), Some(CommandId(7)));
}

#[test]
fn a_command_older_than_the_kept_receipts_is_stale() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let kept = u64::try_from(limits::RECEIPTS_PER_DEVICE_MAX).expect("it is small");
    for id in 1..=kept {
        assert_eq!(
            story.guess_as(owls, id, "flags", &format!("guess {id}")),
            wrong()
        );
    }
    assert_eq!(story.guess_as(owls, 1, "flags", "guess 1"), wrong());
    assert_eq!(story.guess_as(owls, kept + 1, "flags", "one more"), wrong());
    let entries = story.journal.len();
    let evicted = story.guess_as(owls, 1, "flags", "guess 1");
    assert_eq!(evicted, Err(stale(kept + 1)));
    let never_seen_but_as_old = story.guess_as(owls, 0, "flags", "spinnaker");
    assert_eq!(never_seen_but_as_old, Err(stale(kept + 1)));
    assert_eq!(story.guess_as(owls, 2, "flags", "guess 2"), wrong());
    assert_eq!(story.journal.len(), entries);
}

#[test]
fn a_latecomer_is_applied_as_long_as_its_receipt_will_be_kept() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let kept = u64::try_from(limits::RECEIPTS_PER_DEVICE_MAX).expect("it is small");
    for id in 100..100 + kept - 1 {
        let guess = format!("guess {id}");
        assert_eq!(story.guess_as(owls, id, "flags", &guess), wrong());
    }
    // One more receipt is below the limit.
    assert_eq!(story.guess_as(owls, 50, "flags", "spinnaker"), correct(10));
    let again = story.guess_as(owls, 50, "flags", "spinnaker");
    assert_eq!(again, correct(10));
    let entries = story.journal.len();
    for too_late in [49, 5, 1] {
        let refused = story.guess_as(owls, too_late, "knots", "bowline");
        assert_eq!(refused, Err(stale(100 + kept - 2)), "{too_late}");
    }
    assert_eq!(story.journal.len(), entries);
    assert_eq!(story.guess_as(owls, 51, "knots", "hitch"), wrong());
    // The receipt of 50 was evicted for it.
    let forgotten = story.guess_as(owls, 50, "flags", "spinnaker");
    assert_eq!(forgotten, Err(stale(100 + kept - 2)));
    assert_eq!(story.team_of(owls).score, 10);
}

#[test]
fn ids_begin_with_one() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let none = story.guess_as(owls, 0, "flags", "spinnaker");
    let last_command = None;
    assert_eq!(none, Err(Rejection::StaleCommand { last_command }));
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), correct(10));
}

#[test]
fn receipts_of_one_device_do_not_push_out_those_of_another() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let phone = story.adds_device(owls).expect("the player has room");
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), correct(10));
    for id in 1..=300 {
        assert_eq!(
            story.guess_as(phone, id, "knots", &format!("guess {id}")),
            wrong()
        );
    }
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), correct(10));
}
