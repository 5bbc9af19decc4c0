//! Example messages: one of each kind, and for optional fields one with all and one with none.
//!
//! Over 500 lines: it is data, in the order of the specification.

mod game_masters;
mod latest;

use cluecast_protocol::{
    Announcement, Audience, ClientMessage, Clue, Command, Cursor, Event, GoAway, Guess, Heads,
    HeadsFrame, Hello, Member, Order, OrderKind, Phase, Puzzle, Receipt, Reconnect, Rejection,
    RejectionCode, Resume, Resync, Round, ServerMessage, Snapshot, Team, Update, Verdict, Welcome,
};

/// A message and the name of its file under `golden/`, without the extension.
pub(crate) struct Vector<M> {
    pub(crate) name: &'static str,
    pub(crate) message: M,
}

const STARTED_AT_MS: u64 = 1_790_000_000_000;

fn vector<M>(name: &'static str, message: M) -> Vector<M> {
    Vector { name, message }
}

fn update(audience: Audience, number: u64, event: Event) -> ServerMessage {
    ServerMessage::Update(Update {
        audience,
        number,
        at_ms: STARTED_AT_MS + 61_250,
        event,
    })
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn cursor() -> Cursor {
    Cursor {
        generation: 1,
        everyone: 1,
        team: 17,
        player: 2,
        ..Cursor::default()
    }
}

fn heads() -> Heads {
    Heads {
        everyone: 1,
        team: 19,
        player: 2,
        ..Heads::default()
    }
}

fn reconnect() -> Reconnect {
    Reconnect {
        min_in_ms: 100,
        max_in_ms: 2_000,
    }
}

fn member() -> Member {
    Member {
        id: text("p7"),
        name: text("Ana"),
    }
}

fn round() -> Round {
    Round {
        id: text("quay"),
        index: 0,
        title: text("The quay"),
    }
}

fn puzzle_unlocked() -> Puzzle {
    Puzzle {
        id: text("flags"),
        index: 3,
        round: text("quay"),
        title: text("Six flags"),
        content: Some(text(
            "/content/KITE42/7b1cb4ef15ee0c1f7d6d7a3e5f0f9a2b4c8d1e6f3a5b7c9d/body.html",
        )),
        points: 10,
        unlocked_at_ms: STARTED_AT_MS,
        solved_at_ms: None,
        guesses: Vec::new(),
    }
}

fn puzzle_solved() -> Puzzle {
    let guess = |guess: &str, verdict| Guess {
        player: text("p7"),
        guess: text(guess),
        verdict,
    };
    Puzzle {
        solved_at_ms: Some(STARTED_AT_MS + 61_250),
        guesses: vec![
            guess("SAIL", Verdict::Wrong),
            guess("SPINNAKER", Verdict::Correct),
        ],
        ..puzzle_unlocked()
    }
}

fn clue() -> Clue {
    Clue {
        expires_at_ms: Some(STARTED_AT_MS + 661_250),
        ..clue_for_good()
    }
}

fn clue_for_good() -> Clue {
    Clue {
        id: text("c1"),
        text: text("Count the *flags* first."),
        pushed_at_ms: STARTED_AT_MS + 61_250,
        expires_at_ms: None,
    }
}

fn announcement() -> Announcement {
    Announcement {
        id: text("a1"),
        text: text("The café opens at noon."),
        at_ms: STARTED_AT_MS + 61_250,
    }
}

fn snapshot_full() -> Snapshot {
    Snapshot {
        heads: heads(),
        title: text("Harbour Lights"),
        phase: Phase::Running,
        starts_at_ms: None,
        ends_at_ms: Some(STARTED_AT_MS + 10_800_000),
        left_ms: None,
        paused_at_ms: None,
        team: Team {
            id: text("t3"),
            name: text("Owls 🦉"),
            code: text("R7QM2KXD"),
            score: 10,
            players: vec![member()],
        },
        rounds: vec![round()],
        puzzles: vec![puzzle_solved(), puzzle_unlocked()],
        clues: vec![clue(), clue_for_good()],
        announcements: vec![announcement()],
    }
}

fn snapshot_paused() -> Snapshot {
    Snapshot {
        phase: Phase::Paused,
        ends_at_ms: None,
        left_ms: Some(3_600_000),
        paused_at_ms: Some(STARTED_AT_MS + 7_200_000),
        ..snapshot_full()
    }
}

fn snapshot_lobby() -> Snapshot {
    Snapshot {
        heads: Heads {
            team: 1,
            player: 1,
            ..Heads::default()
        },
        phase: Phase::Lobby,
        ends_at_ms: None,
        team: Team {
            score: 0,
            ..snapshot_full().team
        },
        rounds: Vec::new(),
        puzzles: Vec::new(),
        clues: Vec::new(),
        announcements: Vec::new(),
        ..snapshot_full()
    }
}

/// The client messages.
pub(crate) fn client() -> Vec<Vector<ClientMessage>> {
    let mut all = of_players();
    all.extend(game_masters::client());
    all.extend(latest::client());
    all
}

fn of_players() -> Vec<Vector<ClientMessage>> {
    vec![
        vector(
            "client-hello",
            ClientMessage::Hello(Hello {
                token: text("v4.local.example"),
                cursor: None,
                instance: None,
            }),
        ),
        vector(
            "client-hello-with-cursor",
            ClientMessage::Hello(Hello {
                token: text("v4.local.example"),
                cursor: Some(cursor()),
                instance: None,
            }),
        ),
        vector(
            "client-command-submit-guess",
            ClientMessage::Command(Command {
                id: 41,
                order: Order::SubmitGuess {
                    puzzle: text("flags"),
                    guess: text("Spinnaker!"),
                },
            }),
        ),
        vector(
            "client-resync",
            ClientMessage::Resync(Resync {
                cursor: Some(cursor()),
            }),
        ),
        vector(
            "client-resync-without-cursor",
            ClientMessage::Resync(Resync { cursor: None }),
        ),
    ]
}

/// The server messages.
pub(crate) fn server() -> Vec<Vector<ServerMessage>> {
    let mut all = openings();
    all.extend(updates());
    all.extend(answers());
    all.extend(game_masters::server());
    all.extend(latest::server());
    all
}

fn openings() -> Vec<Vector<ServerMessage>> {
    let welcome = |resume, last_command| {
        ServerMessage::Welcome(Welcome {
            device: Some(text("d3")),
            player: Some(text("p7")),
            team: Some(text("t3")),
            game_master: None,
            instance: None,
            scopes: Vec::new(),
            resume,
            generation: 1,
            heads: heads(),
            server_time_ms: STARTED_AT_MS + 62_000,
            last_command,
            reconnect: reconnect(),
        })
    };
    vec![
        vector("server-welcome-replay", welcome(Resume::Replay, 40)),
        vector("server-welcome-snapshot", welcome(Resume::Snapshot, 0)),
        vector(
            "server-snapshot",
            ServerMessage::Snapshot(Box::new(snapshot_full())),
        ),
        vector(
            "server-snapshot-lobby",
            ServerMessage::Snapshot(Box::new(snapshot_lobby())),
        ),
        vector(
            "server-snapshot-paused",
            ServerMessage::Snapshot(Box::new(snapshot_paused())),
        ),
    ]
}

fn updates() -> Vec<Vector<ServerMessage>> {
    let mut all = session_updates();
    all.extend(clue_updates());
    all.extend(team_and_player_updates());
    all
}

fn session_updates() -> Vec<Vector<ServerMessage>> {
    let ends_at_ms = Some(STARTED_AT_MS + 10_800_000);
    let everyone = |number, event| update(Audience::Everyone, number, event);
    vec![
        vector(
            "server-update-session-started",
            everyone(1, Event::SessionStarted { ends_at_ms }),
        ),
        vector(
            "server-update-session-started-without-end",
            everyone(1, Event::SessionStarted { ends_at_ms: None }),
        ),
        vector(
            "server-update-session-paused",
            everyone(
                2,
                Event::SessionPaused {
                    left_ms: Some(7_200_000),
                },
            ),
        ),
        vector(
            "server-update-start-scheduled",
            everyone(
                1,
                Event::StartScheduled {
                    starts_at_ms: STARTED_AT_MS,
                },
            ),
        ),
        vector(
            "server-update-start-cancelled",
            everyone(2, Event::StartCancelled),
        ),
        vector(
            "server-update-end-moved",
            everyone(
                3,
                Event::EndMoved {
                    ends_at_ms,
                    left_ms: None,
                },
            ),
        ),
        vector(
            "server-update-end-moved-in-a-pause",
            everyone(
                3,
                Event::EndMoved {
                    ends_at_ms: None,
                    left_ms: Some(900_000),
                },
            ),
        ),
        vector(
            "server-update-session-reopened",
            everyone(
                5,
                Event::SessionReopened {
                    left_ms: Some(900_000),
                },
            ),
        ),
        vector(
            "server-update-solved",
            update(
                Audience::Public,
                4,
                Event::Solved {
                    team: text("t3"),
                    points: 10,
                    score: 10,
                },
            ),
        ),
        vector(
            "server-update-session-resumed",
            everyone(
                3,
                Event::SessionResumed {
                    ends_at_ms,
                    paused_ms: 60_000,
                },
            ),
        ),
        vector(
            "server-update-session-resumed-without-end",
            everyone(
                3,
                Event::SessionResumed {
                    ends_at_ms: None,
                    paused_ms: 60_000,
                },
            ),
        ),
        vector(
            "server-update-session-finished",
            everyone(4, Event::SessionFinished),
        ),
    ]
}

/// A clue for each of the three audiences, and an announcement to everyone.
fn clue_updates() -> Vec<Vector<ServerMessage>> {
    let pushed = |clue| Event::CluePushed { clue, to: None };
    let id = || text("c1");
    vec![
        vector(
            "server-update-clue-pushed",
            update(Audience::Team, 20, pushed(clue())),
        ),
        vector(
            "server-update-clue-pushed-for-good",
            update(Audience::Everyone, 5, pushed(clue_for_good())),
        ),
        vector(
            "server-update-clue-cancelled",
            update(Audience::Player, 4, Event::ClueCancelled { clue: id() }),
        ),
        vector(
            "server-update-clue-expired",
            update(Audience::Team, 21, Event::ClueExpired { clue: id() }),
        ),
        vector(
            "server-update-announced",
            update(
                Audience::Everyone,
                6,
                Event::Announced {
                    announcement: announcement(),
                },
            ),
        ),
    ]
}

fn team_and_player_updates() -> Vec<Vector<ServerMessage>> {
    let judged = |guess: &str, verdict, points| Event::GuessJudged {
        team: None,
        puzzle: text("flags"),
        player: text("p7"),
        guess: Some(text(guess)),
        verdict,
        points,
        score: points,
    };
    vec![
        vector(
            "server-update-player-joined",
            update(
                Audience::Team,
                1,
                Event::PlayerJoined {
                    player: member(),
                    team: None,
                },
            ),
        ),
        vector(
            "server-update-player-renamed",
            update(
                Audience::Team,
                3,
                Event::PlayerRenamed {
                    player: member(),
                    team: None,
                },
            ),
        ),
        vector(
            "server-update-team-renamed",
            update(
                Audience::Team,
                4,
                Event::TeamRenamed {
                    team: None,
                    name: text("Night Owls 🦉"),
                },
            ),
        ),
        vector(
            "server-update-team-code-rotated",
            update(
                Audience::Team,
                5,
                Event::TeamCodeRotated {
                    code: text("K7WP3QXN"),
                },
            ),
        ),
        vector(
            "server-update-device-added",
            update(
                Audience::Player,
                2,
                Event::DeviceAdded { device: text("d4") },
            ),
        ),
        vector(
            "server-update-device-revoked",
            update(
                Audience::Player,
                3,
                Event::DeviceRevoked {
                    device: text("d4"),
                    player: None,
                },
            ),
        ),
        vector(
            "server-update-unlocked",
            update(
                Audience::Team,
                2,
                Event::Unlocked {
                    team: None,
                    rounds: vec![round()],
                    puzzles: vec![puzzle_unlocked()],
                },
            ),
        ),
        vector(
            "server-update-guess-judged-wrong",
            update(Audience::Team, 18, judged("SAIL", Verdict::Wrong, 0)),
        ),
        vector(
            "server-update-guess-judged-correct",
            update(
                Audience::Team,
                19,
                judged("SPINNAKER", Verdict::Correct, 10),
            ),
        ),
    ]
}

fn answers() -> Vec<Vector<ServerMessage>> {
    let rejection = |code, message: &str, retry_at_ms| {
        ServerMessage::Rejection(Rejection {
            id: 42,
            code,
            message: text(message),
            retry_at_ms,
            last_command: None,
        })
    };
    vec![
        vector(
            "server-receipt",
            ServerMessage::Receipt(Receipt {
                id: 41,
                order: OrderKind::Pause,
                verdict: None,
                points: None,
                clue: None,
                announcement: None,
            }),
        ),
        vector(
            "server-receipt-guess",
            ServerMessage::Receipt(Receipt {
                id: 41,
                order: OrderKind::SubmitGuess,
                verdict: Some(Verdict::Correct),
                points: Some(10),
                clue: None,
                announcement: None,
            }),
        ),
        vector(
            "server-rejection",
            rejection(
                RejectionCode::AlreadySolved,
                "your team has already solved this puzzle",
                None,
            ),
        ),
        vector(
            "server-rejection-stale-command",
            ServerMessage::Rejection(Rejection {
                id: 42,
                code: RejectionCode::StaleCommand,
                message: text("the outcome of this command is no longer known"),
                retry_at_ms: None,
                last_command: Some(400),
            }),
        ),
        vector(
            "server-rejection-with-retry",
            rejection(
                RejectionCode::RateLimited,
                "this connection sends too fast; try again later",
                Some(STARTED_AT_MS + 63_500),
            ),
        ),
        vector(
            "server-heads",
            ServerMessage::Heads(HeadsFrame {
                generation: 1,
                heads: heads(),
                server_time_ms: STARTED_AT_MS + 67_000,
                reconnect: reconnect(),
            }),
        ),
        vector(
            "server-goaway",
            ServerMessage::Goaway(GoAway {
                reconnect_in_ms: 1_830,
            }),
        ),
    ]
}
