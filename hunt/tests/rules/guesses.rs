//! Judging guesses.

use cluecast_hunt::text::NORMALISER_VERSION;
use cluecast_hunt::{DeviceId, Event, GameMasterOrder, Rejection};

use crate::story::{DAWN, MINUTE, Story, correct, replayed, wrong};

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
    assert_eq!(guesses, ["sail", "mast", "SPINNAKER"]);
    assert_eq!(progress.unlocked_at, DAWN);
    assert_eq!(progress.solved_at, Some(DAWN.plus_ms(MINUTE)));
}

#[test]
fn locked_and_missing_puzzles_are_indistinguishable() {
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

#[test]
fn a_guess_is_journaled_and_shown_as_typed() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let typed = "  Spi\u{301}nnaker! \u{2603}";
    assert_eq!(story.guess(owls, "flags", typed), correct(10));
    let [
        Event::GuessJudged {
            guess, normaliser, ..
        },
    ] = story.last_entry().events.as_slice()
    else {
        panic!("a verdict, not {:?}", story.last_entry());
    };
    assert_eq!((guess.as_str(), *normaliser), (typed, NORMALISER_VERSION));
    story.restarts();
    let progress = story.team_of(owls).puzzle("flags").expect("it is unlocked");
    let shown: Vec<_> = progress.guesses.iter().map(|made| made.guess).collect();
    assert_eq!(shown, [typed]);
}

#[test]
fn a_guess_is_compared_in_all_forms_and_repeats_only_an_equal_in_all() {
    let mut story = Story::of(
        "hunt.title = 'Forms'
        round.all = {}
        puzzle.mill = { round = 'all', answer = 'Müller' }
        puzzle.baker = { round = 'all', answer = 'Mueller' }
        puzzle.smith = { round = 'all', answer = 'Schmidt' }",
    );
    story
        .order(GameMasterOrder::Start)
        .expect("it is in the lobby");
    let [ants, bees] = ["ANTS", "BEES"].map(|code| story.team(code));
    assert_eq!(story.guess(ants, "mill", "muller"), correct(1));
    assert_eq!(story.guess(bees, "mill", "Mueller"), correct(1));
    assert_eq!(story.guess(ants, "baker", "Muller"), wrong());
    assert_eq!(story.guess(ants, "baker", "MÜLLER"), correct(1));
    for restarted in [false, true] {
        if restarted {
            story.restarts();
        } else {
            for guess in ["Müller", "Muller", "Mueller"] {
                assert_eq!(story.guess(ants, "smith", guess), wrong(), "{guess}");
            }
        }
        for guess in ["MÜLLER", "mu\u{308}ller", "mul-ler", "MUELLER!"] {
            let again = story.guess(ants, "smith", guess);
            assert_eq!(again, Err(Rejection::AlreadyGuessed), "{guess}");
        }
    }
}

/// A version with different rules for comparing guesses judged it; the journaled verdict counts.
#[test]
fn a_journaled_verdict_is_never_judged_again() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    assert_eq!(story.guess(owls, "knots", "bowline"), correct(20));
    let entry = story.journal.last_mut().expect("it was accepted");
    for event in &mut entry.events {
        if let Event::GuessJudged { guess, .. } = event {
            *guess = "half hitch".to_owned();
        }
    }
    let state = replayed(story.state.hunt(), &story.journal);
    let team = state.team(story.team_id_of(owls)).expect("it exists");
    assert_eq!((team.score, team.solves()), (20, 1));
}
