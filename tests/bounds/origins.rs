//! Which web pages may connect.

use testkit::app::http::{Request, Response, connect};
use testkit::app::{Socket, TestApp};

const LISTED: &str = "https://hunt.example";
const SETTINGS: [&str; 1] = ["gateway.origins=[\"https://hunt.example\"]"];

async fn upgrade(app: &TestApp, origin: &str) -> Result<Socket, u16> {
    let stream = connect(app.address()).await;
    app.try_upgrade(stream, Some(("origin", origin))).await
}

async fn send(app: &TestApp, request: Request, origin: &str) -> Response {
    app.send(&request.header("origin", origin)).await
}

#[tokio::test]
async fn only_same_origin_and_listed_pages_may_connect() {
    let app = TestApp::running(&SETTINGS).await;
    for good in [
        "http://server",
        "https://server",
        "http://SERVER",
        LISTED,
        "HTTPS://hunt.example",
    ] {
        upgrade(&app, good).await.map(drop).expect(good);
    }
    for bad in [
        "https://other.example",
        "http://hunt.example",
        "https://hunt.example:8443",
        "https://server.other.example",
        "http://server:8080",
        "null",
    ] {
        assert_eq!(upgrade(&app, bad).await.err(), Some(403), "{bad}");
    }
    assert_eq!(app.metric("cluecast_origins_refused_total").await, 6);
}

#[tokio::test]
async fn listed_pages_may_use_the_rest_interface() {
    let app = TestApp::running(&SETTINGS).await;
    let allowed = "access-control-allow-origin";
    let preflight = || {
        let request = Request::new("OPTIONS", "/api/v1/sessions/KITE42/join");
        request.header("access-control-request-method", "POST")
    };
    let answer = send(&app, preflight(), LISTED).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers[allowed], LISTED);
    let methods = &answer.headers["access-control-allow-methods"];
    assert!(
        ["POST", "PATCH", "DELETE"]
            .iter()
            .all(|method| methods.contains(method)),
        "{methods}"
    );
    let headers = &answer.headers["access-control-allow-headers"];
    assert!(headers.contains("idempotency-key"), "{headers}");

    let read = || Request::get(format!("/api/v1/sessions/{}", app.code));
    let answer = send(&app, read(), LISTED).await;
    assert_eq!(
        (answer.status, answer.headers[allowed].as_str()),
        (200, LISTED)
    );
    assert_eq!(answer.headers["vary"], "origin");

    let foreign = "https://other.example";
    let answer = send(&app, read(), foreign).await;
    assert_eq!((answer.status, answer.headers.get(allowed)), (200, None));
    let answer = send(&app, preflight(), foreign).await;
    assert_eq!((answer.status, answer.headers.get(allowed)), (405, None));
}
