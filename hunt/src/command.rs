//! What can be asked of a session.

use std::collections::BTreeSet;

use crate::event::{Scope, Target};
use crate::ids::{
    ClueId, CommandId, DeviceId, DurationMs, GameMasterId, NameId, PlayerId, PuzzleId, TeamCode,
};

/// A request to change a session, by who may make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// From a player's device. Applied at most once for each device and id.
    Player {
        /// The device that it came from.
        device: DeviceId,
        /// The device's number for it.
        id: CommandId,
        /// What to do.
        order: PlayerOrder,
    },
    /// From the registration desk, on behalf of somebody who joins.
    Desk(DeskOrder),
    /// From a game master, or from an admin, who may do the same.
    GameMaster {
        /// Who.
        by: By,
        /// The game master's number for it; with one, it is applied at most once.
        id: Option<CommandId>,
        /// What to do.
        order: GameMasterOrder,
    },
}

/// Who runs a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Somebody who owns the server; has every scope.
    Admin,
    /// A game master of the session.
    GameMaster(GameMasterId),
}

impl Command {
    /// An order of an admin, without a number.
    pub fn admin(order: GameMasterOrder) -> Self {
        Self::GameMaster {
            by: By::Admin,
            id: None,
            order,
        }
    }
}

/// What a player may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayerOrder {
    /// Submits a guess for a puzzle of the own team.
    SubmitGuess {
        /// The puzzle.
        puzzle: PuzzleId,
        /// The guess as it was typed.
        guess: String,
    },
}

/// What the registration desk may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeskOrder {
    /// Creates a team with its first player and that player's first device.
    CreateTeam {
        /// The team's code, drawn at random.
        code: TeamCode,
        /// Stands for the team's name.
        team_name: NameId,
        /// Stands for the player's name.
        player_name: NameId,
    },
    /// Adds a player with a first device to the team that has the code.
    JoinTeam {
        /// The team's code.
        code: TeamCode,
        /// Stands for the player's name.
        player_name: NameId,
    },
    /// Adds a device for the player of another device.
    AddDevice {
        /// The device that asks.
        by: DeviceId,
    },
    /// Adds a device for a player whose phone is gone, to somebody who knows the team's code.
    RestorePlayer {
        /// The code of the player's team.
        code: TeamCode,
        /// The player.
        player: PlayerId,
    },
    /// Adds a device for the player of the device that made a one-use link. A link lives no longer
    /// than that device: whoever finds a lost phone could otherwise keep a way in.
    UseLink {
        /// The device that made it.
        by: DeviceId,
        /// The link's number, drawn at random.
        link: u64,
    },
    /// Revokes a device: one's own, or as captain one of the team.
    RevokeDevice {
        /// The device that asks.
        by: DeviceId,
        /// The device to revoke.
        device: DeviceId,
    },
}

/// What a game master may ask for, given the scope that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GameMasterOrder {
    /// Opens the session to guesses.
    Start,
    /// Stops guesses and the session's time.
    Pause,
    /// Goes on after a pause.
    Resume,
    /// Ends the session for good.
    Finish,
    /// Pushes a clue.
    PushClue {
        /// To whom.
        to: Target,
        /// What it says.
        text: String,
        /// After how long it stops being live, within
        /// [`CLUE_LASTS_MS_MIN`](crate::limits::CLUE_LASTS_MS_MIN) and
        /// [`CLUE_LASTS_MS_MAX`](crate::limits::CLUE_LASTS_MS_MAX); never, if there is none.
        lasts: Option<DurationMs>,
    },
    /// Takes a live clue back.
    CancelClue {
        /// The clue.
        clue: ClueId,
    },
    /// Tells everyone something.
    Announce {
        /// What.
        text: String,
    },
    /// Adds a device for a player whose phone is gone.
    RestorePlayer {
        /// The player.
        player: PlayerId,
    },
    /// Revokes a device.
    RevokeDevice {
        /// The device.
        device: DeviceId,
    },
    /// Adds a game master.
    InviteGameMaster {
        /// Stands for the name.
        name: NameId,
        /// What the new one may do; not more than who invites.
        scopes: BTreeSet<Scope>,
    },
    /// Takes a game master's rights away: those who have no more than who revokes.
    RevokeGameMaster {
        /// Whose.
        game_master: GameMasterId,
    },
}

impl GameMasterOrder {
    /// The scope that the order takes.
    pub fn scope(&self) -> Scope {
        match self {
            Self::PushClue { .. } | Self::CancelClue { .. } => Scope::Hints,
            Self::Start
            | Self::Pause
            | Self::Resume
            | Self::Finish
            | Self::Announce { .. }
            | Self::RestorePlayer { .. }
            | Self::RevokeDevice { .. }
            | Self::InviteGameMaster { .. }
            | Self::RevokeGameMaster { .. } => Scope::Run,
        }
    }
}
