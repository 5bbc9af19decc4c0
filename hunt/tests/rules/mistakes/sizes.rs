//! Texts, lists and nesting beyond their bounds.

use cluecast_hunt::{Bundle, limits, parse};

use super::read;

/// The only mistake of a file that is too long to show.
fn only_mistake(toml: &str) -> (usize, String) {
    let mistakes = read(toml).expect_err("the file has a mistake");
    let [mistake] = mistakes.as_slice() else {
        panic!("one mistake, not {mistakes:?}");
    };
    (mistake.line, mistake.message.clone())
}

#[test]
fn a_hunt_has_so_many_puzzles_and_rounds() {
    let puzzles = |count: usize| {
        let puzzle =
            |at| format!("puzzle.p{at} = {{ round = 'r', answer = 'a', points = 100000 }}\n");
        "hunt.title = 'H'\nround.r = {}\n".to_owned() + &(0..count).map(puzzle).collect::<String>()
    };
    assert!(read(&puzzles(limits::PUZZLES_MAX)).is_ok());
    let (line, message) = only_mistake(&puzzles(limits::PUZZLES_MAX + 2));
    assert_eq!(
        message,
        "a hunt may have at most 1000 puzzles; this one has 1002"
    );
    assert_eq!(line, 3 + limits::PUZZLES_MAX);

    let rounds = |count: usize| {
        let round = |at| format!("round.r{at} = {{}}\n");
        let puzzle = "puzzle.p = { round = 'r0', answer = 'a' }\n";
        "hunt.title = 'H'\n".to_owned() + &(0..count).map(round).collect::<String>() + puzzle
    };
    assert!(read(&rounds(limits::ROUNDS_MAX)).is_ok());
    let (_, message) = only_mistake(&rounds(limits::ROUNDS_MAX + 1));
    assert_eq!(
        message,
        "a hunt may have at most 200 rounds; this one has 201"
    );
}

#[test]
fn texts_have_lengths() {
    let with = |title: &str, answer: &str, aliases: &str| {
        format!(
            "hunt.title = '{title}'\nround.r = {{}}\n\
            puzzle.p = {{ round = 'r', answer = '{answer}', aliases = [{aliases}] }}\n"
        )
    };
    let title = "ü".repeat(limits::TITLE_CHARS_MAX);
    let answer = "ü".repeat(limits::GUESS_CHARS_MAX);
    let aliases = |count: usize| {
        let aliases: Vec<String> = (0..count).map(|at| format!("'{at}'")).collect();
        aliases.join(",")
    };
    let longest = with(&title, &answer, &aliases(limits::ALIASES_MAX));
    assert!(read(&longest).is_ok());
    for (toml, expected) in [
        (
            with(&(title + "ü"), "a", ""),
            "a title may have at most 200 characters",
        ),
        (
            with("H", &(answer + "ü"), ""),
            "no guess can match this: a guess may have at most 1000 characters",
        ),
        (
            with("H", "a", &aliases(limits::ALIASES_MAX + 1)),
            "a puzzle may have at most 100 aliases",
        ),
    ] {
        assert_eq!(only_mistake(&toml).1, expected);
    }
}

#[test]
fn bodies_have_a_length() {
    let toml = "hunt.title = 'H'\nround.r = {}\n\
        puzzle.p = { round = 'r', answer = 'a', body = 'texts/p.md' }\n";
    let files = |bytes: usize| {
        let body = "x".repeat(bytes);
        Bundle::from([
            ("hunt.toml".to_owned(), toml.to_owned()),
            ("texts/p.md".to_owned(), body),
        ])
    };
    assert!(parse(&files(limits::BODY_BYTES_MAX)).is_ok());
    let mistakes = parse(&files(limits::BODY_BYTES_MAX + 1)).expect_err("the body is too long");
    assert_eq!(
        mistakes[0].message,
        "`texts/p.md` has 65537 bytes; a body may have at most 65536"
    );
}

#[test]
fn no_nesting_exhausts_the_stack() {
    for depth in [33, 100_000] {
        let unlock = "(".repeat(depth) + "p" + &")".repeat(depth);
        let toml = format!(
            "hunt.title = 'H'\nround.r = {{}}\n\
            puzzle.p = {{ round = 'r', answer = 'a' }}\n\
            puzzle.q = {{ round = 'r', answer = 'a', unlock = '{unlock}' }}\n"
        );
        assert_eq!(
            only_mistake(&toml).1,
            "parentheses may nest at most 32 levels deep"
        );
    }
}
