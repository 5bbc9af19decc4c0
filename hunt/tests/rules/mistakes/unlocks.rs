//! Conditions: their words, ids and numbers.

use super::check_unlock;

#[test]
fn unlock_ids_are_puzzles() {
    check_unlock(
        r#""flgas and quay and 2 of (flags, moon)""#,
        r#"
hunt.toml:13:11: there is no puzzle `flgas`; did you mean `flags`?
   |
13 | unlock = "flgas and quay and 2 of (flags, moon)"
   |           ^^^^^
hunt.toml:13:21: `quay` is a round; only puzzles can be solved
   |
13 | unlock = "flgas and quay and 2 of (flags, moon)"
   |                     ^^^^
hunt.toml:13:43: there is no puzzle `moon`
   |
13 | unlock = "flgas and quay and 2 of (flags, moon)"
   |                                           ^^^^
"#,
    );
}

#[test]
fn unlock_sentences_are_shown_where_they_break_off() {
    check_unlock(
        r#""flags and""#,
        r#"
hunt.toml:13:20: expected a puzzle's id, `score >= N`, `N of (…)` or `(`, not the end
   |
13 | unlock = "flags and"
   |                    ^
"#,
    );
}

#[test]
fn unlock_words_need_something_between_them() {
    check_unlock(
        r#""flags knots""#,
        r#"
hunt.toml:13:17: expected `and`, `or` or the end, not `knots`
   |
13 | unlock = "flags knots"
   |                 ^^^^^
"#,
    );
}

#[test]
fn unlock_signs_are_only_those_of_the_language() {
    check_unlock(
        r#""flags && knots""#,
        r#"
hunt.toml:13:17: expected `and`, `or` or the end, not `&`
   |
13 | unlock = "flags && knots"
   |                 ^
"#,
    );
}

#[test]
fn unlock_parentheses_are_closed() {
    check_unlock(
        r#""(flags or (flags and flags)""#,
        r#"
hunt.toml:13:38: expected `and`, `or` or `)`, not the end
   |
13 | unlock = "(flags or (flags and flags)"
   |                                      ^
"#,
    );
}

#[test]
fn unlock_parentheses_are_opened() {
    check_unlock(
        r#""flags) or flags""#,
        r#"
hunt.toml:13:16: expected `and`, `or` or the end, not `)`
   |
13 | unlock = "flags) or flags"
   |                ^
"#,
    );
}

#[test]
fn unlock_score_has_one_comparison() {
    check_unlock(
        r#""score > 1""#,
        r#"
hunt.toml:13:17: expected `>=` after `score`, not `>`
   |
13 | unlock = "score > 1"
   |                 ^
"#,
    );
}

#[test]
fn unlock_score_is_a_number() {
    check_unlock(
        r#""score >= flags""#,
        r#"
hunt.toml:13:20: expected a whole number of points, not `flags`
   |
13 | unlock = "score >= flags"
   |                    ^^^^^
"#,
    );
}

#[test]
fn unlock_score_can_be_reached() {
    check_unlock(
        r#""score >= 3 or score >= 99999999999999999999""#,
        r#"
hunt.toml:13:20: no team can score more than 2, the total of all puzzles
   |
13 | unlock = "score >= 3 or score >= 99999999999999999999"
   |                    ^
hunt.toml:13:34: no team can score more than 2, the total of all puzzles
   |
13 | unlock = "score >= 3 or score >= 99999999999999999999"
   |                                  ^^^^^^^^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn unlock_counts_fit_their_list() {
    check_unlock(
        r#""0 of (flags) or 3 of (flags, score >= 1)""#,
        r#"
hunt.toml:13:11: the number before `of` must be 1, the length of its list
   |
13 | unlock = "0 of (flags) or 3 of (flags, score >= 1)"
   |           ^
hunt.toml:13:27: the number before `of` must be from 1 to 2, the length of its list
   |
13 | unlock = "0 of (flags) or 3 of (flags, score >= 1)"
   |                           ^
"#,
    );
}

#[test]
fn unlock_counts_are_numbers() {
    check_unlock(
        r#""two of (flags)""#,
        r#"
hunt.toml:13:11: expected a whole number before `of`, not `two`
   |
13 | unlock = "two of (flags)"
   |           ^^^
"#,
    );
}

#[test]
fn unlock_lists_have_items() {
    check_unlock(
        r#""1 of ()""#,
        r#"
hunt.toml:13:17: expected a puzzle's id, `score >= N`, `N of (…)` or `(`, not `)`
   |
13 | unlock = "1 of ()"
   |                 ^
"#,
    );
}

#[test]
fn unlock_lists_have_no_doubles() {
    check_unlock(
        r#""2 of (flags, flags)""#,
        r#"
hunt.toml:13:24: `flags` is listed twice and would count twice
   |
13 | unlock = "2 of (flags, flags)"
   |                        ^^^^^
"#,
    );
}

#[test]
fn unlock_functions_that_do_not_exist_are_pointed_at() {
    check_unlock(
        r#"'team_after("90m")'"#,
        r#"
hunt.toml:13:11: there is no condition `team_after(…)`
   |
13 | unlock = 'team_after("90m")'
   |           ^^^^^^^^^^
"#,
    );
}

#[test]
fn unlock_is_not_empty() {
    check_unlock(
        r#""""#,
        r#"
hunt.toml:13:10: the condition is empty; leave `unlock` out to unlock from the start
   |
13 | unlock = ""
   |          ^^
"#,
    );
}

#[test]
fn unlock_over_lines_is_pointed_into() {
    check_unlock(
        r#""""
flags
  or nkots
""""#,
        r"
hunt.toml:15:6: there is no puzzle `nkots`; did you mean `knots`?
   |
15 |   or nkots
   |      ^^^^^
",
    );
}

#[test]
fn unlock_with_escapes_is_pointed_at_as_a_whole() {
    check_unlock(
        r#""fl\u0061gs or moon""#,
        r#"
hunt.toml:13:10: there is no puzzle `moon`
   |
13 | unlock = "fl\u0061gs or moon"
   |          ^^^^^^^^^^^^^^^^^^^^
"#,
    );
}

#[test]
fn carets_stand_below_wide_letters_and_tabs() {
    check_unlock(
        r"	'flags or 灯台 or	moon'",
        r"
hunt.toml:13:21: there is no puzzle `灯台`
   |
13 | unlock =     'flags or 灯台 or    moon'
   |                        ^^^^
hunt.toml:13:27: there is no puzzle `moon`
   |
13 | unlock =     'flags or 灯台 or    moon'
   |                                   ^^^^
",
    );
}
