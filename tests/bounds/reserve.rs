//! Health, metrics and those who run a session on a server that takes nobody else.

use protocol::rest::FailureCode;
use protocol::{ClientMessage, Watch};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http::{self, Answer};
use crate::site::{Site, failure, value_of};
use crate::socket::{CODEC, Socket, connect_from};

const RESERVED: &str = "cluecast_requests_reserved_total";

async fn ask(site: &Site, source: &str, request: &str, token: Option<&str>) -> Answer {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let token = token.unwrap_or_default();
    let request = format!("{request} HTTP/1.1\r\nhost: test\r\n{token}\r\n");
    let mut stream = connect_from(source, site.address()).await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    // It is read up to the end of the connection, which therefore ends after the answer.
    http::read(&mut stream).await.expect("an answer")
}

/// Connections, as many as the server takes.
async fn fill(site: &Site) -> Vec<Socket> {
    let mut all = Vec::new();
    loop {
        let stream = TcpStream::connect(site.address()).await;
        match Socket::upgrade(site, stream.expect("it listens")).await {
            Ok(mut socket) => {
                let watch = ClientMessage::Watch(Watch {});
                socket.send(CODEC.encode(&watch)).await;
                all.push(socket);
            }
            Err(status) if all.len() < 3 => assert_eq!(status, 503, "some have yet to end"),
            Err(_full) => return all,
        }
    }
}

/// Everything that is answered, and what is refused with a status.
async fn is_for_monitors_and_game_masters(site: &Site, source: &str, player: &str, refused: u16) {
    for path in ["/health/live", "/health/ready", "/metrics"] {
        let answer = ask(site, source, &format!("GET {path}"), None).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let session = format!("/api/v1/sessions/{}", site.session);
    let game_master = Some(site.game_master.as_str());
    for order in ["pause", "resume"] {
        let request = format!("POST {session}/{order}");
        let answer = ask(site, source, &request, game_master).await;
        assert_eq!(answer.status, 200, "{order}: {}", answer.body);
    }
    let socket = format!("GET /ws/{}", site.session);
    for (request, token) in [
        ("GET /", None),
        ("DELETE /health/live", None),
        (&format!("GET {session}"), None),
        (&format!("GET {session}/devices"), Some(player)),
        (&format!("POST {session}/pause"), Some("v4.local.x")),
        (&socket, None),
    ] {
        let answer = ask(site, source, request, token).await;
        assert_eq!(answer.status, refused, "{request}");
        let code = failure(&answer.body).error.code;
        let expected = match refused {
            503 => FailureCode::Unavailable,
            _ => FailureCode::RateLimited,
        };
        assert_eq!(code, expected, "{request}");
        assert_eq!(answer.headers["retry-after"], "5", "{request}");
    }
}

#[tokio::test]
async fn a_full_server_is_seen_and_run_all_the_same() {
    let site = Site::start(&["gateway.connections_max=3"]).await;
    let player = site.join("Owls").await.token;
    let all = fill(&site).await;
    let before = site.metric(RESERVED).await;
    is_for_monitors_and_game_masters(&site, "127.0.0.1", &player, 503).await;
    let stream = TcpStream::connect(site.address()).await;
    let token = format!("Bearer {}", site.game_master);
    let told = ("authorization", token.as_str());
    let refused = Socket::upgrade_with(&site, stream.expect("it listens"), told).await;
    assert_eq!(refused.err().map(|status| status.as_u16()), Some(503));
    let metrics = http::get(site.address(), "/metrics").await.body;
    assert_eq!(value_of(&metrics, RESERVED), before + 6);
    drop(all);
}

#[tokio::test]
async fn an_address_at_its_bound_sees_and_runs_the_server_all_the_same() {
    let settings = ["gateway.unauthenticated_per_address_max=1"];
    let site = Site::start(&settings).await;
    let player = site.join("Owls").await.token;
    let only = connect_from("127.0.0.9", site.address()).await;
    is_for_monitors_and_game_masters(&site, "127.0.0.9", &player, 429).await;
    drop(only);
}

#[tokio::test]
async fn a_client_of_a_proxy_that_is_at_its_bound_does_so_too() {
    let settings = [
        "gateway.unauthenticated_per_address_max=1",
        "gateway.proxies=[\"127.0.0.7/32\"]",
    ];
    let site = Site::start(&settings).await;
    let told = ("x-forwarded-for", "192.0.2.1");
    let stream = connect_from("127.0.0.7", site.address()).await;
    let only = Socket::upgrade_with(&site, stream, told).await;
    let only = only.expect("there is room");
    let forwarded = "connection: close\r\nx-forwarded-for: 192.0.2.1";
    for (path, token, status) in [
        ("/health/live", None, 200),
        ("/", None, 429),
        (
            &format!("/api/v1/sessions/{}/devices", site.session),
            Some(&site.game_master),
            200,
        ),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n{forwarded}\r\n");
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        let request = format!("{request}{}\r\n", token.unwrap_or_default());
        let mut stream = connect_from("127.0.0.7", site.address()).await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        let answer = http::read(&mut stream).await.expect("an answer");
        assert_eq!(answer.status, status, "{path}");
    }
    drop(only);
}

/// Whoever asks for nothing keeps a part of the reserve, and that for a moment.
#[tokio::test]
async fn one_address_does_not_keep_the_reserve_to_itself() {
    let site = Site::start(&["gateway.connections_max=3"]).await;
    let all = fill(&site).await;
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(connect_from("127.0.0.9", site.address()).await);
    }
    let answer = ask(&site, "127.0.0.8", "GET /health/live", None).await;
    assert_eq!(answer.status, 200);
    for mut stream in silent {
        let answer = http::read(&mut stream).await.expect("an answer");
        assert_eq!(answer.status, 503, "it is told without having asked");
    }
    let answer = ask(&site, "127.0.0.9", "GET /health/live", None).await;
    assert_eq!(answer.status, 200, "the address has its part again");
    drop(all);
}
