//! When a session starts and ends: scheduled starts, moved ends, and reopened sessions.

use cluecast_hunt::GameMasterOrder::{self, CancelStart, Finish, Pause, Reopen, Resume, Start};
use cluecast_hunt::{
    Audience, DurationMs, Event, NewEnd, Origin, Phase, Receipt, Rejection, Timestamp, limits,
};

use crate::story::{DAWN, FINISH, MINUTE, Story, clue, correct, replayed};

const HOUR: u64 = 60 * MINUTE;

fn at(ms: u64) -> Timestamp {
    DAWN.plus_ms(ms)
}

fn start_at(ms: u64) -> GameMasterOrder {
    GameMasterOrder::ScheduleStart { at: at(ms) }
}

fn move_end(to: NewEnd) -> GameMasterOrder {
    GameMasterOrder::MoveEnd { to }
}

fn left(ms: u64) -> NewEnd {
    NewEnd::Left(DurationMs(ms))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "stories compare it with what a command gives"
)]
fn done() -> Result<Receipt, Rejection> {
    Ok(Receipt::Done)
}

#[test]
fn a_timer_starts_a_scheduled_session() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    assert_eq!(story.order(start_at(MINUTE)), done());
    assert_eq!(
        story.audiences(),
        [Audience::Everyone, Audience::Public, Audience::View]
    );
    assert_eq!(story.state.starts_at(), Some(at(MINUTE)));
    story.restarts();
    assert_eq!(story.state.next_deadline(), Some(at(MINUTE)));
    story.wait(MINUTE - 1);
    assert_eq!(story.state.phase(), Phase::Lobby);
    // However late the timer fires, the session starts at its time.
    story.wait(2 * MINUTE);
    let entry = story.last_entry();
    assert_eq!((entry.at, entry.origin), (at(MINUTE), Origin::Timer));
    assert!(matches!(
        entry.events.as_slice(),
        [Event::SessionStarted { .. }, Event::UnlockedForAll { .. }]
    ));
    assert_eq!(story.state.phase(), Phase::Running);
    assert_eq!(story.state.starts_at(), None);
    assert_eq!(story.state.ends_at(), Some(at(MINUTE + HOUR)));
    assert_eq!(story.guess(owls, "flags", "spinnaker"), correct(10));
}

#[test]
fn a_scheduled_start_can_be_moved_and_cancelled() {
    let mut story = Story::in_lobby();
    story.order(start_at(MINUTE)).expect("it is in the lobby");
    assert_eq!(story.order(start_at(HOUR)), done());
    assert_eq!(story.state.next_deadline(), Some(at(HOUR)));
    story.wait(2 * MINUTE);
    assert_eq!(story.state.phase(), Phase::Lobby);
    assert_eq!(story.order(CancelStart), done());
    assert_eq!(
        story.audiences(),
        [Audience::Everyone, Audience::Public, Audience::View]
    );
    assert_eq!(story.state.starts_at(), None);
    assert_eq!(story.order(CancelStart), Err(Rejection::WrongPhase));
    story.restarts();
    story.wait(2 * HOUR);
    assert_eq!(story.state.phase(), Phase::Lobby);
}

#[test]
fn a_start_is_scheduled_neither_in_the_past_nor_too_far_ahead() {
    let mut story = Story::in_lobby();
    story.wait(MINUTE);
    let most = MINUTE + limits::SCHEDULE_AHEAD_MS_MAX;
    for ms in [0, MINUTE - 1, MINUTE, most + 1] {
        let answer = story.order(start_at(ms));
        assert_eq!(answer, Err(Rejection::BadTime), "{ms}");
    }
    assert_eq!(story.state.starts_at(), None);
    for ms in [MINUTE + 1, most] {
        assert_eq!(story.order(start_at(ms)), done());
    }
    assert_eq!(limits::SCHEDULE_AHEAD_MS_MAX, 366 * 24 * HOUR);
}

