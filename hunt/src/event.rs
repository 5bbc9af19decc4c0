//! Facts that happened in a session, and who may see them.

use serde::{Deserialize, Serialize};

use crate::ids::{
    CommandId, DeviceId, NameId, PlayerId, PuzzleId, RoundId, TeamCode, TeamId, Timestamp,
};

/// One accepted command or one due timer, with all that it caused. It is appended to the journal
/// as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened; never earlier than the entry before.
    pub at: Timestamp,
    /// What caused it.
    pub origin: Origin,
    /// What happened, in order; never empty.
    pub events: Vec<Event>,
}

/// What caused an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Origin {
    /// A command of a device.
    Device {
        /// The device.
        device: DeviceId,
        /// Its command.
        command: CommandId,
    },
    /// The registration desk.
    Desk,
    /// A game master.
    GameMaster,
    /// A deadline that came.
    Timer,
}

/// A fact that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The session began to take guesses.
    SessionStarted {
        /// When it will finish by itself.
        ends_at: Option<Timestamp>,
    },
    /// The session stopped taking guesses for a while.
    SessionPaused,
    /// The session takes guesses again.
    SessionResumed {
        /// When it will finish by itself.
        ends_at: Option<Timestamp>,
    },
    /// The session is over.
    SessionFinished,
    /// A team was created.
    TeamCreated {
        /// Its id.
        team: TeamId,
        /// The code by which players join it.
        code: TeamCode,
        /// Stands for its name.
        name: NameId,
    },
    /// A player joined a team.
    PlayerJoined {
        /// The team.
        team: TeamId,
        /// The player's id.
        player: PlayerId,
        /// Stands for the player's name.
        name: NameId,
    },
    /// A device of a player was registered.
    DeviceAdded {
        /// The player.
        player: PlayerId,
        /// The device's id.
        device: DeviceId,
    },
    /// A team began to see rounds and puzzles.
    Unlocked {
        /// The team.
        team: TeamId,
        /// The rounds, in the hunt's order.
        rounds: Vec<RoundId>,
        /// The puzzles, in the hunt's order.
        puzzles: Vec<PuzzleId>,
    },
    /// A guess was judged.
    GuessJudged {
        /// The team.
        team: TeamId,
        /// Who made it.
        player: PlayerId,
        /// The puzzle.
        puzzle: PuzzleId,
        /// The guess, normalised.
        guess: String,
        /// The verdict.
        verdict: Verdict,
        /// The points that it gained.
        points: u32,
    },
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

/// Who may see an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Everyone in the session.
    Everyone,
    /// The players of a team.
    Team(TeamId),
    /// One player, on all devices.
    Player(PlayerId),
}

impl Event {
    /// Who sees the event as a numbered update. A new team is nobody's update: it shows on the
    /// scoreboard.
    pub fn audience(&self) -> Option<Audience> {
        match self {
            Self::SessionStarted { .. }
            | Self::SessionPaused
            | Self::SessionResumed { .. }
            | Self::SessionFinished => Some(Audience::Everyone),
            Self::PlayerJoined { team, .. }
            | Self::Unlocked { team, .. }
            | Self::GuessJudged { team, .. } => Some(Audience::Team(*team)),
            Self::DeviceAdded { player, .. } => Some(Audience::Player(*player)),
            Self::TeamCreated { .. } => None,
        }
    }
}
