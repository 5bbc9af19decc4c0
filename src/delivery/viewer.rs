//! The viewer behind a connection, and the streams that the connection follows.

use hunt::{Audience, DeviceId, GameMasterId, PlayerId, Scope, Stamp, TeamId};
use protocol::{Cursor, Heads};

use crate::session::View;

/// The identity that a connection authenticated as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// A player's device.
    Device(DeviceId),
    /// A game master.
    GameMaster(GameMasterId),
    /// An anonymous spectator of the public board.
    Spectator,
}

/// An identity as the session knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
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
        /// The game master's id.
        game_master: GameMasterId,
        /// Whether the game master has the scope `view`.
        may_view: bool,
    },
    /// A spectator.
    Spectator,
}

impl Viewer {
    /// The viewer with this identity; none if the session does not know it or has revoked it.
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
                let may_view = known.may(Scope::View);
                Some(Self::GameMaster {
                    game_master,
                    may_view,
                })
            }
            Identity::Spectator => Some(Self::Spectator),
        }
    }

    pub(super) fn identity(self) -> Identity {
        match self {
            Self::Player { device, .. } => Identity::Device(device),
            Self::GameMaster { game_master, .. } => Identity::GameMaster(game_master),
            Self::Spectator => Identity::Spectator,
        }
    }

    /// The audiences that the viewer belongs to.
    pub(super) fn audiences(self) -> impl Iterator<Item = Audience> {
        let audiences = match self {
            Self::Player { player, team, .. } => [
                Some(Audience::Everyone),
                Some(Audience::Team(team)),
                Some(Audience::Player(player)),
            ],
            Self::GameMaster { may_view, .. } => [
                Some(Audience::Everyone),
                may_view.then_some(Audience::GameMasters),
                None,
            ],
            Self::Spectator => [None, None, None],
        };
        audiences.into_iter().flatten()
    }

    /// The viewer's audiences, each with its number in a cursor.
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

    /// The newest number of each of the viewer's audiences; 0 for the others.
    pub(super) fn heads(self, view: View<'_>) -> Heads {
        let mut heads = Heads::default();
        for audience in self.audiences() {
            let number = view.state.head(audience);
            advance(&mut heads, Stamp { audience, number });
        }
        heads
    }
}

/// Sets the newest number of the stamp's audience.
pub(super) fn advance(heads: &mut Heads, stamp: Stamp) {
    let head = match stamp.audience {
        Audience::Everyone => &mut heads.everyone,
        Audience::Team(_) => &mut heads.team,
        Audience::Player(_) => &mut heads.player,
        Audience::GameMasters => &mut heads.game_masters,
    };
    *head = stamp.number;
}

/// The newest number of an audience.
pub(super) fn head(heads: Heads, audience: Audience) -> u64 {
    match audience {
        Audience::Everyone => heads.everyone,
        Audience::Team(_) => heads.team,
        Audience::Player(_) => heads.player,
        Audience::GameMasters => heads.game_masters,
    }
}
