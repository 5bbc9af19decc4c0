//! Single values.

use super::check;

#[test]
fn values_have_types() {
    check(
        r#"
[hunt]
title = { en = "Harbour" }
duration = 90
tie_break = "score"
[round.quay]
title = true
[puzzle.flags]
round = 1.5
body = 07:32:00
points = "ten"
answer = ["SPINNAKER"]
aliases = "SPINAKER"
unlock = 10
"#,
        r#"
hunt.toml:2:9: `title` must be text in quotes, not a table
  |
2 | title = { en = "Harbour" }
  |         ^^^^^^^^^^^^^^^^^^
hunt.toml:3:12: `duration` must be text in quotes, not a whole number
  |
3 | duration = 90
  |            ^^
hunt.toml:4:13: `tie_break` must be a list of quoted texts, not text
  |
4 | tie_break = "score"
  |             ^^^^^^^
hunt.toml:6:9: `title` must be text in quotes, not true or false
  |
6 | title = true
  |         ^^^^
hunt.toml:8:9: `round` must be text in quotes, not a number with a fraction
  |
8 | round = 1.5
  |         ^^^
hunt.toml:9:8: `body` must be text in quotes, not a date or a time
  |
9 | body = 07:32:00
  |        ^^^^^^^^
hunt.toml:10:10: `points` must be a whole number, not text
   |
10 | points = "ten"
   |          ^^^^^
hunt.toml:11:10: `answer` must be text in quotes, not a list
   |
11 | answer = ["SPINNAKER"]
   |          ^^^^^^^^^^^^^
hunt.toml:12:11: `aliases` must be a list of quoted texts, not text
   |
12 | aliases = "SPINAKER"
   |           ^^^^^^^^^^
hunt.toml:13:10: `unlock` must be text in quotes, not a whole number
   |
13 | unlock = 10
   |          ^^
"#,
    );
}

#[test]
fn titles_are_one_line_of_text() {
    check(
        r#"
[hunt]
title = "  "
[round.quay]
title = "two\nlines"
[puzzle.flags]
title = ""
round = "quay"
answer = "SPINNAKER"
"#,
        r#"
hunt.toml:2:9: a title must not be empty
  |
2 | title = "  "
  |         ^^^^
hunt.toml:4:9: a title must be a single line without control characters
  |
4 | title = "two\nlines"
  |         ^^^^^^^^^^^^
hunt.toml:6:9: a title must not be empty
  |
6 | title = ""
  |         ^^
"#,
    );
}

#[test]
fn durations_have_units() {
    check(
        r#"
[hunt]
title = "Harbour"
duration = "90"
[round.quay]
[puzzle.flags]
round = "quay"
answer = "SPINNAKER"
"#,
        r#"
hunt.toml:3:12: write a duration like "90s", "5m", "1h30m" or "2d"
  |
3 | duration = "90"
  |            ^^^^
"#,
    );
}

#[test]
fn a_tie_break_names_something() {
    check(
        r#"
[hunt]
title = "Harbour"
tie_break = []
[round.quay]
[puzzle.flags]
round = "quay"
answer = "SPINNAKER"
"#,
        r"
hunt.toml:3:13: `tie_break` must not be empty; leave the key out for the default
  |
3 | tie_break = []
  |             ^^
",
    );
}

