//! The messages of the WebSocket, client to server and server to client.
//!
//! Every message is a map with a `type`. Identifiers of teams (`t3`), players (`p7`) and devices
//! (`d3`) are opaque strings. Times ending in `_at_ms` are milliseconds of Unix time by the
//! server's clock; those ending in `_in_ms` are durations from the moment of reading.
//!
//! It is longer than a file should be because it is one list of types without logic, in the order of
//! the spec, to be read beside it from top to bottom.

use serde::{Deserialize, Deserializer, Serialize};

use crate::latest::{Attendance, Board, Presence, Standing, Watch};

/// What a client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// The first message of every connection.
    Hello(Hello),
    /// Asks for something to happen; answered by a receipt or a rejection with the same id.
    Command(Command),
    /// Asks for what the cursor has not seen; answered by a `welcome` as after a `hello`.
    Resync(Resync),
    /// The first message of a spectator's connection, in place of a `hello`.
    Watch(Watch),
}

/// Proves who connects, and says what it has seen already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The device's token, as `POST /api/v1/join` gave it.
    pub token: String,
    /// The last numbers seen; without it the answer is a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

/// Asks for what came after a cursor, on an open connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resync {
    /// The last numbers seen; without it the answer is a snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

/// The last number seen of each audience, and the generation that they belong to. Players have the
/// first three audiences, game masters `everyone` and `game_masters`; the others stay 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The stream's generation, from the last `welcome` or `heads`. Another one than the
    /// server's forces a snapshot.
    #[serde(default)]
    pub generation: u32,
    /// The last number of the updates to everyone.
    #[serde(default)]
    pub everyone: u64,
    /// The last number of the updates to the team.
    #[serde(default)]
    pub team: u64,
    /// The last number of the updates to the player.
    #[serde(default)]
    pub player: u64,
    /// The last number of the updates to game masters.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub game_masters: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A command with the id by which it is applied at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Rises by at least one with each new command of a device; the same id again is the same
    /// command again.
    pub id: u64,
    /// What to do.
    #[serde(rename = "do")]
    pub order: Order,
}

/// What may be asked for: guesses by players, everything else by game masters with the scope that
/// stands with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// Submits a guess for a puzzle of the own team.
    SubmitGuess {
        /// The puzzle's id.
        puzzle: String,
        /// As typed, at most [`GUESS_CHARS_MAX`](crate::limits::GUESS_CHARS_MAX) characters.
        guess: String,
    },
    /// Pushes a clue (scope `hints`).
    PushClue {
        /// To whom.
        #[serde(deserialize_with = "StrictTarget::deserialize")]
        to: Target,
        /// What it says, at most [`TEXT_CHARS_MAX`](crate::limits::TEXT_CHARS_MAX) characters.
        text: String,
        /// After how long it stops being live; never, if it is missing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasts_ms: Option<u64>,
    },
    /// Takes a live clue back (scope `hints`).
    CancelClue {
        /// The clue's id.
        clue: String,
    },
    /// Tells everyone something (scope `run`).
    Announce {
        /// What, at most [`TEXT_CHARS_MAX`](crate::limits::TEXT_CHARS_MAX) characters.
        text: String,
    },
    /// Opens the session to guesses (scope `run`).
    #[serde(deserialize_with = "no_fields")]
    Start,
    /// Stops guesses and the session's time (scope `run`).
    #[serde(deserialize_with = "no_fields")]
    Pause,
    /// Goes on after a pause (scope `run`).
    #[serde(deserialize_with = "no_fields")]
    Resume,
    /// Ends the session for good (scope `run`).
    #[serde(deserialize_with = "no_fields")]
    Finish,
}

/// Refuses unknown fields beside the tag: serde's `deny_unknown_fields` passes over variants without
/// fields.
fn no_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoFields {}

    NoFields::deserialize(deserializer).map(|NoFields {}| ())
}

/// To whom a clue is pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Target {
    /// To everyone.
    Everyone,
    /// To a team.
    Team {
        /// The team's id.
        team: String,
    },
    /// To a player.
    Player {
        /// The player's id.
        player: String,
    },
}

/// A [`Target`] in what clients send, where unknown fields are refused.
#[derive(Deserialize)]
#[serde(
    remote = "Target",
    tag = "type",
    rename_all = "snake_case",
    deny_unknown_fields
)]
pub(crate) enum StrictTarget {
    #[serde(deserialize_with = "no_fields")]
    Everyone,
    Team {
        team: String,
    },
    Player {
        player: String,
    },
}

