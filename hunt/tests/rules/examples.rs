//! The hunts under `examples/` are hunts without mistakes that a team can finish.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads the examples; the rules themselves read nothing"
)]

use std::fs;
use std::path::{Path, PathBuf};

use cluecast_hunt::text::Forms;
use cluecast_hunt::{Bundle, GameMasterOrder, Hunt, Mistake, Rejection, parse};

use crate::story::Story;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let entries = fs::read_dir(folder).expect("the repository has examples");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "there is an example");
    folders
}

fn read(folder: &Path) -> (Bundle, Hunt) {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let files = paths.map(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        let text = fs::read_to_string(&path).expect("examples are text");
        (name.expect("names are text").to_owned(), text)
    });
    let files: Bundle = files.collect();
    let hunt = parse(&files).unwrap_or_else(|mistakes| {
        let rendered: Vec<String> = mistakes.iter().map(Mistake::render).collect();
        panic!("{}", rendered.join("\n"))
    });
    (files, hunt)
}

#[test]
fn every_example_can_be_finished() {
    for folder in examples() {
        let (_, hunt) = read(&folder);
        let mut story = Story::with(hunt.clone());
        story
            .order(GameMasterOrder::Start)
            .expect("it is in the lobby");
        let owls = story.team("OWLS");
        for _ in &hunt.puzzles {
            for puzzle in &hunt.puzzles {
                let judged = story.guess(owls, puzzle.id.as_str(), puzzle.answers[0].plain());
                assert!(!matches!(judged, Err(Rejection::AlreadyGuessed)));
            }
        }
        assert_eq!(
            story.team_of(owls).solves(),
            hunt.puzzles.len(),
            "{folder:?}"
        );
    }
}

#[test]
fn no_example_gives_an_answer_away() {
    for folder in examples() {
        let (files, hunt) = read(&folder);
        let bodies = files.iter().filter(|(path, _)| *path != "hunt.toml");
        for (path, body) in bodies {
            let words: Vec<Forms> = body
                .split(|c: char| !c.is_alphanumeric())
                .map(Forms::new)
                .collect();
            for puzzle in &hunt.puzzles {
                for answer in &puzzle.answers {
                    let is_given = words.iter().any(|word| word.matches(answer));
                    assert!(!is_given, "{path} gives {answer:?} away");
                }
            }
        }
    }
}

#[test]
fn every_puzzle_of_an_example_has_a_text() {
    for folder in examples() {
        let (_, hunt) = read(&folder);
        for puzzle in &hunt.puzzles {
            assert!(!puzzle.body.trim().is_empty(), "{}", puzzle.id);
        }
    }
}
