//! Messages that only game masters send or receive.

use cluecast_protocol::{
    Audience, Cells, ClientMessage, Command, Cursor, Event, GameMaster, Heads, Hello, Order,
    OrderKind, Overview, Phase, PlayerSummary, PuzzleSummary, Receipt, Resume, Scope,
    ServerMessage, Target, TargetedClue, TeamSummary, Verdict, Welcome,
};

use super::{
    STARTED_AT_MS, Vector, announcement, clue, clue_for_good, member, reconnect, round, text,
    update, vector,
};

fn game_master() -> GameMaster {
    GameMaster {
        id: text("g2"),
        name: text("Mo"),
        scopes: vec![Scope::View, Scope::Hints],
        revoked: false,
    }
}

fn puzzle_summary(id: &str, index: u32) -> PuzzleSummary {
    PuzzleSummary {
        id: text(id),
        index,
        round: text("quay"),
        title: text("Six flags"),
        points: 10,
    }
}

fn team() -> TeamSummary {
    TeamSummary {
        id: text("t3"),
        name: text("Owls 🦉"),
        score: 10,
        solves: 1,
        players: 1,
        last_guess_at_ms: Some(STARTED_AT_MS + 60_500),
    }
}

fn heads() -> Heads {
    Heads {
        view: 44,
        answers: 9,
        ..Heads::default()
    }
}

fn to_team() -> Target {
    Target::Team { team: text("t3") }
}

pub(super) fn client() -> Vec<Vector<ClientMessage>> {
    let command = |order| ClientMessage::Command(Command { id: 7, order });
    let push = |to, lasts_ms| {
        command(Order::PushClue {
            to,
            text: text("Count the *flags* first."),
            lasts_ms,
        })
    };
    let cursor = Cursor {
        generation: 1,
        view: 43,
        answers: 9,
        ..Cursor::default()
    };
    let hello = Hello {
        token: text("v4.local.example"),
        cursor: Some(cursor),
        instance: Some(2),
    };
    let player = Target::Player { player: text("p7") };
    let cancel = Order::CancelClue { clue: text("c1") };
    let announce = Order::Announce {
        text: text("The café opens at noon."),
    };
    vec![
        vector("client-hello-of-game-master", ClientMessage::Hello(hello)),
        vector("client-command-push-clue", push(to_team(), Some(600_000))),
        vector(
            "client-command-push-clue-to-everyone",
            push(Target::Everyone, None),
        ),
        vector("client-command-push-clue-to-player", push(player, None)),
        vector("client-command-cancel-clue", command(cancel)),
        vector("client-command-announce", command(announce)),
        vector(
            "client-command-start",
            command(Order::Start { at_ms: None }),
        ),
        vector(
            "client-command-start-scheduled",
            command(Order::Start {
                at_ms: Some(STARTED_AT_MS),
            }),
        ),
        vector("client-command-cancel-start", command(Order::CancelStart)),
        vector("client-command-pause", command(Order::Pause)),
        vector("client-command-resume", command(Order::Resume)),
        vector(
            "client-command-move-end",
            command(Order::MoveEnd {
                ends_at_ms: None,
                left_ms: Some(900_000),
            }),
        ),
        vector(
            "client-command-finish",
            command(Order::Finish { confirm: true }),
        ),
        vector("client-command-reopen", command(Order::Reopen)),
    ]
}

pub(super) fn server() -> Vec<Vector<ServerMessage>> {
    let mut all = openings();
    all.extend(updates());
    all.extend(receipts());
    all
}

