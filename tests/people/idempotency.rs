//! Idempotency keys: a repeated request creates nothing again.

use protocol::rest::{DeviceSummary, Devices, SessionState};
use serde_json::{Value, json};

use crate::{lobby, running};
use testkit::app::TestApp;
use testkit::app::http::{Request, Response};

/// A key of the minimum length.
const KEY: &str = "kQ3x9ZpT7mW2vB5nR8cY1d";

fn request(app: &TestApp, path: &str, token: &str, body: &Value) -> Request {
    let mut request = Request::post(format!("/api/v1/sessions/{}{path}", app.code));
    if !token.is_empty() {
        request = request.bearer(token);
    }
    if *body == Value::Null {
        return request;
    }
    request.json(body)
}

async fn post(app: &TestApp, path: &str, token: &str, key: &str, body: &Value) -> Response {
    let request = request(app, path, token, body);
    app.send(&request.header("idempotency-key", key)).await
}

async fn counts(app: &TestApp) -> (u32, u32, usize) {
    let state: SessionState = app.get("", "").await.read(200);
    let devices: Devices = app.get("/devices", &app.game_master_token).await.read(200);
    (state.teams, state.players, devices.devices.len())
}

/// A response without its secrets, which are new in a repeat.
fn ids(response: &Response) -> Value {
    let mut body: Value = response.read(201);
    for secret in ["token", "link", "expires_at_ms"] {
        body.as_object_mut().expect("a map").remove(secret);
    }
    body
}

#[tokio::test]
async fn a_repeat_after_a_crash_gets_the_same_ids_and_creates_nothing() {
    let mut app = running().await;
    let ana = app.join("Owls").await;
    let link: Value = app.post("/links", &ana.token, None).await.read(201);
    let (device, run) = (ana.token.as_str(), app.game_master_token.clone());
    let to = json!({ "type": "everyone" });
    let restored = format!("/players/{}/devices", ana.player);
    let requests = [
        ("/join", "", json!({ "new_team": "Foxes", "name": "Fay" })),
        (
            "/join",
            "",
            json!({ "team_code": ana.team_code, "name": "Ben" }),
        ),
        (
            "/restore",
            "",
            json!({ "team_code": ana.team_code, "player": ana.player }),
        ),
        ("/restore", "", json!({ "link": link["link"] })),
        ("/devices", device, Value::Null),
        (&restored, &run, Value::Null),
        ("/links", device, Value::Null),
        (
            "/game-masters",
            &run,
            json!({ "name": "Mo", "scopes": ["view"] }),
        ),
        ("/clues", &run, json!({ "to": to, "text": "Look up" })),
        ("/announcements", &run, json!({ "text": "Dinner" })),
    ];
    let mut first = Vec::new();
    for (n, (path, token, body)) in requests.iter().enumerate() {
        let key = format!("{KEY}-{n}");
        first.push(ids(&post(&app, path, token, &key, body).await));
    }
    let before = counts(&app).await;
    app.crash().await;
    for ((n, (path, token, body)), first) in requests.iter().enumerate().zip(&first) {
        let key = format!("{KEY}-{n}");
        let repeated = post(&app, path, token, &key, body).await;
        assert_eq!(ids(&repeated), *first, "{path}");
        let repeated: Value = repeated.read(201);
        if let Some(token) = repeated["token"].as_str() {
            app.attach(token).await;
        }
    }
    assert_eq!(counts(&app).await, before);
    let (_, _, listed) = before;
    assert_eq!(listed, 7, "the first one, and one for each of six requests");

    // Without a key each request creates something.
    let body = &requests[8].2;
    let clues = [
        app.send(&request(&app, "/clues", &run, body)).await,
        app.send(&request(&app, "/clues", &run, body)).await,
    ];
    assert_ne!(ids(&clues[0]), ids(&clues[1]));
}

#[tokio::test]
async fn a_link_of_a_repeated_request_is_used_once() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let mut uses = Vec::new();
    for _ in 0..2 {
        let link: Value = post(&app, "/links", &ana.token, KEY, &Value::Null)
            .await
            .read(201);
        let body = json!({ "link": link["link"] });
        uses.push(app.post("/restore", "", Some(body)).await);
    }
    assert_eq!(uses[0].status, 201);
    uses[1].expect_failure(409, "link_used");
}

