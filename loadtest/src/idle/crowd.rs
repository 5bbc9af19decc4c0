//! Everybody who is going to sit: joined first, then seated wave by wave.

use std::net::IpAddr;
use std::num::NonZero;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use testkit::{Rest, RestError};
use tokio::time::Instant;

use super::idle_client::{IdleClient, IdleClientError};
use crate::arguments::IdleArguments;
use crate::client::{Connection, Endpoint, OpenError};
use crate::setup::{self, Teams};

/// Connections from one loopback address to one port; the system has some 28,000 ports for them.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 15_000;

/// Everybody who is going to connect.
pub(super) struct Crowd {
    endpoint: Endpoint,
    tokens: Vec<String>,
    concurrency: NonZero<u16>,
}

/// Everybody connected.
pub(super) struct ConnectedClients {
    pub(super) clients: Vec<IdleClient>,
    pub(super) connecting: Duration,
    pub(super) greeting: Duration,
}

impl Crowd {
    /// Joins everybody: first a player who founds each team, then the others by its code.
    pub(super) async fn join(
        rest: &Rest,
        admin_token: &str,
        arguments: &IdleArguments,
    ) -> Result<Self, RestError> {
        let concurrency = NonZero::new(arguments.concurrency).unwrap_or(NonZero::<u16>::MIN);
        let session = setup::create_session(rest, admin_token, &setup::idle_hunt()).await?;
        setup::start(rest, &session).await?;
        let teams = Teams {
            players: arguments.connections,
            team_size: arguments.team_size,
            concurrency,
        };
        let joined = teams.join(rest, &session).await?;
        Ok(Self {
            endpoint: Endpoint {
                authority: rest.authority().to_owned(),
                session: session.session,
            },
            tokens: joined.into_iter().map(|joined| joined.token).collect(),
            concurrency,
        })
    }

    /// Connects everybody, wave by wave: all of a wave connect, then all of them say hello, so that
    /// the two can be told apart.
    pub(super) async fn connect(&self) -> Result<ConnectedClients, IdleClientError> {
        let mut connected = ConnectedClients {
            clients: Vec::with_capacity(self.tokens.len()),
            connecting: Duration::ZERO,
            greeting: Duration::ZERO,
        };
        let wave = usize::from(self.concurrency.get());
        for tokens in self.tokens.chunks(wave) {
            let began_at = Instant::now();
            let first = connected.clients.len();
            let opening = (first..first + tokens.len()).map(|index| self.open(index));
            let connections: Vec<Connection> =
                stream::iter(opening).buffered(wave).try_collect().await?;
            let open_at = Instant::now();
            let greeting = connections.into_iter().zip(tokens);
            let greeting = greeting
                .map(|(connection, token)| Box::pin(IdleClient::attach(connection, token.clone())));
            let clients: Vec<IdleClient> =
                stream::iter(greeting).buffered(wave).try_collect().await?;
            connected.clients.extend(clients);
            connected.connecting += open_at - began_at;
            connected.greeting += open_at.elapsed();
        }
        Ok(connected)
    }

    async fn open(&self, index: usize) -> Result<Connection, OpenError> {
        match self.source(index) {
            Some(source) => Connection::open_from(&self.endpoint, source).await,
            None => Connection::open(&self.endpoint).await,
        }
    }

    /// The local address of a connection: the usual one, unless there are too many of them.
    fn source(&self, index: usize) -> Option<IpAddr> {
        if self.tokens.len() <= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        setup::loopback_source(
            &self.endpoint.authority,
            index / CONNECTIONS_PER_ADDRESS_MAX,
        )
    }
}
