//! A session's life: its phases, its end, its time.

use cluecast_hunt::GameMasterOrder::{Pause, Resume, Start};
use cluecast_hunt::{Event, Origin, Phase, Receipt, Rejection, Timestamp};

use crate::story::{DAWN, FINISH, MINUTE, Story, correct, guess_command, wrong};

const HOUR: u64 = 60 * MINUTE;

#[test]
fn guesses_are_taken_only_while_it_runs() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    let early = story.guess(owls, "flags", "spinnaker");
    assert_eq!(early, Err(Rejection::NotStarted));
    story.order(Start).expect("it is in the lobby");
    assert_eq!(story.guess(owls, "flags", "sail"), wrong());
    story.order(Pause).expect("it is running");
    let paused = story.guess(owls, "flags", "spinnaker");
    assert_eq!(paused, Err(Rejection::Paused));
    story.order(Resume).expect("it is paused");
    assert_eq!(story.guess(owls, "flags", "spinnaker"), correct(10));
    story.order(FINISH).expect("it is running");
    let late = story.guess(owls, "knots", "bowline");
    assert_eq!(late, Err(Rejection::Finished));
}

#[test]
fn each_order_fits_some_phases() {
    let wrong_phase = Err(Rejection::WrongPhase);
    let finished = Err(Rejection::Finished);
    let done = Ok(Receipt::Done);
    let into_phase = [vec![], vec![Start], vec![Start, Pause], vec![FINISH]];
    for (order, expected) in [
        (Start, [done, wrong_phase, wrong_phase, finished]),
        (Pause, [wrong_phase, done, wrong_phase, finished]),
        (Resume, [wrong_phase, wrong_phase, done, finished]),
        (FINISH, [done, done, done, finished]),
    ] {
        for (orders, expected) in into_phase.iter().zip(expected) {
            let mut story = Story::in_lobby();
            for earlier in orders {
                story.order(earlier.clone()).expect("these orders fit");
            }
            let answer = story.order(order.clone());
            assert_eq!(answer, expected, "{order:?} after {orders:?}");
        }
    }
}

#[test]
fn it_finishes_by_itself() {
    let mut story = Story::running();
    assert_eq!(story.state.ends_at(), Some(DAWN.plus_ms(HOUR)));
    story.wait(HOUR - 1);
    assert_eq!(story.state.phase(), Phase::Running);
    story.wait(1);
    assert_eq!(story.state.phase(), Phase::Finished);
    assert_eq!(story.state.next_deadline(), None);
}

#[test]
fn the_timer_bears_its_own_time_however_late_it_fires() {
    let mut story = Story::running();
    story.wait(3 * HOUR);
    let entry = story.journal.last().expect("the session finished");
    assert_eq!(entry.at, DAWN.plus_ms(HOUR));
    assert_eq!(entry.origin, Origin::Timer);
    assert_eq!(entry.events, [Event::SessionFinished]);
}

#[test]
fn late_answer_is_rejected() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    story.wait(HOUR - 1);
    assert_eq!(story.guess(owls, "flags", "spinnaker"), correct(10));
    story.wait(1);
    let late = story.guess(owls, "knots", "bowline");
    assert_eq!(late, Err(Rejection::Finished));
}

#[test]
fn a_pause_moves_the_end() {
    let mut story = Story::running();
    story.wait(10 * MINUTE);
    story.order(Pause).expect("it is running");
    assert_eq!(story.state.ends_at(), None);
    assert_eq!(story.state.next_deadline(), None);
    story.wait(5 * HOUR);
    assert_eq!(story.state.phase(), Phase::Paused);
    story.order(Resume).expect("it is paused");
    assert_eq!(story.state.ends_at(), Some(DAWN.plus_ms(6 * HOUR)));
    story.wait(50 * MINUTE - 1);
    assert_eq!(story.state.phase(), Phase::Running);
    story.wait(1);
    assert_eq!(story.state.phase(), Phase::Finished);
}

#[test]
fn two_pauses_both_count() {
    let mut story = Story::running();
    for _ in 0..2 {
        story.order(Pause).expect("it is running");
        story.wait(7 * MINUTE);
        story.order(Resume).expect("it is paused");
        story.wait(MINUTE);
    }
    assert_eq!(
        story.state.ends_at(),
        Some(DAWN.plus_ms(HOUR + 14 * MINUTE))
    );
}

#[test]
fn a_pause_survives_a_restart() {
    let mut story = Story::running();
    story.order(Pause).expect("it is running");
    story.restarts();
    story.wait(MINUTE);
    story.order(Resume).expect("it is paused");
    story.restarts();
    assert_eq!(
        story.state.next_deadline(),
        Some(DAWN.plus_ms(HOUR + MINUTE))
    );
}

#[test]
fn without_a_duration_it_never_ends_by_itself() {
    let mut story = Story::of(
        r#"
        [hunt]
        title = "Endless"
        [round.all]
        [puzzle.one]
        round = "all"
        answer = "one"
        "#,
    );
    story.order(Start).expect("it is in the lobby");
    story.order(Pause).expect("it is running");
    story.order(Resume).expect("it is paused");
    assert_eq!(story.state.next_deadline(), None);
    assert_eq!(story.state.due_entry(Timestamp(u64::MAX)), None);
}

#[test]
fn a_clock_that_jumps_back_does_not_turn_time_back() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    story.wait(MINUTE);
    assert_eq!(story.guess(owls, "flags", "sail"), wrong());
    story.now = DAWN;
    assert_eq!(story.guess(owls, "flags", "mast"), wrong());
    let times: Vec<Timestamp> = story.journal.iter().map(|entry| entry.at).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(story.state.last_at(), DAWN.plus_ms(MINUTE));
}

#[test]
fn folding_the_journal_gives_the_state_again() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    story.order(Start).expect("it is in the lobby");
    story.solves(owls, "flags");
    story.solves(owls, "knots");
    story.wait(2 * HOUR);
    let replayed = crate::story::replayed(story.state.hunt(), &story.journal);
    assert_eq!(replayed.hash(), story.state.hash());
    assert_eq!(replayed.progress(), story.state.progress());
    let command = guess_command(owls, 1, "flags", "spinnaker");
    assert_eq!(
        replayed.decide(&command, story.now),
        story.state.decide(&command, story.now)
    );
}
