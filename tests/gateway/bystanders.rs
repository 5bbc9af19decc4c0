//! A correct team that plays next to misbehaving clients: it must keep working and lose nothing.

use protocol::Codec;
use testkit::app::{ANSWER, TestApp, TestClient};

/// Two devices of a team, one for each codec. The first guesses, both see it.
pub(crate) struct Bystanders {
    guesser: TestClient,
    watcher: TestClient,
    guesses: u64,
}

impl Bystanders {
    pub(crate) async fn attach(app: &TestApp) -> Self {
        let [first, second] = Codec::ALL;
        let guesser = app.team_with(first, "Bystanders").await;
        Self {
            watcher: app.teammate_with(second, &guesser).await,
            guesser,
            guesses: 0,
        }
    }

    /// Another guess is accepted, and the whole team sees it.
    pub(crate) async fn go_on(&mut self) {
        self.guesses += 1;
        let guess = format!("WRONG{}", self.guesses);
        self.guesser.guess("p0", &guess).await.expect_wrong();
        let reached = self.guesser.cursor.team;
        self.watcher.until(|it| it.cursor.team >= reached).await;
    }

    /// Nothing was lost or counted twice, neither in the stream nor in the state.
    pub(crate) async fn have_lost_nothing(mut self, app: &TestApp) {
        self.guesser.guess("p0", ANSWER).await.expect_correct();
        for client in [&mut self.guesser, &mut self.watcher] {
            client.catch_up().await;
            client.resync(None).await;
            let snapshot = client.snapshot.take().expect("it was asked for");
            let puzzle = snapshot.puzzles.iter().find(|puzzle| puzzle.id == "p0");
            let made = puzzle.map(|puzzle| puzzle.guesses.len() as u64);
            assert_eq!(made, Some((self.guesses + 1).min(200)));
            assert_eq!(snapshot.team.score, 1);
        }
        app.assert_healthy();
    }
}
