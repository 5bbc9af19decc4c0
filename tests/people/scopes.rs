//! Scopes: what each of them allows, over REST and over a WebSocket.

use protocol::rest::CluePushed;
use protocol::{Order, RejectionCode, Scope, Target};
use serde_json::{Value, json};

use crate::{lobby, running};
use testkit::app::http::Response;
use testkit::app::{TestApp, announcement, clue};

pub(crate) const SCOPES: [Scope; 4] = [Scope::View, Scope::Hints, Scope::Run, Scope::Answers];

/// A REST request that takes a scope.
#[derive(Debug)]
pub(crate) struct ScopedRequest {
    pub(crate) scope: Scope,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

impl ScopedRequest {
    pub(crate) async fn send(&self, app: &TestApp, token: &str) -> Response {
        app.ask(self.method, &self.path, token, self.body.clone())
            .await
    }
}

/// One request for each thing that takes a scope. Sent in this order, in the lobby, by a game
/// master with the scope, each of them succeeds.
pub(crate) async fn requests(app: &TestApp) -> Vec<ScopedRequest> {
    let number = app.standings().await.rows.len();
    let ana = app.join(&format!("Team {number}")).await;
    let now_ms = app.attach(&ana.token).await.welcome.server_time_ms;
    let device = app.add_device(&ana.token).await.device;
    let victim = app.invite("Victim", &[]).await.game_master;
    let clue = json!({ "to": { "type": "everyone" }, "text": "Look up" });
    let pushed = app
        .post("/clues", &app.game_master_token, Some(clue.clone()))
        .await;
    let pushed: CluePushed = pushed.read(201);
    let invitation = json!({ "name": "Friend", "scopes": [] });
    let mut requests = console_reads(&ana.team);
    requests.extend([
        request(Scope::View, "GET", "/game-masters", None),
        request(Scope::Hints, "POST", "/clues", Some(clue)),
        request(
            Scope::Hints,
            "DELETE",
            &format!("/clues/{}", pushed.clue),
            None,
        ),
        request(
            Scope::Run,
            "POST",
            "/announcements",
            Some(json!({ "text": "Hello" })),
        ),
        request(Scope::Run, "POST", "/game-masters", Some(invitation)),
        request(
            Scope::Run,
            "DELETE",
            &format!("/game-masters/{victim}"),
            None,
        ),
        request(Scope::Run, "GET", "/devices", None),
        request(Scope::Run, "DELETE", &format!("/devices/{device}"), None),
        request(
            Scope::Run,
            "POST",
            &format!("/players/{}/devices", ana.player),
            None,
        ),
        request(Scope::Answers, "GET", "/export", None),
        request(
            Scope::Run,
            "POST",
            "/start",
            Some(json!({ "at_ms": now_ms + 3_600_000 })),
        ),
        request(Scope::Run, "POST", "/cancel-start", None),
        request(Scope::Run, "POST", "/start", None),
        request(Scope::Run, "POST", "/pause", None),
        request(Scope::Run, "POST", "/resume", None),
        request(
            Scope::Run,
            "PATCH",
            "/end",
            Some(json!({ "left_ms": 3_600_000 })),
        ),
        request(
            Scope::Run,
            "POST",
            "/finish",
            Some(json!({ "confirm": true })),
        ),
        request(Scope::Run, "POST", "/reopen", None),
        request(
            Scope::Run,
            "PATCH",
            &format!("/teams/{}", ana.team),
            Some(json!({ "name": format!("Renamed {number}") })),
        ),
        request(
            Scope::Run,
            "PATCH",
            &format!("/players/{}", ana.player),
            Some(json!({ "name": "Anna" })),
        ),
        request(
            Scope::Run,
            "POST",
            &format!("/teams/{}/code", ana.team),
            None,
        ),
    ]);
    requests
}

fn request(scope: Scope, method: &'static str, path: &str, body: Option<Value>) -> ScopedRequest {
    ScopedRequest {
        scope,
        method,
        path: path.to_owned(),
        body,
    }
}

/// What the console reads.
fn console_reads(team: &str) -> Vec<ScopedRequest> {
    vec![
        request(Scope::View, "GET", "/players", None),
        request(Scope::View, "GET", "/guesses", None),
        request(
            Scope::View,
            "GET",
            &format!("/teams/{team}/guesses?puzzle=p0"),
            None,
        ),
        request(Scope::Run, "GET", "/audit", None),
    ]
}

/// Every order of a game master with the scope that it takes. Sent in this order, in the lobby, by a
/// game master with the scope, each of them succeeds; the clue is the first of the session.
pub(crate) fn orders() -> [(Order, Scope); 7] {
    let clue = clue(Target::Everyone, "Look up", None);
    let cancel = Order::CancelClue {
        clue: "c1".to_owned(),
    };
    [
        (clue, Scope::Hints),
        (cancel, Scope::Hints),
        (announcement("Look up"), Scope::Run),
        (Order::Start { at_ms: None }, Scope::Run),
        (Order::Pause, Scope::Run),
        (Order::Resume, Scope::Run),
        (Order::Finish { confirm: true }, Scope::Run),
    ]
}

fn without(scope: Scope) -> Vec<Scope> {
    SCOPES.into_iter().filter(|other| *other != scope).collect()
}

#[tokio::test]
async fn each_request_takes_its_scope_and_no_other() {
    let app = lobby().await;
    let requests = requests(&app).await;
    for request in &requests {
        let lacking = app.invite("Lacking", &without(request.scope)).await;
        let refused = request.send(&app, &lacking.token).await;
        refused.expect_failure(403, "forbidden");
    }
    for request in &requests {
        let having = app.invite("Having", &[request.scope]).await;
        let answer = request.send(&app, &having.token).await;
        assert!(answer.status < 300, "{request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn each_order_takes_its_scope_and_no_other() {
    let app = lobby().await;
    for (order, scope) in orders() {
        let lacking = app.invite("Lacking", &without(scope)).await;
        let mut client = app.attach(&lacking.token).await;
        client
            .order_as(1, order.clone())
            .await
            .expect_rejection(RejectionCode::Forbidden);
    }
    for (order, scope) in orders() {
        let having = app.invite("Having", &[scope]).await;
        app.attach(&having.token)
            .await
            .order_as(1, order)
            .await
            .expect_accepted();
    }
}

#[tokio::test]
async fn a_missing_scope_is_reported_before_unknown_targets() {
    let app = lobby().await;
    let lacking = app.invite("Lacking", &without(Scope::Hints)).await;
    let mut client = app.attach(&lacking.token).await;
    let text = "Look up";
    let unknown = || "unknown".to_owned();
    let (player, team) = (unknown(), unknown());
    let targets = [Target::Player { player }, Target::Team { team }];
    let pushes = targets.map(|to| clue(to, text, Some(0)));
    let cancel = Order::CancelClue { clue: unknown() };
    let orders = pushes.into_iter().chain([cancel]);
    for (id, order) in (1..).zip(orders) {
        client
            .order_as(id, order.clone())
            .await
            .expect_rejection(RejectionCode::Forbidden);
    }
    let to = json!({ "type": "player", "player": "unknown" });
    let body = json!({ "to": to, "text": text });
    let refused = app.post("/clues", &lacking.token, Some(body)).await;
    refused.expect_failure(403, "forbidden");
}

#[tokio::test]
async fn only_a_viewer_sees_teams_clues_and_guesses() {
    let app = running().await;
    let ana = app.join("Owls").await;
    let mut player = app.attach(&ana.token).await;
    let blind = app.invite("Blind", &without(Scope::View)).await;
    let viewer = app.invite("Viewer", &[Scope::View]).await;
    let mut blind = app.attach(&blind.token).await;
    let mut viewer = app.attach(&viewer.token).await;
    player.guess_as(1, "p0", "coo").await.expect_accepted();
    let to = Target::Team {
        team: ana.team.clone(),
    };
    let clue = clue(to, "Look up", None);
    blind.order_as(1, clue).await.expect_accepted();
    let time_ms = player.catch_up().await.server_time_ms;
    blind.catch_up_to(time_ms).await;
    viewer.catch_up_to(time_ms).await;
    assert_eq!(blind.updates.len(), 1, "{:?}", blind.updates);
    assert_eq!(viewer.updates.len(), 2, "{:?}", viewer.updates);
    let overview = blind.overview.expect("game masters get an overview");
    assert!(overview.teams.is_empty() && overview.game_masters.is_empty());
    assert_eq!((blind.cursor.view, blind.cursor.hints), (0, 1));
    let overview = viewer.overview.expect("game masters get an overview");
    assert_eq!((overview.teams.len(), overview.game_masters.len()), (1, 3));
}
