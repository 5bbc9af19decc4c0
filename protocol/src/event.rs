//! Numbered updates and the events that they carry.

use serde::{Deserialize, Serialize};

use crate::state::{
    Announcement, Clue, GameMaster, Member, Puzzle, Round, Target, TeamSummary, Verdict,
};

/// An event, numbered without gaps within its audience.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The audience to whose stream it belongs.
    pub audience: Audience,
    /// Its sequence number in that stream, starting at 1.
    pub number: u64,
    /// When the event happened.
    pub at_ms: u64,
    /// The event.
    pub event: Event,
}

/// Who may see an update, from the point of view of the receiving client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Every player of the session.
    Everyone,
    /// The device's team.
    Team,
    /// The device's player.
    Player,
    /// Spectators.
    Public,
    /// Game masters with the scope `view`.
    View,
    /// Game masters with the scope `hints`.
    Hints,
    /// Game masters with the scope `answers`: correct guesses with their text.
    Answers,
}

/// An event of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The session will start by itself.
    StartScheduled {
        /// When.
        starts_at_ms: u64,
    },
    /// The session will not start by itself any more.
    StartCancelled,
    /// The session started; guesses are accepted.
    SessionStarted {
        /// When the session finishes automatically.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_at_ms: Option<u64>,
    },
    /// The session was paused; guesses are not accepted, and the session's time stands still. The session
    /// has no `ends_at_ms` until it is resumed.
    SessionPaused {
        /// The session time left, if the session has an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left_ms: Option<u64>,
    },
    /// The session was resumed.
    SessionResumed {
        /// When the session finishes automatically.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_at_ms: Option<u64>,
        /// The length of the pause. The `expires_at_ms` of every live clue moves by it.
        paused_ms: u64,
    },
    /// The end was moved.
    EndMoved {
        /// When the session finishes automatically; not in a pause.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ends_at_ms: Option<u64>,
        /// In a pause: the session time left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left_ms: Option<u64>,
    },
    /// A finish was undone; the session is paused.
    SessionReopened {
        /// The session time left, if the session has an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left_ms: Option<u64>,
    },
    /// The session has finished.
    SessionFinished,
    /// A player joined the team.
    PlayerJoined {
        /// The player.
        player: Member,
        /// The team; only sent to game masters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
    },
    /// A player has a new name.
    PlayerRenamed {
        /// The player.
        player: Member,
        /// The team; only sent to game masters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
    },
    /// A team has a new name.
    TeamRenamed {
        /// The team; not sent to its own players.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
        /// The name.
        name: String,
    },
    /// The team has a new code; the old one is void.
    TeamCodeRotated {
        /// The new code.
        code: String,
    },
    /// The player logged in on another device.
    DeviceAdded {
        /// The device's id.
        device: String,
    },
    /// Rounds and puzzles became visible to the team; with the audience `everyone`, to every team.
    Unlocked {
        /// The team; only sent to game masters, and not if it is every team.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
        /// The new rounds, in the hunt's order.
        rounds: Vec<Round>,
        /// The new puzzles, in the hunt's order.
        puzzles: Vec<Puzzle>,
    },
    /// A guess of the team was judged: compared with the answers.
    GuessJudged {
        /// The team; only sent to game masters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        team: Option<String>,
        /// The puzzle's id.
        puzzle: String,
        /// The player who made the guess.
        player: String,
        /// The guess as typed. Correct guesses are sent without it to game masters, except in `answers`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guess: Option<String>,
        /// The verdict.
        verdict: Verdict,
        /// The points gained.
        points: u32,
        /// The team's new score.
        score: u32,
    },
    /// A team solved a puzzle; only sent to spectators.
    Solved {
        /// The team.
        team: String,
        /// The points gained.
        points: u32,
        /// The team's new score.
        score: u32,
    },
    /// A device of the player was revoked.
    DeviceRevoked {
        /// The device's id.
        device: String,
        /// The player; only sent to game masters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        player: Option<String>,
    },
    /// A game master pushed a clue.
    CluePushed {
        /// The clue.
        clue: Clue,
        /// The recipients; only sent to game masters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Target>,
    },
    /// A clue was cancelled.
    ClueCancelled {
        /// The clue's id.
        clue: String,
    },
    /// A clue expired.
    ClueExpired {
        /// The clue's id.
        clue: String,
    },
    /// A game master made an announcement.
    Announced {
        /// The announcement.
        announcement: Announcement,
    },
    /// A team was created; only sent to game masters and spectators.
    TeamCreated {
        /// The team.
        team: TeamSummary,
    },
    /// A game master was added; only sent to game masters.
    GameMasterInvited {
        /// The game master.
        game_master: GameMaster,
    },
    /// A game master's access was revoked; only sent to game masters.
    GameMasterRevoked {
        /// The game master's id.
        game_master: String,
    },
    /// An event of a later version. It advances the cursor and is otherwise ignored.
    #[serde(other)]
    Unknown,
}
