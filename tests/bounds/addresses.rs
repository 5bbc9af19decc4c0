//! Connections in all, and from one address before a valid token is shown.

use protocol::rest::FailureCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use futures_util::future::join_all;

use crate::http::{self, PATIENCE};
use crate::site::{Site, failure, value_of};
use crate::socket::{Socket, connect_from, upgrade_request};

async fn ask(stream: &mut TcpStream, authorization: &str) -> String {
    let request = format!("GET /health/live HTTP/1.1\r\nhost: test\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 4096];
    let read = timeout(PATIENCE, stream.read(&mut answer))
        .await
        .expect("an answer");
    answer.truncate(read.expect("an answer"));
    String::from_utf8(answer).expect("text")
}

/// Whether the server keeps a connection: it answers on it.
async fn is_taken(stream: &mut TcpStream) -> bool {
    ask(stream, "").await.starts_with("HTTP/1.1 200 ")
}

#[tokio::test]
async fn beyond_the_places_of_the_server_there_is_503_with_the_time_to_come_back() {
    let site = Site::start(&["gateway.connections_max=3"]).await;
    let player = site.join("Owls").await;
    let attached = Socket::attach(&site, &player.token).await;
    let mut others = Vec::new();
    for _ in 0..2 {
        let mut other = TcpStream::connect(site.address())
            .await
            .expect("it listens");
        assert!(is_taken(&mut other).await);
        others.push(other);
    }
    let answer = http::get(site.address(), "/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.headers["retry-after"], "5");
    let told = failure(&answer.body).error;
    assert_eq!(told.code, FailureCode::Unavailable);
    assert!(
        told.message.contains("try again in 5 seconds"),
        "{}",
        told.message
    );
    let upgrade = TcpStream::connect(site.address())
        .await
        .expect("it listens");
    let refused = Socket::upgrade(&site, upgrade).await.err();
    assert_eq!(refused.map(|status| status.as_u16()), Some(503));

    // Whoever is in is not harmed.
    let mut metrics = others.pop().expect("one of two");
    // The metrics are asked for on the one that is left.
    let request = "GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    metrics.write_all(request.as_bytes()).await.expect("sent");
    let printed = http::read(&mut metrics).await.expect("an answer");
    let refused = "cluecast_connections_refused_total{reason=\"full\"}";
    assert_eq!(value_of(&printed.body, refused), 2);
    drop((attached, others));

    // Places that become free are given again.
    while http::get(site.address(), "/").await.status == 503 {}
}

#[tokio::test]
async fn beyond_its_share_an_address_is_told_429_until_tokens_are_shown() {
    let site = Site::start(&["gateway.unauthenticated_per_address_max=2"]).await;
    let player = site.join("Owls").await;
    let from = |source: &'static str| connect_from(source, site.address());

    let mut first = Socket::upgrade(&site, from("127.0.0.9").await)
        .await
        .expect("one");
    let mut second = from("127.0.0.9").await;
    assert!(is_taken(&mut second).await, "two");
    let mut third = from("127.0.0.9").await;
    let answer = http::read(&mut third).await.expect("an answer");
    assert_eq!(answer.status, 429);
    assert_eq!(answer.headers["retry-after"], "5");
    let told = failure(&answer.body).error;
    assert_eq!(told.code, FailureCode::RateLimited);
    assert!(told.message.contains("token"), "{}", told.message);
    assert!(
        is_taken(&mut from("127.0.0.8").await).await,
        "another address"
    );

    // A valid `hello` frees one share, a valid token in a header the other.
    first.hello(&player.token).await;
    let mut fourth = from("127.0.0.9").await;
    assert!(is_taken(&mut fourth).await, "the first is known");
    assert_eq!(
        http::read(&mut from("127.0.0.9").await)
            .await
            .expect("an answer")
            .status,
        429
    );
    let path = format!("/api/v1/sessions/{}/export", site.session);
    let token = &site.game_master;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\r\n");
    fourth.write_all(request.as_bytes()).await.expect("sent");
    let mut begin = [0; 15];
    timeout(PATIENCE, fourth.read_exact(&mut begin))
        .await
        .expect("an answer")
        .expect("an answer");
    assert_eq!(&begin, b"HTTP/1.1 200 OK");
    assert!(
        is_taken(&mut from("127.0.0.9").await).await,
        "the fourth is known"
    );

    let refused = "cluecast_connections_refused_total{reason=\"address\"}";
    assert_eq!(site.metric(refused).await, 2);
}

#[tokio::test]
async fn a_forged_token_frees_nothing() {
    let site = Site::start(&["gateway.unauthenticated_per_address_max=1"]).await;
    let mut only = connect_from("127.0.0.9", site.address()).await;
    let path = format!("/api/v1/sessions/{}/export", site.session);
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer v4.local.x\r\n\r\n");
    only.write_all(request.as_bytes()).await.expect("sent");
    let mut begin = [0; 12];
    timeout(PATIENCE, only.read_exact(&mut begin))
        .await
        .expect("an answer")
        .expect("an answer");
    assert_eq!(&begin, b"HTTP/1.1 401");
    let mut second = connect_from("127.0.0.9", site.address()).await;
    assert_eq!(
        http::read(&mut second).await.expect("an answer").status,
        429
    );
}

#[tokio::test]
async fn a_venue_is_not_bounded_by_its_address() {
    let settings = [
        "gateway.unauthenticated_per_address_max=1",
        "gateway.venues=[\"127.9.0.0/16\"]",
    ];
    let site = Site::start(&settings).await;
    let mut all = Vec::new();
    for _ in 0..20 {
        let mut one = connect_from("127.9.1.1", site.address()).await;
        assert!(is_taken(&mut one).await);
        all.push(one);
    }
    let mut elsewhere = connect_from("127.10.1.1", site.address()).await;
    assert!(is_taken(&mut elsewhere).await);
    let mut second = connect_from("127.10.1.1", site.address()).await;
    assert_eq!(
        http::read(&mut second).await.expect("an answer").status,
        429
    );
}

/// More than come to the largest hunts at one place.
const CROWD: usize = 1_500;

/// All connect from one address, and only then is anybody greeted. Gives those who were let in.
async fn crowd(site: &Site, source: &'static str) -> Vec<Socket> {
    let mut admitted = Vec::new();
    for _ in 0..CROWD / 100 {
        let coming = (0..100).map(async |_| {
            let stream = connect_from(source, site.address()).await;
            Socket::try_request(upgrade_request(&site.session), stream).await
        });
        // Of many who are sent away at the same time, not all hear why.
        admitted.extend(join_all(coming).await.into_iter().flatten());
    }
    admitted
}

#[tokio::test]
async fn a_crowd_of_players_at_a_venue_is_admitted_whole() {
    let site = Site::start(&["gateway.venues=[\"127.9.0.0/16\"]"]).await;
    let founder = site.join("Owls").await;
    let mut tokens = vec![founder.token];
    let mut team = founder.team_code;
    while tokens.len() < CROWD {
        // A team has room for 100.
        if tokens.len() % 100 == 0 {
            let founder = site.join(&format!("Owls {}", tokens.len())).await;
            tokens.push(founder.token);
            team = founder.team_code;
        } else {
            let joined = site.join_team(&team).await.expect("there is room");
            tokens.push(joined.token);
        }
    }
    let mut admitted = crowd(&site, "127.9.1.1").await;
    assert_eq!(admitted.len(), CROWD);
    for (socket, token) in admitted.iter_mut().zip(&tokens) {
        socket.hello(token).await;
    }
    admitted[CROWD - 1].guess(1, "p0", "wrong").await;
    while !matches!(
        admitted[CROWD - 1].receive().await.expect("it holds"),
        protocol::ServerMessage::Receipt(_)
    ) {}
}

#[tokio::test]
async fn a_crowd_without_tokens_elsewhere_gets_the_share_of_its_address() {
    let site = Site::start(&[]).await;
    let admitted = crowd(&site, "127.9.1.1").await;
    assert_eq!(admitted.len(), 256);
    let refused = "cluecast_connections_refused_total{reason=\"address\"}";
    assert_eq!(site.metric(refused).await, CROWD as u64 - 256);
    // The others are not in the way of anybody.
    let player = site.join("Owls").await;
    Socket::attach(&site, &player.token).await;
}
