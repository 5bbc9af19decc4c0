//! Teams that guess: a session with one connected player per team.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZero;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::rest::{CreateHunt, Join};
use testkit::Rest;
use tokio::task::spawn_blocking;

use super::LatencyError;
use super::generator::{Generator, Guesses, Load, Outcome};
use super::player_socket::PlayerSocket;
use crate::client::Endpoint;
use crate::setup;

/// Maximum number of concurrent joins or connection attempts.
const CONCURRENCY: NonZero<u16> = NonZero::new(64).expect("it is not 0");

/// A session of which every team has one player, who is connected.
pub(super) struct Crowd {
    pub(super) session: String,
    guesses: Guesses,
    sockets: Vec<PlayerSocket>,
}

impl Crowd {
    /// Creates and starts a session, joins the teams and connects them.
    pub(super) async fn gather(
        rest: &Rest,
        admin_token: &str,
        teams: u16,
        puzzles: u64,
        guesses: Guesses,
    ) -> Result<Self, LatencyError> {
        let session = setup::create_session(rest, admin_token, &hunt(puzzles)).await?;
        setup::start(rest, &session).await?;
        let joins = (0..teams).map(|team| Join {
            new_team: Some(format!("Team {team}")),
            team_code: None,
            name: "Player 1".to_owned(),
        });
        let joined = setup::join_all(rest, &session.session, joins, CONCURRENCY).await?;
        let endpoint = Endpoint {
            authority: rest.authority().to_owned(),
            session: session.session.clone(),
        };
        let connecting = joined.into_iter().map(|joined| {
            Box::pin(PlayerSocket::open(
                endpoint.clone(),
                joined.token,
                rand::random(),
            ))
        });
        let sockets = stream::iter(connecting)
            .buffered(usize::from(CONCURRENCY.get()))
            .try_collect()
            .await?;
        Ok(Self {
            session: session.session,
            guesses,
            sockets,
        })
    }

    /// Guesses until the load is over and everything is answered, or until a guess has waited for
    /// `unanswered_for_max`. Closes the connections.
    pub(super) async fn guess(
        self,
        unanswered_for_max: Duration,
        load: Load,
    ) -> Result<Outcome, LatencyError> {
        let guessing = spawn_blocking(move || {
            let generator = Generator::new(self.sockets, self.guesses, unanswered_for_max)?;
            generator.run(load)
        });
        guessing.await.expect("the generator does not panic")
    }
}

fn hunt(puzzles: u64) -> CreateHunt {
    let mut text = "[hunt]\ntitle = \"Latency\"\n\n[round.only]\ntitle = \"Only\"\n".to_owned();
    for number in 0..puzzles {
        let _ = write!(
            text,
            "\n[puzzle.p{number}]\nround = \"only\"\ntitle = \"Puzzle {number}\"\npoints = 1\n\
             answer = \"THEWORD\"\n"
        );
    }
    CreateHunt {
        files: BTreeMap::from([("hunt.toml".to_owned(), text)]),
    }
}
