//! Deadlines and sizes of HTTP requests.

use protocol::limits::REST_BODY_BYTES_MAX;
use protocol::rest::FailureCode;
use testkit::app::http::{Request, Response, connect};
use testkit::app::{TestApp, WAIT_MAX};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Writes a byte at a time until the server answers or closes.
async fn drip(stream: &mut TcpStream, mut bytes: impl Iterator<Item = u8>) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(10));
    let mut answer = [0; 1];
    loop {
        ticks.tick().await;
        let byte = bytes.next().expect("the drip never ends by itself");
        let written = stream.write_all(&[byte]).await;
        let mut peeked = tokio::io::ReadBuf::new(&mut answer);
        let heard = std::future::poll_fn(|context| {
            let polled = stream.poll_peek(context, &mut peeked);
            std::task::Poll::Ready(polled.is_ready())
        });
        if written.is_err() || heard.await {
            return;
        }
    }
}

fn endless(begin: &str) -> impl Iterator<Item = u8> {
    let begin: Vec<u8> = begin.bytes().collect();
    begin.into_iter().chain(std::iter::repeat(b'x'))
}

#[tokio::test]
async fn a_header_that_drips_is_cut_off_with_408() {
    let app = TestApp::running(&["gateway.header_ms_max=300"]).await;
    let mut stream = connect(app.address()).await;
    let dripping = drip(&mut stream, endless("GET / HTTP/1.1\r\nx: "));
    timeout(WAIT_MAX, dripping).await.expect("the deadline");
    let answer = Response::receive(&mut stream).await.expect("an answer");
    assert_eq!(answer.status, 408);
    let failure = answer.error();
    assert_eq!(failure.code, FailureCode::RequestTimeout);
    assert!(
        failure.message.contains("send the whole request again"),
        "{}",
        failure.message
    );
    let late = app
        .metric("cluecast_requests_timed_out_total{part=\"header\"}")
        .await;
    assert_eq!(late, 1);
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_without_a_response() {
    let app = TestApp::running(&["gateway.header_ms_max=300"]).await;
    let mut silent = connect(app.address()).await;
    assert!(
        Response::receive(&mut silent).await.is_none(),
        "closed without a response"
    );
    // A connection that awaits its next request ends in the same way.
    let mut waiting = connect(app.address()).await;
    let request = b"GET /health/live HTTP/1.1\r\nhost: test\r\n\r\n";
    waiting.write_all(request).await.expect("sent");
    let answer = Response::receive(&mut waiting).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (200, "live\n"));
    let late = app
        .metric("cluecast_requests_timed_out_total{part=\"header\"}")
        .await;
    assert_eq!(late, 0);
}

#[tokio::test]
async fn a_header_that_is_too_large_is_refused() {
    let app = TestApp::running(&[]).await;
    let mut stream = connect(app.address()).await;
    let request = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
    // The server may close while this is still being written.
    let _written = stream.write_all(request.as_bytes()).await;
    let mut answer = vec![0; 64];
    let read = timeout(WAIT_MAX, stream.read(&mut answer))
        .await
        .expect("an answer");
    let read = read.expect("an answer before the end");
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_drips_is_cut_off_with_408() {
    let app = TestApp::running(&["gateway.body_ms_max=300"]).await;
    let mut stream = connect(app.address()).await;
    let head = format!(
        "POST /api/v1/sessions/{}/join HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: 30000\r\n\r\n{{\"name\":\"",
        app.code
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let dripping = drip(&mut stream, endless(""));
    timeout(WAIT_MAX, dripping).await.expect("the deadline");
    let answer = Response::receive(&mut stream).await.expect("an answer");
    assert_eq!(answer.status, 408);
    assert_eq!(answer.error().code, FailureCode::RequestTimeout);
    let late = app
        .metric("cluecast_requests_timed_out_total{part=\"body\"}")
        .await;
    assert_eq!(late, 1);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let app = TestApp::running(&[]).await;
    let mut stream = connect(app.address()).await;
    let head = format!(
        "POST /api/v1/sessions/{}/join HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        app.code,
        REST_BODY_BYTES_MAX + 1
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let answer = Response::receive(&mut stream).await.expect("an answer");
    assert_eq!(answer.status, 413);
    assert_eq!(answer.error().code, FailureCode::TooLarge);
    let route =
        "cluecast_http_requests_total{route=\"/api/v1/sessions/{code}/join\",status=\"413\"}";
    assert_eq!(app.metric(route).await, 1);
}

#[tokio::test]
async fn unknown_paths_are_not_used_as_labels() {
    let app = TestApp::running(&[]).await;
    let path = "/api/v1/sessions/MADE-UP";
    assert_eq!(Request::get(path).send(app.address()).await.status, 404);
    assert_eq!(
        Request::get("/made-up").send(app.address()).await.status,
        404
    );
    let printed = Request::get("/metrics").send(app.address()).await;
    assert_eq!(printed.headers["content-type"], "text/plain; version=0.0.4");
    assert!(
        !printed.body.to_lowercase().contains("made-up"),
        "{}",
        printed.body
    );
    let route = "cluecast_http_requests_total{route=\"/api/v1/sessions/{code}\",status=\"404\"} 1";
    assert!(printed.body.contains(route), "{}", printed.body);
    let none = "cluecast_http_requests_total{route=\"none\",status=\"404\"} 1";
    assert!(printed.body.contains(none), "{}", printed.body);
}
