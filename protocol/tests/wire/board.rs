//! The board of a game master's overview: how it is encoded, and how large it is.

use cluecast_protocol::{Cells, Codec, Heads, Overview, Phase, ServerMessage};

const TEAMS: usize = 1_000;
const PUZZLES: usize = 60;

fn overview(cells: Vec<u8>) -> ServerMessage {
    ServerMessage::Overview(Box::new(Overview {
        heads: Heads::default(),
        title: "Harbour Lights".to_owned(),
        phase: Phase::Running,
        starts_at_ms: None,
        ends_at_ms: None,
        left_ms: None,
        paused_at_ms: None,
        rounds: Vec::new(),
        puzzles: Vec::new(),
        teams: Vec::new(),
        players: Vec::new(),
        cells: Cells(cells),
        clues: Vec::new(),
        announcements: Vec::new(),
        game_masters: Vec::new(),
    }))
}

#[test]
fn the_board_of_a_thousand_teams_takes_less_than_100_kilobytes() {
    // Values of every cell, so that no codec finds them short.
    let cells: Vec<u8> = (0..=31).cycle().take(TEAMS * PUZZLES).collect();
    for codec in Codec::ALL {
        let with_board = codec.encode(&overview(cells.clone()));
        let without = codec.encode(&overview(Vec::new()));
        let bytes = with_board.len() - without.len();
        assert!(bytes < 100_000, "{codec:?}: {bytes} bytes");
        let decoded = codec.decode::<ServerMessage>(&with_board);
        assert_eq!(decoded, Ok(overview(cells.clone())), "{codec:?}");
    }
}

#[test]
fn json_carries_the_board_in_base64() {
    let encoded = Codec::Json.encode(&overview(vec![0, 1, 15, 0x1e]));
    let text = String::from_utf8(encoded).expect("JSON is text");
    assert!(text.contains(r#""cells":"AAEPHg==""#), "{text}");
    let bad = text.replace("AAEPHg==", "AAEPHg=");
    assert!(Codec::Json.decode::<ServerMessage>(bad.as_bytes()).is_err());
}