#[tokio::test]
async fn a_key_does_not_serve_another_request_or_requester() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let ben = app.join_team(&ana.team_code).await;
    let first = post(&app, "/devices", &ana.token, KEY, &Value::Null).await;
    assert_eq!(first.status, 201);
    for (path, token, body) in [
        ("/devices", ben.token.as_str(), Value::Null),
        (
            "/clues",
            &app.game_master_token,
            json!({ "to": { "type": "everyone" }, "text": "Look up" }),
        ),
        ("/join", "", json!({ "new_team": "Foxes", "name": "Fay" })),
    ] {
        let refused = post(&app, path, token, KEY, &body).await;
        refused.expect_failure(422, "key_reused");
        assert!(!refused.body.contains(&ana.player), "{}", refused.body);
    }
    let join = |team: &str| json!({ "new_team": team, "name": "Fay" });
    let key = format!("{KEY}-2");
    let joined = post(&app, "/join", "", &key, &join("Foxes")).await;
    assert_eq!(joined.status, 201);
    let other = post(&app, "/join", "", &key, &join("Bears")).await;
    other.expect_failure(422, "key_reused");
    // The same content in another order of the fields, and another spelling of the session's code.
    let body = r#"{"name":"Fay","new_team":"Foxes"}"#;
    let path = format!("/api/v1/sessions/{}/join", app.code.to_lowercase());
    let repeat = Request::post(path).raw_json(body);
    let repeat = app.send(&repeat.header("idempotency-key", &*key)).await;
    assert_eq!(ids(&repeat), ids(&joined));
    // Keys are of one session.
    let elsewhere = app.create().await;
    let path = format!("/api/v1/sessions/{}/join", elsewhere.code);
    let new = Request::post(path).json(&join("Bears"));
    let new = app.send(&new.header("idempotency-key", &*key)).await;
    assert_eq!(new.status, 201);
}

#[tokio::test]
async fn a_rejected_request_may_be_sent_again_with_its_key() {
    let app = lobby().await;
    app.join("Owls").await;
    let join = |team: &str| json!({ "new_team": team, "name": "Fay" });
    let taken = post(&app, "/join", "", KEY, &join("Owls")).await;
    taken.expect_failure(409, "name_taken");
    let joined = post(&app, "/join", "", KEY, &join("Foxes")).await;
    assert_eq!(joined.status, 201);
    // The name does not conflict with that of the first request.
    let again = post(&app, "/join", "", KEY, &join("Foxes")).await;
    assert_eq!(ids(&again), ids(&joined));
}

#[tokio::test]
async fn a_revoked_requester_gets_no_repeat() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let stolen = app.add_device(&ana.token).await;
    let body = Value::Null;
    let added = post(&app, "/devices", &stolen.token, KEY, &body).await;
    assert_eq!(added.status, 201);
    let path = format!("/devices/{}", stolen.device);
    assert_eq!(app.delete(&path, &ana.token).await.status, 204);
    let again = post(&app, "/devices", &stolen.token, KEY, &body).await;
    again.expect_failure(403, "revoked");
    let listed: Devices = app.get("/devices", &ana.token).await.read(200);
    let is_live = |device: &&DeviceSummary| !device.revoked;
    assert_eq!(listed.devices.iter().filter(is_live).count(), 2);
}

#[tokio::test]
async fn malformed_keys_are_bad_requests() {
    let app = lobby().await;
    let body = json!({ "new_team": "Owls", "name": "Ana" });
    let longest = "x".repeat(64);
    for key in ["", "short", &KEY[1..], &format!("{longest}x")] {
        let refused = post(&app, "/join", "", key, &body).await;
        refused.expect_failure(400, "bad_request");
    }
    for strange in [" ", "+", "=", "\"", "é"] {
        let key = format!("{KEY}{strange}{KEY}");
        let refused = post(&app, "/join", "", &key, &body).await;
        refused.expect_failure(400, "bad_request");
    }
    assert_eq!(post(&app, "/join", "", &longest, &body).await.status, 201);
}
