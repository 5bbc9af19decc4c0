//! When teams see rounds and puzzles.

use cluecast_hunt::{Audience, Command, Decision, Event, GameMasterOrder};

use crate::story::{DAWN, Story, create_team, wrong};

const QUAY: [&str; 3] = ["flags", "knots", "bell"];

#[test]
fn nothing_is_seen_in_the_lobby() {
    let mut story = Story::in_lobby();
    let owls = story.team("OWLS");
    assert!(story.sees(owls).is_empty());
    story
        .order(GameMasterOrder::Start)
        .expect("it is in the lobby");
    assert_eq!(story.sees(owls), QUAY);
}

#[test]
fn a_team_that_comes_late_sees_the_start() {
    let mut story = Story::running();
    assert_eq!(
        {
            let late = story.team("LATE");
            story.sees(late)
        },
        QUAY
    );
    story.order(GameMasterOrder::Pause).expect("it is running");
    assert_eq!(
        {
            let later = story.team("LATER");
            story.sees(later)
        },
        QUAY
    );
}

#[test]
fn solved_puzzles_unlock() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    story.solves(owls, "bell");
    assert_eq!(story.sees(owls), QUAY);
    story.solves(owls, "flags");
    assert_eq!(story.sees(owls), ["flags", "knots", "bell", "gull"]);
}

#[test]
fn a_wrong_guess_unlocks_nothing() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    story.solves(owls, "bell");
    assert_eq!(story.guess(owls, "flags", "sail"), wrong());
    assert_eq!(story.sees(owls), QUAY);
}

#[test]
fn points_unlock_a_round_and_with_it_what_is_due_there() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    story.solves(owls, "bell");
    story.solves(owls, "knots");
    let town = "town".into();
    assert!(!story.team_of(owls).sees_round(&town));
    story.solves(owls, "flags");
    assert!(story.team_of(owls).sees_round(&town));
    assert_eq!(
        story.sees(owls),
        ["flags", "knots", "bell", "gull", "plaque"]
    );
}

#[test]
fn a_round_without_open_puzzles_is_seen_alone() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    story.solves(owls, "flags");
    story.solves(owls, "knots");
    assert!(story.team_of(owls).sees_round(&"town".into()));
    assert_eq!(story.sees(owls), ["flags", "knots", "bell", "gull"]);
    story.solves(owls, "gull");
    assert!(story.sees(owls).contains(&"plaque"));
}

#[test]
fn unlocks_come_with_the_solve_that_caused_them() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    story.solves(owls, "flags");
    assert_eq!(
        story.journal.last().map(|entry| entry.events.len()),
        Some(1)
    );
    story.solves(owls, "knots");
    let entry = story.journal.last().expect("a solve is an entry");
    let [Event::GuessJudged { .. }, unlocked] = entry.events.as_slice() else {
        panic!("a verdict and what it unlocked, not {:?}", entry.events);
    };
    let expected = Event::Unlocked {
        team: story.team_id_of(owls),
        rounds: vec!["town".into()],
        puzzles: vec!["gull".into()],
    };
    assert_eq!(*unlocked, expected);
}

#[test]
fn one_team_unlocks_nothing_for_another() {
    let mut story = Story::running();
    let owls = story.team("OWLS");
    let foxes = story.team("FOXES");
    story.solves(owls, "flags");
    story.solves(foxes, "knots");
    assert_eq!(story.sees(owls), QUAY);
    assert_eq!(story.sees(foxes), QUAY);
}

#[test]
fn and_or_and_parentheses_mean_what_they_say() {
    for (unlock, solves, opens) in [
        ("a and b", vec!["a"], false),
        ("a and b", vec!["a", "b"], true),
        ("a or b", vec!["b"], true),
        ("a or b and c", vec!["b"], false),
        ("a or b and c", vec!["a"], true),
        ("a or b and c", vec!["b", "c"], true),
        ("(a or b) and c", vec!["a"], false),
        ("(a or b) and c", vec!["b", "c"], true),
        ("2 of (a, b and c, score >= 3)", vec!["a", "b"], false),
        ("2 of (a, b and c, score >= 3)", vec!["b", "c"], false),
        ("2 of (a, b and c, score >= 3)", vec!["a", "b", "c"], true),
        ("score >= 2", vec!["a"], false),
        ("score >= 2", vec!["a", "c"], true),
        ("score >= 0", vec![], true),
    ] {
        let toml = format!(
            "hunt.title = 'Letters'
            round.all = {{}}
            puzzle.a = {{ round = 'all', answer = 'a' }}
            puzzle.b = {{ round = 'all', answer = 'b' }}
            puzzle.c = {{ round = 'all', answer = 'c' }}
            puzzle.goal = {{ round = 'all', answer = 'goal', unlock = '{unlock}' }}"
        );
        let mut story = Story::of(&toml);
        story
            .order(GameMasterOrder::Start)
            .expect("it is in the lobby");
        let owls = story.team("OWLS");
        for id in &solves {
            story.solves(owls, id);
        }
        assert_eq!(
            story.sees(owls).contains(&"goal"),
            opens,
            "{unlock} after {solves:?}"
        );
    }
}

#[test]
fn a_start_unlocks_with_one_event_however_many_teams_there_are() {
    let start_with = |teams: usize| {
        let mut state = Story::in_lobby().state;
        let mut decide = |command: &Command| match state.decide(command, DAWN) {
            Ok(Decision::Accepted(entry)) => {
                state.apply_entry(&entry);
                entry
            }
            other => panic!("{command:?} fits, but: {other:?}"),
        };
        for _ in 0..teams {
            decide(&create_team());
        }
        let entry = decide(&Command::admin(GameMasterOrder::Start));
        (state, entry)
    };
    let (_, of_one) = start_with(1);
    let (state, of_many) = start_with(2_000);
    let [Event::SessionStarted { .. }, unlocked] = of_many.events.as_slice() else {
        panic!("a start and what it unlocked, not {:?}", of_many.events);
    };
    let for_all = Event::UnlockedForAll {
        rounds: vec!["quay".into()],
        puzzles: QUAY.map(Into::into).into(),
    };
    assert_eq!(*unlocked, for_all);
    let audiences = unlocked.audiences();
    assert!(audiences.eq([Audience::Everyone, Audience::View]));
    let bytes = |entry| rmp_serde::to_vec_named(entry).expect("entries can be written");
    assert_eq!(bytes(&of_many), bytes(&of_one));
    assert_eq!(state.teams().len(), 2_000);
    for (id, team) in state.teams() {
        assert!(QUAY.iter().all(|puzzle| team.puzzle(puzzle).is_some()));
        assert_eq!(
            state.head(Audience::Team(id)),
            1,
            "of the player who joined"
        );
    }
    state.assert_invariants();
}

#[test]
fn a_team_that_comes_late_gets_an_unlock_of_its_own() {
    let mut story = Story::running();
    let early = story.team("EARLY");
    story.order(GameMasterOrder::Pause).expect("it is running");
    story.restarts();
    let late = story.team("LATE");
    let team = story.team_id_of(late);
    let own = Event::Unlocked {
        team,
        rounds: vec!["quay".into()],
        puzzles: QUAY.map(Into::into).into(),
    };
    assert_eq!(story.last_entry().events.last(), Some(&own));
    assert!(own.audiences().eq([Audience::Team(team), Audience::View]));
    assert_eq!(story.sees(late), QUAY);
    assert_eq!(story.sees(early), QUAY);
}
