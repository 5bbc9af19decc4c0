//! Unnumbered messages, and the messages of spectators.

use cluecast_protocol::{
    Attendance, Board, BoardRow, ClientMessage, Cursor, Heads, Phase, PlayerPresence, Presence,
    Resume, ServerMessage, Standing, TeamAttendance, Watch, Welcome,
};

use super::{STARTED_AT_MS, Vector, reconnect, text, vector};

pub(super) fn client() -> Vec<Vector<ClientMessage>> {
    let cursor = Cursor {
        generation: 1,
        public: 12,
        ..Cursor::default()
    };
    let cursor = Some(cursor);
    vec![
        vector("client-watch", ClientMessage::Watch(Watch { cursor: None })),
        vector(
            "client-watch-with-cursor",
            ClientMessage::Watch(Watch { cursor }),
        ),
    ]
}

pub(super) fn server() -> Vec<Vector<ServerMessage>> {
    let mut all = boards();
    all.extend(connected());
    all.push(vector("server-welcome-of-spectator", welcome()));
    all
}

fn welcome() -> ServerMessage {
    ServerMessage::Welcome(Welcome {
        device: None,
        player: None,
        team: None,
        game_master: None,
        instance: None,
        scopes: Vec::new(),
        resume: Resume::Board,
        generation: 1,
        heads: Heads::default(),
        server_time_ms: STARTED_AT_MS + 62_000,
        last_command: 0,
        reconnect: reconnect(),
    })
}

fn row(place: u32, team: &str, name: &str, score: u32) -> BoardRow {
    let has_scored = score > 0;
    BoardRow {
        place,
        rank: place,
        team: text(team),
        name: text(name),
        score,
        solves: u32::from(has_scored),
        last_scored_at_ms: has_scored.then_some(STARTED_AT_MS + 61_250),
    }
}

fn boards() -> Vec<Vector<ServerMessage>> {
    let whole = Board {
        version: 7,
        base: None,
        title: Some(text("Harbour Lights")),
        phase: Phase::Running,
        ends_at_ms: Some(STARTED_AT_MS + 10_800_000),
        teams: 3,
        length: 2,
        rows: vec![row(1, "t3", "Owls 🦉", 10), row(2, "t1", "Herons", 0)],
    };
    let change = Board {
        version: 9,
        base: Some(7),
        title: None,
        rows: vec![row(2, "t2", "Terns", 0)],
        ..whole.clone()
    };
    let empty = Board {
        version: 1,
        phase: Phase::Lobby,
        ends_at_ms: None,
        teams: 0,
        length: 0,
        rows: Vec::new(),
        ..whole.clone()
    };
    let standing = Standing {
        rank: 3,
        score: 10,
        solves: 1,
    };
    vec![
        vector("server-board", ServerMessage::Board(Box::new(whole))),
        vector(
            "server-board-change",
            ServerMessage::Board(Box::new(change)),
        ),
        vector("server-board-empty", ServerMessage::Board(Box::new(empty))),
        vector("server-standing", ServerMessage::Standing(standing)),
    ]
}

fn connected() -> Vec<Vector<ServerMessage>> {
    let player = |player: &str, devices| PlayerPresence {
        player: text(player),
        devices,
    };
    let team = |team: &str, players, devices| TeamAttendance {
        team: text(team),
        players,
        devices,
    };
    let whole = Attendance {
        version: 4,
        base: None,
        players: 3,
        devices: 4,
        spectators: 1,
        teams: vec![team("t1", 1, 1), team("t3", 2, 3)],
    };
    let change = Attendance {
        version: 5,
        base: Some(4),
        players: 2,
        devices: 3,
        teams: vec![team("t1", 0, 0)],
        ..whole.clone()
    };
    vec![
        vector(
            "server-presence",
            ServerMessage::Presence(Presence {
                players: vec![player("p7", 2), player("p8", 1)],
            }),
        ),
        vector("server-attendance", ServerMessage::Attendance(whole)),
        vector(
            "server-attendance-change",
            ServerMessage::Attendance(change),
        ),
    ]
}