fn openings() -> Vec<Vector<ServerMessage>> {
    let welcome = ServerMessage::Welcome(Welcome {
        device: None,
        player: None,
        team: None,
        game_master: Some(text("g2")),
        instance: Some(2),
        scopes: vec![Scope::View, Scope::Hints],
        resume: Resume::Snapshot,
        generation: 1,
        heads: heads(),
        server_time_ms: STARTED_AT_MS + 62_000,
        last_command: 6,
        reconnect: reconnect(),
    });
    let overview = ServerMessage::Overview(Box::new(Overview {
        heads: heads(),
        title: text("Harbour Lights"),
        phase: Phase::Running,
        starts_at_ms: None,
        ends_at_ms: Some(STARTED_AT_MS + 10_800_000),
        left_ms: None,
        paused_at_ms: None,
        rounds: vec![round()],
        puzzles: vec![puzzle_summary("flags", 0), puzzle_summary("gull", 1)],
        teams: vec![team()],
        players: vec![PlayerSummary {
            id: text("p7"),
            name: text("Ana"),
            team: text("t3"),
        }],
        cells: Cells(vec![15, 0]),
        clues: vec![
            TargetedClue {
                clue: clue(),
                to: to_team(),
            },
            TargetedClue {
                clue: clue_for_good(),
                to: Target::Everyone,
            },
        ],
        announcements: vec![announcement()],
        game_masters: vec![game_master()],
    }));
    let empty = ServerMessage::Overview(Box::new(Overview {
        heads: Heads::default(),
        title: text("Harbour Lights"),
        phase: Phase::Lobby,
        starts_at_ms: Some(STARTED_AT_MS),
        ends_at_ms: None,
        left_ms: None,
        paused_at_ms: None,
        rounds: Vec::new(),
        puzzles: Vec::new(),
        teams: Vec::new(),
        players: Vec::new(),
        cells: Cells::default(),
        clues: Vec::new(),
        announcements: Vec::new(),
        game_masters: Vec::new(),
    }));
    vec![
        vector("server-welcome-of-game-master", welcome),
        vector("server-overview", overview),
        vector("server-overview-empty", empty),
    ]
}

fn updates() -> Vec<Vector<ServerMessage>> {
    let to_game_masters = |number, event| update(Audience::View, number, event);
    let pushed = Event::CluePushed {
        clue: clue(),
        to: Some(to_team()),
    };
    let joined = Event::PlayerJoined {
        player: member(),
        team: Some(text("t3")),
    };
    let judged = Event::GuessJudged {
        team: Some(text("t3")),
        puzzle: text("flags"),
        player: text("p7"),
        guess: None,
        verdict: Verdict::Correct,
        points: 10,
        score: 10,
    };
    let device_revoked = Event::DeviceRevoked {
        device: text("d4"),
        player: Some(text("p7")),
    };
    let invited = Event::GameMasterInvited {
        game_master: game_master(),
    };
    let revoked = Event::GameMasterRevoked {
        game_master: text("g2"),
    };
    let answer = Event::GuessJudged {
        team: Some(text("t3")),
        puzzle: text("flags"),
        player: text("p7"),
        guess: Some(text("Spinnaker!")),
        verdict: Verdict::Correct,
        points: 10,
        score: 10,
    };
    vec![
        vector(
            "server-update-guess-judged-with-answer",
            update(Audience::Answers, 9, answer),
        ),
        vector(
            "server-update-clue-pushed-to-hints",
            update(Audience::Hints, 12, pushed.clone()),
        ),
        vector(
            "server-update-team-created",
            to_game_masters(1, Event::TeamCreated { team: team() }),
        ),
        vector(
            "server-update-player-joined-of-team",
            to_game_masters(2, joined),
        ),
        vector(
            "server-update-guess-judged-of-team",
            to_game_masters(43, judged),
        ),
        vector(
            "server-update-clue-pushed-to-team",
            to_game_masters(44, pushed),
        ),
        vector(
            "server-update-device-revoked-of-player",
            to_game_masters(45, device_revoked),
        ),
        vector(
            "server-update-game-master-invited",
            to_game_masters(46, invited),
        ),
        vector(
            "server-update-game-master-revoked",
            to_game_masters(47, revoked),
        ),
    ]
}

fn receipts() -> Vec<Vector<ServerMessage>> {
    let receipt = |order, clue, announcement| {
        ServerMessage::Receipt(Receipt {
            id: 7,
            order,
            verdict: None,
            points: None,
            clue,
            announcement,
        })
    };
    vec![
        vector(
            "server-receipt-clue",
            receipt(OrderKind::PushClue, Some(text("c1")), None),
        ),
        vector(
            "server-receipt-announcement",
            receipt(OrderKind::Announce, None, Some(text("a1"))),
        ),
    ]
}
