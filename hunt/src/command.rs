//! Commands: requests to change a session.

use std::collections::BTreeSet;

use crate::event::{Scope, Target};
use crate::ids::{
    ClueId, CommandId, DeviceId, DurationMs, GameMasterId, NameId, PlayerId, PuzzleId, TeamCode,
};

/// A request to change a session, by the kind of requester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// From a player's device. Idempotent: applied at most once for each device and id.
    Player {
        /// The device that sent it.
        device: DeviceId,
        /// The command's id, chosen by the device.
        id: CommandId,
        /// What to do.
        order: PlayerOrder,
    },
    /// From the registration over REST: joining, and managing players' devices.
    Registration(RegistrationOrder),
    /// From a game master or an admin.
    GameMaster {
        /// The issuer.
        by: Issuer,
        /// The command's id, chosen by the game master. With an id, the command is idempotent.
        id: Option<CommandId>,
        /// What to do.
        order: GameMasterOrder,
    },
}

/// The issuer of a game-master order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    /// The owner of the server, who has every scope.
    Admin,
    /// A game master of the session.
    GameMaster(GameMasterId),
}

impl Command {
    /// An order of an admin, without an id.
    pub fn admin(order: GameMasterOrder) -> Self {
        Self::GameMaster {
            by: Issuer::Admin,
            id: None,
            order,
        }
    }
}

/// An order of a player.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayerOrder {
    /// Submits a guess for a puzzle of the own team.
    SubmitGuess {
        /// The puzzle.
        puzzle: PuzzleId,
        /// The guess as typed.
        guess: String,
    },
}

/// An order of the registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationOrder {
    /// Creates a team with its first player and that player's first device.
    CreateTeam {
        /// The team's code, chosen at random.
        code: TeamCode,
        /// Reference to the team's name.
        team_name: NameId,
        /// Reference to the player's name.
        player_name: NameId,
    },
    /// Adds a player with a first device to the team with this code.
    JoinTeam {
        /// The team's code.
        code: TeamCode,
        /// Reference to the player's name.
        player_name: NameId,
    },
    /// Adds a device for the player of another device.
    AddDevice {
        /// The requesting device.
        by: DeviceId,
    },
    /// Adds a device for a player who lost one. The requester must know the team code.
    RestorePlayer {
        /// The code of the player's team.
        code: TeamCode,
        /// The player.
        player: PlayerId,
    },
    /// Adds a device for the player whose device created a one-time link. Revoking that device also
    /// invalidates its links, so that a thief cannot keep access through a link created on a stolen phone.
    UseLink {
        /// The device that created the link.
        by: DeviceId,
        /// The link's random number.
        link: u64,
    },
    /// Revokes a device: a player one of their own, a captain any of the team.
    RevokeDevice {
        /// The requesting device.
        by: DeviceId,
        /// The device to revoke.
        device: DeviceId,
    },
}

/// An order of a game master. Each requires a [`scope`](Self::scope).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GameMasterOrder {
    /// Starts the session; guesses are accepted from then on.
    Start,
    /// Pauses the session: stops guesses and the session's timer.
    Pause,
    /// Resumes the session after a pause.
    Resume,
    /// Finishes the session permanently.
    Finish,
    /// Pushes a clue.
    PushClue {
        /// The recipients.
        to: Target,
        /// The text.
        text: String,
        /// How long the clue stays live, within
        /// [`CLUE_LASTS_MS_MIN`](crate::limits::CLUE_LASTS_MS_MIN) and
        /// [`CLUE_LASTS_MS_MAX`](crate::limits::CLUE_LASTS_MS_MAX); without it, until it is cancelled.
        lasts: Option<DurationMs>,
    },
    /// Cancels a live clue.
    CancelClue {
        /// The clue.
        clue: ClueId,
    },
    /// Makes an announcement to everyone.
    Announce {
        /// The text.
        text: String,
    },
    /// Adds a device for a player who lost one.
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
        /// Reference to the name.
        name: NameId,
        /// The granted scopes: a subset of the issuer's.
        scopes: BTreeSet<Scope>,
    },
    /// Revokes a game master. The issuer must have every scope of the revoked one.
    RevokeGameMaster {
        /// The game master.
        game_master: GameMasterId,
    },
}

impl GameMasterOrder {
    /// The scope that the order requires.
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
