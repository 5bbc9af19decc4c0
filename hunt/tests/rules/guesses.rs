//! Judging guesses.

use cluecast_hunt::{DeviceId, Rejection};

use crate::story::{DAWN, MINUTE, Story, correct, wrong};

#[test]
fn guesses_are_judged_by_what_people_mean() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    assert_eq!(story.guess(owls, "bell", "dong"), wrong());
    assert_eq!(story.guess(owls, "bell", " ding-dong! "), correct(0));
    assert_eq!(story.guess(owls, "flags", "SPÍNNAKER"), correct(10));
    assert_eq!(story.guess(owls, "knots", "bow line"), correct(20));
    assert_eq!(story.team_of(owls).score, 30);
}

#[test]
fn an_alias_solves_like_the_answer() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    assert_eq!(story.guess(owls, "flags", "spinaker"), correct(10));
    let again = story.guess(owls, "flags", "spinnaker");
    assert_eq!(again, Err(Rejection::AlreadySolved));
    assert_eq!(story.team_of(owls).score, 10);
}

#[test]
fn the_same_guess_is_judged_once_for_the_team() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let second = story.joins("OWLS").expect("the team has room");
    let foxes = story.team("FOXES");
    assert_eq!(story.guess(owls, "flags", "sail"), wrong());
    let again = story.guess(second, "flags", "S A I L");
    assert_eq!(again, Err(Rejection::AlreadyGuessed));
    assert_eq!(story.guess(owls, "knots", "sail"), wrong());
    assert_eq!(story.guess(foxes, "flags", "sail"), wrong());
}

#[test]
fn a_solve_counts_for_the_whole_team_and_for_no_other() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let second = story.joins("OWLS").expect("the team has room");
    let foxes = story.team("FOXES");
    story.solves(owls, "flags");
    let again = story.guess(second, "flags", "spinnaker");
    assert_eq!(again, Err(Rejection::AlreadySolved));
    assert_eq!(story.guess(foxes, "flags", "spinnaker"), correct(10));
}

#[test]
fn every_guess_is_kept_in_order() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    assert_eq!(story.guess(owls, "flags", "sail"), wrong());
    assert_eq!(story.guess(owls, "flags", "mast"), wrong());
    story.wait(MINUTE);
    story.solves(owls, "flags");
    let progress = story.team_of(owls).puzzle("flags").expect("it is unlocked");
    let guesses: Vec<_> = progress.guesses.iter().map(|made| made.guess).collect();
    assert_eq!(guesses, ["SAIL", "MAST", "SPINNAKER"]);
    assert_eq!(progress.unlocked_at, DAWN);
    assert_eq!(progress.solved_at, Some(DAWN.plus_ms(MINUTE)));
}

#[test]
fn locked_and_missing_puzzles_cannot_be_told_apart() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let locked = story.guess(owls, "gull", "lighthouse");
    let missing = story.guess(owls, "unicorn", "lighthouse");
    assert_eq!(locked, Err(Rejection::UnknownPuzzle));
    assert_eq!(locked, missing);
}

#[test]
fn a_guess_without_letters_is_rejected() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    for nothing in ["", "  ", "?!"] {
        let judged = story.guess(owls, "flags", nothing);
        assert_eq!(judged, Err(Rejection::EmptyGuess), "{nothing:?}");
    }
}

#[test]
fn an_unknown_device_is_rejected() {
    let mut story = Story::running();
    story.team("OWLS");
    for stranger in [
        DeviceId::from(0),
        DeviceId::from(2),
        DeviceId::from(u32::MAX),
    ] {
        let judged = story.guess(stranger, "flags", "spinnaker");
        assert_eq!(judged, Err(Rejection::UnknownDevice), "{stranger}");
    }
}
