//! The HTTP client for other nodes' internal listeners.

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

use super::listener::CREDENTIAL;
use crate::cluster::{PeerClient, Probe};
use crate::gateway::Gateway;
use crate::ids::Incarnation;

/// Header of a liveness probe's answer: the node's incarnation in hexadecimal.
pub const INCARNATION: HeaderName = HeaderName::from_static("x-cluecast-incarnation");
/// Path of a liveness probe.
pub const PROBE_PATH: &str = "/nodes/probe";
/// Path that asks a node to scan the sessions now.
pub const SCAN_PATH: &str = "/nodes/scan";

/// Timeout of a liveness probe. The machine of a killed process refuses the connection at once.
const PROBE_WAIT: Duration = Duration::from_millis(150);
/// Timeout for connecting to a node.
const CONNECT_WAIT: Duration = Duration::from_millis(500);

/// Timeout for the head of an answer: longer than a commit that waits for PostgreSQL to restart. If the
/// session moves meanwhile, the caller ends the wait at once.
const ANSWER_WAIT: Duration = Duration::from_mins(1);
/// TCP keepalive of connections to nodes: interval of probes on an idle connection, and how many may fail.
/// The body of an answer has no timeout, and a relayed connection may be idle, while the network path
/// works.
const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const TCP_KEEPALIVE_FAILURES_MAX: u32 = 3;
/// How long sent data may stay unacknowledged.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// No connection was made: the node has seen nothing of the request.
    #[error("the node cannot be reached")]
    NotReached,
    /// The node may have received the request, and may have carried it out.
    #[error("the node did not answer")]
    NoAnswer,
}

/// Sends requests to other nodes. Clones share the gateway.
#[derive(Clone)]
pub struct Peers {
    gateway: Gateway,
    credential: HeaderValue,
}

impl Peers {
    /// Authenticates with the cluster credential of the gateway's token key.
    pub fn new(gateway: Gateway) -> Self {
        let credential = HeaderValue::from_str(&gateway.tokens.cluster_credential());
        let mut credential = credential.expect("it is hexadecimal");
        credential.set_sensitive(true);
        Self {
            gateway,
            credential,
        }
    }

    /// Sends a request to a node and waits for the head of its answer. One of the gateway's tasks drives the
    /// connection that carries the body or the upgrade.
    pub async fn send(
        &self,
        address: &str,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NodeError> {
        let connecting = timeout(CONNECT_WAIT, TcpStream::connect(address));
        let stream = connecting.await.map_err(|_| NodeError::NotReached)?;
        let stream = stream.map_err(|_| NodeError::NotReached)?;
        set_timeouts(&stream).map_err(|_| NodeError::NotReached)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| NodeError::NotReached)?;
        self.gateway.tasks.spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to a node ended early");
            }
        });
        request
            .headers_mut()
            .insert(CREDENTIAL, self.credential.clone());
        answer_head(&mut sender, request).await
    }
}

/// Sets TCP keepalive and the user timeout, so that the operating system closes the connection when the
/// network path to the node fails.
fn set_timeouts(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(TCP_KEEPALIVE_INTERVAL)
        .with_interval(TCP_KEEPALIVE_INTERVAL)
        .with_retries(TCP_KEEPALIVE_FAILURES_MAX);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    Ok(())
}

async fn answer_head(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, NodeError> {
    let answer = timeout(ANSWER_WAIT, sender.send_request(request)).await;
    let answer = answer.map_err(|_| NodeError::NoAnswer)?;
    answer.map_err(|_| NodeError::NoAnswer)
}

fn empty_request(method: Method, path: &'static str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(HOST, "node").body(Full::default());
    request.expect("both are constant")
}

impl PeerClient for Peers {
    fn probe(&self, address: String) -> BoxFuture<'static, Probe> {
        let this = self.clone();
        async move {
            let request = empty_request(Method::GET, PROBE_PATH);
            match timeout(PROBE_WAIT, this.send(&address, request)).await {
                Ok(Ok(answer)) => probe_result(&answer),
                Ok(Err(NodeError::NotReached)) => refused_or_silent(&address).await,
                Ok(Err(NodeError::NoAnswer)) | Err(_) => Probe::NoAnswer,
            }
        }
        .boxed()
    }

    fn hint(&self, address: String) -> BoxFuture<'static, ()> {
        let this = self.clone();
        async move {
            let request = empty_request(Method::POST, SCAN_PATH);
            // Best effort, as the trait allows.
            drop(timeout(PROBE_WAIT, this.send(&address, request)).await);
        }
        .boxed()
    }
}

