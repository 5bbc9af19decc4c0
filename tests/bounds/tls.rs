//! TLS on the server's own port, by a real client of it.

use std::path::Path;
use std::sync::Arc;

use protocol::rest::{Join, Joined};
use protocol::{RejectionCode, ServerMessage};
use testkit::{ServerCommand, ServerProcess, TempDir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::http::{self, Answer, PATIENCE};
use crate::site::value_of;
use crate::socket::Socket;

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// A server with a certificate, which runs the example hunt.
struct Site {
    server: ServerProcess,
    certificate: CertificateDer<'static>,
    folder: TempDir,
}

/// Writes a new certificate and its key into a folder.
fn write_certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["server".to_owned()]);
    let made = made.expect("the name is good");
    std::fs::write(folder.join(CERTIFICATE), made.cert.pem()).expect("written");
    std::fs::write(folder.join(KEY), made.signing_key.serialize_pem()).expect("written");
    made.cert.der().clone()
}

impl Site {
    async fn start(settings: &[&str]) -> Self {
        let folder = testkit::temporary_folder().expect("a temporary folder");
        let certificate = write_certificate(folder.path());
        let mut command = ServerCommand::new(env!("CARGO_BIN_EXE_cluecast"), folder.path());
        let file = |name| folder.path().join(name).display().to_string();
        command.settings = vec![
            "tls.mode=on".to_owned(),
            format!("tls.certificate_file={}", file(CERTIFICATE)),
            format!("tls.key_file={}", file(KEY)),
        ];
        command
            .settings
            .extend(settings.iter().map(ToString::to_string));
        let hunt = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/harbour-lights");
        command.hunt = Some(hunt);
        let server = ServerProcess::start(&command, PATIENCE).await;
        Self {
            server: server.unwrap_or_else(|error| panic!("{error}")),
            certificate,
            folder,
        }
    }

    async fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).await;
        stream.expect("it listens")
    }

    async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_with(&self.certificate, &[b"http/1.1"]).await
    }

    async fn connect_with(
        &self,
        trusted: &CertificateDer<'static>,
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).expect("a certificate");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring provides for them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from("server").expect("a name");
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await);
        timeout(PATIENCE, connecting).await.expect("an answer")
    }

    async fn ask(&self, request: &str) -> Answer {
        let mut stream = self.connect().await.expect("it is greeted");
        stream.write_all(request.as_bytes()).await.expect("sent");
        http::read(&mut stream).await.expect("an answer")
    }

    async fn metric(&self, name: &str) -> u64 {
        let request = "GET /metrics HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\r\n";
        value_of(&self.ask(request).await.body, name)
    }

    fn session(&self) -> &str {
        self.server.session().expect("it runs a hunt")
    }

    async fn join(&self) -> Joined {
        let body = serde_json::to_string(&Join {
            session: self.session().to_owned(),
            new_team: Some("Owls".to_owned()),
            team_code: None,
            name: "Ana".to_owned(),
        });
        let body = body.expect("JSON");
        let request = format!(
            "POST /api/v1/join HTTP/1.1\r\nhost: server\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.ask(&request).await;
        serde_json::from_str(&answer.body).expect("somebody joined")
    }

    async fn attach(&self, token: &str) -> Socket<TlsStream<TcpStream>> {
        let stream = self.connect().await.expect("it is greeted");
        let mut socket = Socket::upgrade_to(self.session(), stream)
            .await
            .expect("there is room");
        socket.hello(token).await;
        socket
    }
}

