//! A client's state, built from updates, equals a fresh one from the server after every step of a hunt:
//! a game master's overview and a player's snapshot.

use protocol::{Event, Order, Overview, Snapshot, Target};
use serde_json::json;
use testkit::app::{
    ANSWER, TestApp, TestClient, announcement, apply_to_overview, apply_to_snapshot, clue,
};

use crate::document;

const CLUE_MS: u64 = 1_000;

/// Puzzles that open at the start, after a solve and after points; in an order in which what opens later stands
/// before what opens first.
const HUNT: &str = r#"
[hunt]
title = "Unlocks"
duration = "30m"

[round.late]
title = "Late"
unlock = "score >= 1"

[round.early]
title = "Early"

[puzzle.last]
round = "late"
title = "Last"
points = 1
answer = "SOLVED"
unlock = "second"

[puzzle.second]
round = "early"
title = "Second"
points = 1
answer = "SOLVED"
unlock = "first"

[puzzle.first]
round = "early"
title = "First"
points = 1
answer = "SOLVED"

[puzzle.other]
round = "early"
title = "Other"
points = 1
answer = "SOLVED"
"#;

/// A client with the state that it built from updates.
struct Follower<S> {
    client: TestClient,
    state: S,
    applied: usize,
}

impl<S: Clone> Follower<S> {
    fn new(client: TestClient, state: impl Fn(&TestClient) -> Option<&S>) -> Self {
        let state = state(&client).expect("it is the client's kind").clone();
        Self {
            client,
            state,
            applied: 0,
        }
    }

    /// Applies the updates that came since the last call, and fetches a fresh state.
    async fn follow(&mut self, apply: impl Fn(&mut S, &protocol::Update)) {
        self.client.catch_up().await;
        for update in &self.client.updates[self.applied..] {
            apply(&mut self.state, update);
        }
        self.applied = self.client.updates.len();
        self.client.resync(None).await;
    }
}

/// Everyone whose state is compared.
struct Audience {
    organiser: Follower<Overview>,
    viewer: Follower<Overview>,
    players: Vec<Follower<Snapshot>>,
}

impl Audience {
    async fn new(app: &TestApp) -> Self {
        let overview = |client| Follower::new(client, |client| client.overview.as_ref());
        let viewer = app.invite("Viewer", &[protocol::Scope::View]).await;
        Self {
            organiser: overview(app.desk().await),
            viewer: overview(app.attach(&viewer.token).await),
            players: Vec::new(),
        }
    }

    fn add(&mut self, client: TestClient) -> usize {
        let player = Follower::new(client, |client| client.snapshot.as_ref());
        self.players.push(player);
        self.players.len() - 1
    }

    async fn compare(&mut self, step: &str) {
        for follower in [&mut self.organiser, &mut self.viewer] {
            follower.follow(apply_to_overview).await;
            let fresh = follower.client.overview.as_ref();
            assert_eq!(Some(&follower.state), fresh, "after {step}");
        }
        for follower in &mut self.players {
            follower.follow(apply_to_snapshot).await;
            let fresh = follower.client.snapshot.as_ref();
            assert_eq!(Some(&follower.state), fresh, "after {step}");
        }
    }

    async fn order(&mut self, step: &str, order: Order) {
        let answer = self.organiser.client.order(order).await;
        answer.expect_accepted();
        self.compare(step).await;
    }

    async fn guess(&mut self, player: usize, puzzle: &str, text: &str) {
        let client = &mut self.players[player].client;
        client.guess(puzzle, text).await.expect_accepted();
        self.compare(&format!("{player} guessed {text} on {puzzle}"))
            .await;
    }

    fn cells(&self) -> &[u8] {
        &self.organiser.state.cells.0
    }
}

async fn lobby() -> TestApp {
    let mut app = TestApp::bare(&[]).await;
    app.check_exchanges(document::check);
    let body = json!({ "files": { "hunt.toml": HUNT } });
    let uploaded = app.post_to("/hunts", Some(&app.admin_token), Some(body));
    let uploaded: protocol::rest::HuntCreated = uploaded.await.read(201);
    app.session.hunt = uploaded.revision;
    app.session = app.session.create().await;
    app
}

