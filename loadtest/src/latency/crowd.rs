//! Teams that guess: a session, and a connected player for each of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::num::NonZero;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use protocol::rest::{CreateHunt, Join, Joined};
use protocol::{Order, Phase, Verdict};
use testkit::Rest;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::LatencyError;
use super::pacer::{self, Schedule};
use crate::client::{Answer, Endpoint, WireClient};
use crate::setup;

/// How many players join or connect at the same time.
const AT_A_TIME: NonZero<u16> = NonZero::new(64).expect("it is not 0");

/// Puzzles that a team guesses on in turn. With the rules' 1,000 guesses on each, a team can make
/// more guesses than a window is long.
const PUZZLES: u64 = 40;

/// How long answers may still come after a window.
const LATE_ANSWERS_MAX: Duration = Duration::from_secs(10);

/// A session of which every team has one player, who is connected.
pub(super) struct Crowd {
    pub(super) session: String,
    guessers: Vec<Guesser>,
}

/// A connected player.
struct Guesser {
    client: WireClient,
    guesses: u64,
}

/// A guess that was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    /// When it was to be sent.
    pub(super) intended_at: Instant,
    pub(super) latency: Duration,
}

impl Crowd {
    /// Creates and starts a session, joins so many teams and connects them.
    pub(super) async fn gather(
        rest: &Rest,
        admin_token: &str,
        teams: u16,
    ) -> Result<Self, LatencyError> {
        let session = setup::create_session(rest, admin_token, &hunt()).await?;
        setup::start(rest, &session).await?;
        let joins = (0..teams).map(|team| Join {
            session: session.session.clone(),
            new_team: Some(format!("Team {team}")),
            team_code: None,
            name: "Player 1".to_owned(),
        });
        let joined = setup::join_all(rest, joins, AT_A_TIME).await?;
        let endpoint = Endpoint {
            authority: rest.authority().to_owned(),
            session: session.session.clone(),
        };
        let connecting = joined
            .into_iter()
            .map(|joined| Box::pin(Guesser::connect(endpoint.clone(), joined)));
        let guessers = stream::iter(connecting)
            .buffered(usize::from(AT_A_TIME.get()))
            .try_collect()
            .await?;
        Ok(Self {
            session: session.session,
            guessers,
        })
    }

    /// Everybody guesses as fast as the receipts allow, until a moment. Ends the session's
    /// connections.
    pub(super) async fn guess_until(self, end: Instant) -> Result<Vec<Answered>, LatencyError> {
        let mut guessing = JoinSet::new();
        for guesser in self.guessers {
            guessing.spawn(guesser.guess_until(end));
        }
        collect(guessing).await
    }

    /// Everybody guesses in turn, by a schedule. Ends the session's connections.
    pub(super) async fn guess_by(self, schedule: Schedule) -> Result<Vec<Answered>, LatencyError> {
        let mut guessing = JoinSet::new();
        let mut turns = Vec::new();
        let turns_each = schedule.slots.div_ceil(self.guessers.len());
        for guesser in self.guessers {
            let (turn, due) = mpsc::channel(turns_each);
            turns.push(turn);
            guessing.spawn(guesser.guess_when_due(due));
        }
        let mut pacing = JoinSet::new();
        pacing.spawn_blocking(move || pacer::pace(schedule, &turns));
        let answered =
            tokio::time::timeout_at(schedule.end() + LATE_ANSWERS_MAX, collect(guessing));
        let answered = answered.await.map_err(|_| LatencyError::Late)?;
        pacing.join_all().await;
        answered
    }
}

async fn collect(
    mut guessing: JoinSet<Result<Vec<Answered>, LatencyError>>,
) -> Result<Vec<Answered>, LatencyError> {
    let mut all = Vec::new();
    while let Some(answered) = guessing.join_next().await {
        all.extend(answered.expect("guessers do not panic")?);
    }
    Ok(all)
}

impl Guesser {
    async fn connect(endpoint: Endpoint, joined: Joined) -> Result<Self, LatencyError> {
        let mut client = WireClient::new(endpoint, joined.token, 1);
        let running = client.wait_until(|view| view.phase() == Some(Phase::Running));
        running.await?;
        Ok(Self { client, guesses: 0 })
    }

    async fn guess_until(mut self, end: Instant) -> Result<Vec<Answered>, LatencyError> {
        let mut answered = Vec::new();
        while Instant::now() < end {
            answered.push(self.guess(Instant::now()).await?);
        }
        self.client.close().await;
        Ok(answered)
    }

    async fn guess_when_due(
        mut self,
        mut due: mpsc::Receiver<Instant>,
    ) -> Result<Vec<Answered>, LatencyError> {
        let mut answered = Vec::new();
        loop {
            let next = tokio::select! {
                biased;
                next = due.recv() => next,
                error = self.client.listen() => return Err(error.into()),
            };
            let Some(intended_at) = next else {
                break;
            };
            answered.push(self.guess(intended_at).await?);
        }
        self.client.close().await;
        Ok(answered)
    }

    /// Sends a new wrong guess and waits for its receipt.
    async fn guess(&mut self, intended_at: Instant) -> Result<Answered, LatencyError> {
        self.guesses += 1;
        let number = self.guesses;
        let command = self.client.number(Order::SubmitGuess {
            puzzle: format!("p{}", number % PUZZLES),
            guess: format!("NOTTHEWORD{number}"),
        });
        let outcome = self.client.send(command).await?;
        match outcome.answer {
            Answer::Accepted(receipt) if receipt.verdict == Some(Verdict::Wrong) => Ok(Answered {
                intended_at,
                latency: outcome.received_at - intended_at,
            }),
            Answer::Accepted(_) => Err(LatencyError::Misjudged),
            Answer::Refused(rejection) => Err(LatencyError::Refused(rejection.code)),
        }
    }
}

fn hunt() -> CreateHunt {
    let mut text = "[hunt]\ntitle = \"Latency\"\n\n[round.only]\ntitle = \"Only\"\n".to_owned();
    for number in 0..PUZZLES {
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
