//! TLS on the server's own port, by a real client of it.

use std::path::Path;
use std::sync::Arc;

use protocol::rest::Joined;
use protocol::{CloseCode, Codec};
use testkit::app::http::{Request, Response, metric_in};
use testkit::app::{Session, TestClient, WAIT_MAX};
use testkit::{ServerCommand, ServerProcess, TempDir};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

/// A server with a certificate, which runs the example hunt.
struct TlsServer {
    process: ServerProcess,
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

impl TlsServer {
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
        let process = ServerProcess::start(&command, WAIT_MAX).await;
        Self {
            process: process.unwrap_or_else(|error| panic!("{error}")),
            certificate,
            folder,
        }
    }

    async fn tcp(&self) -> TcpStream {
        let stream = TcpStream::connect(self.process.address()).await;
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
        timeout(WAIT_MAX, connecting).await.expect("an answer")
    }

    async fn send(&self, request: Request) -> Response {
        request
            .send_on(self.connect().await.expect("a handshake"))
            .await
    }

    async fn metric(&self, name: &str) -> u64 {
        let metrics = self.send(Request::get("/metrics")).await.body;
        metric_in(&metrics, name).unwrap_or_else(|| panic!("{name} is not in\n{metrics}"))
    }

    fn session(&self) -> Session {
        let code = self.process.session().expect("it runs a hunt");
        Session::none(self.process.address(), "").with_code(code)
    }

    async fn join(&self) -> Joined {
        let request = self.session().join_request(Some("Owls"), None);
        self.send(request).await.read(201)
    }

    async fn attach(&self, token: &str) -> TestClient<TlsStream<TcpStream>> {
        let stream = self.connect().await.expect("a handshake");
        let socket = self.session().upgrade(Codec::MessagePack, stream).await;
        self.session().attach_on(socket, token).await
    }
}

#[tokio::test]
async fn a_hunt_is_played_over_https_and_wss() {
    let server = TlsServer::start(&[]).await;
    let joined = server.join().await;
    let mut older = server.attach(&joined.token).await;
    for number in 1..=20 {
        let guess = format!("wrong {number}");
        older.guess("flags", &guess).await.expect_accepted();
    }
    // The older connection gets the close reason through TLS as well.
    let mut newer = server.attach(&joined.token).await;
    let reason = older.expect_close(CloseCode::Replaced).await;
    assert!(reason.starts_with("replaced: "), "{reason}");
    newer.guess("flags", "wrong 21").await.expect_accepted();
    newer.socket().send_payload(vec![0; 100_000]).await;
    newer.expect_close(CloseCode::TooLarge).await;
}

#[tokio::test]
async fn a_certificate_is_replaced_without_closing_connections() {
    let mut server = TlsServer::start(&[]).await;
    let joined = server.join().await;
    let mut before = server.attach(&joined.token).await;
    let fresh = write_certificate(server.folder.path());
    server.process.hang_up().expect("it lives");
    let deadline = Instant::now() + WAIT_MAX;
    while server.connect_with(&fresh, &[]).await.is_err() {
        assert!(Instant::now() < deadline, "the new certificate is not used");
    }
    server.connect().await.expect_err("the old one is gone");
    before.guess("flags", "wrong").await.expect_accepted();

    // An invalid certificate changes nothing.
    std::fs::write(server.folder.path().join(CERTIFICATE), "no certificate").expect("written");
    server.process.hang_up().expect("it lives");
    while !server
        .process
        .stderr_tail()
        .contains("the previous one stays in use")
    {
        assert!(Instant::now() < deadline, "it is not logged");
        tokio::task::yield_now().await;
    }
    server.certificate = fresh;
    server.connect().await.expect("the valid one is still used");
}

#[tokio::test]
async fn a_handshake_has_a_deadline() {
    let server = TlsServer::start(&["tls.handshake_ms_max=200"]).await;
    for begin in [
        &b""[..],
        b"\x16",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let mut slow = server.tcp().await;
        slow.write_all(begin).await.expect("sent");
        let mut rest = Vec::new();
        let ended = timeout(WAIT_MAX, slow.read_to_end(&mut rest)).await;
        let _closed_or_reset = ended.expect("the server ends it");
    }
    let late = "cluecast_tls_handshakes_failed_total{reason=\"timeout\"}";
    assert_eq!(server.metric(late).await, 3);
}

#[tokio::test]
async fn plain_text_and_other_protocols_are_refused() {
    let server = TlsServer::start(&[]).await;
    let mut plain = server.tcp().await;
    let request = b"GET /health/live HTTP/1.1\r\nhost: server\r\n\r\n";
    plain.write_all(request).await.expect("sent");
    let mut rest = Vec::new();
    let ended = timeout(WAIT_MAX, plain.read_to_end(&mut rest)).await;
    let _closed_or_reset = ended.expect("the server ends it");
    assert!(!rest.starts_with(b"HTTP"), "{rest:?}");

    let certificate = &server.certificate;
    let none = server
        .connect_with(certificate, &[])
        .await
        .expect("HTTP/1.1 is the default");
    assert_eq!(none.get_ref().1.alpn_protocol(), None);
    let both = server
        .connect_with(certificate, &[b"h2", b"http/1.1"])
        .await;
    let both = both.expect("one of them is supported");
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let wrong = server.connect_with(certificate, &[b"h2"]).await;
    wrong.expect_err("nothing else is supported");
    let refused = "cluecast_tls_handshakes_failed_total{reason=\"failed\"}";
    // The client may know before the server has counted it.
    let deadline = Instant::now() + WAIT_MAX;
    while server.metric(refused).await < 2 {
        assert!(Instant::now() < deadline, "both are counted");
    }
    assert_eq!(server.metric(refused).await, 2);
}

#[tokio::test]
async fn a_refusal_is_sent_through_tls() {
    let server = TlsServer::start(&["gateway.unauthenticated_per_address_max=1"]).await;
    let held = server.connect().await.expect("there is one slot");
    let mut second = server.connect().await.expect("a handshake");
    assert_eq!(
        Response::receive(&mut second)
            .await
            .expect("an answer")
            .status,
        429
    );
    drop(held);
}

#[tokio::test]
async fn a_server_without_a_valid_certificate_does_not_start() {
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
        ("empty.pem", KEY, "holds no PEM certificate"),
        (CERTIFICATE, "other.pem", "do not match"),
    ] {
        command.settings = vec![
            "tls.mode=on".to_owned(),
            format!("tls.certificate_file={}", file(certificate)),
            format!("tls.key_file={}", file(key)),
        ];
        let started = ServerProcess::start(&command, WAIT_MAX).await;
        let error = started.expect_err("it does not start").to_string();
        assert!(error.contains(told), "{certificate} and {key}: {error}");
    }
}