#[test]
fn a_manual_start_or_finish_clears_the_schedule() {
    for order in [Start, FINISH] {
        let mut story = Story::in_lobby();
        story.order(start_at(MINUTE)).expect("it is in the lobby");
        story.order(order.clone()).expect("it is in the lobby");
        let entries = story.journal.len();
        assert_eq!(story.state.starts_at(), None);
        story.wait(2 * MINUTE);
        assert_eq!(story.journal.len(), entries, "{order:?}");
        story.restarts();
    }
}

#[test]
fn the_end_of_a_running_session_can_be_moved() {
    for (to, expected) in [
        (NewEnd::At(at(2 * HOUR)), Some(2 * HOUR)),
        (NewEnd::At(at(11 * MINUTE)), Some(11 * MINUTE)),
        (left(5 * MINUTE), Some(15 * MINUTE)),
        (left(1), Some(10 * MINUTE + 1)),
        (NewEnd::Never, None),
    ] {
        let mut story = Story::running();
        story.wait(10 * MINUTE);
        assert_eq!(story.order(move_end(to)), done());
        assert_eq!(
            story.audiences(),
            [Audience::Everyone, Audience::Public, Audience::View]
        );
        let ends_at = expected.map(at);
        assert_eq!(story.state.ends_at(), ends_at, "{to:?}");
        story.restarts();
        assert_eq!(story.state.next_deadline(), ends_at);
        story.wait(10 * HOUR);
        match ends_at {
            Some(ends_at) => {
                assert_eq!(story.last_entry().at, ends_at);
                assert_eq!(story.last_entry().events, [Event::SessionFinished]);
            }
            None => assert_eq!(story.state.phase(), Phase::Running),
        }
    }
}

#[test]
fn the_end_can_be_moved_in_a_pause() {
    for (to, left_ms) in [
        (NewEnd::At(at(3 * HOUR)), Some(HOUR)),
        (left(5 * MINUTE), Some(5 * MINUTE)),
        (NewEnd::Never, None),
    ] {
        let mut story = Story::running();
        story.wait(10 * MINUTE);
        story.order(Pause).expect("it is running");
        assert_eq!(story.state.time_left(), Some(DurationMs(50 * MINUTE)));
        story.wait(110 * MINUTE);
        assert_eq!(story.order(move_end(to)), done());
        assert_eq!(story.state.time_left(), left_ms.map(DurationMs), "{to:?}");
        assert_eq!(story.state.next_deadline(), None);
        story.wait(HOUR);
        story.restarts();
        assert_eq!(story.state.time_left(), left_ms.map(DurationMs));
        story.order(Resume).expect("it is paused");
        let ends_at = left_ms.map(|left_ms| at(3 * HOUR + left_ms));
        assert_eq!(story.state.ends_at(), ends_at);
        assert_eq!(story.state.next_deadline(), ends_at);
    }
}

#[test]
fn an_end_is_neither_past_nor_too_far_ahead_and_needs_a_session_that_runs() {
    let mut story = Story::in_lobby();
    let order = || move_end(NewEnd::Never);
    assert_eq!(story.order(order()), Err(Rejection::WrongPhase));
    story.order(Start).expect("it is in the lobby");
    story.wait(MINUTE);
    let most = limits::DURATION_MS_MAX;
    for paused in [false, true] {
        if paused {
            story.order(Pause).expect("it is running");
            story.wait(MINUTE);
        }
        let now = story.now;
        for to in [
            NewEnd::At(now),
            NewEnd::At(DAWN),
            NewEnd::At(now.plus_ms(most + 1)),
            left(0),
            left(most + 1),
        ] {
            let answer = story.order(move_end(to));
            assert_eq!(answer, Err(Rejection::BadTime), "{to:?}");
        }
        for to in [NewEnd::At(now.plus_ms(most)), left(most)] {
            assert_eq!(story.order(move_end(to)), done(), "{to:?}");
        }
    }
    story.order(FINISH).expect("it is paused");
    assert_eq!(story.order(order()), Err(Rejection::Finished));
}

