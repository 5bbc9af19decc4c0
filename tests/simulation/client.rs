//! A simulated player's device: sends commands, loses its connection, resumes, and checks its stream.

use std::collections::BTreeMap;

use cluecast::delivery::{
    Attach, Identity, Outbox, OutboxReader, Outgoing, Peer, PendingOutbox, outbox,
};
use cluecast::session::{Mail, NumberedCommand, SessionHandle};
use futures_util::FutureExt;
use hunt::{CommandId, PlayerOrder, Receipt};
use protocol::{
    Audience, Board, Codec, Cursor, Event, Presence, Resume, ServerMessage, Snapshot, Standing,
    Update, Verdict,
};

use crate::model::{Model, TeamModel};
use crate::oracle::{Sent, Watched};
use crate::world::{DEVICES_A_TEAM, delivery_config};

/// Ids of the players of a device's team. Each player has one device, and teams are created in turn.
pub fn team_mates(device: u32) -> impl Iterator<Item = String> {
    let first = (device - 1) / DEVICES_A_TEAM * DEVICES_A_TEAM + 1;
    (first..first + DEVICES_A_TEAM).map(|player| format!("p{player}"))
}

/// A device and what it has received.
pub struct Client {
    pub device: u32,
    /// Index of the node that it is or was connected to.
    pub node: usize,
    connection: Option<Connection>,
    cursor: Option<Cursor>,
    view: TeamModel,
    clues: BTreeMap<String, String>,
    next_id: u64,
    /// Whether it has stopped reading.
    pub sleeps: bool,
    /// A command without an outcome; sent again after a reconnect.
    pub outstanding: Option<Sent>,
    /// Every receipt: command id and verdict.
    acknowledged: Vec<(u64, Verdict)>,
}

struct Connection {
    outbox: Outbox,
    frames: OutboxReader,
    /// The cursor is withheld until the announced snapshot has arrived.
    awaits_snapshot: bool,
    /// The latest values received on this connection.
    latest: Latest,
}

/// Latest values: those that carry no number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latest {
    pub board: Option<Board>,
    pub standing: Option<Standing>,
    pub presence: Option<Presence>,
}

impl Client {
    pub fn new(device: u32) -> Self {
        Self {
            device,
            node: 0,
            connection: None,
            cursor: None,
            view: TeamModel::default(),
            clues: BTreeMap::new(),
            next_id: 1,
            sleeps: false,
            outstanding: None,
            acknowledged: Vec::new(),
        }
    }

    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    pub fn view(&self) -> &TeamModel {
        &self.view
    }

    /// Text of the live clues that it has received, by id.
    pub fn clues(&self) -> &BTreeMap<String, String> {
        &self.clues
    }

    /// The latest values; none without a connection.
    pub fn latest(&self) -> Option<&Latest> {
        self.connection
            .as_ref()
            .map(|connection| &connection.latest)
    }

    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Loses the connection and everything in flight on it.
    pub fn cut(&mut self) {
        self.connection = None;
    }

    /// Connects and, as the protocol requires, repeats the command without an outcome.
    pub fn connect(&mut self, session: &SessionHandle<Watched>, forgets: bool) -> Option<Sent> {
        if forgets {
            self.cursor = None;
        }
        let (outbox, frames) = outbox(&delivery_config(), Codec::MessagePack);
        let attach = Mail::Attach(Attach {
            identity: Identity::Device(self.device.into()),
            cursor: self.cursor,
            outbox: PendingOutbox::new(outbox.clone()),
            codec: Codec::MessagePack,
        });
        if session.send(attach).is_err() {
            return None;
        }
        self.connection = Some(Connection {
            outbox,
            frames,
            awaits_snapshot: false,
            latest: Latest::default(),
        });
        let again = self.outstanding.clone()?;
        self.submit(session, &again.puzzle, &again.guess, again.id)
    }

    /// Sends a new guess.
    pub fn guess(
        &mut self,
        session: &SessionHandle<Watched>,
        puzzle: &str,
        guess: &str,
    ) -> Option<Sent> {
        let id = self.next_id;
        self.next_id += 1;
        self.submit(session, puzzle, guess, id)
    }

