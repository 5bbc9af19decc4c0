//! Connection limits: in total, and per address before authentication.

use futures_util::future::join_all;
use protocol::Codec;
use protocol::rest::FailureCode;
use testkit::app::http::{Request, Response, connect, connect_from, metric_in};
use testkit::app::{Socket, TestApp, WAIT_MAX, upgrade_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn ask(stream: &mut TcpStream, authorization: &str) -> String {
    let request = format!("GET /health/live HTTP/1.1\r\nhost: test\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 4096];
    let read = timeout(WAIT_MAX, stream.read(&mut answer))
        .await
        .expect("an answer");
    answer.truncate(read.expect("an answer"));
    String::from_utf8(answer).expect("text")
}

/// Whether the server accepts a connection: it answers on it.
async fn is_accepted(stream: &mut TcpStream) -> bool {
    ask(stream, "").await.starts_with("HTTP/1.1 200 ")
}

#[tokio::test]
async fn beyond_the_limit_of_the_server_there_is_503_with_retry_after() {
    let app = TestApp::running(&["gateway.connections_max=3"]).await;
    let attached = app.team("Owls").await;
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut other = connect(app.address()).await;
        assert!(is_accepted(&mut other).await);
        others.push(other);
    }
    let answer = Request::get("/").send(app.address()).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "5");
    let error = answer.error();
    assert_eq!(error.code, FailureCode::Unavailable);
    assert!(
        error.message.contains("try again in 5 seconds"),
        "{}",
        error.message
    );
    let upgrade = connect(app.address()).await;
    assert_eq!(app.try_upgrade(upgrade, None).await.err(), Some(503));

    // The accepted connections are not affected.
    let mut metrics = others.pop().expect("one of two");
    // The metrics are requested on the remaining one.
    let request = "GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    metrics.write_all(request.as_bytes()).await.expect("sent");
    let printed = Response::receive(&mut metrics).await.expect("an answer");
    let refused = "cluecast_connections_refused_total{reason=\"full\"}";
    assert_eq!(metric_in(&printed.body, refused), Some(2));
    drop((attached, others));

    // Released slots can be acquired again.
    while Request::get("/").send(app.address()).await.status == 503 {}
}

#[tokio::test]
async fn beyond_its_limit_an_address_gets_429_until_tokens_are_shown() {
    let app = TestApp::running(&["gateway.unauthenticated_per_address_max=2"]).await;
    let player = app.join("Owls").await;
    let from = |source: &'static str| connect_from(source, app.address());

    let first = app.try_upgrade(from("127.0.0.9").await, None).await;
    let first = first.expect("one");
    let mut second = from("127.0.0.9").await;
    assert!(is_accepted(&mut second).await, "two");
    let mut third = from("127.0.0.9").await;
    let answer = Response::receive(&mut third).await.expect("an answer");
    assert_eq!(answer.status, 429);
    assert_eq!(answer.headers["retry-after"], "5");
    let error = answer.error();
    assert_eq!(error.code, FailureCode::RateLimited);
    assert!(error.message.contains("token"), "{}", error.message);
    assert!(
        is_accepted(&mut from("127.0.0.8").await).await,
        "another address"
    );

    // A valid `hello` frees one slot, a valid token in a header the other.
    let _first = app.attach_on(first, &player.token).await;
    let mut fourth = from("127.0.0.9").await;
    assert!(is_accepted(&mut fourth).await, "the first is authenticated");
    assert_eq!(
        Response::receive(&mut from("127.0.0.9").await)
            .await
            .expect("an answer")
            .status,
        429
    );
    let path = format!("/api/v1/sessions/{}/export", app.code);
    let token = &app.game_master_token;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\r\n");
    fourth.write_all(request.as_bytes()).await.expect("sent");
    let mut begin = [0; 15];
    timeout(WAIT_MAX, fourth.read_exact(&mut begin))
        .await
        .expect("an answer")
        .expect("an answer");
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    assert!(
        is_accepted(&mut from("127.0.0.9").await).await,
        "the fourth is authenticated"
    );

    let refused = "cluecast_connections_refused_total{reason=\"address\"}";
    assert_eq!(app.metric(refused).await, 2);
}