/// What a game master may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See what happens: every team, its guesses and its score.
    View,
    /// Push clues and take them back.
    Hints,
    /// Start, pause and finish; announce; look after players, devices and game masters.
    Run,
    /// Export the journal, which holds the answers that were found.
    Answers,
}

/// What a server sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Answers `hello`, `resync` and `watch`; a `snapshot` or the missed updates follow.
    Welcome(Welcome),
    /// The whole state that a player's device may see.
    Snapshot(Box<Snapshot>),
    /// The whole state that a game master sees.
    Overview(Box<Overview>),
    /// A numbered update.
    Update(Update),
    /// A command was accepted and is durable.
    Receipt(Receipt),
    /// A command was refused and changed nothing.
    Rejection(Rejection),
    /// The newest numbers, so that a lost last update is noticed.
    Heads(HeadsFrame),
    /// The server is about to close the connection.
    Goaway(GoAway),
    /// The public board; unnumbered, as all that follow.
    Board(Box<Board>),
    /// Where the own team stands.
    Standing(Standing),
    /// Who of the own team is connected.
    Presence(Presence),
    /// How many are connected, for game masters.
    Attendance(Attendance),
    /// A message of a later version, to be ignored.
    #[serde(other)]
    Unknown,
}

/// How the stream goes on after a `welcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// The missed updates follow, each once and in order.
    Replay,
    /// A `snapshot` follows and replaces everything known before.
    Snapshot,
    /// Nothing numbered follows: a spectator's connection has the board only.
    Board,
}

/// Answers a `hello`, a `resync` or a `watch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// For a player: the device that the token belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// For a player: the device's player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player: Option<String>,
    /// For a player: the player's team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// For a game master: who the token belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub game_master: Option<String>,
    /// For a game master: what the token allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<Scope>,
    /// Whether updates or a snapshot (for game masters: an overview) follow, or neither.
    pub resume: Resume,
    /// The stream's generation; see [`Cursor::generation`].
    pub generation: u32,
    /// The newest numbers at the moment of attaching: what follows reaches at least to them.
    pub heads: Heads,
    /// The server's clock.
    pub server_time_ms: u64,
    /// The highest id of an accepted command of this device or game master, 0 if there is none.
    pub last_command: u64,
    /// What to do if this connection dies silently.
    pub reconnect: Reconnect,
}

/// Standing advice for the case that a connection ends without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconnect {
    /// Connect again after a random delay of at least this,
    pub min_in_ms: u64,
    /// and of at most this; double both after each failure, up to 10 s.
    pub max_in_ms: u64,
}

/// The newest number of each audience, as in a [`Cursor`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Heads {
    /// Of the updates to everyone.
    pub everyone: u64,
    /// Of the updates to the team.
    pub team: u64,
    /// Of the updates to the player.
    pub player: u64,
    /// Of the updates to game masters.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub game_masters: u64,
}

/// Shows a lost last update and repeats the advice on reconnecting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadsFrame {
    /// The stream's generation.
    pub generation: u32,
    /// The newest numbers; everything up to them was sent before this frame.
    pub heads: Heads,
    /// The server's clock.
    pub server_time_ms: u64,
    /// What to do if this connection dies silently.
    pub reconnect: Reconnect,
}

/// Who may see an update, as seen from the device that receives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everyone in the session.
    Everyone,
    /// The device's team.
    Team,
    /// The device's player.
    Player,
    /// The game masters with the scope `view`.
    GameMasters,
}

