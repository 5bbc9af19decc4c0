//! Facts that happened in a session, and who may see them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{
    AnnouncementId, ClueId, CommandId, DeviceId, GameMasterId, NameId, PlayerId, PuzzleId, RoundId,
    TeamCode, TeamId, Timestamp,
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
    /// A game master, or an admin if there is none.
    GameMaster {
        /// Who.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        game_master: Option<GameMasterId>,
        /// The game master's command.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<CommandId>,
    },
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
    /// A one-use link was used.
    LinkUsed {
        /// The player who made it.
        player: PlayerId,
        /// Its number.
        link: u64,
    },
    /// A device lost its rights.
    DeviceRevoked {
        /// Whose.
        player: PlayerId,
        /// The device.
        device: DeviceId,
    },
    /// A game master was added.
    GameMasterInvited {
        /// The id.
        game_master: GameMasterId,
        /// Stands for the name.
        name: NameId,
        /// What the game master may do.
        scopes: BTreeSet<Scope>,
    },
    /// A game master lost all rights.
    GameMasterRevoked {
        /// Whose.
        game_master: GameMasterId,
    },
    /// A clue was pushed.
    CluePushed {
        /// Its id.
        clue: ClueId,
        /// To whom.
        to: Target,
        /// What it says.
        text: String,
        /// When it stops being live.
        expires_at: Option<Timestamp>,
    },
    /// A clue was taken back.
    ClueCancelled {
        /// The clue.
        clue: ClueId,
        /// To whom it had been pushed.
        to: Target,
    },
    /// A clue's time was over.
    ClueExpired {
        /// The clue.
        clue: ClueId,
        /// To whom it had been pushed.
        to: Target,
    },
    /// Everyone was told something.
    Announced {
        /// Its id.
        announcement: AnnouncementId,
        /// What.
        text: String,
    },
}

/// To whom a clue is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Target {
    /// To everyone.
    Everyone,
    /// To a team.
    Team {
        /// The team.
        team: TeamId,
    },
    /// To a player.
    Player {
        /// The player.
        player: PlayerId,
    },
}

/// What a game master may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    /// The game masters who may view.
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
    /// Who sees the event as a numbered update, in this order: those whom it concerns, and the game
    /// masters. A new team concerns nobody else: it shows on the scoreboard.
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
