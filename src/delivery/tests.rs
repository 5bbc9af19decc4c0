//! The cost of a start: what it encodes and journals, for as many teams as a large hunt has.

use bytes::Bytes;
use hunt::{
    Command, Decision, Entry, GameMasterOrder, Issuer, NameId, RegistrationOrder, State, Timestamp,
};
use protocol::{Codec, ServerMessage};

use super::frames::UpdateFrames;
use super::render;
use crate::content::{ContentKey, ContentPaths};
use crate::ids::SessionId;
use crate::journal::records;
use crate::session::{PrivateData, View};

const TEAMS: usize = 2_000;
const PUZZLES: usize = 5;
const BODY_BYTES: usize = 2_048;
/// Occurs in every text and nowhere else.
const MARK: &str = "Seagull";

const ENCODED_BYTES_MAX: usize = 1_000_000;
const JOURNALED_BYTES_MAX: usize = 100_000;

fn body(puzzle: usize) -> String {
    let line = format!("{MARK} {puzzle} ");
    line.repeat(BODY_BYTES.div_ceil(line.len()))[..BODY_BYTES].to_owned()
}

/// A hunt whose puzzles are visible from the start, but for the last one.
fn hunt() -> hunt::Hunt {
    let mut file = "[hunt]\ntitle = \"Large\"\n[round.one]\n".to_owned();
    let mut files = hunt::Bundle::new();
    for puzzle in 0..=PUZZLES {
        let is_last = puzzle == PUZZLES;
        let unlock = if is_last { "unlock = \"p0\"\n" } else { "" };
        file.extend([format!(
            "[puzzle.p{puzzle}]\nround = \"one\"\nbody = \"{puzzle}.md\"\nanswer = \"x\"\n{unlock}"
        )]);
        files.insert(format!("{puzzle}.md"), body(puzzle));
    }
    files.insert("hunt.toml".to_owned(), file);
    hunt::parse(&files).expect("it has no mistakes")
}

fn decided(state: &State, command: &Command) -> Entry {
    match state.decide(command, Timestamp(1)) {
        Ok(Decision::Accepted(entry)) => entry,
        other => panic!("{other:?}"),
    }
}

fn lobby() -> State {
    let mut state = State::new(hunt().into());
    for _ in 0..TEAMS {
        let create = RegistrationOrder::CreateTeam {
            team_name: NameId(0),
            player_name: NameId(0),
        };
        let entry = decided(&state, &Command::Registration(create));
        state.apply_entry(&entry);
    }
    state
}

/// Applies an entry; gives its frames, one for each number and audience.
fn released(state: &mut State, content: &ContentPaths, entry: &Entry, codec: Codec) -> Vec<Bytes> {
    let private = PrivateData::default();
    let mut frames = Vec::new();
    for event in &entry.events {
        for stamp in state.apply(entry.at, event) {
            let view = View {
                state,
                private: &private,
            };
            let update = render::update(view, content, entry.at, event, stamp);
            let message = update.map(ServerMessage::Update);
            frames.extend(message.map(|message| UpdateFrames::new(&message).for_codec(codec)));
        }
    }
    frames
}

#[test]
fn a_start_encodes_and_journals_little_for_2_000_teams() {
    let content = ContentKey::new(b"a key").paths_of(SessionId::new(1), "KITE42");
    let lobby = lobby();
    let start = Command::order(Issuer::Admin, GameMasterOrder::Start);
    let entry = decided(&lobby, &start);
    let journaled = records::encode_entries(std::slice::from_ref(&entry)).len();
    for codec in Codec::ALL {
        let frames = released(&mut lobby.clone(), &content, &entry, codec);
        let encoded: usize = frames.iter().map(Bytes::len).sum();
        println!(
            "start: {} frames, {encoded} bytes of {codec:?}, {journaled} journaled",
            frames.len()
        );
        assert!(encoded < ENCODED_BYTES_MAX, "{encoded} bytes of {codec:?}");
        let has = |frame: &Bytes, text: &str| {
            frame
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        assert!(!frames.iter().any(|frame| has(frame, MARK)), "a text");
        let paths = |puzzle: usize| {
            let hash = lobby.hunt().puzzles[puzzle].content;
            content.html(hash.expect("every puzzle has a text"))
        };
        for puzzle in 0..PUZZLES {
            assert!(frames.iter().any(|frame| has(frame, &paths(puzzle))));
        }
        let locked = paths(PUZZLES);
        assert!(
            !frames.iter().any(|frame| has(frame, &locked)),
            "a locked one"
        );
    }
    assert!(
        journaled < JOURNALED_BYTES_MAX,
        "{journaled} bytes journaled"
    );
}
