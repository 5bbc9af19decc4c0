//! Whether the other side still lives.

use protocol::ServerMessage;
use protocol::cost::CONTROL_FRAMES_BURST;
use tokio::time::Instant;

use crate::http::PATIENCE;
use crate::site::Site;
use crate::socket::Socket;

const SILENT: &str = "cluecast_connections_lost_total{reason=\"pong_timeout\"}";
const QUICK: [&str; 2] = ["gateway.ping_every_ms=100", "gateway.pong_ms_max=400"];

#[tokio::test]
async fn a_connection_that_answers_no_ping_is_given_up() {
    let site = Site::start(&QUICK).await;
    let player = site.join("Owls").await;
    // It reads nothing, so its library answers nothing.
    let mut dead = Socket::attach(&site, &player.token).await;
    let deadline = Instant::now() + PATIENCE;
    while site.metric(SILENT).await == 0 {
        assert!(Instant::now() < deadline, "it is kept");
    }
    assert_eq!(site.metric("cluecast_connections_gone_total").await, 1);
    // What it was sent before is all there; then nothing follows.
    while dead.receive().await.is_some() {}
}

#[tokio::test]
async fn a_connection_that_answers_pings_is_kept_though_it_says_nothing() {
    let settings = [QUICK[0], QUICK[1], "delivery.heads_every_ms=100"];
    let site = Site::start(&settings).await;
    let player = site.join("Owls").await;
    let mut alive = Socket::attach(&site, &player.token).await;
    // As many as come in several times the patience of the server.
    let mut heads = 0;
    while heads < 30 {
        if let ServerMessage::Heads(_) = alive.receive().await.expect("it is kept") {
            heads += 1;
        }
    }
    assert_eq!(site.metric(SILENT).await, 0);
    alive.guess(1, "p0", "wrong").await;
    while !matches!(alive.receive().await, Some(ServerMessage::Receipt(_))) {}
}

#[tokio::test]
async fn whoever_pings_without_end_is_told_when_to_come_again() {
    let site = Site::start(&[]).await;
    let player = site.join("Owls").await;
    let mut socket = Socket::attach(&site, &player.token).await;
    for _ in 0..CONTROL_FRAMES_BURST * 2 {
        if socket.ping().await.is_err() {
            break;
        }
    }
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4429);
    assert!(
        reason.starts_with("overloaded: ") && reason.ends_with(" ms"),
        "{reason}"
    );
}
