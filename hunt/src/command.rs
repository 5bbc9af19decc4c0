//! Commands: requests to change a session.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::event::{Scope, Target};
use crate::ids::{
    ClueId, CommandId, DeviceId, DurationMs, Fingerprint, GameMasterId, InstanceId, NameId,
    NumberedCommand, PlayerId, PuzzleId, TeamId, Timestamp,
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
    /// From the registration over REST: joining, and managing players and their devices.
    Registration(RegistrationOrder),
    /// From a game master or an admin.
    GameMaster {
        /// The issuer.
        by: Issuer,
        /// The idempotency key: the client instance, and the id that it chose. Orders over REST have none.
        key: Option<(InstanceId, CommandId)>,
        /// Why, in the issuer's words: a reference into the erasable table, like a name.
        reason: Option<NameId>,
        /// What to do.
        order: GameMasterOrder,
    },
    /// Opens a new client instance of a game master, the next in number.
    OpenInstance(GameMasterId),
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
    /// An order of an admin.
    pub fn admin(order: GameMasterOrder) -> Self {
        Self::order(Issuer::Admin, order)
    }

    /// An order without an idempotency key and without a reason.
    pub fn order(by: Issuer, order: GameMasterOrder) -> Self {
        Self::GameMaster {
            by,
            key: None,
            reason: None,
            order,
        }
    }

    /// The id and content of a command that is applied at most once.
    pub(crate) fn numbered(&self) -> Option<NumberedCommand> {
        match self {
            Self::Player { id, order, .. } => Some(NumberedCommand {
                id: *id,
                fingerprint: Fingerprint::of_order(order),
            }),
            Self::GameMaster {
                by: Issuer::GameMaster(_),
                key: Some((_, id)),
                order,
                ..
            } => Some(NumberedCommand {
                id: *id,
                fingerprint: Fingerprint::of_order(order),
            }),
            Self::Registration(_) | Self::GameMaster { .. } | Self::OpenInstance(_) => None,
        }
    }
}

impl Fingerprint {
    /// The first 64 bits of the SHA-256 of the order in MessagePack with field names.
    fn of_order(order: &impl Serialize) -> Self {
        let bytes =
            rmp_serde::to_vec_named(order).expect("an order holds only numbers, text and lists");
        let digest = Sha256::digest(bytes);
        let (first, _) = digest.split_first_chunk().expect("the digest has 32 bytes");
        Self(u64::from_be_bytes(*first))
    }
}

/// An order of a player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
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
        /// Reference to the team's name.
        team_name: NameId,
        /// Reference to the player's name.
        player_name: NameId,
    },
    /// Adds a player with a first device to a team. The requester knows the team's code.
    JoinTeam {
        /// The team.
        team: TeamId,
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
        /// The player's team.
        team: TeamId,
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
    /// Revokes a device. A player may revoke their own devices, a captain those of the team.
    RevokeDevice {
        /// The requesting device.
        by: DeviceId,
        /// The device to revoke.
        device: DeviceId,
    },
    /// Renames the requester's team. Only its captain may.
    RenameTeam {
        /// The requesting device.
        by: DeviceId,
        /// Reference to the new name.
        name: NameId,
    },
    /// Renames a player: a player oneself, a captain any of the team.
    RenamePlayer {
        /// The requesting device.
        by: DeviceId,
        /// The player to rename.
        player: PlayerId,
        /// Reference to the new name.
        name: NameId,
    },
    /// Replaces the code of the requester's team. Only its captain may.
    RotateTeamCode {
        /// The requesting device.
        by: DeviceId,
    },
}

impl RegistrationOrder {
    /// The device that sent the order; `None` if the requester has none yet.
    pub fn device(&self) -> Option<DeviceId> {
        match self {
            Self::CreateTeam { .. } | Self::JoinTeam { .. } | Self::RestorePlayer { .. } => None,
            Self::AddDevice { by }
            | Self::UseLink { by, .. }
            | Self::RevokeDevice { by, .. }
            | Self::RenameTeam { by, .. }
            | Self::RenamePlayer { by, .. }
            | Self::RotateTeamCode { by } => Some(*by),
        }
    }
}

/// When a session is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NewEnd {
    /// At a time. In a pause, the time left is the time until then.
    At(Timestamp),
    /// After this much more session time.
    Left(DurationMs),
    /// Not by itself.
    Never,
}

/// An order of a game master. Each requires a [`scope`](Self::scope).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum GameMasterOrder {
    /// Starts the session; guesses are accepted from then on.
    Start,
    /// Pauses the session: stops guesses and the session's timer.
    Pause,
    /// Resumes the session after a pause.
    Resume,
    /// Finishes the session.
    Finish {
        /// Whether the issuer has confirmed it; without that, it is rejected.
        confirmed: bool,
    },
    /// Undoes a finish, within [`REOPEN_WITHIN_MS`](crate::limits::REOPEN_WITHIN_MS): the session is
    /// paused again, with the time that was left. A session that never started stays finished.
    Reopen,
    /// Sets the time at which the session starts by itself.
    ScheduleStart {
        /// The time.
        at: Timestamp,
    },
    /// Cancels the scheduled start.
    CancelStart,
    /// Moves the end of a session that is running or paused.
    MoveEnd {
        /// The new end.
        to: NewEnd,
    },
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
    /// Renames a team.
    RenameTeam {
        /// The team.
        team: TeamId,
        /// Reference to the new name.
        name: NameId,
    },
    /// Renames a player.
    RenamePlayer {
        /// The player.
        player: PlayerId,
        /// Reference to the new name.
        name: NameId,
    },
    /// Replaces the code of a team.
    RotateTeamCode {
        /// The team.
        team: TeamId,
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
            | Self::Finish { .. }
            | Self::Reopen
            | Self::ScheduleStart { .. }
            | Self::CancelStart
            | Self::MoveEnd { .. }
            | Self::RenameTeam { .. }
            | Self::RenamePlayer { .. }
            | Self::RotateTeamCode { .. }
            | Self::Announce { .. }
            | Self::RestorePlayer { .. }
            | Self::RevokeDevice { .. }
            | Self::InviteGameMaster { .. }
            | Self::RevokeGameMaster { .. } => Scope::Run,
        }
    }
}
