//! Keepalive: pings detect dead connections, and control frames are limited.

use protocol::cost::CONTROL_FRAMES_BURST;
use protocol::{CloseCode, ServerMessage};
use testkit::app::TestApp;
use tokio_tungstenite::tungstenite::Message;

const SILENT: &str = "cluecast_connections_lost_total{reason=\"pong_timeout\"}";
const QUICK: [&str; 2] = ["gateway.ping_every_ms=100", "gateway.pong_ms_max=400"];

#[tokio::test]
async fn a_connection_that_answers_no_ping_is_dropped() {
    let app = TestApp::running(&QUICK).await;
    // It does not read, so its library answers no pings.
    let mut dead = app.team("Owls").await;
    app.until_metric(SILENT, |silent| silent > 0).await;
    assert_eq!(app.metric("cluecast_connections_gone_total").await, 1);
    // Everything that was sent before arrives; then nothing follows.
    assert_eq!(dead.ended().await.code(), None);
}

#[tokio::test]
async fn a_connection_that_answers_pings_is_kept_though_it_sends_nothing() {
    let app = TestApp::running(&QUICK).await;
    let mut alive = app.team("Owls").await;
    // As many as come in several times the server's timeout.
    for _ in 0..30 {
        let is_heads = |message: &ServerMessage| matches!(message, ServerMessage::Heads(_));
        alive.read_until(is_heads).await;
    }
    assert_eq!(app.metric(SILENT).await, 0);
    alive.guess("p0", "wrong").await.expect_wrong();
}

#[tokio::test]
async fn a_client_that_sends_too_many_pings_is_closed_with_a_retry_delay() {
    let app = TestApp::running(&[]).await;
    let mut player = app.team("Owls").await;
    for _ in 0..CONTROL_FRAMES_BURST * 2 {
        let ping = Message::Ping(Vec::new().into());
        if player.socket().send_frame(ping).await.is_err() {
            break;
        }
    }
    let reason = player.expect_close(CloseCode::Overloaded).await;
    assert!(
        reason.starts_with("overloaded: ") && reason.ends_with(" ms"),
        "{reason}"
    );
}
