//! Forwarding between nodes: any node accepts any client, and forwards a request for a session that another
//! node owns to that node.
//!
//! While a session moves, its requests wait here for the new owner, up to a deadline. A request is retried
//! only if it certainly had no effect, or is a `GET`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::Full;
use hunt::normalise_code;
use hyper::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use protocol::limits::REST_BODY_BYTES_MAX;
use tokio::time::timeout;

use super::body::read_body;
use super::failure::Failed;
use super::routes;
use crate::cluster::{Cluster, Route};
use crate::gateway::{CLIENT, Gateway, NodeError, Peers, Slot, SubscriberKey, bearer, relay};
use crate::ids::{Incarnation, SessionId};
use crate::telemetry::metrics;

/// Timeout for opening a session that this node owns; afterwards the store is asked for its owner again.
const OPEN_TIMEOUT: Duration = Duration::from_millis(50);
const WEBSOCKETS: &str = "/ws/";

/// Forwards requests to the owners of sessions. Clones share its parts.
#[derive(Clone)]
pub struct Forwarding {
    pub(super) cluster: Cluster,
    gateway: Gateway,
    peers: Peers,
}

/// A request whose body has been read, so that it can be retried.
struct BufferedRequest {
    parts: Parts,
    body: Bytes,
}

/// The session that a request is for.
struct Target {
    code: String,
    id: SessionId,
}

impl Forwarding {
    /// Forwards requests along the cluster's routes.
    pub fn new(cluster: Cluster, gateway: Gateway, peers: Peers) -> Self {
        Self {
            cluster,
            gateway,
            peers,
        }
    }

    pub(super) fn runs_here(&self, code: &str) -> bool {
        self.gateway.sessions().runs_here(code)
    }
}

/// Answers requests for this node, and forwards the others to the owner of their session.
pub(super) async fn to_owner(
    State(forwarding): State<Forwarding>,
    request: Request,
    next: Next,
) -> Response {
    match forwarding.forward(request).await {
        Ok(Forwarded::Here(request)) => forwarding.answer_here(request, next).await,
        Ok(Forwarded::Answered(response)) => response,
        Err(failed) => failed.into_response(),
    }
}

enum Forwarded {
    Here(Request),
    Answered(Response),
}

impl Forwarding {
    /// Runs a request on this node. A read of a session whose lease expired meanwhile is not answered,
    /// because a new owner may have changed the session.
    pub(super) async fn answer_here(&self, request: Request, next: Next) -> Response {
        let is_read = request.method() == Method::GET;
        let is_of_session = session_in_path(request.uri().path()).is_some();
        let response = next.run(request).await;
        if is_read && is_of_session && !self.gateway.sessions().lease_for_output().is_held() {
            return Failed::unavailable(
                "The session may be moving to another node; try again in a moment.",
            )
            .into_response();
        }
        response
    }

    async fn forward(&self, request: Request) -> Result<Forwarded, Failed> {
        let path = request.uri().path();
        let is_websocket = path.starts_with(WEBSOCKETS);
        let Some(code) = session_in_path(path) else {
            return Ok(Forwarded::Here(request));
        };
        self.cluster.wait_for_lease().await;
        if self.runs_here(&code) {
            return Ok(Forwarded::Here(request));
        }
        let mut buffered = self.buffer(request).await?;
        if self.gateway.sessions().known_elsewhere(&code).is_none() && !buffered.is_upgrade() {
            let token = bearer(&buffered.parts.headers);
            self.gateway.may_look_up(buffered.source(), token)?;
        }
        let Some(target) = self.find(code).await? else {
            return Ok(Forwarded::Here(buffered.into_request()));
        };
        match self.answer(&mut buffered, &target).await {
            Ok(Some(response)) => Ok(Forwarded::Answered(response)),
            Ok(None) => Ok(Forwarded::Here(buffered.into_request())),
            // A browser does not see the status of a refused upgrade, so this node accepts it and closes it
            // with a close code.
            Err(_) if is_websocket => Ok(Forwarded::Here(buffered.into_request())),
            Err(failed) => Err(failed),
        }
    }

    /// Reads a request's body, within the usual bounds.
    async fn buffer(&self, request: Request) -> Result<BufferedRequest, Failed> {
        let (parts, body) = request.into_parts();
        let body = read_body(body, REST_BODY_BYTES_MAX, self.gateway.body_max()).await?;
        Ok(BufferedRequest { parts, body })
    }

    async fn find(&self, code: String) -> Result<Option<Target>, Failed> {
        let record = self.gateway.sessions().find_record(&code).await?;
        Ok(record.map(|record| Target {
            code,
            id: record.id,
        }))
    }

