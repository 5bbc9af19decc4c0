//! Setup of hunts, sessions and players over REST.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::rest::{
    CreateHunt, CreateSession, HuntCreated, Join, Joined, SessionCreated, SessionState,
};
use testkit::{Rest, RestError};

/// Timeout of a REST request.
pub(crate) const REST_WAIT_MAX: Duration = Duration::from_mins(1);

/// A minimal hunt for tests in which players do not solve puzzles.
const IDLE_HUNT: &str = "[hunt]\ntitle = \"Waiting\"\n\n[round.only]\ntitle = \"Only\"\n\n\
    [puzzle.only]\nround = \"only\"\ntitle = \"Only\"\npoints = 1\nanswer = \"ANSWER\"\n";

/// Numbers of players and teams to join.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Teams {
    pub(crate) players: u32,
    /// Players per team; the last teams may have fewer.
    pub(crate) team_size: u32,
    pub(crate) concurrency: NonZero<u16>,
}

impl Teams {
    /// Number of teams.
    pub(crate) fn count(self) -> u32 {
        self.players.div_ceil(self.team_size)
    }

    /// Joins all players: first one that creates each team, then the others with its code, round-robin
    /// over the teams. The player with index `n` belongs to the team `n % count`.
    pub(crate) async fn join(
        self,
        rest: &Rest,
        session: &SessionCreated,
    ) -> Result<Vec<Joined>, RestError> {
        let joining = |number: u32| Join {
            new_team: None,
            team_code: None,
            name: format!("Player {number}"),
        };
        let founders = (0..self.count()).map(|team| Join {
            new_team: Some(format!("Team {team}")),
            ..joining(team)
        });
        let session = &*session.session;
        let mut joined = join_all(rest, session, founders, self.concurrency).await?;
        let codes: Vec<String> = joined
            .iter()
            .map(|founder| founder.team_code.clone())
            .collect();
        let others = (self.count()..self.players).zip(codes.iter().cycle());
        let others = others.map(|(number, code)| Join {
            team_code: Some(code.clone()),
            ..joining(number)
        });
        joined.extend(join_all(rest, session, others, self.concurrency).await?);
        Ok(joined)
    }
}

/// The upload of the minimal hunt.
pub(crate) fn idle_hunt() -> CreateHunt {
    CreateHunt {
        files: BTreeMap::from([("hunt.toml".to_owned(), IDLE_HUNT.to_owned())]),
    }
}

/// Loopback address of a group of connections, counted from 0, because one address has only about 28,000
/// ports; `None` if the server is not at 127.0.0.1, which REST uses.
pub(crate) fn loopback_source(authority: &str, group: usize) -> Option<IpAddr> {
    let server: SocketAddr = authority.parse().ok()?;
    if server.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return None;
    }
    let number = u8::try_from(group + 2).ok()?;
    Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, number)))
}

/// Uploads a hunt and creates a session in its lobby.
pub(crate) async fn create_session(
    rest: &Rest,
    admin_token: &str,
    hunt: &CreateHunt,
) -> Result<SessionCreated, RestError> {
    let created: HuntCreated = rest.post("/hunts", Some(admin_token), hunt).await?;
    let body = CreateSession {
        hunt: created.revision,
        code: None,
    };
    rest.post("/sessions", Some(admin_token), &body).await
}

/// Starts a session.
pub(crate) async fn start(rest: &Rest, session: &SessionCreated) -> Result<(), RestError> {
    let path = format!("/sessions/{}/start", session.session);
    let token = Some(&*session.game_master_token);
    let _: SessionState = rest.post_empty(&path, token).await?;
    Ok(())
}

/// Joins a player of a session.
pub(crate) async fn join(rest: &Rest, session: &str, join: &Join) -> Result<Joined, RestError> {
    let path = format!("/sessions/{session}/join");
    rest.post(&path, None, join).await
}

/// Joins players of a session with bounded concurrency; returns them in the order of `joins`.
pub(crate) async fn join_all(
    rest: &Rest,
    session: &str,
    joins: impl IntoIterator<Item = Join>,
    concurrency: NonZero<u16>,
) -> Result<Vec<Joined>, RestError> {
    let joins = joins.into_iter().map(|join| (session, join));
    join_sessions(rest, joins, concurrency).await
}

/// Joins players, each of a session, with bounded concurrency; returns them in the order of `joins`.
pub(crate) async fn join_sessions<'a>(
    rest: &Rest,
    joins: impl IntoIterator<Item = (&'a str, Join)>,
    concurrency: NonZero<u16>,
) -> Result<Vec<Joined>, RestError> {
    let joining = joins
        .into_iter()
        .map(|(session, joining)| async move { join(rest, session, &joining).await });
    stream::iter(joining)
        .buffered(usize::from(concurrency.get()))
        .try_collect()
        .await
}
