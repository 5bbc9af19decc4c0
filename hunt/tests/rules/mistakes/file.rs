//! Mistakes in the structure of the file: its tables and references.

use cluecast_hunt::text::Forms;
use cluecast_hunt::{Bundle, Mistake, TieBreak, Unlock, parse};

use super::{check, read};

#[test]
fn what_the_authoring_guide_shows_is_what_is_shown() {
    check(
        r#"
[hunt]
titel = "Harbour"

[round.quay]

[puzzle.flags]
round = "quay"
body = "flag.md"
answer = "SPINNAKER"

[puzzle.knots]
round = "quay"
answer = "BOWLINE"
unlock = "flags or bell"
"#,
        r#"
hunt.toml:2:1: unknown key `titel`; did you mean `title`?
  |
2 | titel = "Harbour"
  | ^^^^^
hunt.toml:8:8: there is no file `flag.md` in the hunt's folder; did you mean `flags.md`?
  |
8 | body = "flag.md"
  |        ^^^^^^^^^
hunt.toml:14:20: there is no puzzle `bell`
   |
14 | unlock = "flags or bell"
   |                    ^^^^
"#,
    );
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_file() {
    check(
        r#"
[hunt]
titel = "Harbour"
duration = "3 hours"
tie_break = ["score", "speed", "score"]

[round.quay]
colour = "red"

[round.Town]
unlock = "score >= 99"

[puzzle.flags]
round = "quai"
body = "flag.md"
points = -1
answer = "SPINNAKER"
aliases = ["Spinaker", "spin-naker", 7, "?!"]

[puzzle.knots]
round = "quay"
answer = 1887
unlock = "flags or bel"
"#,
        r#"
hunt.toml:2:1: unknown key `titel`; did you mean `title`?
  |
2 | titel = "Harbour"
  | ^^^^^
hunt.toml:3:12: ` ` is not a unit of time; write a duration like "90s", "5m", "1h30m" or "2d"
  |
3 | duration = "3 hours"
  |            ^^^^^^^^^
hunt.toml:4:23: a tie break must be `score` or `last_scored`, not `speed`
  |
4 | tie_break = ["score", "speed", "score"]
  |                       ^^^^^^^
hunt.toml:4:32: `score` is listed twice
  |
4 | tie_break = ["score", "speed", "score"]
  |                                ^^^^^^^
hunt.toml:7:1: unknown key `colour`; the keys are `title`, `unlock`
  |
7 | colour = "red"
  | ^^^^^^
hunt.toml:9:8: an id may contain only lower-case letters a-z, digits and dashes, and must not start with a dash
  |
9 | [round.Town]
  |        ^^^^
hunt.toml:10:20: no team can score more than 2, the total of all puzzles
   |
10 | unlock = "score >= 99"
   |                    ^^
hunt.toml:13:9: there is no round `quai`; did you mean `quay`?
   |
13 | round = "quai"
   |         ^^^^^^
hunt.toml:14:8: there is no file `flag.md` in the hunt's folder; did you mean `flags.md`?
   |
14 | body = "flag.md"
   |        ^^^^^^^^^
hunt.toml:15:10: `points` must be from 0 to 100000, not -1
   |
15 | points = -1
   |          ^^
hunt.toml:17:24: the puzzle already accepts `SPINNAKER`; guesses are compared in this normalised form
   |
17 | aliases = ["Spinaker", "spin-naker", 7, "?!"]
   |                        ^^^^^^^^^^^^
hunt.toml:17:38: each item of `aliases` must be text in quotes, not a whole number
   |
17 | aliases = ["Spinaker", "spin-naker", 7, "?!"]
   |                                      ^
hunt.toml:17:41: no guess can match this: it has no letters or digits
   |
17 | aliases = ["Spinaker", "spin-naker", 7, "?!"]
   |                                         ^^^^
hunt.toml:21:10: `answer` must be text in quotes, not a whole number
   |
21 | answer = 1887
   |          ^^^^
hunt.toml:22:20: there is no puzzle `bel`
   |
22 | unlock = "flags or bel"
   |                    ^^^
"#,
    );
}

#[test]
fn toml_that_cannot_be_read_is_all_that_is_reported() {
    check(
        r#"
[hunt
title = Harbour

[puzzle.flags]
round = "quay"
round = "town"
"#,
        r#"
hunt.toml:1:6: unclosed table, expected `]`
  |
1 | [hunt
  |      ^
hunt.toml:6:1: duplicate key
  |
6 | round = "town"
  | ^^^^^
"#,
    );
}

#[test]
fn the_three_tables_are_the_only_ones() {
    check(
        r#"
[hunt]
title = "Harbour"
[rounds.quay]
[round.quay]
[puzzle.flags]
round = "quay"
answer = "SPINNAKER"
[places.pier]
circle = 1
"#,
        r"
hunt.toml:3:2: unknown key `rounds`; did you mean `round`?
  |
3 | [rounds.quay]
  |  ^^^^^^
hunt.toml:8:2: unknown key `places`; the keys are `hunt`, `round`, `puzzle`
  |
8 | [places.pier]
  |  ^^^^^^
",
    );
}

#[test]
fn an_empty_file_lacks_everything() {
    check(
        r"",
        r"
hunt.toml:1:1: the table [hunt] with the hunt's title is missing
  |
1 |
  | ^
hunt.toml:1:1: the hunt has no puzzles; add a [puzzle.ID]
  |
1 |
  | ^
",
    );
}

#[test]
fn tables_must_be_tables() {
    check(
        r#"
hunt = "Harbour"
round = ["quay"]
puzzle.flags = 3
"#,
        r#"
hunt.toml:1:8: `hunt` must be a table, not text
  |
1 | hunt = "Harbour"
  |        ^^^^^^^^^
hunt.toml:2:9: `round` must be a table, not a list
  |
2 | round = ["quay"]
  |         ^^^^^^^^
hunt.toml:3:16: `flags` must be a table, not a whole number
  |
3 | puzzle.flags = 3
  |                ^
"#,
    );
}

#[test]
fn required_keys_are_asked_for() {
    check(
        r"
[hunt]
[round.quay]
[puzzle.flags]
",
        r"
hunt.toml:1:2: `hunt` is missing the key `title`
  |
1 | [hunt]
  |  ^^^^
hunt.toml:3:9: `flags` is missing the key `round`
  |
3 | [puzzle.flags]
  |         ^^^^^
hunt.toml:3:9: `flags` is missing the key `answer`
  |
3 | [puzzle.flags]
  |         ^^^^^
",
    );
}

#[test]
fn a_hunt_has_puzzles() {
    check(
        r#"
[hunt]
title = "Harbour"
[round.quay]
"#,
        r"
hunt.toml:1:1: the hunt has no puzzles; add a [puzzle.ID]
  |
1 | [hunt]
  | ^
",
    );
}

#[test]
fn without_rounds_none_can_be_named() {
    check(
        r#"
[hunt]
title = "Harbour"
[puzzle.flags]
round = "quay"
answer = "SPINNAKER"
"#,
        r#"
hunt.toml:4:9: there is no round `quay`; add a [round.quay]
  |
4 | round = "quay"
  |         ^^^^^^
"#,
    );
}

#[test]
fn rounds_that_do_not_exist_are_listed_against_those_that_do() {
    check(
        r#"
[hunt]
title = "Harbour"
[round.quay]
[round.town]
[puzzle.flags]
round = "sea"
answer = "SPINNAKER"
"#,
        r#"
hunt.toml:6:9: there is no round `sea`; the rounds are `quay`, `town`
  |
6 | round = "sea"
  |         ^^^^^
"#,
    );
}

#[test]
fn without_a_hunt_file_nothing_can_be_read() {
    let mistakes = parse(&Bundle::new()).expect_err("there is no file");
    let rendered: String = mistakes.iter().map(Mistake::render).collect();
    assert_eq!(
        rendered,
        "hunt.toml:1:1: there is no hunt.toml; every hunt needs one in its top folder\n"
    );
}

#[test]
fn what_an_author_writes_is_what_the_hunt_has() {
    let hunt = read(
        r#"
[hunt]
title = " Harbour Lights "
duration = "1h30m"
tie_break = ["last_scored"]

[round.the-quay]
[round.attic]
title = "The Attic"
unlock = "gull-meta and score >= 1"

[puzzle.zebra]
round = "attic"
answer = "Zebra"
[puzzle.gull-meta]
round = "the-quay"
title = "Gulls"
body = "flags.md"
points = 7
answer = "Light-house"
aliases = ["Beacon"]
"#,
    );
    let hunt = hunt.expect("the file has no mistakes");
    assert_eq!(hunt.title, "Harbour Lights");
    assert_eq!(hunt.duration.map(|duration| duration.0), Some(5_400_000));
    assert_eq!(hunt.tie_break, [TieBreak::LastScored]);

    let rounds: Vec<_> = hunt
        .rounds
        .iter()
        .map(|round| round.title.as_str())
        .collect();
    assert_eq!(rounds, ["The quay", "The Attic"]);
    assert_eq!(hunt.rounds[0].unlock, Unlock::AtStart);
    let both = vec![Unlock::Solved("gull-meta".into()), Unlock::Score(1)];
    assert_eq!(hunt.rounds[1].unlock, Unlock::all(both));

    let puzzles: Vec<_> = hunt
        .puzzles
        .iter()
        .map(|puzzle| puzzle.id.as_str())
        .collect();
    assert_eq!(
        puzzles,
        ["zebra", "gull-meta"],
        "the order is that of the file"
    );
    let [zebra, gull] = hunt.puzzles.as_slice() else {
        panic!("there are two puzzles");
    };
    assert_eq!(
        (zebra.title.as_str(), zebra.body.as_str(), zebra.points),
        ("Zebra", "", 1)
    );
    assert_eq!(
        (gull.title.as_str(), gull.body.as_str(), gull.points),
        ("Gulls", "Six flags.\n", 7)
    );
    let answers = gull.answers.iter().map(Forms::plain);
    assert!(answers.eq(["LIGHTHOUSE", "BEACON"]));
    assert_eq!(hunt.puzzle("gull-meta"), Some(gull));
    assert_eq!(hunt.puzzle("unicorn"), None);
}

#[test]
fn the_defaults_are_as_documented() {
    let toml = "hunt.title = 'H'\nround.r = {}\npuzzle.p = { round = 'r', answer = 'a' }\n";
    let hunt = read(toml).expect("the file has no mistakes");
    assert_eq!(hunt.duration, None);
    assert_eq!(hunt.tie_break, [TieBreak::Score, TieBreak::LastScored]);
    assert_eq!(hunt.puzzles[0].points, 1);
    assert_eq!(hunt.puzzles[0].unlock, Unlock::AtStart);
}

#[test]
fn a_mistake_is_one_line_for_tools() {
    let mistakes = read("hunt.title = 'H'\n").expect_err("there are no puzzles");
    assert_eq!(
        mistakes[0].to_string(),
        "hunt.toml:1:1: the hunt has no puzzles; add a [puzzle.ID]"
    );
}

#[test]
fn files_of_other_systems_are_pointed_into_as_well() {
    let toml =
        "\u{feff}hunt.title = 'H'\r\nround.r = {}\r\npuzzle.p = { round = 'x', answer = 'a' }\r\n";
    let mistakes = read(toml).expect_err("there is no such round");
    assert_eq!(
        mistakes[0].render(),
        "hunt.toml:3:22: there is no round `x`; did you mean `r`?\n  \
          |\n\
        3 | puzzle.p = { round = 'x', answer = 'a' }\n  \
          |                      ^^^\n"
    );
}