#[tokio::test]
async fn state_from_updates_equals_a_fresh_one_after_every_step() {
    let app = lobby().await;
    let mut all = Audience::new(&app).await;
    all.compare("an empty lobby").await;
    let owls = all.add(app.team("Owls").await);
    all.compare("a team").await;
    let foxes = all.add(app.team("Foxes").await);
    all.compare("another team").await;
    let ben = app.teammate(&all.players[owls].client).await;
    let ben = all.add(ben);
    all.compare("a teammate").await;
    assert_eq!(all.cells(), [0; 8]);

    let start = |at_ms| Order::Start { at_ms };
    let far = Some(all.organiser.client.welcome.server_time_ms + 3_600_000);
    all.order("a scheduled start", start(far)).await;
    all.order("a cancelled start", Order::CancelStart).await;
    all.order("another scheduled start", start(far)).await;
    all.order("the start", start(None)).await;
    assert_eq!(all.cells(), [0, 0, 1, 1, 0, 0, 1, 1]);

    for count in 0..9 {
        all.guess(ben, "first", &format!("wrong {count}")).await;
    }
    assert_eq!(all.cells(), [0, 0, 9, 1, 0, 0, 1, 1], "at most eight");
    all.guess(owls, "first", ANSWER).await;
    all.guess(foxes, "first", ANSWER).await;
    all.guess(owls, "second", ANSWER).await;
    assert_eq!(all.cells(), [1, 15, 15, 1, 0, 1, 14, 1]);
    let late = all.add(app.team("Late").await);
    all.compare("a team that comes late").await;
    all.guess(late, "other", "Wrong").await;

    let owl_id = all.players[owls].client.team_id().to_owned();
    let ben_id = all.players[ben].client.player_id().to_owned();
    let to_owls = Target::Team { team: owl_id };
    let to_ben = Target::Player { player: ben_id };
    let push = |to, lasts_ms| clue(to, "Look up", lasts_ms);
    all.order("a clue to everyone", push(Target::Everyone, None))
        .await;
    all.order("a clue to a team", push(to_owls, Some(3_600_000)))
        .await;
    all.order("a clue to a player", push(to_ben, Some(CLUE_MS)))
        .await;
    let is_expiry = |event: &Event| matches!(event, Event::ClueExpired { .. });
    all.organiser.client.expect_update(is_expiry).await;
    all.compare("an expired clue").await;
    let clue = "c1".to_owned();
    all.order("a cancelled clue", Order::CancelClue { clue })
        .await;
    all.order("an announcement", announcement("Lunch")).await;

    all.order("a pause", Order::Pause).await;
    let move_end = |left_ms| Order::MoveEnd {
        ends_at_ms: None,
        left_ms,
    };
    all.order("an end moved in a pause", move_end(Some(900_000)))
        .await;
    all.order("the end of a pause", Order::Resume).await;
    all.order("a moved end", move_end(Some(800_000))).await;

    let owl_id = all.players[owls].client.team_id().to_owned();
    let ben_id = all.players[ben].client.player_id().to_owned();
    for (path, name) in [
        (format!("/teams/{owl_id}"), "Eagles"),
        (format!("/players/{ben_id}"), "Benedict"),
    ] {
        let body = Some(json!({ "name": name }));
        let renamed = app.ask("PATCH", &path, &app.game_master_token, body).await;
        assert_eq!(renamed.status, 204, "{renamed:?}");
        all.compare(name).await;
    }
    let path = format!("/teams/{owl_id}/code");
    let rotated = app.post(&path, &app.game_master_token, None).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    all.compare("another team code").await;

    let device = app.add_device(all.players[ben].client.token.as_deref().expect("a player"));
    let device = device.await.device;
    all.compare("another device").await;
    app.revoke(&format!("/devices/{device}")).await;
    all.compare("a revoked device").await;
    let friend = app.invite("Friend", &[]).await.game_master;
    all.compare("an invitation").await;
    app.revoke(&format!("/game-masters/{friend}")).await;
    all.compare("a revoked game master").await;

    all.order("another pause", Order::Pause).await;
    all.order("a finish in a pause", Order::Finish { confirm: true })
        .await;
    all.order("a finish that is undone", Order::Reopen).await;
    all.order("a resumption after it", Order::Resume).await;
    all.order("the finish", Order::Finish { confirm: true })
        .await;
}
