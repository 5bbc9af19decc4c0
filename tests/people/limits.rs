//! The rules' limits as the specification has them: neither package knows the other.

use hunt::limits;
use protocol::limits as wire;

const SPECIFICATION: &str = include_str!("../../protocol/README.md");

#[test]
fn the_specification_has_the_rules_limits() {
    for (name, value) in [
        ("TEAMS_MAX", limits::TEAMS_MAX),
        ("PLAYERS_PER_TEAM_MAX", limits::PLAYERS_PER_TEAM_MAX),
        ("DEVICES_PER_PLAYER_MAX", limits::DEVICES_PER_PLAYER_MAX),
        (
            "DEVICES_PER_PLAYER_EVER_MAX",
            limits::DEVICES_PER_PLAYER_EVER_MAX,
        ),
        ("GAME_MASTERS_MAX", limits::GAME_MASTERS_MAX),
        ("CLUES_MAX", limits::CLUES_MAX),
        ("ANNOUNCEMENTS_MAX", limits::ANNOUNCEMENTS_MAX),
        ("GUESSES_PER_PUZZLE_MAX", limits::GUESSES_PER_PUZZLE_MAX),
        ("GUESS_CHARS_MAX", limits::GUESS_CHARS_MAX),
        ("TEXT_CHARS_MAX", limits::TEXT_CHARS_MAX),
        ("COMMANDS_OUTSTANDING_MAX", limits::RECEIPTS_PER_DEVICE_MAX),
    ] {
        let begin = format!("\n| `{name}` | ");
        let row = SPECIFICATION.split_once(&begin);
        let (_, row) = row.unwrap_or_else(|| panic!("the specification has no row {name}"));
        let cell = row.split(" |").next().expect("a row has cells");
        assert_eq!(cell.replace(',', ""), value.to_string(), "{name}");
    }
    let rules = [limits::CLUE_LASTS_MS_MIN, limits::CLUE_LASTS_MS_MAX];
    let wire = [wire::CLUE_LASTS_MS_MIN, wire::CLUE_LASTS_MS_MAX];
    assert_eq!(rules, wire);
}