/// Something that happened, numbered without holes within its audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Whose stream it belongs to.
    pub audience: Audience,
    /// Its place in that stream, from 1 on.
    pub number: u64,
    /// When it happened.
    pub at_ms: u64,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The session runs: guesses are taken.
    SessionStarted {
        /// When it will finish by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_at_ms: Option<u64>,
    },
    /// The session is paused: no guesses are taken and its time stands still.
    SessionPaused,
    /// The session runs again.
    SessionResumed {
        /// When it will finish by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_at_ms: Option<u64>,
    },
    /// The session is over.
    SessionFinished,
    /// Somebody joined the team.
    PlayerJoined {
        /// Who.
        player: Member,
        /// Which team; only told to game masters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
    },
    /// The player logged in on a further device.
    DeviceAdded {
        /// The device's id.
        device: String,
    },
    /// Rounds and puzzles became visible to the team.
    Unlocked {
        /// The new rounds, in the hunt's order.
        rounds: Vec<Round>,
        /// The new puzzles, in the hunt's order.
        puzzles: Vec<Puzzle>,
    },
    /// A guess of the team was judged.
    GuessJudged {
        /// Which team; only told to game masters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
        /// The puzzle's id.
        puzzle: String,
        /// Who made the guess.
        player: String,
        /// The guess, normalised.
        guess: String,
        /// The verdict.
        verdict: Verdict,
        /// The points that it gained.
        points: u32,
        /// The team's score after it.
        score: u32,
    },
    /// A device of the player was revoked.
    DeviceRevoked {
        /// The device's id.
        device: String,
        /// Whose; only told to game masters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        player: Option<String>,
    },
    /// A game master pushed a clue.
    CluePushed {
        /// The clue.
        clue: Clue,
        /// To whom; only told to game masters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Target>,
    },
    /// A clue was taken back.
    ClueCancelled {
        /// The clue's id.
        clue: String,
    },
    /// A clue's time was over.
    ClueExpired {
        /// The clue's id.
        clue: String,
    },
    /// Everyone was told something.
    Announced {
        /// What.
        announcement: Announcement,
    },
    /// A team was created; only told to game masters.
    TeamCreated {
        /// The team.
        team: TeamSummary,
    },
    /// A game master was added; only told to game masters.
    GameMasterInvited {
        /// Who.
        game_master: GameMaster,
    },
    /// A game master lost all rights; only told to game masters.
    GameMasterRevoked {
        /// Whose.
        game_master: String,
    },
    /// An event of a later version: it advances the cursor and is otherwise ignored.
    #[serde(other)]
    Unknown,
}

/// The verdict on a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It solves the puzzle.
    Correct,
    /// It does not.
    Wrong,
}

/// A command was accepted. Everything that it changed is durable, and the updates that it caused
/// to the device's audiences were sent before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The command's id.
    pub id: u64,
    /// For a guess: the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// For a guess: the points that it gained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
    /// For a clue: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clue: Option<String>,
    /// For an announcement: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announcement: Option<String>,
}

/// A command was refused and changed nothing; sent again, it is judged anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// The command's id.
    pub id: u64,
    /// The stable reason.
    pub code: RejectionCode,
    /// The reason for people, in English, saying what to do.
    pub message: String,
    /// When trying again may succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at_ms: Option<u64>,
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RejectionCode {
    /// The session has not started.
    NotStarted,
    /// The session is paused.
    Paused,
    /// The session is over.
    Finished,
    /// The order does not fit the session's phase, for example starting it twice.
    WrongPhase,
    /// The team cannot see a puzzle with this id.
    UnknownPuzzle,
    /// The team has solved the puzzle already.
    AlreadySolved,
    /// The team has made this guess already.
    AlreadyGuessed,
    /// Nothing is left of the guess once spaces and punctuation are taken away.
    EmptyGuess,
    /// The guess is longer than [`GUESS_CHARS_MAX`](crate::limits::GUESS_CHARS_MAX).
    GuessTooLong,
    /// The team has used up its guesses on this puzzle.
    TooManyGuesses,
    /// No team has this team code.
    UnknownTeam,
    /// The session, the team, or the list that it goes to is full.
    Full,
    /// The player has as many devices as a player may have.
    TooManyDevices,
    /// No such player.
    UnknownPlayer,
    /// The device is not known to the session.
    UnknownDevice,
    /// The access of whoever asks was revoked.
    Revoked,
    /// What is to be revoked was revoked before.
    AlreadyRevoked,
    /// The role or its scopes do not allow it.
    Forbidden,
    /// The one-use link was used already.
    LinkUsed,
    /// No such game master.
    UnknownGameMaster,
    /// No live clue has this id.
    UnknownClue,
    /// The text is empty or longer than [`TEXT_CHARS_MAX`](crate::limits::TEXT_CHARS_MAX).
    BadText,
    /// The duration is not within [`CLUE_LASTS_MS_MIN`](crate::limits::CLUE_LASTS_MS_MIN) and
    /// [`CLUE_LASTS_MS_MAX`](crate::limits::CLUE_LASTS_MS_MAX).
    BadDuration,
    /// The id is older than the receipts that are kept: its outcome is no longer known.
    StaleCommand,
    /// The connection sends faster than its limit.
    RateLimited,
    /// The server cannot take the command now.
    Unavailable,
    /// The server failed on this very command and will not try it again.
    Refused,
    /// A code of a later version.
    #[serde(other)]
    Unknown,
}

