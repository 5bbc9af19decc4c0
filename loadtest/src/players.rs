//! Players of a generated hunt, and connections from many loopback addresses.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;

use protocol::rest::{CreateHunt, Join};
use testkit::{Rest, RestError};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::Endpoint;
use crate::setup;

const HUNT: &str = "[hunt]\ntitle = \"Load test\"\n\n[round.only]\ntitle = \"Only\"\n\n\
    [puzzle.only]\nround = \"only\"\ntitle = \"Only\"\npoints = 1\nanswer = \"ANSWER\"\n";
/// Puzzle of that hunt.
pub(crate) const PUZZLE: &str = "only";
/// Maximum number of concurrent joins.
const JOINING_AT_ONCE: NonZero<u16> = NonZero::new(64).expect("it is not 0");
/// Size of large teams; the limit is 100.
pub(crate) const LARGE_TEAM: usize = 50;
/// Connections per loopback address: below the server's limit for unauthenticated connections of one
/// address.
const CONNECTIONS_PER_ADDRESS: usize = 200;

/// Joined players and their session.
#[derive(Debug)]
pub(crate) struct Players {
    pub(crate) endpoint: Endpoint,
    pub(crate) tokens: Vec<String>,
}

/// A number of players in teams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(crate) players: usize,
    pub(crate) team_size: usize,
}

impl Players {
    /// Creates and starts a session and joins the players; tokens are in the order of the groups.
    pub(crate) async fn join(
        rest: &Rest,
        admin_token: &str,
        groups: &[Group],
    ) -> Result<Self, RestError> {
        let files = BTreeMap::from([("hunt.toml".to_owned(), HUNT.to_owned())]);
        let session = setup::create_session(rest, admin_token, &CreateHunt { files }).await?;
        setup::start(rest, &session).await?;
        let mut tokens = Vec::new();
        for (number, group) in groups.iter().enumerate() {
            tokens.extend(group.join(rest, &session.session, number).await?);
        }
        Ok(Self {
            endpoint: Endpoint {
                authority: rest.authority().to_owned(),
                session: session.session,
            },
            tokens,
        })
    }
}

impl Group {
    /// Joins one player that creates each team, then the others in turn. Returns their tokens.
    async fn join(
        self,
        rest: &Rest,
        session: &str,
        number: usize,
    ) -> Result<impl Iterator<Item = String>, RestError> {
        let join = |name: String, new_team: Option<String>, team_code: Option<String>| Join {
            new_team,
            team_code,
            name,
        };
        let teams = self.players.div_ceil(self.team_size);
        let founders = (0..teams).map(|team| {
            let name = format!("Team {number}-{team}");
            join(name.clone(), Some(name), None)
        });
        let founders = setup::join_all(rest, session, founders, JOINING_AT_ONCE).await?;
        let codes = founders.iter().map(|founder| &founder.team_code).cycle();
        let others = (teams..self.players).zip(codes).map(|(player, code)| {
            let name = format!("Player {number}-{player}");
            join(name, None, Some(code.clone()))
        });
        let others = setup::join_all(rest, session, others, JOINING_AT_ONCE).await?;
        let members = founders.into_iter().chain(others);
        Ok(members.map(|joined| joined.token))
    }
}

/// Loopback address of a connection by its index.
pub(crate) fn source(index: usize) -> IpAddr {
    let number = index / CONNECTIONS_PER_ADDRESS;
    let byte = |number: usize| u8::try_from(number % 250 + 1).expect("it is at most 250");
    IpAddr::V4(Ipv4Addr::new(127, 1, byte(number / 250), byte(number)))
}

/// Connects to a server of this machine from a loopback address; with a minimal receive buffer if
/// nothing will be read.
pub(crate) async fn connect(
    endpoint: &Endpoint,
    source: IpAddr,
    receive: Receive,
) -> io::Result<TcpStream> {
    let server: SocketAddr = endpoint
        .authority
        .parse()
        .map_err(|_| io::Error::other("the server's URL must contain an IP address and port"))?;
    let socket = TcpSocket::new_v4()?;
    match receive {
        Receive::Everything => {}
        Receive::Nothing => socket.set_recv_buffer_size(1)?,
    }
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(source, 0))?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether a client reads.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Receive {
    Everything,
    Nothing,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{CONNECTIONS_PER_ADDRESS, source};

    #[test]
    fn an_address_has_its_share_of_connections() {
        let addresses: Vec<_> = (0..100_000).map(source).collect();
        let different: HashSet<_> = addresses.iter().collect();
        assert_eq!(different.len(), 100_000 / CONNECTIONS_PER_ADDRESS);
        assert!(addresses.iter().all(std::net::IpAddr::is_loopback));
    }
}