#[test]
fn a_finish_needs_a_confirmation() {
    let unconfirmed = || Finish { confirmed: false };
    let needed = Err(Rejection::NeedsConfirmation);
    let mut story = Story::in_lobby();
    assert_eq!(story.order(unconfirmed()), needed);
    story.order(Start).expect("it is in the lobby");
    assert_eq!(story.order(unconfirmed()), needed);
    story.order(Pause).expect("it is running");
    assert_eq!(story.order(unconfirmed()), needed);
    assert_eq!(story.state.phase(), Phase::Paused);
    assert_eq!(story.order(FINISH), done());
    assert_eq!(story.order(unconfirmed()), Err(Rejection::Finished));
}

#[test]
fn an_undone_finish_leaves_a_pause_with_the_time_that_was_left() {
    for paused in [false, true] {
        let mut story = Story::running();
        let owls = story.team("OWLS");
        story.wait(20 * MINUTE);
        if paused {
            story.order(Pause).expect("it is running");
            story.wait(HOUR);
        }
        story.order(FINISH).expect("it has not finished");
        story.restarts();
        story.wait(limits::REOPEN_WITHIN_MS - 1);
        assert_eq!(story.order(Reopen), done());
        assert_eq!(
            story.audiences(),
            [Audience::Everyone, Audience::Public, Audience::View]
        );
        assert_eq!(story.state.phase(), Phase::Paused);
        assert_eq!(story.state.time_left(), Some(DurationMs(40 * MINUTE)));
        story.restarts();
        story.wait(MINUTE);
        story.order(Resume).expect("it is paused");
        let ends_at = story.now.plus_ms(40 * MINUTE);
        assert_eq!(story.state.next_deadline(), Some(ends_at));
        assert_eq!(story.guess(owls, "flags", "spinnaker"), correct(10));
        assert_eq!(story.order(Reopen), Err(Rejection::WrongPhase));
        let replayed = replayed(story.state.hunt(), &story.journal);
        assert_eq!(replayed.hash(), story.state.hash());
    }
}

#[test]
fn a_finish_is_final_after_a_quarter_of_an_hour() {
    assert_eq!(limits::REOPEN_WITHIN_MS, 15 * MINUTE);
    let mut story = Story::running();
    story.order(FINISH).expect("it is running");
    story.wait(15 * MINUTE + 1);
    assert_eq!(story.order(Reopen), Err(Rejection::TooLate));
    assert_eq!(story.state.phase(), Phase::Finished);
}

#[test]
fn a_session_that_ended_by_itself_is_reopened_without_an_end() {
    let mut story = Story::running();
    story.wait(HOUR + MINUTE);
    assert_eq!(story.state.phase(), Phase::Finished);
    assert_eq!(story.order(Reopen), done());
    assert_eq!(story.state.time_left(), None);
    story.order(Resume).expect("it is paused");
    story.wait(10 * HOUR);
    assert_eq!(story.state.phase(), Phase::Running);
    assert_eq!(story.order(move_end(left(MINUTE))), done());
    story.wait(MINUTE);
    assert_eq!(story.state.phase(), Phase::Finished);
    // The quarter of an hour counts from the timer's time.
    story.wait(15 * MINUTE + 1);
    assert_eq!(story.order(Reopen), Err(Rejection::TooLate));
}

#[test]
fn only_a_session_that_ran_and_finished_is_reopened() {
    let mut story = Story::in_lobby();
    assert_eq!(story.order(Reopen), Err(Rejection::WrongPhase));
    story.order(FINISH).expect("it is in the lobby");
    assert_eq!(story.order(Reopen), Err(Rejection::WrongPhase));
}

#[test]
fn clues_do_not_expire_after_an_undone_finish() {
    let mut story = Story::running();
    let target = cluecast_hunt::Target::Everyone;
    let mut short = clue(target, "Look up");
    if let GameMasterOrder::PushClue { lasts, .. } = &mut short {
        *lasts = Some(DurationMs(10 * MINUTE));
    }
    story.order(short).expect("there is room");
    story.order(FINISH).expect("it is running");
    story.wait(MINUTE);
    story.order(Reopen).expect("it finished just now");
    story.wait(HOUR);
    assert_eq!(story.state.live_clues().count(), 1);
    story.order(Resume).expect("it is paused");
    let (_, clue) = story.state.live_clues().next().expect("it is live");
    assert_eq!(clue.expires_at, Some(at(HOUR + 10 * MINUTE)));
}
