//! Events of a session, and their audiences.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{
    AnnouncementId, ClueId, CommandId, DeviceId, GameMasterId, NameId, PlayerId, PuzzleId, RoundId,
    TeamCode, TeamId, Timestamp,
};

/// All events of one accepted command or deadline. The journal stores an entry atomically.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened; never earlier than the previous entry.
    pub at: Timestamp,
    /// The cause.
    pub origin: Origin,
    /// The events, in order; never empty.
    pub events: Vec<Event>,
}

/// The cause of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Origin {
    /// A command of a device.
    Device {
        /// The device.
        device: DeviceId,
        /// The command's id.
        command: CommandId,
    },
    /// A registration order.
    Desk,
    /// An order of a game master, or of an admin if `game_master` is `None`.
    GameMaster {
        /// The game master.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        game_master: Option<GameMasterId>,
        /// The id of the game master's command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<CommandId>,
    },
    /// A deadline.
    Timer,
}

/// Something that happened in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The session started; guesses are accepted.
    SessionStarted {
        /// When the session finishes automatically.
        ends_at: Option<Timestamp>,
    },
    /// The session was paused; guesses are not accepted and the session's timer is stopped.
    SessionPaused,
    /// The session was resumed.
    SessionResumed {
        /// When the session finishes automatically.
        ends_at: Option<Timestamp>,
    },
    /// The session has finished.
    SessionFinished,
    /// A team was created.
    TeamCreated {
        /// Its id.
        team: TeamId,
        /// The code with which players join it.
        code: TeamCode,
        /// Reference to its name.
        name: NameId,
    },
    /// A player joined a team.
    PlayerJoined {
        /// The team.
        team: TeamId,
        /// The player's id.
        player: PlayerId,
        /// Reference to the player's name.
        name: NameId,
    },
    /// A device of a player was registered.
    DeviceAdded {
        /// The player.
        player: PlayerId,
        /// The device's id.
        device: DeviceId,
    },
    /// Rounds and puzzles became visible to a team.
    Unlocked {
        /// The team.
        team: TeamId,
        /// The rounds, in the hunt's order.
        rounds: Vec<RoundId>,
        /// The puzzles, in the hunt's order.
        puzzles: Vec<PuzzleId>,
    },
    /// A guess was judged: compared with the answers.
    GuessJudged {
        /// The team.
        team: TeamId,
        /// The player who made it.
        player: PlayerId,
        /// The puzzle.
        puzzle: PuzzleId,
        /// The guess as typed.
        guess: String,
        /// The version of the rules that compared it, [`NORMALISER_VERSION`](crate::text::NORMALISER_VERSION).
        normaliser: u32,
        /// The verdict.
        verdict: Verdict,
        /// The points gained.
        points: u32,
    },
    /// A one-time link was used.
    LinkUsed {
        /// The player who created it.
        player: PlayerId,
        /// The link's number.
        link: u64,
    },
    /// A device was revoked.
    DeviceRevoked {
        /// The player who owns it.
        player: PlayerId,
        /// The device.
        device: DeviceId,
    },
    /// A game master was added.
    GameMasterInvited {
        /// The id.
        game_master: GameMasterId,
        /// Reference to the name.
        name: NameId,
        /// The granted scopes.
        scopes: BTreeSet<Scope>,
    },
    /// A game master was revoked.
    GameMasterRevoked {
        /// The game master.
        game_master: GameMasterId,
    },
    /// A clue was pushed.
    CluePushed {
        /// Its id.
        clue: ClueId,
        /// The recipients.
        to: Target,
        /// The text.
        text: String,
        /// When the clue expires.
        expires_at: Option<Timestamp>,
    },
    /// A clue was cancelled.
    ClueCancelled {
        /// The clue.
        clue: ClueId,
        /// The recipients of the clue.
        to: Target,
    },
    /// A clue expired.
    ClueExpired {
        /// The clue.
        clue: ClueId,
        /// The recipients of the clue.
        to: Target,
    },
    /// A game master made an announcement.
    Announced {
        /// Its id.
        announcement: AnnouncementId,
        /// The text.
        text: String,
    },
}

/// The recipients of a clue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Target {
    /// Everyone in the session.
    Everyone,
    /// The players of a team.
    Team {
        /// The team.
        team: TeamId,
    },
    /// One player.
    Player {
        /// The player.
        player: PlayerId,
    },
}

/// A permission of a game master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See every team, its guesses and its score.
    View,
    /// Push and cancel clues.
    Hints,
    /// Start, pause, resume and finish; announce; manage players, devices and game masters.
    Run,
    /// Export the journal, which contains the correct answers that teams submitted.
    Answers,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::View, Self::Hints, Self::Run, Self::Answers];
}

/// The verdict on a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It solves the puzzle.
    Correct,
    /// It does not solve the puzzle.
    Wrong,
}

/// Who may see an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Everyone in the session.
    Everyone,
    /// The players of a team.
    Team(TeamId),
    /// One player, on all devices.
    Player(PlayerId),
    /// The game masters with the scope `view`.
    GameMasters,
}

impl From<Target> for Audience {
    fn from(target: Target) -> Self {
        match target {
            Target::Everyone => Self::Everyone,
            Target::Team { team } => Self::Team(team),
            Target::Player { player } => Self::Player(player),
        }
    }
}

impl Event {
    /// The audiences that receive the event as a numbered update, at most two: the affected players, then
    /// the game masters. Other players learn of a new team from the scoreboard only.
    pub fn audiences(&self) -> impl Iterator<Item = Audience> + use<> {
        let masters = Some(Audience::GameMasters);
        let audiences = match self {
            Self::SessionStarted { .. }
            | Self::SessionPaused
            | Self::SessionResumed { .. }
            | Self::SessionFinished
            | Self::Announced { .. } => [Some(Audience::Everyone), masters],
            Self::PlayerJoined { team, .. } | Self::GuessJudged { team, .. } => {
                [Some(Audience::Team(*team)), masters]
            }
            Self::Unlocked { team, .. } => [Some(Audience::Team(*team)), None],
            Self::DeviceAdded { player, .. } => [Some(Audience::Player(*player)), None],
            Self::DeviceRevoked { player, .. } => [Some(Audience::Player(*player)), masters],
            Self::CluePushed { to, .. }
            | Self::ClueCancelled { to, .. }
            | Self::ClueExpired { to, .. } => [Some((*to).into()), masters],
            Self::TeamCreated { .. }
            | Self::GameMasterInvited { .. }
            | Self::GameMasterRevoked { .. } => [None, masters],
            Self::LinkUsed { .. } => [None, None],
        };
        audiences.into_iter().flatten()
    }
}
