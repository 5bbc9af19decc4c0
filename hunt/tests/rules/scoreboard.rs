//! Ranks.

use cluecast_hunt::GameMasterOrder;

use crate::story::{MINUTE, Story};

fn ranks(expected: &[(u32, &str)]) -> Vec<(u32, String)> {
    let expected = expected.iter();
    expected
        .map(|(rank, code)| (*rank, (*code).to_owned()))
        .collect()
}

#[test]
fn equal_teams_share_a_rank_and_leave_a_gap() {
    let mut story = Story::running();
    let [ants, bees, cats, dogs] = ["ANTS", "BEES", "CATS", "DOGS"].map(|code| story.team(code));
    story.solves(dogs, "knots");
    story.solves(cats, "flags");
    story.solves(ants, "flags");
    story.solves(bees, "bell");
    let expected = ranks(&[(1, "DOGS"), (2, "ANTS"), (2, "CATS"), (4, "BEES")]);
    assert_eq!(story.board(), expected);
}

#[test]
fn the_team_whose_last_score_is_earlier_ranks_higher() {
    let mut story = Story::running();
    let ants = story.team("ANTS");
    let bees = story.team("BEES");
    story.solves(bees, "knots");
    story.wait(1);
    story.solves(ants, "knots");
    assert_eq!(story.board(), ranks(&[(1, "BEES"), (2, "ANTS")]));
    story.solves(bees, "flags");
    story.solves(ants, "flags");
    assert_eq!(story.board(), ranks(&[(1, "ANTS"), (1, "BEES")]));
}

#[test]
fn teams_with_nothing_are_listed_together_at_the_end() {
    let mut story = Story::running();
    let [_, bees, _] = ["ANTS", "BEES", "CATS"].map(|code| story.team(code));
    story.solves(bees, "flags");
    assert_eq!(
        story.board(),
        ranks(&[(1, "BEES"), (2, "ANTS"), (2, "CATS")])
    );
}

#[test]
fn a_solve_without_points_does_not_change_the_rank() {
    let mut story = Story::running();
    let [ants, bees] = ["ANTS", "BEES"].map(|code| story.team(code));
    story.solves(ants, "flags");
    story.solves(bees, "flags");
    story.wait(MINUTE);
    story.solves(ants, "bell");
    assert_eq!(story.board(), ranks(&[(1, "ANTS"), (1, "BEES")]));
    assert_eq!(story.team_of(ants).solves(), 2);
}

#[test]
fn the_hunt_chooses_what_breaks_ties() {
    let hunt = |tie_break: &str| {
        format!(
            "hunt = {{ title = 'Ties', tie_break = [{tie_break}] }}
            round.all = {{}}
            [puzzle.one]
            round = 'all'
            answer = 'one'
            [puzzle.ten]
            round = 'all'
            answer = 'ten'
            points = 10"
        )
    };
    for (tie_break, expected) in [
        (
            "'score'",
            ranks(&[(1, "BEES"), (2, "ANTS"), (2, "CATS"), (4, "DOGS")]),
        ),
        (
            "'score', 'last_scored'",
            ranks(&[(1, "BEES"), (2, "ANTS"), (3, "CATS"), (4, "DOGS")]),
        ),
        (
            "'last_scored'",
            ranks(&[(1, "ANTS"), (2, "BEES"), (3, "CATS"), (4, "DOGS")]),
        ),
    ] {
        let mut story = Story::of(&hunt(tie_break));
        story
            .order(GameMasterOrder::Start)
            .expect("it is in the lobby");
        let [ants, bees, cats, _] = ["ANTS", "BEES", "CATS", "DOGS"].map(|code| story.team(code));
        for (team, puzzle) in [(ants, "one"), (bees, "ten"), (cats, "one")] {
            story.wait(MINUTE);
            story.solves(team, puzzle);
        }
        assert_eq!(story.board(), expected, "{tie_break}");
    }
}

#[test]
fn an_empty_session_has_an_empty_board() {
    assert!(Story::in_lobby().board().is_empty());
}