async fn guess(socket: &mut Socket<TlsStream<TcpStream>>, id: u64) {
    socket.guess(id, "flags", &format!("wrong {id}")).await;
    loop {
        match socket.receive().await.expect("the connection holds") {
            ServerMessage::Receipt(receipt) if receipt.id == id => return,
            ServerMessage::Rejection(rejection) => {
                panic!("{:?}", (rejection.code, RejectionCode::Paused));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_hunt_is_played_over_https_and_wss() {
    let site = Site::start(&[]).await;
    let joined = site.join().await;
    let mut socket = site.attach(&joined.token).await;
    for id in 1..=20 {
        guess(&mut socket, id).await;
    }
    // The older connection is told why it ends, through TLS as well.
    let mut newer = site.attach(&joined.token).await;
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4409);
    assert!(reason.starts_with("replaced: "), "{reason}");
    guess(&mut newer, 21).await;
    newer.send(vec![0; 100_000]).await;
    assert_eq!(newer.closed().await.0, 1009);
}

#[tokio::test]
async fn a_certificate_is_replaced_while_connections_go_on() {
    let mut site = Site::start(&[]).await;
    let joined = site.join().await;
    let mut before = site.attach(&joined.token).await;
    let fresh = write_certificate(site.folder.path());
    site.server.hang_up().expect("it lives");
    let deadline = Instant::now() + PATIENCE;
    while site.connect_with(&fresh, &[]).await.is_err() {
        assert!(
            Instant::now() < deadline,
            "the new certificate is not shown"
        );
    }
    site.connect().await.expect_err("the old one is gone");
    guess(&mut before, 1).await;

    // One that is no good changes nothing.
    std::fs::write(site.folder.path().join(CERTIFICATE), "no certificate").expect("written");
    site.server.hang_up().expect("it lives");
    while !site
        .server
        .stderr_tail()
        .contains("stays the one from before")
    {
        assert!(Instant::now() < deadline, "nothing is said of it");
        tokio::task::yield_now().await;
    }
    site.certificate = fresh;
    site.connect().await.expect("the good one is still shown");
}

#[tokio::test]
async fn a_handshake_has_a_deadline() {
    let site = Site::start(&["tls.handshake_ms_max=200"]).await;
    for begin in [
        &b""[..],
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut slow = site.tcp().await;
        slow.write_all(begin).await.expect("sent");
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, slow.read_to_end(&mut rest)).await;
        let _closed_or_reset = ended.expect("the server ends it");
    }
    let late = "cluecast_tls_handshakes_failed_total{because=\"late\"}";
    assert_eq!(site.metric(late).await, 3);
}

#[tokio::test]
async fn what_is_not_tls_or_offers_another_protocol_is_refused() {
    let site = Site::start(&[]).await;
    let mut plain = site.tcp().await;
    let request = b"GET /health/live HTTP/1.1\r\nhost: server\r\n\r\n";
    plain.write_all(request).await.expect("sent");
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, plain.read_to_end(&mut rest)).await;
    let _closed_or_reset = ended.expect("the server ends it");
    assert!(!rest.starts_with(b"HTTP"), "{rest:?}");

    let certificate = &site.certificate;
    let none = site
        .connect_with(certificate, &[])
        .await
        .expect("HTTP/1.1 is meant");
    assert_eq!(none.get_ref().1.alpn_protocol(), None);
    let both = site.connect_with(certificate, &[b"h2", b"http/1.1"]).await;
    let both = both.expect("one of them is spoken");
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let wrong = site.connect_with(certificate, &[b"h2"]).await;
    wrong.expect_err("nothing else is spoken");
    let refused = "cluecast_tls_handshakes_failed_total{because=\"refused\"}";
    // The client may know before the server has counted it.
    let deadline = Instant::now() + PATIENCE;
    while site.metric(refused).await < 2 {
        assert!(Instant::now() < deadline, "both are counted");
    }
    assert_eq!(site.metric(refused).await, 2);
}

#[tokio::test]
async fn whoever_is_sent_away_is_told_so_through_tls() {
    let site = Site::start(&["gateway.unauthenticated_per_address_max=1"]).await;
    let held = site.connect().await.expect("there is room for one");
    let mut second = site.connect().await.expect("it is greeted all the same");
    assert_eq!(
        http::read(&mut second).await.expect("an answer").status,
        429
    );
    drop(held);
}

#[tokio::test]
async fn a_server_without_a_good_certificate_does_not_start() {
    let folder = testkit::temporary_folder().expect("a temporary folder");
    let mut command = ServerCommand::new(env!("CARGO_BIN_EXE_cluecast"), folder.path());
    write_certificate(folder.path());
    let key = std::fs::read_to_string(folder.path().join(KEY)).expect("it was written");
    write_certificate(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("other.pem"), key).expect("written");
    std::fs::write(file("empty.pem"), "").expect("written");
    for (certificate, key, told) in [
        ("missing.pem", KEY, "missing.pem"),
        (CERTIFICATE, "missing.pem", "missing.pem"),
        ("empty.pem", KEY, "holds no certificate"),
        (CERTIFICATE, "other.pem", "do not match"),
    ] {
        command.settings = vec![
            "tls.mode=on".to_owned(),
            format!("tls.certificate_file={}", file(certificate)),
            format!("tls.key_file={}", file(key)),
        ];
        let started = ServerProcess::start(&command, PATIENCE).await;
        let error = started.expect_err("it does not start").to_string();
        assert!(error.contains(told), "{certificate} and {key}: {error}");
    }
}
