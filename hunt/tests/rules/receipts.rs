//! Repeated commands and their receipts.

use cluecast_hunt::{CommandId, GameMasterOrder, Rejection, limits};

use crate::story::{MINUTE, Story, correct, wrong};

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
    story.order(GameMasterOrder::Finish).expect("it is paused");
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), correct(10));
}

#[test]
fn an_id_stands_for_its_first_command_whatever_comes_with_it_later() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    assert_eq!(story.guess_as(owls, 1, "flags", "sail"), wrong());
    assert_eq!(story.guess_as(owls, 1, "flags", "spinnaker"), wrong());
    assert_eq!(story.team_of(owls).score, 0);
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
    let stale = story.guess_as(owls, 1, "flags", "guess 1");
    assert_eq!(stale, Err(Rejection::StaleCommand));
    let never_seen_but_as_old = story.guess_as(owls, 0, "flags", "spinnaker");
    assert_eq!(never_seen_but_as_old, Err(Rejection::StaleCommand));
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
        assert_eq!(refused, Err(Rejection::StaleCommand), "{too_late}");
    }
    assert_eq!(story.journal.len(), entries);
    assert_eq!(story.guess_as(owls, 51, "knots", "hitch"), wrong());
    // The receipt of 50 has been let go of for it.
    let forgotten = story.guess_as(owls, 50, "flags", "spinnaker");
    assert_eq!(forgotten, Err(Rejection::StaleCommand));
    assert_eq!(story.team_of(owls).score, 10);
}

#[test]
fn ids_begin_with_one() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let none = story.guess_as(owls, 0, "flags", "spinnaker");
    assert_eq!(none, Err(Rejection::StaleCommand));
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
