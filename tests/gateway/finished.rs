//! Finished sessions: closed while nothing uses them, and opened again by the next request.

use std::time::Duration;

use protocol::{Codec, RejectionCode};
use testkit::app::{ANSWER, TestApp};

const OPEN: &str = "cluecast_sessions_open";

async fn score(app: &TestApp) -> u32 {
    app.scores().await[0].1
}

#[tokio::test]
async fn a_finished_session_is_opened_by_the_next_request() {
    let mut app = TestApp::running(&["session.reopen_ms_max=0"]).await;
    let mut player = app.team_with(Codec::Json, "Owls").await;
    player.guess("p0", ANSWER).await.expect_correct();
    app.order("finish").await;
    player.disconnect();
    assert_eq!(app.metric(OPEN).await, 1, "a client is connected");

    app.restart().await;
    assert_eq!(app.metric(OPEN).await, 0);
    assert_eq!(score(&app).await, 1);
    assert_eq!(app.metric(OPEN).await, 1);

    // The same after a crash, and for a player.
    app.crash().await;
    assert_eq!(app.metric(OPEN).await, 0);
    player.reconnect().await;
    let answer = player.guess("p1", ANSWER).await;
    answer.expect_rejection(RejectionCode::Finished);
    assert_eq!(app.metric(OPEN).await, 1);
    app.assert_healthy();
}

#[tokio::test]
async fn a_finished_session_is_closed_when_nothing_uses_it() {
    let app = TestApp::running(&["session.reopen_ms_max=0", "session.idle_ms_max=1000"]).await;
    let mut player = app.team_with(Codec::MessagePack, "Owls").await;
    player.guess("p0", ANSWER).await.expect_correct();
    app.order("finish").await;
    let retired = "cluecast_sessions_retired_total";
    // Two more heads frames than fit into the idle time.
    for _ in 0..12 {
        player.catch_up().await;
    }
    assert_eq!(app.metric(retired).await, 0, "a client is connected");
    player.disconnect();
    app.until_metric(OPEN, |open| open == 0).await;
    assert_eq!(app.metric(retired).await, 1);

    assert_eq!(score(&app).await, 1);
    assert_eq!(app.metric(OPEN).await, 1);
    player.reconnect().await;
    player.catch_up().await;
    app.assert_healthy();
}

/// Requests race with the closing of an idle session.
#[tokio::test]
async fn a_request_at_the_moment_when_a_session_is_closed_is_answered() {
    let app = TestApp::running(&["session.reopen_ms_max=0", "session.idle_ms_max=1000"]).await;
    app.join("Owls").await;
    app.order("finish").await;
    let mut retired = 0;
    while retired < 3 {
        while app.metric("cluecast_sessions_retired_total").await == retired {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        retired += 1;
        for _ in 0..20 {
            assert_eq!(app.scores().await.len(), 1);
        }
    }
    app.assert_healthy();
}

#[tokio::test]
async fn a_finished_session_is_not_opened_beyond_the_limit() {
    let settings = [
        "session.reopen_ms_max=0",
        "session.idle_ms_max=1000",
        "server.sessions_max=1",
    ];
    let app = TestApp::running(&settings).await;
    app.order("finish").await;
    app.until_metric(OPEN, |open| open == 0).await;
    let newer = app.create().await;
    let refused = app.get("/standings", "").await;
    refused.expect_failure(503, "unavailable");
    assert_eq!(app.metric(OPEN).await, 1);
    assert_eq!(newer.scores().await, []);
}