    /// Repeats an old command, whether or not its outcome has arrived.
    pub fn repeat(&mut self, session: &SessionHandle<Watched>, sent: &Sent) -> Option<Sent> {
        self.submit(session, &sent.puzzle, &sent.guess, sent.id)
    }

    fn submit(
        &mut self,
        session: &SessionHandle<Watched>,
        puzzle: &str,
        guess: &str,
        id: u64,
    ) -> Option<Sent> {
        let connection = self.connection.as_ref()?;
        let sent = Sent {
            device: self.device,
            id,
            puzzle: puzzle.to_owned(),
            guess: guess.to_owned(),
            outbox: connection.outbox.clone(),
        };
        let order = PlayerOrder::SubmitGuess {
            puzzle: puzzle.into(),
            guess: guess.to_owned(),
        };
        let command = Mail::Command {
            command: NumberedCommand::Player(self.device.into(), CommandId(id), order),
            peer: Peer {
                outbox: connection.outbox.clone(),
                codec: Codec::MessagePack,
            },
        };
        if self.outstanding.is_none() {
            self.outstanding = Some(sent.clone());
        }
        if session.send(command).is_err() {
            // A gateway would report it as unavailable; this client reconnects instead.
            self.cut();
        }
        Some(sent)
    }

    /// Receives and checks everything that has arrived, unless it has stopped reading.
    pub fn drain(&mut self) {
        if self.sleeps {
            return;
        }
        while let Some(connection) = &mut self.connection {
            match connection.frames.next().now_or_never() {
                None => break,
                Some(Outgoing::Close(_)) => self.cut(),
                Some(Outgoing::Frames(frames)) => {
                    for frame in frames {
                        let message = Codec::MessagePack.decode(&frame);
                        self.receive(message.expect("the server sends valid messages"));
                    }
                }
            }
        }
    }

    /// Checks that every acknowledged guess is committed, with the same verdict.
    pub fn check_acknowledged(&self, model: &Model) {
        for (id, verdict) in &self.acknowledged {
            let kept = model.accepted.get(&(self.device, *id));
            let verdict = match verdict {
                Verdict::Correct => hunt::Verdict::Correct,
                Verdict::Wrong => hunt::Verdict::Wrong,
            };
            let is_same =
                matches!(kept, Some(Receipt::Guess { verdict: kept, .. }) if *kept == verdict);
            let device = self.device;
            assert!(
                is_same,
                "device {device} received {verdict:?} for {id}: {kept:?}"
            );
        }
    }

