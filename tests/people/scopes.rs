//! Scopes: what each of them allows, over REST and over a WebSocket.

use protocol::rest::CluePushed;
use protocol::{Order, RejectionCode, Scope, Target};
use serde_json::{Value, json};

use crate::api::Answer;
use crate::seat::Seat;
use crate::stage::Stage;

pub(crate) const SCOPES: [Scope; 4] = [Scope::View, Scope::Hints, Scope::Run, Scope::Answers];

/// Something that a game master asks for over REST.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) scope: Scope,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
}

impl Request {
    pub(crate) async fn send(&self, stage: &Stage, token: &str) -> Answer {
        stage
            .ask(self.method, &self.path, token, self.body.clone())
            .await
    }
}

/// One request for each thing that takes a scope. Sent in this order, in the lobby, by somebody who
/// may, each of them succeeds.
pub(crate) async fn requests(stage: &Stage) -> Vec<Request> {
    let ana = stage.found("Team").await;
    let device = stage.add_device(&ana.token).await.device;
    let victim = stage.invite("Victim", &[]).await.game_master;
    let clue = json!({ "to": { "type": "everyone" }, "text": "Look up" });
    let pushed = stage
        .post("/clues", &stage.organiser, Some(clue.clone()))
        .await;
    let pushed: CluePushed = pushed.read(201);
    let request = |scope, method, path: &str, body| Request {
        scope,
        method,
        path: path.to_owned(),
        body,
    };
    let invitation = json!({ "name": "Friend", "scopes": [] });
    vec![
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
        request(Scope::Run, "POST", "/start", None),
        request(Scope::Run, "POST", "/pause", None),
        request(Scope::Run, "POST", "/resume", None),
        request(Scope::Run, "POST", "/finish", None),
    ]
}

/// Every order of a game master with the scope that it takes. Sent in this order, in the lobby, by
/// somebody who may, each of them succeeds; the clue is the first of the session.
pub(crate) fn orders() -> [(Order, Scope); 7] {
    let text = || "Look up".to_owned();
    let clue = Order::PushClue {
        to: Target::Everyone,
        text: text(),
        lasts_ms: None,
    };
    let cancel = Order::CancelClue {
        clue: "c1".to_owned(),
    };
    [
        (clue, Scope::Hints),
        (cancel, Scope::Hints),
        (Order::Announce { text: text() }, Scope::Run),
        (Order::Start, Scope::Run),
        (Order::Pause, Scope::Run),
        (Order::Resume, Scope::Run),
        (Order::Finish, Scope::Run),
    ]
}

fn without(scope: Scope) -> Vec<Scope> {
    SCOPES.into_iter().filter(|other| *other != scope).collect()
}

#[tokio::test]
async fn each_request_takes_its_scope_and_no_other() {
    let stage = Stage::lobby().await;
    let requests = requests(&stage).await;
    for request in &requests {
        let lacking = stage.invite("Lacking", &without(request.scope)).await;
        let refused = request.send(&stage, &lacking.token).await;
        assert_eq!(
            refused.failure(),
            (403, "forbidden".to_owned()),
            "{request:?}"
        );
    }
    for request in &requests {
        let having = stage.invite("Having", &[request.scope]).await;
        let answer = request.send(&stage, &having.token).await;
        assert!(answer.status < 300, "{request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn each_order_takes_its_scope_and_no_other() {
    let stage = Stage::lobby().await;
    for (order, scope) in orders() {
        let lacking = stage.invite("Lacking", &without(scope)).await;
        let mut seat = Seat::take(&stage, &lacking.token).await;
        let refused = seat.order(1, order.clone()).await;
        let code = refused.expect_err("the scope is missing").code;
        assert_eq!(code, RejectionCode::Forbidden, "{order:?}");
    }
    for (order, scope) in orders() {
        let having = stage.invite("Having", &[scope]).await;
        Seat::take(&stage, &having.token)
            .await
            .ordered(1, order)
            .await;
    }
}

#[tokio::test]
async fn who_lacks_a_scope_is_told_so_whatever_they_name() {
    let stage = Stage::lobby().await;
    let lacking = stage.invite("Lacking", &without(Scope::Hints)).await;
    let mut seat = Seat::take(&stage, &lacking.token).await;
    let text = "Look up".to_owned();
    let nobody = || "nobody".to_owned();
    let (player, team) = (nobody(), nobody());
    let targets = [Target::Player { player }, Target::Team { team }];
    let pushes = targets.map(|to| Order::PushClue {
        to,
        text: text.clone(),
        lasts_ms: Some(0),
    });
    let cancel = Order::CancelClue { clue: nobody() };
    let orders = pushes.into_iter().chain([cancel]);
    for (id, order) in (1..).zip(orders) {
        let refused = seat.order(id, order.clone()).await;
        let code = refused.expect_err("the scope is missing").code;
        assert_eq!(code, RejectionCode::Forbidden, "{order:?}");
    }
    let to = json!({ "type": "player", "player": "nobody" });
    let body = json!({ "to": to, "text": text });
    let refused = stage.post("/clues", &lacking.token, Some(body)).await;
    assert_eq!(refused.failure(), (403, "forbidden".to_owned()));
}

#[tokio::test]
async fn only_a_viewer_sees_teams_clues_and_guesses() {
    let stage = Stage::running().await;
    let ana = stage.found("Owls").await;
    let mut player = Seat::take(&stage, &ana.token).await;
    let blind = stage.invite("Blind", &without(Scope::View)).await;
    let viewer = stage.invite("Viewer", &[Scope::View]).await;
    let mut blind = Seat::take(&stage, &blind.token).await;
    let mut viewer = Seat::take(&stage, &viewer.token).await;
    player.guess(1, "coo").await;
    let to = Target::Team {
        team: ana.team.clone(),
    };
    let clue = Order::PushClue {
        to,
        text: "Look up".to_owned(),
        lasts_ms: None,
    };
    blind.ordered(1, clue).await;
    let time_ms = player.next_heads().await;
    blind.heads_since(time_ms).await;
    viewer.heads_since(time_ms).await;
    assert_eq!(blind.updates, []);
    assert_eq!(viewer.updates.len(), 2, "{:?}", viewer.updates);
    let overview = blind.overview.expect("game masters get an overview");
    assert!(overview.teams.is_empty() && overview.game_masters.is_empty());
    assert_eq!(blind.cursor.game_masters, 0);
    let overview = viewer.overview.expect("game masters get an overview");
    assert_eq!((overview.teams.len(), overview.game_masters.len()), (1, 3));
}
