//! Start, end, finish and reopening over REST.

use protocol::Phase;
use protocol::rest::SessionState;
use serde_json::{Value, json};

use crate::lobby;
use testkit::app::TestApp;
use testkit::app::http::Response;

const HOUR_MS: u64 = 3_600_000;

async fn order(app: &TestApp, method: &str, path: &str, body: Option<Value>) -> Response {
    app.ask(method, path, &app.game_master_token, body).await
}

async fn state(app: &TestApp) -> SessionState {
    app.get("", "").await.read(200)
}

#[tokio::test]
async fn a_start_is_scheduled_and_cancelled() {
    let mut app = lobby().await;
    let now = app.desk().await.welcome.server_time_ms;
    let body = |at_ms: u64| Some(json!({ "at_ms": at_ms }));
    let past = order(&app, "POST", "/start", body(now - 1)).await;
    past.expect_failure(409, "bad_time");
    let none = order(&app, "POST", "/cancel-start", None).await;
    none.expect_failure(409, "wrong_phase");
    let at_ms = now + HOUR_MS;
    let scheduled = order(&app, "POST", "/start", body(at_ms)).await;
    let scheduled: SessionState = scheduled.read(200);
    assert_eq!(
        (scheduled.phase, scheduled.starts_at_ms),
        (Phase::Lobby, Some(at_ms))
    );
    app.crash().await;
    assert_eq!(state(&app).await, scheduled);
    let cancelled = order(&app, "POST", "/cancel-start", None).await;
    assert_eq!(cancelled.read::<SessionState>(200).starts_at_ms, None);

    let soon = app.desk().await.welcome.server_time_ms + 1_000;
    assert_eq!(order(&app, "POST", "/start", body(soon)).await.status, 200);
    let mut player = app.team("Owls").await;
    player
        .expect_update(|event| matches!(event, protocol::Event::SessionStarted { .. }))
        .await;
    let started = state(&app).await;
    assert_eq!(
        (started.phase, started.starts_at_ms),
        (Phase::Running, None)
    );
}

#[tokio::test]
async fn the_end_is_moved_and_stands_still_in_a_pause() {
    let app = lobby().await;
    let left = json!({ "left_ms": HOUR_MS });
    let early = order(&app, "PATCH", "/end", Some(left.clone())).await;
    early.expect_failure(409, "wrong_phase");
    assert_eq!(
        order(&app, "POST", "/start", Some(json!({}))).await.status,
        200
    );
    assert_eq!(state(&app).await.ends_at_ms, None);
    let moved = order(&app, "PATCH", "/end", Some(left)).await;
    let moved: SessionState = moved.read(200);
    let ends_at_ms = moved.ends_at_ms.expect("it has an end");
    let paused: SessionState = order(&app, "POST", "/pause", None).await.read(200);
    assert_eq!(paused.ends_at_ms, None);
    assert!(
        paused
            .left_ms
            .is_some_and(|left| left <= HOUR_MS && left > HOUR_MS / 2)
    );
    let resumed: SessionState = order(&app, "POST", "/resume", None).await.read(200);
    assert_eq!(resumed.left_ms, None);
    assert!(resumed.ends_at_ms.is_some_and(|end| end >= ends_at_ms));
    let later = ends_at_ms + HOUR_MS;
    let to = json!({ "ends_at_ms": later });
    let moved: SessionState = order(&app, "PATCH", "/end", Some(to)).await.read(200);
    assert_eq!(moved.ends_at_ms, Some(later));
    for bad in [
        json!({ "ends_at_ms": later, "left_ms": 1 }),
        json!({ "left_ms": 0 }),
        json!({ "ends_at_ms": 1 }),
    ] {
        let refused = order(&app, "PATCH", "/end", Some(bad)).await;
        refused.expect_failure(409, "bad_time");
    }
    let never: SessionState = order(&app, "PATCH", "/end", Some(json!({})))
        .await
        .read(200);
    assert_eq!(never.ends_at_ms, None);
}

#[tokio::test]
async fn a_finish_needs_confirmation_and_can_be_undone() {
    let app = lobby().await;
    app.order("start").await;
    let early = order(&app, "POST", "/reopen", None).await;
    early.expect_failure(409, "wrong_phase");
    for unconfirmed in [None, Some(json!({})), Some(json!({ "confirm": false }))] {
        let refused = order(&app, "POST", "/finish", unconfirmed).await;
        refused.expect_failure(409, "needs_confirmation");
    }
    for malformed in [
        json!({ "confirm": 1 }),
        json!([true]),
        json!({ "sure": true }),
    ] {
        let refused = order(&app, "POST", "/finish", Some(malformed)).await;
        refused.expect_failure(400, "bad_request");
    }
    assert_eq!(state(&app).await.phase, Phase::Running);
    let confirmed = Some(json!({ "confirm": true }));
    let finished = order(&app, "POST", "/finish", confirmed).await;
    assert_eq!(finished.read::<SessionState>(200).phase, Phase::Finished);
    let reopened = order(&app, "POST", "/reopen", None).await;
    assert_eq!(reopened.read::<SessionState>(200).phase, Phase::Paused);
}