    fn receive(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Welcome(welcome) => {
                let connection = self
                    .connection
                    .as_mut()
                    .expect("frames arrive on a connection");
                connection.awaits_snapshot = welcome.resume == Resume::Snapshot;
                connection.latest = Latest::default();
                if welcome.resume == Resume::Replay {
                    assert!(self.cursor.is_some(), "a replay answers a cursor");
                } else {
                    self.cursor = None;
                }
            }
            ServerMessage::Snapshot(snapshot) => self.receive_snapshot(&snapshot),
            ServerMessage::Update(update) => self.receive_update(update),
            ServerMessage::Receipt(receipt) => {
                let verdict = receipt.verdict.expect("only guesses are sent");
                self.clear_outstanding(receipt.id);
                self.acknowledged.push((receipt.id, verdict));
            }
            ServerMessage::Rejection(rejection) => self.clear_outstanding(rejection.id),
            ServerMessage::Heads(heads) => {
                let cursor = self.cursor.expect("heads follow a welcome");
                let seen = (cursor.everyone, cursor.team, cursor.player);
                let heads = (heads.heads.everyone, heads.heads.team, heads.heads.player);
                assert_eq!(seen, heads, "device {}: an update is missing", self.device);
            }
            ServerMessage::Board(_) | ServerMessage::Standing(_) | ServerMessage::Presence(_) => {
                self.receive_latest(message);
            }
            ServerMessage::Goaway(_)
            | ServerMessage::Overview(_)
            | ServerMessage::Attendance(_)
            | ServerMessage::Unknown => {
                panic!("not sent here")
            }
        }
    }

    fn receive_latest(&mut self, message: ServerMessage) {
        let device = self.device;
        let connection = self.connection.as_mut();
        let connection = connection.expect("frames arrive on a connection");
        assert!(!connection.awaits_snapshot, "it follows the snapshot");
        let latest = &mut connection.latest;
        match message {
            ServerMessage::Board(board) => {
                let followed = Board::follow(&mut latest.board, *board);
                followed.unwrap_or_else(|error| panic!("device {device}: {error}"));
            }
            ServerMessage::Standing(standing) => latest.standing = Some(standing),
            ServerMessage::Presence(presence) => {
                for player in &presence.players {
                    assert!(
                        team_mates(device).any(|mate| mate == player.player),
                        "device {device} receives the presence of {player:?}"
                    );
                }
                latest.presence = Some(presence);
            }
            other => panic!("{other:?} carries a number"),
        }
    }

    fn clear_outstanding(&mut self, id: u64) {
        if self.outstanding.as_ref().is_some_and(|sent| sent.id == id) {
            self.outstanding = None;
        }
    }

    fn receive_snapshot(&mut self, snapshot: &Snapshot) {
        let connection = self
            .connection
            .as_mut()
            .expect("frames arrive on a connection");
        assert!(connection.awaits_snapshot, "a snapshot is announced");
        connection.awaits_snapshot = false;
        self.cursor = Some(Cursor {
            generation: 1,
            everyone: snapshot.heads.everyone,
            team: snapshot.heads.team,
            player: snapshot.heads.player,
            game_masters: 0,
        });
        self.view = TeamModel {
            score: snapshot.team.score,
            members: snapshot.team.players.len(),
            ..TeamModel::default()
        };
        let clues = snapshot.clues.iter();
        self.clues = clues
            .map(|clue| (clue.id.clone(), clue.text.clone()))
            .collect();
        for puzzle in &snapshot.puzzles {
            self.view.open.insert(puzzle.id.clone());
            if puzzle.solved_at_ms.is_some() {
                self.view.solved.insert(puzzle.id.clone());
            }
            for made in &puzzle.guesses {
                let right = made.verdict == Verdict::Correct;
                let guesses = self.view.guesses.entry(puzzle.id.clone()).or_default();
                guesses.push((made.guess.clone(), right));
            }
        }
    }

    fn receive_update(&mut self, update: Update) {
        let device = self.device;
        let cursor = self.cursor.as_mut().expect("updates follow a welcome");
        let last = match update.audience {
            Audience::Everyone => &mut cursor.everyone,
            Audience::Team => &mut cursor.team,
            Audience::Player => &mut cursor.player,
            Audience::GameMasters => panic!("a player receives an update for game masters"),
        };
        assert_eq!(update.number, *last + 1, "device {device}: {update:?}");
        *last = update.number;
        match update.event {
            Event::Unlocked { puzzles, .. } => {
                self.view
                    .open
                    .extend(puzzles.into_iter().map(|puzzle| puzzle.id));
            }
            Event::GuessJudged {
                puzzle,
                guess,
                verdict,
                score,
                ..
            } => {
                let right = verdict == Verdict::Correct;
                let guesses = self.view.guesses.entry(puzzle.clone()).or_default();
                guesses.push((guess, right));
                self.view.score = score;
                if right {
                    self.view.solved.insert(puzzle);
                }
            }
            Event::PlayerJoined { .. } => self.view.members += 1,
            Event::SessionStarted { .. }
            | Event::SessionPaused
            | Event::SessionResumed { .. }
            | Event::SessionFinished
            | Event::DeviceAdded { .. }
            | Event::DeviceRevoked { .. }
            | Event::Announced { .. } => {}
            Event::CluePushed { clue, to } => {
                assert_eq!(to, None, "only game masters receive it");
                let before = self.clues.insert(clue.id, clue.text);
                assert_eq!(before, None, "a clue is pushed once");
            }
            Event::ClueCancelled { clue } | Event::ClueExpired { clue } => {
                let known = self.clues.remove(&clue);
                assert!(known.is_some(), "only a known clue ends");
            }
            Event::TeamCreated { .. }
            | Event::GameMasterInvited { .. }
            | Event::GameMasterRevoked { .. } => panic!("only game masters receive it"),
            Event::Unknown => panic!("the server sends known events"),
        }
    }
}
