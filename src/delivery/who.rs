//! Whose connection it is, and which streams it follows.

use hunt::{Audience, DeviceId, GameMasterId, PlayerId, TeamId, UpdateNumber};
use protocol::{Cursor, Heads, Scope, Welcome};

use super::render;
use crate::session::View;

/// Who a connection authenticated as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// A player's device.
    Device(DeviceId),
    /// A game master.
    GameMaster(GameMasterId),
    /// Nobody in particular: a spectator of the public board.
    Spectator,
}

/// Whose connection it is, as the session knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// A player's device.
    Player {
        /// The device.
        device: DeviceId,
        /// Its player.
        player: PlayerId,
        /// The player's team.
        team: TeamId,
    },
    /// A game master.
    GameMaster {
        /// Who.
        game_master: GameMasterId,
        /// Whether they have the scope `view`.
        views: bool,
    },
    /// A spectator.
    Spectator,
}

impl Who {
    /// Finds somebody who may attach; none if the session does not know them or their rights are
    /// taken away.
    pub(super) fn find(view: View<'_>, identity: Identity) -> Option<Self> {
        match identity {
            Identity::Device(device) => {
                let known = view.state.device(device).filter(|known| !known.revoked)?;
                let player = known.player;
                let team = view.state.player(player)?.team;
                Some(Self::Player {
                    device,
                    player,
                    team,
                })
            }
            Identity::GameMaster(game_master) => {
                let known = view.state.game_master(game_master);
                let known = known.filter(|known| !known.revoked)?;
                let views = known.may(hunt::Scope::View);
                Some(Self::GameMaster { game_master, views })
            }
            Identity::Spectator => Some(Self::Spectator),
        }
    }

    /// Who they authenticated as.
    pub(super) fn identity(self) -> Identity {
        match self {
            Self::Player { device, .. } => Identity::Device(device),
            Self::GameMaster { game_master, .. } => Identity::GameMaster(game_master),
            Self::Spectator => Identity::Spectator,
        }
    }

    /// The audiences that the connection belongs to.
    pub(super) fn audiences(self) -> impl Iterator<Item = Audience> {
        let audiences = match self {
            Self::Player { player, team, .. } => [
                Some(Audience::Everyone),
                Some(Audience::Team(team)),
                Some(Audience::Player(player)),
            ],
            Self::GameMaster { views, .. } => [
                Some(Audience::Everyone),
                views.then_some(Audience::GameMasters),
                None,
            ],
            Self::Spectator => [None, None, None],
        };
        audiences.into_iter().flatten()
    }

    /// The audiences, each with its number in a cursor.
    pub(super) fn cursors(self, cursor: &Cursor) -> Vec<(Audience, u64)> {
        let number = |audience| match audience {
            Audience::Everyone => cursor.everyone,
            Audience::Team(_) => cursor.team,
            Audience::Player(_) => cursor.player,
            Audience::GameMasters => cursor.game_masters,
        };
        self.audiences()
            .map(|audience| (audience, number(audience)))
            .collect()
    }

    /// The newest numbers of the audiences.
    pub(super) fn heads(self, view: View<'_>) -> Heads {
        let mut heads = Heads::default();
        for audience in self.audiences() {
            let number = view.state.head(audience);
            advance(&mut heads, UpdateNumber { audience, number });
        }
        heads
    }

    /// Fills in who is welcomed.
    pub(super) fn introduce(self, view: View<'_>, welcome: &mut Welcome) {
        let last_command = match self {
            Self::Player {
                device,
                player,
                team,
            } => {
                welcome.device = Some(device.to_string());
                welcome.player = Some(player.to_string());
                welcome.team = Some(team.to_string());
                let known = view.state.device(device);
                known.and_then(hunt::Device::last_command)
            }
            Self::GameMaster { game_master, .. } => {
                welcome.game_master = Some(game_master.to_string());
                let known = view.state.game_master(game_master);
                let scopes = known.into_iter().flat_map(|known| &known.scopes);
                let scopes: Vec<Scope> = scopes.copied().map(render::scope).collect();
                welcome.scopes = scopes;
                known.and_then(hunt::GameMaster::last_command)
            }
            Self::Spectator => None,
        };
        welcome.last_command = last_command.map_or(0, |id| id.0);
    }
}

/// Moves a stream's newest number forward.
pub(super) fn advance(heads: &mut Heads, stamp: UpdateNumber) {
    let head = match stamp.audience {
        Audience::Everyone => &mut heads.everyone,
        Audience::Team(_) => &mut heads.team,
        Audience::Player(_) => &mut heads.player,
        Audience::GameMasters => &mut heads.game_masters,
    };
    *head = stamp.number;
}