#[test]
fn ids_are_lower_case_words() {
    check(
        r#"
[hunt]
title = "Harbour"
[round.quay]
[round."the quay"]
[round.""]
[puzzle.Flags]
round = "quay"
answer = "SPINNAKER"
[puzzle.-knots]
round = "quay"
answer = "BOWLINE"
[puzzle.bell_tower]
round = "quay"
answer = "DING"
[puzzle.score]
round = "quay"
answer = "DONG"
[puzzle.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]
round = "quay"
answer = "SIXTY-FIVE"
"#,
        r#"
hunt.toml:4:8: an id may contain only lower-case letters a-z, digits and dashes, and must not start with a dash
  |
4 | [round."the quay"]
  |        ^^^^^^^^^^
hunt.toml:5:8: an id may contain only lower-case letters a-z, digits and dashes, and must not start with a dash
  |
5 | [round.""]
  |        ^^
hunt.toml:6:9: an id may contain only lower-case letters a-z, digits and dashes, and must not start with a dash
  |
6 | [puzzle.Flags]
  |         ^^^^^
hunt.toml:9:9: an id may contain only lower-case letters a-z, digits and dashes, and must not start with a dash
  |
9 | [puzzle.-knots]
  |         ^^^^^^
hunt.toml:12:9: an id may contain only lower-case letters a-z, digits and dashes, and must not start with a dash
   |
12 | [puzzle.bell_tower]
   |         ^^^^^^^^^^
hunt.toml:15:9: `score` is a keyword of unlock conditions; choose another id
   |
15 | [puzzle.score]
   |         ^^^^^
hunt.toml:18:9: an id may have at most 64 characters
   |
18 | [puzzle.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]
   |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn points_have_bounds() {
    check(
        r#"
[hunt]
title = "Harbour"
[round.quay]
[puzzle.a]
round = "quay"
answer = "A"
points = 100001
[puzzle.b]
round = "quay"
answer = "B"
points = 99999999999999999999
[puzzle.c]
round = "quay"
answer = "C"
points = 0x186a1
"#,
        r"
hunt.toml:7:10: `points` must be from 0 to 100000, not 100001
  |
7 | points = 100001
  |          ^^^^^^
hunt.toml:11:10: `points` must be from 0 to 100000, not 99999999999999999999
   |
11 | points = 99999999999999999999
   |          ^^^^^^^^^^^^^^^^^^^^
hunt.toml:15:10: `points` must be from 0 to 100000, not 0x186a1
   |
15 | points = 0x186a1
   |          ^^^^^^^
",
    );
}

#[test]
fn bodies_stay_in_the_folder() {
    check(
        r#"
[hunt]
title = "Harbour"
[round.quay]
[puzzle.a]
round = "quay"
answer = "A"
body = "../flags.md"
[puzzle.b]
round = "quay"
answer = "B"
body = "/etc/flags.md"
[puzzle.c]
round = "quay"
answer = "C"
body = "hunt.toml"
[puzzle.d]
round = "quay"
answer = "D"
body = 'bodies\flags.md'
[puzzle.e]
round = "quay"
answer = "E"
body = "sails.md"
"#,
        r#"
hunt.toml:7:8: a body's path must stay inside the hunt's folder: names separated by `/`
  |
7 | body = "../flags.md"
  |        ^^^^^^^^^^^^^
hunt.toml:11:8: a body's path must stay inside the hunt's folder: names separated by `/`
   |
11 | body = "/etc/flags.md"
   |        ^^^^^^^^^^^^^^^
hunt.toml:15:8: a body must be a Markdown file with a name that ends in `.md`
   |
15 | body = "hunt.toml"
   |        ^^^^^^^^^^^
hunt.toml:19:8: a body's path must stay inside the hunt's folder: names separated by `/`
   |
19 | body = 'bodies\flags.md'
   |        ^^^^^^^^^^^^^^^^^
hunt.toml:23:8: there is no file `sails.md` in the hunt's folder
   |
23 | body = "sails.md"
   |        ^^^^^^^^^^
"#,
    );
}

#[test]
fn answers_can_be_guessed() {
    check(
        r#"
[hunt]
title = "Harbour"
[round.quay]
[puzzle.flags]
round = "quay"
answer = "…"
aliases = ["straße", "STRASSE", "Strasse!"]
"#,
        r#"
hunt.toml:6:10: no guess can match this: it has no letters or digits
  |
6 | answer = "…"
  |          ^^^
hunt.toml:7:22: the puzzle already accepts `STRASSE`; guesses are compared in this normalised form
  |
7 | aliases = ["straße", "STRASSE", "Strasse!"]
  |                      ^^^^^^^^^
hunt.toml:7:33: the puzzle already accepts `STRASSE`; guesses are compared in this normalised form
  |
7 | aliases = ["straße", "STRASSE", "Strasse!"]
  |                                 ^^^^^^^^^^
"#,
    );
}
