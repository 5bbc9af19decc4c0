//! Hunt files with mistakes, and how the mistakes are shown.

mod file;
mod reach;
mod sizes;
mod unlocks;
mod values;

use cluecast_hunt::{Bundle, Hunt, Mistake, parse};

fn read(toml: &str) -> Result<Hunt, Vec<Mistake>> {
    let files = [("hunt.toml", toml), ("flags.md", "Six flags.\n")];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    parse(&Bundle::from(files))
}

/// The file gives exactly these mistakes. Both texts may begin on a line of their own.
fn check(toml: &str, expected: &str) {
    let toml = toml.trim_start_matches('\n');
    let mistakes = read(toml).expect_err("the file has mistakes");
    let rendered: String = mistakes.iter().map(Mistake::render).collect();
    let expected = expected.trim_start_matches('\n');
    assert_eq!(rendered, expected, "it is:\n{rendered}");
}

/// The file with this value of `unlock` in its line 13 gives exactly these mistakes.
fn check_unlock(unlock: &str, expected: &str) {
    let toml = r#"[hunt]
title = "Harbour"

[round.quay]

[puzzle.flags]
round = "quay"
answer = "SPINNAKER"

[puzzle.knots]
round = "quay"
answer = "BOWLINE"
unlock = "#;
    check(&format!("{toml}{unlock}\n"), expected);
}