#[tokio::test]
async fn a_forged_token_frees_nothing() {
    let app = TestApp::running(&["gateway.unauthenticated_per_address_max=1"]).await;
    let mut only = connect_from("127.0.0.9", app.address()).await;
    let path = format!("/api/v1/sessions/{}/export", app.code);
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer v4.local.x\r\n\r\n");
    only.write_all(request.as_bytes()).await.expect("sent");
    let mut begin = [0; 12];
    timeout(WAIT_MAX, only.read_exact(&mut begin))
        .await
        .expect("an answer")
        .expect("an answer");
    assert_eq!(&begin, b"HTTP/1.1 401");
    let mut second = connect_from("127.0.0.9", app.address()).await;
    assert_eq!(
        Response::receive(&mut second)
            .await
            .expect("an answer")
            .status,
        429
    );
}

#[tokio::test]
async fn a_venue_is_not_bounded_by_its_address() {
    let settings = [
        "gateway.unauthenticated_per_address_max=1",
        "gateway.venues=[\"127.9.0.0/16\"]",
    ];
    let app = TestApp::running(&settings).await;
    let mut all = Vec::new();
    for _ in 0..20 {
        let mut one = connect_from("127.9.1.1", app.address()).await;
        assert!(is_accepted(&mut one).await);
        all.push(one);
    }
    let mut elsewhere = connect_from("127.10.1.1", app.address()).await;
    assert!(is_accepted(&mut elsewhere).await);
    let mut second = connect_from("127.10.1.1", app.address()).await;
    assert_eq!(
        Response::receive(&mut second)
            .await
            .expect("an answer")
            .status,
        429
    );
}

/// More than the largest hunts have at one venue.
const CROWD: usize = 1_500;

/// Connects clients from one address, all of them before any hello. Returns those that were admitted.
async fn crowd(app: &TestApp, source: &'static str) -> Vec<Socket> {
    let mut admitted = Vec::new();
    for _ in 0..CROWD / 100 {
        let coming = (0..100).map(async |_| {
            let stream = connect_from(source, app.address()).await;
            let request = upgrade_request(&app.code, Some(Codec::MessagePack.subprotocol()));
            Socket::upgrade(stream, request).await
        });
        // Of many that are refused at the same time, not all receive the status.
        admitted.extend(join_all(coming).await.into_iter().flatten());
    }
    admitted
}

#[tokio::test]
async fn a_crowd_of_players_at_a_venue_is_admitted_whole() {
    let app = TestApp::running(&["gateway.venues=[\"127.9.0.0/16\"]"]).await;
    let captain = app.join("Owls").await;
    let mut tokens = vec![captain.token];
    let mut team = captain.team_code;
    while tokens.len() < CROWD {
        // A team has room for 100.
        if tokens.len() % 100 == 0 {
            let captain = app.join(&format!("Owls {}", tokens.len())).await;
            tokens.push(captain.token);
            team = captain.team_code;
        } else {
            let joined = app.join_team(&team).await;
            tokens.push(joined.token);
        }
    }
    let admitted = crowd(&app, "127.9.1.1").await;
    assert_eq!(admitted.len(), CROWD);
    let mut players = Vec::new();
    for (socket, token) in admitted.into_iter().zip(&tokens) {
        players.push(app.attach_on(socket, token).await);
    }
    let last = &mut players[CROWD - 1];
    last.guess("p0", "wrong").await.expect_wrong();
}

#[tokio::test]
async fn a_crowd_without_tokens_elsewhere_gets_the_slots_of_its_address() {
    let app = TestApp::running(&[]).await;
    let admitted = crowd(&app, "127.9.1.1").await;
    assert_eq!(admitted.len(), 256);
    let refused = "cluecast_connections_refused_total{reason=\"address\"}";
    assert_eq!(app.metric(refused).await, CROWD as u64 - 256);
    // They do not lock out other addresses.
    app.team("Owls").await;
}