fn probe_result<B>(answer: &Response<B>) -> Probe {
    let incarnation = answer.headers().get(INCARNATION);
    let incarnation = incarnation.and_then(|text| text.to_str().ok());
    let incarnation = incarnation.and_then(|text| u64::from_str_radix(text, 16).ok());
    match (answer.status(), incarnation) {
        (StatusCode::OK, Some(incarnation)) => Probe::Alive(Incarnation(incarnation)),
        (StatusCode::SERVICE_UNAVAILABLE, _) => Probe::LeaseExpired,
        // The answer names no incarnation: a node whose secret is being changed, a proxy, or another server.
        // The probed node may be alive.
        (_, _) => Probe::NoAnswer,
    }
}

/// Distinguishes a port without a listener from a machine that does not answer.
async fn refused_or_silent(address: &str) -> Probe {
    match timeout(PROBE_WAIT, TcpStream::connect(address)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Probe::Refused,
        Ok(Ok(_) | Err(_)) | Err(_) => Probe::NoAnswer,
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
        ANSWER_WAIT, INCARNATION, NodeError, PROBE_PATH, TCP_KEEPALIVE_INTERVAL, answer_head,
        empty_request, probe_result, set_timeouts,
    };
    use crate::cluster::Probe;
    use crate::ids::Incarnation;

    #[tokio::test(start_paused = true)]
    async fn a_request_to_an_unresponsive_node_times_out() {
        let (near, _far) = tokio::io::duplex(4_096);
        let connected = http1::handshake(TokioIo::new(near)).await;
        let (mut sender, connection) = connected.expect("the client handshake sends nothing");
        let began = Instant::now();
        let answer = tokio::select! {
            answer = answer_head(&mut sender, empty_request(Method::GET, PROBE_PATH)) => answer,
            ended = connection => panic!("the peer keeps it open: {ended:?}"),
        };
        assert!(matches!(answer, Err(NodeError::NoAnswer)), "{answer:?}");
        assert_eq!(began.elapsed(), ANSWER_WAIT);
    }

    #[tokio::test]
    async fn connections_to_nodes_have_tcp_keepalive() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let stream = TcpStream::connect(address).await.expect("it listens");
        set_timeouts(&stream).expect("the operating system supports it");
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().expect("it can be read"));
        assert_eq!(
            socket.tcp_keepalive_time().expect("it can be read"),
            TCP_KEEPALIVE_INTERVAL
        );
    }

    #[test]
    fn an_answer_without_an_incarnation_is_silent() {
        for (status, incarnation, expected) in [
            (
                200,
                Some("00000000000000ab"),
                Probe::Alive(Incarnation(0xab)),
            ),
            (503, Some("00000000000000ab"), Probe::LeaseExpired),
            (401, None, Probe::NoAnswer),
            (404, None, Probe::NoAnswer),
            (502, None, Probe::NoAnswer),
            (200, None, Probe::NoAnswer),
            (200, Some("kite"), Probe::NoAnswer),
        ] {
            let answer = Response::builder().status(status);
            let answer = incarnation
                .into_iter()
                .fold(answer, |answer, text| answer.header(INCARNATION, text));
            let answer = answer.body(()).expect("it is right");
            assert_eq!(probe_result(&answer), expected, "{status} {incarnation:?}");
        }
    }
}
