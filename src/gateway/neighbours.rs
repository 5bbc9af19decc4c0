//! Requests to other nodes, on their internal port.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Gateway;
use super::internal::PASS;
use crate::cluster::{Neighbours, Probe};
use crate::ids::Incarnation;

/// In which a node tells its life when it is knocked at.
pub const LIFE: HeaderName = HeaderName::from_static("x-cluecast-life");
/// Where a node is knocked at.
pub const PROBE_PATH: &str = "/nodes/probe";
/// Where a node is asked to look at the sessions.
pub const LOOK_PATH: &str = "/nodes/look";

/// How long a knock may take: a process that was killed refuses at once.
const PROBE_WAIT: Duration = Duration::from_millis(150);
/// How long a connection to a node may take.
const CONNECT_WAIT: Duration = Duration::from_millis(500);

/// How long a node may take to begin an answer: longer than a commit that waits for PostgreSQL to come
/// back. A session that moves meanwhile ends the wait at once.
const ANSWER_WAIT: Duration = Duration::from_mins(1);
/// How often the way to a node is tried while nothing is said on a connection, and how many tries may fail.
/// An answer may take as long as it likes to come whole, and a relayed connection may be silent, as long
/// as there is a way.
const TRY_EVERY: Duration = Duration::from_secs(5);
const TRIES_MAX: u32 = 3;
/// How long what was sent may stay unacknowledged.
#[cfg(target_os = "linux")]
const UNHEARD_MAX: Duration = Duration::from_secs(20);

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// It was not reached: it has seen nothing of the request.
    #[error("the node cannot be reached")]
    NotReached,
    /// It may have seen the request, and carried it out or not.
    #[error("the node did not answer")]
    NoAnswer,
}

/// Reaches other nodes. Clones share the gateway.
#[derive(Clone)]
pub struct Peers {
    gateway: Gateway,
    pass: HeaderValue,
}

impl Peers {
    /// Shows the pass of the gateway's own key.
    pub fn new(gateway: Gateway) -> Self {
        let pass = HeaderValue::from_str(&gateway.tokens.pass_of_nodes());
        let mut pass = pass.expect("it is hexadecimal");
        pass.set_sensitive(true);
        Self { gateway, pass }
    }

    /// Sends a request to a node and waits for the head of its answer; the rest, and an upgrade,
    /// come over a connection that one of the gateway's tasks looks after.
    pub async fn send(
        &self,
        address: &str,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NodeError> {
        let connecting = timeout(CONNECT_WAIT, TcpStream::connect(address));
        let stream = connecting.await.map_err(|_| NodeError::NotReached)?;
        let stream = stream.map_err(|_| NodeError::NotReached)?;
        prepare(&stream).map_err(|_| NodeError::NotReached)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| NodeError::NotReached)?;
        self.gateway.tasks.spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to a node ended early");
            }
        });
        request.headers_mut().insert(PASS, self.pass.clone());
        head_of_answer(&mut sender, request).await
    }
}

/// Has the operating system end the connection when the way to the node is lost, which neither side is
/// told of otherwise.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(TRY_EVERY)
        .with_interval(TRY_EVERY)
        .with_retries(TRIES_MAX);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNHEARD_MAX))?;
    Ok(())
}

async fn head_of_answer(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, NodeError> {
    let answer = timeout(ANSWER_WAIT, sender.send_request(request)).await;
    let answer = answer.map_err(|_| NodeError::NoAnswer)?;
    answer.map_err(|_| NodeError::NoAnswer)
}

fn ask(method: Method, path: &'static str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(HOST, "node").body(Full::default());
    request.expect("both are constant")
}

impl Neighbours for Peers {
    fn probe(&self, address: String) -> BoxFuture<'static, Probe> {
        let this = self.clone();
        async move {
            let request = ask(Method::GET, PROBE_PATH);
            match timeout(PROBE_WAIT, this.send(&address, request)).await {
                Ok(Ok(answer)) => understood(&answer),
                Ok(Err(NodeError::NotReached)) => refused_or_silent(&address).await,
                Ok(Err(NodeError::NoAnswer)) | Err(_) => Probe::Silent,
            }
        }
        .boxed()
    }

    fn hint(&self, address: String) -> BoxFuture<'static, ()> {
        let this = self.clone();
        async move {
            let request = ask(Method::POST, LOOK_PATH);
            // See the trait: it need not arrive.
            drop(timeout(PROBE_WAIT, this.send(&address, request)).await);
        }
        .boxed()
    }
}

fn understood<B>(answer: &Response<B>) -> Probe {
    let life = answer.headers().get(LIFE);
    let life = life.and_then(|life| life.to_str().ok());
    let life = life.and_then(|life| u64::from_str_radix(life, 16).ok());
    match (answer.status(), life) {
        (StatusCode::OK, Some(life)) => Probe::Alive(Incarnation(life)),
        (StatusCode::SERVICE_UNAVAILABLE, _) => Probe::Lapsed,
        // Something listens there and does not tell which life it is: a node whose secret is being
        // changed, a proxy, somebody else's server. The accused may well live.
        (_, _) => Probe::Silent,
    }
}

/// Tells a port that nobody listens on from a machine that does not answer.
async fn refused_or_silent(address: &str) -> Probe {
    match timeout(PROBE_WAIT, TcpStream::connect(address)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Probe::Refused,
        Ok(Ok(_) | Err(_)) | Err(_) => Probe::Silent,
    }
}

#[cfg(test)]
mod tests {
    use hyper::client::conn::http1;
    use hyper::{Method, Response};
    use hyper_util::rt::TokioIo;
    use socket2::SockRef;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use super::{
        ANSWER_WAIT, LIFE, NodeError, PROBE_PATH, TRY_EVERY, ask, head_of_answer, prepare,
        understood,
    };
    use crate::cluster::Probe;
    use crate::ids::Incarnation;

    #[tokio::test(start_paused = true)]
    async fn a_node_that_says_nothing_is_not_waited_for_without_end() {
        let (near, _far) = tokio::io::duplex(4_096);
        let connected = http1::handshake(TokioIo::new(near)).await;
        let (mut sender, connection) = connected.expect("nothing is said yet");
        let began = Instant::now();
        let answer = tokio::select! {
            answer = head_of_answer(&mut sender, ask(Method::GET, PROBE_PATH)) => answer,
            ended = connection => panic!("the other side holds it: {ended:?}"),
        };
        assert!(matches!(answer, Err(NodeError::NoAnswer)), "{answer:?}");
        assert_eq!(began.elapsed(), ANSWER_WAIT);
    }

    #[tokio::test]
    async fn the_way_to_a_node_is_tried_while_nothing_is_said() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).await.expect("it listens");
        prepare(&stream).expect("the operating system knows how");
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("it tells"));
        assert_eq!(socket.tcp_keepalive_time().expect("it tells"), TRY_EVERY);
    }

    #[test]
    fn an_answer_without_a_life_is_no_refusal() {
        for (status, life, told) in [
            (
                200,
                Some("00000000000000ab"),
                Probe::Alive(Incarnation(0xab)),
            ),
            (503, Some("00000000000000ab"), Probe::Lapsed),
            (401, None, Probe::Silent),
            (404, None, Probe::Silent),
            (502, None, Probe::Silent),
            (200, None, Probe::Silent),
            (200, Some("kite"), Probe::Silent),
        ] {
            let answer = Response::builder().status(status);
            let answer = life
                .into_iter()
                .fold(answer, |answer, life| answer.header(LIFE, life));
            let answer = answer.body(()).expect("it is right");
            assert_eq!(understood(&answer), told, "{status} {life:?}");
        }
    }
}
