//! The limits of a session's state.

use cluecast_hunt::{Decision, Rejection, limits};

use crate::story::{Story, create_team, wrong};

#[test]
fn a_guess_may_have_so_many_characters() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let longest = "é".repeat(limits::GUESS_CHARS_MAX);
    assert_eq!(story.guess(owls, "flags", &longest), wrong());
    let longer = "é".repeat(limits::GUESS_CHARS_MAX + 1);
    let judged = story.guess(owls, "flags", &longer);
    assert_eq!(judged, Err(Rejection::GuessTooLong));
}

#[test]
fn a_guess_must_not_grow_too_long_by_being_normalised() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    // U+FDFA is one character that normalises to eighteen.
    let swelling = "\u{fdfa}".repeat(limits::GUESS_CHARS_MAX);
    let judged = story.guess(owls, "flags", &swelling);
    assert_eq!(judged, Err(Rejection::GuessTooLong));
}

#[test]
fn a_team_may_make_so_many_guesses_on_a_puzzle() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    for number in 0..limits::GUESSES_PER_PUZZLE_MAX {
        assert_eq!(
            story.guess(owls, "flags", &format!("guess {number}")),
            wrong()
        );
    }
    let one_more = story.guess(owls, "flags", "spinnaker");
    assert_eq!(one_more, Err(Rejection::TooManyGuesses));
    story.solves(owls, "knots");
}

#[test]
fn a_session_takes_so_many_teams() {
    let mut state = Story::running().state;
    let now = state.last_at();
    let command = create_team();
    for _ in 0..limits::TEAMS_MAX {
        match state.decide(&command, now) {
            Ok(Decision::Accepted(entry)) => state.apply_entry(&entry),
            other => panic!("there is room for a team, but: {other:?}"),
        }
    }
    let one_more = state.decide(&command, now);
    assert_eq!(one_more, Err(Rejection::SessionFull));
    state.assert_invariants();
}
