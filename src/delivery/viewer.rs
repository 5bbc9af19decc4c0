//! The viewer behind a connection, and the streams that the connection follows.

use hunt::{Audience, DeviceId, GameMasterId, InstanceId, PlayerId, Scope, TeamId, UpdateNumber};
use protocol::{Cursor, Heads};

use crate::session::View;

/// The identity that a connection authenticated as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// A player's device.
    Device(DeviceId),
    /// A game master.
    GameMaster(GameMasterId),
    /// An anonymous spectator.
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
    /// A client instance of a game master.
    GameMaster {
        /// The game master's id.
        game_master: GameMasterId,
        /// The client instance.
        instance: InstanceId,
        /// The scopes that read.
        reads: Reads,
    },
    /// A spectator.
    Spectator,
}

/// What a game master's scopes allow to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reads {
    /// The scope `view`.
    pub view: bool,
    /// The scope `hints`.
    pub hints: bool,
    /// The scope `answers`.
    pub answers: bool,
}

impl Viewer {
    /// The viewer with this identity; none if the session does not know it or has revoked it.
    ///
    /// `instance` is that of a game master; without one that the session keeps, it is the newest.
    pub(super) fn find(
        view: View<'_>,
        identity: Identity,
        instance: Option<InstanceId>,
    ) -> Option<Self> {
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
                let instance = instance.filter(|instance| known.has_instance(*instance));
                Some(Self::GameMaster {
                    game_master,
                    instance: instance.or_else(|| known.newest_instance())?,
                    reads: Reads {
                        view: known.may(Scope::View),
                        hints: known.may(Scope::Hints),
                        answers: known.may(Scope::Answers),
                    },
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

    /// The audiences that the viewer belongs to. No two of them show the same event, except `Answers`,
    /// which adds the text of correct guesses.
    pub(super) fn audiences(self) -> impl Iterator<Item = Audience> {
        let audiences = match self {
            Self::Player { player, team, .. } => [
                Some(Audience::Everyone),
                Some(Audience::Team(team)),
                Some(Audience::Player(player)),
            ],
            Self::GameMaster { reads, .. } if reads.view => [
                Some(Audience::View),
                reads.answers.then_some(Audience::Answers),
                None,
            ],
            Self::GameMaster { reads, .. } => [
                Some(Audience::Public),
                reads.hints.then_some(Audience::Hints),
                reads.answers.then_some(Audience::Answers),
            ],
            Self::Spectator => [Some(Audience::Public), None, None],
        };
        audiences.into_iter().flatten()
    }

    /// The viewer's audiences, each with its number in a cursor.
    pub(super) fn cursors(self, cursor: &Cursor) -> Vec<(Audience, u64)> {
        let number = |audience| match audience {
            Audience::Everyone => cursor.everyone,
            Audience::Team(_) => cursor.team,
            Audience::Player(_) => cursor.player,
            Audience::Public => cursor.public,
            Audience::View => cursor.view,
            Audience::Hints => cursor.hints,
            Audience::Answers => cursor.answers,
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
            advance(&mut heads, UpdateNumber { audience, number });
        }
        heads
    }
}

/// Sets the newest number of the stamp's audience.
pub(super) fn advance(heads: &mut Heads, stamp: UpdateNumber) {
    let head = match stamp.audience {
        Audience::Everyone => &mut heads.everyone,
        Audience::Team(_) => &mut heads.team,
        Audience::Player(_) => &mut heads.player,
        Audience::Public => &mut heads.public,
        Audience::View => &mut heads.view,
        Audience::Hints => &mut heads.hints,
        Audience::Answers => &mut heads.answers,
    };
    *head = stamp.number;
}

/// The newest number of an audience.
pub(super) fn head(heads: Heads, audience: Audience) -> u64 {
    match audience {
        Audience::Everyone => heads.everyone,
        Audience::Team(_) => heads.team,
        Audience::Player(_) => heads.player,
        Audience::Public => heads.public,
        Audience::View => heads.view,
        Audience::Hints => heads.hints,
        Audience::Answers => heads.answers,
    }
}
