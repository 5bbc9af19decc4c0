use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{CHUNK_BYTES_MAX, CHUNKS_MAX, Direction, Flow, NotSwallowed, TcpProxy};

/// Timeout of every wait.
const BOUND: Duration = Duration::from_secs(20);

/// Long enough for bytes that must not arrive to arrive. On a slower machine a defect may go undetected,
/// but no correct run fails.
const FROZEN_WAIT: Duration = Duration::from_millis(100);

/// An echo server and a proxy for it.
struct Echo {
    proxy: TcpProxy,
    _echoing: JoinSet<()>,
}

impl Echo {
    async fn start(mark: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let target = listener.local_addr().expect("it is bound");
        let mut echoing = JoinSet::new();
        echoing.spawn(async move {
            let mut sockets = JoinSet::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                sockets.spawn(async move {
                    let (mut from, mut to) = socket.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        let proxy = TcpProxy::start(target, mark).await.expect("a free port");
        Self {
            proxy,
            _echoing: echoing,
        }
    }

    async fn connect(&self) -> TcpStream {
        let connecting = TcpStream::connect(self.proxy.address());
        connecting.await.expect("the proxy listens")
    }

    async fn until_connections(&self, wanted: usize) {
        let reached = async {
            while self.proxy.connections() != wanted {
                tokio::task::yield_now().await;
            }
        };
        timeout(BOUND, reached).await.expect("connections end");
    }
}

/// Sends text and reads its echo.
async fn say(socket: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    socket.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    let answered = timeout(BOUND, socket.read_exact(&mut answer)).await;
    answered.expect("an answer or an error comes")?;
    Ok(answer)
}

async fn assert_reset(socket: &mut TcpStream) {
    let mut byte = [0];
    let read = timeout(BOUND, socket.read(&mut byte)).await;
    let error = read.expect("it ends").expect_err("it ends with a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn bytes_pass_and_an_orderly_end_passes_too() {
    let echo = Echo::start(b"-").await;
    let mut socket = echo.connect().await;
    let text = vec![7; 10 * CHUNK_BYTES_MAX + 1];
    let (mut from, mut to) = socket.split();
    let mut answer = vec![0; text.len()];
    let (sent, read) = tokio::join!(to.write_all(&text), from.read_exact(&mut answer));
    sent.expect("it is sent");
    read.expect("it comes back");
    assert_eq!(answer, text);
    socket.shutdown().await.expect("it can be closed");
    assert_eq!(socket.read(&mut [0]).await.expect("an orderly end"), 0);
    echo.until_connections(0).await;
}

#[tokio::test]
async fn a_cut_resets_open_connections_and_spares_new_ones() {
    let echo = Echo::start(b"-").await;
    let mut first = echo.connect().await;
    assert_eq!(say(&mut first, b"one").await.expect("it passes"), b"one");
    echo.proxy.cut();
    assert_reset(&mut first).await;
    let mut second = echo.connect().await;
    assert_eq!(say(&mut second, b"two").await.expect("it passes"), b"two");
}

#[tokio::test]
async fn connections_of_a_vanished_peer_stay_silent_and_new_ones_work() {
    let echo = Echo::start(b"-").await;
    let mut old = echo.connect().await;
    say(&mut old, b"a").await.expect("it passes");
    echo.proxy.vanish();
    old.write_all(b"b").await.expect("the sender gets no error");
    let mut new = echo.connect().await;
    say(&mut new, b"c").await.expect("it passes");
    let mut byte = [0];
    let silent = timeout(FROZEN_WAIT, old.read(&mut byte)).await;
    assert!(silent.is_err(), "neither an answer nor an end comes");
    echo.proxy.cut();
    assert_reset(&mut old).await;
}

#[tokio::test]
async fn a_closed_proxy_resets_only_new_connections() {
    let echo = Echo::start(b"-").await;
    let mut first = echo.connect().await;
    say(&mut first, b"one").await.expect("it passes");
    echo.proxy.set_open(false);
    let mut newcomer = echo.connect().await;
    assert_reset(&mut newcomer).await;
    say(&mut first, b"two").await.expect("it passes still");
    echo.proxy.set_open(true);
    let mut newcomer = echo.connect().await;
    say(&mut newcomer, b"three").await.expect("it passes again");
}

#[tokio::test]
async fn frozen_bytes_wait_and_arrive_in_order() {
    let echo = Echo::start(b"-").await;
    let mut socket = echo.connect().await;
    say(&mut socket, b"before").await.expect("it passes");
    echo.proxy.freeze();
    socket.write_all(b"held").await.expect("it is taken");
    // A new connection is frozen as well.
    let mut other = echo.connect().await;
    other.write_all(b"held").await.expect("it is taken");
    for socket in [&mut socket, &mut other] {
        let read = timeout(FROZEN_WAIT, socket.read(&mut [0])).await;
        assert!(read.is_err(), "nothing may arrive: {read:?}");
    }
    echo.proxy.thaw();
    let mut held = [0; 4];
    socket.read_exact(&mut held).await.expect("it arrives");
    assert_eq!(&held, b"held");
    other.read_exact(&mut held).await.expect("it arrives");
    assert_eq!(&held, b"held");
}

#[tokio::test]
async fn a_frozen_proxy_exerts_backpressure() {
    let echo = Echo::start(b"-").await;
    let mut socket = echo.connect().await;
    say(&mut socket, b"before").await.expect("it passes");
    echo.proxy.freeze();
    // Far more than the proxy's queue and the sockets' buffers can hold: the write cannot complete.
    let text = vec![1; 64 * CHUNKS_MAX * CHUNK_BYTES_MAX];
    let (mut from, mut to) = socket.split();
    let mut written = 0;
    while let Ok(Ok(count)) = timeout(5 * FROZEN_WAIT, to.write(&text[written..])).await {
        written += count;
    }
    assert!(written < text.len(), "the sender waits");
    echo.proxy.thaw();
    let mut answer = vec![0; written];
    let read = timeout(BOUND, from.read_exact(&mut answer)).await;
    read.expect("it comes").expect("nothing is lost");
}

#[tokio::test]
async fn one_direction_can_be_discarded_alone() {
    let echo = Echo::start(b"-").await;
    let mut socket = echo.connect().await;
    say(&mut socket, b"before").await.expect("it passes");
    echo.proxy.set_flow(Direction::FromTarget, Flow::Discard);
    socket.write_all(b"lost").await.expect("it is taken");
    // Once replies pass again, the echo of a later byte proves that the earlier ones were discarded.
    let heard = async {
        loop {
            echo.proxy.set_flow(Direction::FromTarget, Flow::Discard);
            tokio::task::yield_now().await;
            echo.proxy.set_flow(Direction::FromTarget, Flow::Pass);
            let answer = say(&mut socket, b"!").await.expect("it passes");
            if answer == b"!" {
                return;
            }
        }
    };
    timeout(BOUND, heard).await.expect("replies pass again");
}

#[tokio::test]
async fn a_delay_is_added_in_both_directions_and_order_is_kept() {
    let echo = Echo::start(b"-").await;
    let mut socket = echo.connect().await;
    say(&mut socket, b"before").await.expect("it passes");
    let delay = Duration::from_millis(20);
    echo.proxy.set_delay(delay);
    let began_at = Instant::now();
    let answer = say(&mut socket, b"in order").await.expect("it passes");
    assert_eq!(answer, b"in order");
    assert!(began_at.elapsed() >= 2 * delay);
}

#[tokio::test]
async fn a_reply_is_swallowed_on_a_marked_connection_only() {
    let echo = Echo::start(b"insert").await;
    let mut plain = echo.connect().await;
    say(&mut plain, b"select").await.expect("it passes");
    let mut marked = echo.connect().await;
    say(&mut marked, b"insert").await.expect("it passes");
    let swallowing = echo.proxy.swallow_reply();
    say(&mut plain, b"select").await.expect("it passes still");
    marked.write_all(b"row").await.expect("it is taken");
    let swallowed = timeout(BOUND, swallowing.swallowed()).await;
    assert_eq!(swallowed.expect("it happens"), Ok(()));
    assert_reset(&mut marked).await;
    let mut again = echo.connect().await;
    say(&mut again, b"insert").await.expect("it passes");
    say(&mut again, b"row").await.expect("only one was lost");
}

#[tokio::test]
async fn the_request_with_the_mark_keeps_its_reply() {
    let echo = Echo::start(b"insert").await;
    let swallowing = echo.proxy.swallow_reply();
    let mut marked = echo.connect().await;
    say(&mut marked, b"insert").await.expect("it passes");
    marked.write_all(b"row").await.expect("it is taken");
    let swallowed = timeout(BOUND, swallowing.swallowed()).await;
    assert_eq!(swallowed.expect("it happens"), Ok(()));
}

#[tokio::test]
async fn a_cancelled_or_replaced_loss_does_not_happen() {
    let echo = Echo::start(b"insert").await;
    let mut marked = echo.connect().await;
    say(&mut marked, b"insert").await.expect("it passes");
    let replaced = echo.proxy.swallow_reply();
    let called_off = echo.proxy.swallow_reply();
    assert_eq!(replaced.swallowed().await, Err(NotSwallowed));
    drop(called_off);
    say(&mut marked, b"row").await.expect("nothing is lost");
}

#[tokio::test]
async fn an_unreachable_target_resets_its_clients() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let target = listener.local_addr().expect("it is bound");
    drop(listener);
    let proxy = TcpProxy::start(target, b"-").await.expect("a free port");
    let connecting = TcpStream::connect(proxy.address());
    let mut socket = connecting.await.expect("the proxy listens");
    assert_reset(&mut socket).await;
}

#[tokio::test]
async fn connections_end_with_the_proxy() {
    let echo = Echo::start(b"-").await;
    let mut socket = echo.connect().await;
    say(&mut socket, b"before").await.expect("it passes");
    drop(echo);
    let mut byte = [0];
    let read = timeout(BOUND, socket.read(&mut byte))
        .await
        .expect("it ends");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}
