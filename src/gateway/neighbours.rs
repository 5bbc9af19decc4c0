//! Requests to other nodes, on their internal port.

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
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Gateway;
use super::internal::PASS;
use crate::cluster::{Incarnation, Neighbours, Probe};

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
        stream
            .set_nodelay(true)
            .map_err(|_| NodeError::NotReached)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|_| NodeError::NotReached)?;
        self.gateway.tasks.spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to a node ended early");
            }
        });
        request.headers_mut().insert(PASS, self.pass.clone());
        let answer = sender.send_request(request).await;
        answer.map_err(|_| NodeError::NoAnswer)
    }
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
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => Probe::Refused,
        Ok(Ok(_) | Err(_)) | Err(_) => Probe::Silent,
    }
}

#[cfg(test)]
mod tests {
    use hyper::Response;

    use super::{LIFE, understood};
    use crate::cluster::{Incarnation, Probe};

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
