//! The clients of a run: all players join first, then connect on a thread of the harness.

use std::num::NonZero;
use std::sync::Arc;

use protocol::rest::{Joined, SessionCreated};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use testkit::{Rest, RestError};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::follower::{Follower, FollowerResult, Identity};
use super::light_socket::Route;
use super::plan::ClientIndex;
use super::pusher::Addresses;
use super::script::Kind;
use super::shared::{Shared, Stage};
use crate::arguments::FanoutArguments;
use crate::client::Endpoint;
use crate::setup::{self, Teams};

/// Connections per loopback address. Cut connections keep their ports for a minute.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 2_000;

/// A session with all players joined and none connected.
pub(super) struct Crowd {
    pub(super) session: SessionCreated,
    pub(super) endpoint: Endpoint,
    pub(super) teams: u32,
    joined: Vec<Joined>,
    kinds: Vec<Kind>,
}

/// Numbers of stalled and slow clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ImpairedReaders {
    pub(super) stalled: usize,
    pub(super) slow: usize,
}

impl ImpairedReaders {
    /// Numbers by the fractions in the arguments.
    pub(super) fn from_arguments(arguments: &FanoutArguments) -> Self {
        let part = |share: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of a u32 is from 0 to a u32"
            )]
            let part = (f64::from(arguments.connections) * share).round() as usize;
            part
        };
        Self {
            stalled: part(arguments.stalled),
            slow: part(arguments.slow),
        }
    }

    /// Assigns a kind to each client, shuffled.
    fn deal(self, clients: usize, random: &mut StdRng) -> Vec<Kind> {
        let impaired = [(Kind::Stalls, self.stalled), (Kind::Slow, self.slow)];
        let impaired = impaired
            .into_iter()
            .flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
        let all = impaired.chain(std::iter::repeat(Kind::Normal));
        let mut kinds: Vec<Kind> = all.take(clients).collect();
        kinds.shuffle(random);
        kinds
    }
}

impl Crowd {
    /// Creates and starts a session, and joins all players.
    pub(super) async fn join(
        rest: &Rest,
        admin_token: &str,
        arguments: &FanoutArguments,
    ) -> Result<Self, RestError> {
        let session = setup::create_session(rest, admin_token, &setup::idle_hunt()).await?;
        setup::start(rest, &session).await?;
        let teams = Teams {
            players: arguments.connections,
            team_size: arguments.team_size,
            concurrency: NonZero::new(arguments.concurrency).unwrap_or(NonZero::<u16>::MIN),
        };
        let joined = teams.join(rest, &session).await?;
        let mut random = StdRng::seed_from_u64(arguments.seed);
        Ok(Self {
            endpoint: Endpoint {
                authority: rest.authority().to_owned(),
                session: session.session.clone(),
            },
            teams: teams.count(),
            session,
            kinds: ImpairedReaders::from_arguments(arguments).deal(joined.len(), &mut random),
            joined,
        })
    }

    /// The recipients of clues.
    pub(super) fn addresses(&self) -> Addresses {
        let founders = self.joined.iter().take(self.teams as usize);
        Addresses {
            teams: founders.map(|founder| founder.team.clone()).collect(),
            players: self
                .joined
                .iter()
                .map(|joined| joined.player.clone())
                .collect(),
        }
    }

    /// Starts all clients on one thread, so that the server can use the other cores.
    pub(super) fn follow(
        &self,
        shared: &Arc<Shared>,
        arguments: &FanoutArguments,
        stages: &watch::Receiver<Stage>,
    ) -> JoinSet<std::io::Result<Vec<FollowerResult>>> {
        let mut seeds = StdRng::seed_from_u64(arguments.seed);
        let clients = (0_u32..).zip(self.joined.iter().zip(&self.kinds));
        let followers: Vec<Follower> = clients
            .map(|(player, (joined, kind))| {
                let group = player as usize / CONNECTIONS_PER_ADDRESS_MAX;
                let route = Route {
                    endpoint: self.endpoint.clone(),
                    codec: arguments.codec.into(),
                    source: setup::loopback_source(&self.endpoint.authority, group),
                    is_narrow: *kind != Kind::Normal,
                };
                let team = player % self.teams;
                let identity = Identity {
                    client: ClientIndex { player, team },
                    kind: *kind,
                    token: joined.token.clone(),
                    seed: seeds.random(),
                };
                Follower::new(shared.clone(), route, identity)
            })
            .collect();
        let stages = stages.clone();
        let mut threads = JoinSet::new();
        threads.spawn_blocking(move || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(async move {
                let following = followers.into_iter();
                let following = following.map(|follower| follower.follow(stages.clone()));
                following
                    .collect::<JoinSet<FollowerResult>>()
                    .join_all()
                    .await
            }))
        });
        threads
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{ImpairedReaders, Kind};

    #[test]
    fn every_kind_has_its_share() {
        let impaired = ImpairedReaders {
            stalled: 10,
            slow: 50,
        };
        let kinds = impaired.deal(1_000, &mut StdRng::seed_from_u64(1));
        let count = |wanted| kinds.iter().filter(|kind| **kind == wanted).count();
        assert_eq!(
            [Kind::Stalls, Kind::Slow, Kind::Normal].map(count),
            [10, 50, 940]
        );
        assert!(kinds[..100].contains(&Kind::Normal));
    }
}