/// The server is about to close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoAway {
    /// Connect again after this delay, which differs from client to client.
    pub reconnect_in_ms: u64,
}

/// The phase of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Teams gather; nothing is visible yet.
    Lobby,
    /// Guesses are taken.
    Running,
    /// No guesses are taken; the session's time stands still.
    Paused,
    /// It is over.
    Finished,
}

/// Everything that a device may see, as of `heads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The numbers up to which it includes every update.
    pub heads: Heads,
    /// The hunt's title.
    pub title: String,
    /// The session's phase.
    pub phase: Phase,
    /// When the session will finish by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// The device's team.
    pub team: Team,
    /// The rounds that the team can see, in the hunt's order.
    pub rounds: Vec<Round>,
    /// The puzzles that the team can see, in the hunt's order.
    pub puzzles: Vec<Puzzle>,
    /// The live clues of the device's audiences, in the order of being pushed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clues: Vec<Clue>,
    /// The announcements, oldest first; at most the last 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub announcements: Vec<Announcement>,
}

/// Everything that a game master sees, as of `heads`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// The numbers up to which it includes every update.
    pub heads: Heads,
    /// The hunt's title.
    pub title: String,
    /// The session's phase.
    pub phase: Phase,
    /// When the session will finish by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at_ms: Option<u64>,
    /// Every team, in the order of being created.
    pub teams: Vec<TeamSummary>,
    /// Every live clue with its target, in the order of being pushed.
    pub clues: Vec<TargetedClue>,
    /// The announcements, oldest first; at most the last 100.
    pub announcements: Vec<Announcement>,
    /// The game masters, in the order of being invited.
    pub game_masters: Vec<GameMaster>,
}

/// A team as game masters see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TeamSummary {
    /// The team's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its score.
    pub score: u32,
    /// How many puzzles it has solved.
    pub solves: u32,
    /// How many players it has.
    pub players: u32,
}

/// Something that a game master pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clue {
    /// The clue's id.
    pub id: String,
    /// What it says.
    pub text: String,
    /// When it was pushed.
    pub pushed_at_ms: u64,
    /// When it stops being live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
}

/// A clue with its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetedClue {
    /// The clue.
    pub clue: Clue,
    /// To whom it was pushed.
    pub to: Target,
}

/// Something that everyone was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The announcement's id.
    pub id: String,
    /// What.
    pub text: String,
    /// When.
    pub at_ms: u64,
}

/// Somebody who runs the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GameMaster {
    /// The game master's id.
    pub id: String,
    /// The name.
    pub name: String,
    /// What the game master may do.
    pub scopes: Vec<Scope>,
    /// Whether all rights are taken away.
    pub revoked: bool,
}

/// A team as its members see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// The team's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The code by which further players join it.
    pub code: String,
    /// Its score.
    pub score: u32,
    /// Its players.
    pub players: Vec<Member>,
}

/// A player, as the other members of the team see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The player's id.
    pub id: String,
    /// The player's name.
    pub name: String,
}

/// A round that a team can see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The round's id.
    pub id: String,
    /// Its title.
    pub title: String,
}

/// A puzzle that a team can see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Puzzle {
    /// The puzzle's id.
    pub id: String,
    /// The round that it belongs to.
    pub round: String,
    /// Its title.
    pub title: String,
    /// Its text, in Markdown.
    pub body: String,
    /// The points that solving it gains.
    pub points: u32,
    /// When it was unlocked.
    pub unlocked_at_ms: u64,
    /// When the team solved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solved_at_ms: Option<u64>,
    /// The team's guesses, oldest first; at most the last 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guesses: Vec<Guess>,
}

/// A guess that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_field_names,
    reason = "the field is called so on the wire"
)]
pub struct Guess {
    /// Who made it.
    pub player: String,
    /// The guess, normalised.
    pub guess: String,
    /// The verdict.
    pub verdict: Verdict,
}