    /// The owner's response; none if this node is the owner.
    async fn answer(
        &self,
        buffered: &mut BufferedRequest,
        target: &Target,
    ) -> Result<Option<Response>, Failed> {
        let until = self.cluster.route_deadline();
        let mut not_at = None;
        loop {
            let route = self.cluster.route(target.id, not_at, until).await;
            let route = route.map_err(|unrouted| Failed::unavailable(unrouted.to_string()))?;
            let (node, address) = match route {
                Route::Here if self.opens(target).await => return Ok(None),
                Route::Here => {
                    not_at = Some(self.cluster.incarnation());
                    continue;
                }
                Route::At { node, address } => (node, address),
            };
            match self.try_node(buffered, target, node, &address).await {
                Ok(response) if response.status() == StatusCode::MISDIRECTED_REQUEST => {}
                Ok(response) => return Ok(Some(response)),
                Err(NodeError::NotReached) => {}
                Err(NodeError::NoAnswer) if buffered.is_read_only() => {}
                Err(NodeError::NoAnswer) => {
                    let message = "The session's node failed, and the outcome of the request is \
                                   unknown; read the state before you try again.";
                    return Err(Failed::unavailable(message));
                }
            }
            metrics().requests_misdirected.increment(1);
            not_at = Some(node);
        }
    }

    /// Waits briefly until a session that this node owns runs here: there is a gap between its claim and its
    /// opening. False if it does not open in time, or moves away.
    async fn opens(&self, target: &Target) -> bool {
        let opened = self.gateway.sessions().wait_until_running(&target.code);
        let moved = self
            .cluster
            .wait_for_move(target.id, self.cluster.incarnation());
        let opens = async {
            tokio::select! {
                () = opened => true,
                () = moved => false,
            }
        };
        timeout(OPEN_TIMEOUT, opens).await.unwrap_or(false)
    }

    /// Sends the request to a node; fails if the session moves away from that node meanwhile.
    async fn try_node(
        &self,
        buffered: &mut BufferedRequest,
        target: &Target,
        node: Incarnation,
        address: &str,
    ) -> Result<Response, NodeError> {
        let session = target.id;
        let request = buffered.to_request();
        let answer = tokio::select! {
            answer = self.peers.send(address, request) => answer?,
            () = self.cluster.wait_for_move(session, node) => return Err(NodeError::NoAnswer),
        };
        metrics().requests_relayed.increment(1);
        let mut answer = answer.map(Body::new);
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(client) = buffered.parts.extensions.remove::<OnUpgrade>()
            && let Some(slot) = buffered.parts.extensions.get::<Slot>().cloned()
        {
            let owner = hyper::upgrade::on(&mut answer);
            let cluster = self.cluster.clone();
            let moved = async move { cluster.wait_for_move(session, node).await };
            let relaying = relay(self.gateway.clone(), (client, owner), slot, moved);
            self.gateway.spawn(relaying);
        }
        Ok(answer)
    }
}

impl BufferedRequest {
    fn source(&self) -> SubscriberKey {
        let slot = self.parts.extensions.get::<Slot>();
        slot.map_or(SubscriberKey::Exempt, |slot| slot.subscriber_key())
    }

    /// Whether it upgrades to a WebSocket. That authenticates later, and its connection slot bounds it.
    fn is_upgrade(&self) -> bool {
        self.parts.extensions.get::<OnUpgrade>().is_some()
    }

    /// Whether it is safe to retry.
    fn is_read_only(&self) -> bool {
        self.parts.method == Method::GET
    }

    fn to_request(&self) -> hyper::Request<Full<Bytes>> {
        let mut request = hyper::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.parts.method.clone();
        *request.uri_mut() = self.parts.uri.clone();
        *request.headers_mut() = self.parts.headers.clone();
        let headers = request.headers_mut();
        headers.remove(TRANSFER_ENCODING);
        if !headers.contains_key(UPGRADE) {
            headers.remove(CONNECTION);
        }
        headers.remove(CLIENT);
        if let SubscriberKey::Address(address) = self.source() {
            let address = HeaderValue::from_str(&address.to_string());
            headers.extend(address.map(|address| (CLIENT, address)));
        }
        request
    }

    fn into_request(self) -> Request {
        Request::from_parts(self.parts, Body::from(self.body))
    }
}

/// The session's code in a path, in its plain form; none if the path names no session.
pub(super) fn session_in_path(path: &str) -> Option<String> {
    let rest = path.strip_prefix(WEBSOCKETS).or_else(|| {
        let below = path.strip_prefix(routes::PREFIX)?;
        below.strip_prefix("/sessions/")
    })?;
    let segment = rest.split('/').next()?;
    let typed = percent_decode_str(segment).decode_utf8().ok()?;
    let code = normalise_code(&typed);
    (!code.is_empty()).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::session_in_path;

    #[test]
    fn the_session_code_is_found_in_the_path() {
        for (path, code) in [
            ("/ws/kite42", Some("KITE42")),
            ("/ws/%20ki-te%34%32%20/", Some("KITE42")),
            ("/api/v1/sessions/%ff", None),
            ("/api/v1/sessions/KITE42", Some("KITE42")),
            ("/api/v1/sessions/KITE42/clues/c1", Some("KITE42")),
            ("/api/v1/sessions/kite-42/join", Some("KITE42")),
            ("/api/v1/join", None),
            ("/api/v1/sessions/", None),
            ("/api/v1/sessions", None),
            ("/api/v1/hunts", None),
            ("/ws/", None),
            ("/metrics", None),
        ] {
            assert_eq!(session_in_path(path).as_deref(), code, "{path}");
        }
    }
}
