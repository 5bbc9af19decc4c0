//! Which web pages may connect.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::http::{self, Answer};
use crate::site::Site;
use crate::socket::Socket;

const LISTED: &str = "https://hunt.example";
const SETTINGS: [&str; 1] = ["gateway.origins=[\"https://hunt.example\"]"];

async fn upgrade(site: &Site, origin: &str) -> Result<Socket, u16> {
    let stream = TcpStream::connect(site.address())
        .await
        .expect("it listens");
    let upgraded = Socket::upgrade_with(site, stream, ("origin", origin)).await;
    upgraded.map_err(|status| status.as_u16())
}

async fn ask(site: &Site, first_line: &str, headers: &str) -> Answer {
    let mut stream = TcpStream::connect(site.address())
        .await
        .expect("it listens");
    let request =
        format!("{first_line} HTTP/1.1\r\nhost: server\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    http::read(&mut stream).await.expect("an answer")
}

#[tokio::test]
async fn pages_of_the_host_and_listed_ones_may_connect_and_no_others() {
    let site = Site::start(&SETTINGS).await;
    for good in [
        "http://server",
        "https://server",
        "http://SERVER",
        LISTED,
        "HTTPS://hunt.example",
    ] {
        upgrade(&site, good).await.map(drop).expect(good);
    }
    for bad in [
        "https://other.example",
        "http://hunt.example",
        "https://hunt.example:8443",
        "https://server.other.example",
        "http://server:8080",
        "null",
    ] {
        assert_eq!(upgrade(&site, bad).await.err(), Some(403), "{bad}");
    }
    assert_eq!(site.metric("cluecast_origins_refused_total").await, 6);
}

#[tokio::test]
async fn listed_pages_may_use_the_rest_interface() {
    let site = Site::start(&SETTINGS).await;
    let allowed = "access-control-allow-origin";
    let preflight = "access-control-request-method: POST\r\n";
    let answer = ask(
        &site,
        "OPTIONS /api/v1/join",
        &format!("origin: {LISTED}\r\n{preflight}"),
    )
    .await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.headers[allowed], LISTED);
    let methods = &answer.headers["access-control-allow-methods"];
    assert!(
        methods.contains("POST") && methods.contains("DELETE"),
        "{methods}"
    );

    let path = format!("GET /api/v1/sessions/{}", site.session);
    let answer = ask(&site, &path, &format!("origin: {LISTED}\r\n")).await;
    assert_eq!(
        (answer.status, answer.headers[allowed].as_str()),
        (200, LISTED)
    );
    assert_eq!(answer.headers["vary"], "origin");

    let foreign = "origin: https://other.example\r\n";
    let answer = ask(&site, &path, foreign).await;
    assert_eq!((answer.status, answer.headers.get(allowed)), (200, None));
    let answer = ask(
        &site,
        "OPTIONS /api/v1/join",
        &format!("{foreign}{preflight}"),
    )
    .await;
    assert_eq!((answer.status, answer.headers.get(allowed)), (405, None));
}
