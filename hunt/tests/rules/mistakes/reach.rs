//! Rounds and puzzles that no team can reach.

use super::{check, check_unlock};

#[test]
fn a_puzzle_cannot_wait_for_itself() {
    check_unlock(
        r#""knots""#,
        r#"
hunt.toml:13:10: the puzzle `knots` can never be unlocked: teams cannot solve `knots` before it
   |
13 | unlock = "knots"
   |          ^^^^^^^
"#,
    );
}

#[test]
fn puzzles_cannot_wait_for_each_other() {
    check(
        r#"
[hunt]
title = "Harbour"
[round.quay]
[round.town]
unlock = "a and b"
[puzzle.a]
round = "quay"
answer = "A"
unlock = "b"
[puzzle.b]
round = "quay"
answer = "B"
unlock = "a"
[puzzle.c]
round = "quay"
answer = "C"
unlock = "a or d"
[puzzle.d]
round = "quay"
answer = "D"
"#,
        r#"
hunt.toml:5:10: the round `town` can never be unlocked: teams cannot solve `a`, `b` before it
  |
5 | unlock = "a and b"
  |          ^^^^^^^^^
hunt.toml:9:10: the puzzle `a` can never be unlocked: teams cannot solve `b` before it
  |
9 | unlock = "b"
  |          ^^^
hunt.toml:13:10: the puzzle `b` can never be unlocked: teams cannot solve `a` before it
   |
13 | unlock = "a"
   |          ^^^
"#,
    );
}

#[test]
fn a_round_cannot_wait_for_its_own_puzzles() {
    check(
        r#"
[hunt]
title = "Harbour"
[round.quay]
unlock = "flags"
[puzzle.flags]
round = "quay"
answer = "SPINNAKER"
"#,
        r#"
hunt.toml:4:10: the round `quay` can never be unlocked: teams cannot solve `flags` before it
  |
4 | unlock = "flags"
  |          ^^^^^^^
"#,
    );
}

#[test]
fn a_puzzle_cannot_wait_for_its_own_points() {
    check_unlock(
        r#""score >= 2""#,
        r#"
hunt.toml:13:10: the puzzle `knots` can never be unlocked: teams can score at most 1 before it
   |
13 | unlock = "score >= 2"
   |          ^^^^^^^^^^^^
"#,
    );
}
