//! Health, metrics and game masters have reserved connection slots on a full server.

use protocol::rest::FailureCode;
use protocol::{ClientMessage, Watch};
use testkit::app::http::{Request, Response, connect, connect_from, metric_in};
use testkit::app::{Socket, TestApp};
use tokio::io::AsyncWriteExt;

const RESERVED: &str = "cluecast_requests_reserved_total";

async fn ask(app: &TestApp, source: &str, request: &str, token: Option<&str>) -> Response {
    let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
    let token = token.unwrap_or_default();
    let request = format!("{request} HTTP/1.1\r\nhost: test\r\n{token}\r\n");
    let mut stream = connect_from(source, app.address()).await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    // It is read to the end of the connection, which therefore ends after the response.
    Response::receive(&mut stream).await.expect("an answer")
}

/// Connections, as many as the server accepts.
async fn fill(app: &TestApp) -> Vec<Socket> {
    let mut all = Vec::new();
    loop {
        let stream = connect(app.address()).await;
        match app.try_upgrade(stream, None).await {
            Ok(mut socket) => {
                socket.send(&ClientMessage::Watch(Watch {})).await;
                all.push(socket);
            }
            Err(status) if all.len() < 3 => assert_eq!(status, 503, "some have yet to end"),
            Err(_full) => return all,
        }
    }
}

/// Asserts what is still answered, and that everything else is refused with this status.
async fn expect_only_monitors_and_game_masters(
    app: &TestApp,
    source: &str,
    player: &str,
    refused: u16,
) {
    for path in ["/health/live", "/health/ready", "/metrics"] {
        let answer = ask(app, source, &format!("GET {path}"), None).await;
        assert_eq!(answer.status, 200, "{path}");
    }
    let session = format!("/api/v1/sessions/{}", app.code);
    let game_master = Some(app.game_master_token.as_str());
    for order in ["pause", "resume"] {
        let request = format!("POST {session}/{order}");
        let answer = ask(app, source, &request, game_master).await;
        assert_eq!(answer.status, 200, "{order}: {}", answer.body);
    }
    let socket = format!("GET /ws/{}", app.code);
    for (request, token) in [
        ("GET /", None),
        ("DELETE /health/live", None),
        (&format!("GET {session}"), None),
        (&format!("GET {session}/devices"), Some(player)),
        (&format!("POST {session}/pause"), Some("v4.local.x")),
        (&socket, None),
    ] {
        let answer = ask(app, source, request, token).await;
        assert_eq!(answer.status, refused, "{request}");
        let code = answer.error().code;
        let expected = match refused {
            503 => FailureCode::Unavailable,
            _ => FailureCode::RateLimited,
        };
        assert_eq!(code, expected, "{request}");
        assert_eq!(answer.headers["retry-after"], "5", "{request}");
    }
}

#[tokio::test]
async fn a_full_server_can_be_monitored_and_run() {
    let app = TestApp::running(&["gateway.connections_max=3"]).await;
    let player = app.join("Owls").await.token;
    let all = fill(&app).await;
    let before = app.metric(RESERVED).await;
    expect_only_monitors_and_game_masters(&app, "127.0.0.1", &player, 503).await;
    let stream = connect(app.address()).await;
    let token = format!("Bearer {}", app.game_master_token);
    let header = ("authorization", token.as_str());
    let refused = app.try_upgrade(stream, Some(header)).await;
    assert_eq!(refused.err(), Some(503));
    let metrics = Request::get("/metrics").send(app.address()).await.body;
    assert_eq!(metric_in(&metrics, RESERVED), Some(before + 6));
    drop(all);
}

#[tokio::test]
async fn an_address_at_its_limit_can_monitor_and_run_the_server() {
    let settings = ["gateway.unauthenticated_per_address_max=1"];
    let app = TestApp::running(&settings).await;
    let player = app.join("Owls").await.token;
    let only = connect_from("127.0.0.9", app.address()).await;
    expect_only_monitors_and_game_masters(&app, "127.0.0.9", &player, 429).await;
    drop(only);
}

#[tokio::test]
async fn a_client_of_a_proxy_at_its_limit_can_do_so_too() {
    let settings = [
        "gateway.unauthenticated_per_address_max=1",
        "gateway.proxies=[\"127.0.0.7/32\"]",
    ];
    let app = TestApp::running(&settings).await;
    let header = ("x-forwarded-for", "192.0.2.1");
    let stream = connect_from("127.0.0.7", app.address()).await;
    let only = app.try_upgrade(stream, Some(header)).await;
    let only = only.expect("there is a slot");
    let forwarded = "connection: close\r\nx-forwarded-for: 192.0.2.1";
    for (path, token, status) in [
        ("/health/live", None, 200),
        ("/", None, 429),
        (
            &format!("/api/v1/sessions/{}/devices", app.code),
            Some(&app.game_master_token),
            200,
        ),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n{forwarded}\r\n");
        let token = token.map(|token| format!("authorization: Bearer {token}\r\n"));
        let request = format!("{request}{}\r\n", token.unwrap_or_default());
        let mut stream = connect_from("127.0.0.7", app.address()).await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        let answer = Response::receive(&mut stream).await.expect("an answer");
        assert_eq!(answer.status, status, "{path}");
    }
    drop(only);
}

/// A connection that sends nothing occupies a reserved slot only for a moment.
#[tokio::test]
async fn one_address_does_not_occupy_the_whole_reserve() {
    let app = TestApp::running(&["gateway.connections_max=3"]).await;
    let all = fill(&app).await;
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(connect_from("127.0.0.9", app.address()).await);
    }
    let answer = ask(&app, "127.0.0.8", "GET /health/live", None).await;
    assert_eq!(answer.status, 200);
    for mut stream in silent {
        let answer = Response::receive(&mut stream).await.expect("an answer");
        assert_eq!(
            answer.status, 503,
            "it is refused before it sends a request"
        );
    }
    let answer = ask(&app, "127.0.0.9", "GET /health/live", None).await;
    assert_eq!(answer.status, 200, "the address has its slots again");
    drop(all);
}
