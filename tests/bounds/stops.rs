//! A graceful shutdown completes in time, whatever clients do, and at any moment.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::process::{Pid, Signal, kill_process};
use testkit::app::http::{connect, connect_narrow};
use testkit::app::{TestApp, WAIT_MAX};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

const STUCK: &str = "cluecast_connections_lost_total{reason=\"write_timeout\"}";
/// A large response that costs the server little: it is in memory.
const DOCUMENT: &str = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: test\r\n\r\n";
/// Together they are far more than the operating system holds for a connection.
const DOCUMENTS: usize = 300;
const RECEIVE_BYTES: u32 = 8 * 1024;

/// A client that sends many requests and reads no response.
async fn never_reads(app: &TestApp) -> TcpStream {
    let mut stream = connect_narrow(app.address(), RECEIVE_BYTES).await;
    let requests = DOCUMENT.repeat(DOCUMENTS);
    stream.write_all(requests.as_bytes()).await.expect("sent");
    // The first answer has begun.
    let peeked = timeout(WAIT_MAX, stream.peek(&mut [0; 1])).await;
    peeked.expect("an answer").expect("an answer");
    stream
}

/// A client that never sends its body, although the server has begun to read it.
async fn never_ends(app: &TestApp) -> TcpStream {
    let mut stream = connect(app.address()).await;
    let head = format!(
        "POST /api/v1/sessions/{}/join HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n",
        app.code
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut response = [0; 25];
    let reading = timeout(WAIT_MAX, stream.read_exact(&mut response)).await;
    reading.expect("the server asks for it").expect("all of it");
    assert_eq!(&response, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{").await.expect("sent");
    stream
}

#[tokio::test]
async fn a_client_that_reads_no_responses_is_dropped() {
    let app = TestApp::running(&["gateway.write_ms_max=300"]).await;
    let mut stream = never_reads(&app).await;
    let deadline = Instant::now() + WAIT_MAX;
    while app.metric(STUCK).await == 0 {
        assert!(Instant::now() < deadline, "it is kept");
    }
    let mut rest = Vec::new();
    let reading = timeout(WAIT_MAX, stream.read_to_end(&mut rest)).await;
    // A reset is an end as well.
    let _ended = reading.expect("the connection has ended");
}

#[tokio::test]
async fn a_stop_waits_for_no_client() {
    let mut app = TestApp::running(&[]).await;
    let sending = never_ends(&app).await;
    let reading = never_reads(&app).await;
    let stopped = app.server.terminate(WAIT_MAX).await;
    let status = stopped.unwrap_or_else(|error| panic!("{error}"));
    // A stop that takes longer than server.stop_ms_max is a failure.
    assert!(status.success(), "{status}: {}", app.server.stderr_tail());
    drop((sending, reading));
}

fn serve(data: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_cluecast"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the server runs")
}

/// Sends SIGTERM and waits until the process has ended.
pub(crate) async fn stop(mut server: Child) -> ExitStatus {
    let id = server.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(id.expect("it runs"), Signal::TERM).expect("it is ours");
    let ended = timeout(WAIT_MAX, server.wait()).await;
    ended.expect("it ends").expect("it can be waited for")
}

#[tokio::test]
async fn a_server_that_waits_for_its_journal_can_be_stopped() {
    let folder = testkit::temporary_folder().expect("a temporary folder");
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("it is bound").port();
    let url = format!("journal.postgres_url=postgres://nobody@127.0.0.1:{port}/none");
    let server = serve(
        folder.path(),
        &[
            "--set",
            "journal.backend=postgres",
            "--set",
            &url,
            "--set",
            "journal.postgres_connect_ms_max=60000",
        ],
    );
    let accepted = timeout(WAIT_MAX, silent.accept()).await;
    let connection = accepted.expect("it connects").expect("it connects");
    let status = stop(server).await;
    assert!(status.success(), "{status}");
    drop(connection);
}

#[tokio::test]
async fn a_server_that_waits_for_its_hunt_can_be_stopped() {
    let folder = testkit::temporary_folder().expect("a temporary folder");
    let hunt = folder.path().join("hunt");
    std::fs::create_dir(&hunt).expect("a folder");
    // A pipe without a writer is a file that is never read to its end.
    let pipe = hunt.join("pipe.md");
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, &pipe, FileType::Fifo, mode, 0).expect("a pipe");
    let path = hunt.to_str().expect("it is text");
    let server = serve(&folder.path().join("data"), &["--hunt", path]);
    let no_wait = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is a flag");
    let deadline = Instant::now() + WAIT_MAX;
    // It can be opened for writing once it has a reader.
    let writer = loop {
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(no_wait)
            .open(&pipe);
        if let Ok(writer) = opened {
            break writer;
        }
        assert!(Instant::now() < deadline, "the server reads it");
        sleep(Duration::from_millis(5)).await;
    };
    let status = stop(server).await;
    assert!(status.success(), "{status}");
    drop(writer);
}
