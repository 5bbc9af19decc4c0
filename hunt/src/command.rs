//! What can be asked of a session.

use crate::ids::{CommandId, DeviceId, NameId, PuzzleId, TeamCode};

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
    /// From a game master.
    GameMaster(GameMasterOrder),
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
}

/// What a game master may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GameMasterOrder {
    /// Opens the session to guesses.
    Start,
    /// Stops guesses and the session's time.
    Pause,
    /// Goes on after a pause.
    Resume,
    /// Ends the session for good.
    Finish,
}
