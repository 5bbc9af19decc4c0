//! Before the first connection: a hunt, a session, and players in it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::rest::{
    CreateHunt, CreateSession, HuntCreated, Join, Joined, SessionCreated, SessionState,
};
use testkit::{Rest, RestError};

/// How long one REST request may take.
pub(crate) const REST_WAIT_MAX: Duration = Duration::from_mins(1);

/// A hunt in which nothing has to be done.
const IDLE_HUNT: &str = "[hunt]\ntitle = \"Waiting\"\n\n[round.only]\ntitle = \"Only\"\n\n\
    [puzzle.only]\nround = \"only\"\ntitle = \"Only\"\npoints = 1\nanswer = \"ANSWER\"\n";

/// How many players join a session, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Teams {
    pub(crate) players: u32,
    /// Players of a team; the last teams may have fewer.
    pub(crate) team_size: u32,
    pub(crate) concurrency: NonZero<u16>,
}

impl Teams {
    /// How many teams there are.
    pub(crate) fn count(self) -> u32 {
        self.players.div_ceil(self.team_size)
    }

    /// Joins everybody: first a player who founds each team, then the others by its code, team after
    /// team, round after round. The player in place `n` belongs to the team `n % count`.
    pub(crate) async fn join(
        self,
        rest: &Rest,
        session: &SessionCreated,
    ) -> Result<Vec<Joined>, RestError> {
        let joining = |number: u32| Join {
            session: session.session.clone(),
            new_team: None,
            team_code: None,
            name: format!("Player {number}"),
        };
        let founders = (0..self.count()).map(|team| Join {
            new_team: Some(format!("Team {team}")),
            ..joining(team)
        });
        let mut joined = join_all(rest, founders, self.concurrency).await?;
        let codes: Vec<String> = joined
            .iter()
            .map(|founder| founder.team_code.clone())
            .collect();
        let others = (self.count()..self.players).zip(codes.iter().cycle());
        let others = others.map(|(number, code)| Join {
            team_code: Some(code.clone()),
            ..joining(number)
        });
        joined.extend(join_all(rest, others, self.concurrency).await?);
        Ok(joined)
    }
}

/// The upload of a hunt in which nothing has to be done.
pub(crate) fn idle_hunt() -> CreateHunt {
    CreateHunt {
        files: BTreeMap::from([("hunt.toml".to_owned(), IDLE_HUNT.to_owned())]),
    }
}

/// A loopback address of its own for each group of connections, counted from 0, because one address
/// has ports for some 28,000 of them; none if the server is not on the first loopback address, where
/// REST stays.
pub(crate) fn loopback_source(authority: &str, group: usize) -> Option<IpAddr> {
    let server: SocketAddr = authority.parse().ok()?;
    if server.ip() != IpAddr::V4(Ipv4Addr::LOCALHOST) {
        return None;
    }
    let number = u8::try_from(group + 2).ok()?;
    Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, number)))
}

/// Uploads a hunt and creates a session of it, which is then in its lobby.
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

/// Joins everybody, so many at the same time; gives them in the order of the joins.
pub(crate) async fn join_all(
    rest: &Rest,
    joins: impl IntoIterator<Item = Join>,
    concurrency: NonZero<u16>,
) -> Result<Vec<Joined>, RestError> {
    let joining = joins
        .into_iter()
        .map(|join| async move { rest.post("/join", None, &join).await });
    stream::iter(joining)
        .buffered(usize::from(concurrency.get()))
        .try_collect()
        .await
}
