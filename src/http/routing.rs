//! Any node takes any client: a request for a session that another node owns is passed on to it.
//!
//! While a session changes hands its requests wait here for the new owner, within bounds, instead of
//! failing. A request is sent again only where it is certain that it was not carried out.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::Full;
use hunt::plain_code;
use hyper::header::{CONNECTION, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use hyper::http::request::Parts;
use hyper::upgrade::OnUpgrade;
use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use protocol::limits::REST_BODY_BYTES_MAX;
use serde::Deserialize;
use tokio::time::timeout;

use super::answers::{Failed, read_body};
use super::routes;
use crate::cluster::{Cluster, Route};
use crate::gateway::{CLIENT, Gateway, NodeError, Peers, Slot, SubscriberKey, bearer, relay};
use crate::ids::{Incarnation, SessionId};
use crate::telemetry::metrics;

/// How long a session that this node owns is waited for, before the store is asked whether it still does.
const OPENS_WITHIN: Duration = Duration::from_millis(50);
/// Paths whose session is named in the body.
const NAMED_IN_BODY: [&str; 3] = ["/join", "/roster", "/restore"];
const SOCKETS: &str = "/ws/";
/// Tells a node which session a request is for that is passed on to it.
pub(super) const SESSION: HeaderName = HeaderName::from_static("x-cluecast-session");

/// What passing on takes. Clones share it.
#[derive(Clone)]
pub struct Routing {
    pub(super) cluster: Cluster,
    gateway: Gateway,
    peers: Peers,
}

/// A request whose body has been read, so that it can be sent more than once.
struct Held {
    parts: Parts,
    body: Bytes,
}

/// The session that a request is for.
struct Wanted {
    code: String,
    id: SessionId,
}

impl Routing {
    /// Passes requests on as the cluster's routes say.
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

/// Answers here what is for here, and has the owner answer the rest.
pub(super) async fn to_owner(
    State(routing): State<Routing>,
    request: Request,
    next: Next,
) -> Response {
    match routing.pass_on(request).await {
        Ok(Passed::Here(request)) => routing.answer_here(request, next).await,
        Ok(Passed::Answered(response)) => response,
        Err(failed) => failed.into_response(),
    }
}

enum Passed {
    Here(Request),
    Answered(Response),
}

impl Routing {
    /// What was read from a session while this node might speak for it is not told once it may not:
    /// whoever owns it by then may have changed it.
    pub(super) async fn answer_here(&self, request: Request, next: Next) -> Response {
        let is_read = request.method() == Method::GET;
        let is_of_session = session_in_path(request.uri().path()).is_some();
        let response = next.run(request).await;
        if is_read && is_of_session && !self.gateway.sessions().lease_for_output().is_held() {
            return Failed::unavailable(
                "The session may be changing hands; try again in a moment.",
            )
            .into_response();
        }
        response
    }

    async fn pass_on(&self, request: Request) -> Result<Passed, Failed> {
        let path = request.uri().path();
        let in_path = session_in_path(path);
        let is_socket = path.starts_with(SOCKETS);
        if in_path.is_none() && !names_session_in_body(&request) {
            return Ok(Passed::Here(request));
        }
        self.cluster.wait_for_lease().await;
        if let Some(code) = &in_path
            && self.runs_here(code)
        {
            return Ok(Passed::Here(request));
        }
        let mut held = self.hold(request).await?;
        let code = in_path.or_else(|| session_in_body(&held.body));
        if let Some(code) = &code
            && self.gateway.sessions().known_elsewhere(code).is_none()
            && !held.is_upgrade()
        {
            let token = bearer(&held.parts.headers);
            self.gateway.may_look_up(held.source(), token)?;
        }
        let Some(wanted) = self.find(code).await? else {
            return Ok(Passed::Here(held.into_request()));
        };
        match self.answer(&mut held, &wanted).await {
            Ok(Some(response)) => Ok(Passed::Answered(response)),
            Ok(None) => Ok(Passed::Here(held.into_request())),
            // A browser does not show the status of a refused WebSocket: it is told by a close code.
            Err(_) if is_socket => Ok(Passed::Here(held.into_request())),
            Err(failed) => Err(failed),
        }
    }

    /// Reads a request's body, within the bounds that it has anywhere else.
    async fn hold(&self, request: Request) -> Result<Held, Failed> {
        let (parts, body) = request.into_parts();
        let body = read_body(body, REST_BODY_BYTES_MAX, self.gateway.body_max()).await?;
        Ok(Held { parts, body })
    }

    async fn find(&self, code: Option<String>) -> Result<Option<Wanted>, Failed> {
        let Some(code) = code else {
            return Ok(None);
        };
        let record = self.gateway.sessions().find_record(&code).await?;
        Ok(record.map(|record| Wanted {
            code,
            id: record.id,
        }))
    }

    /// The owner's answer; none if this node is the owner.
    async fn answer(&self, held: &mut Held, wanted: &Wanted) -> Result<Option<Response>, Failed> {
        let until = self.cluster.route_deadline();
        let mut not_at = None;
        loop {
            let route = self.cluster.route(wanted.id, not_at, until).await;
            let route = route.map_err(|unrouted| Failed::unavailable(unrouted.to_string()))?;
            let (node, address) = match route {
                Route::Here if self.opens(wanted).await => return Ok(None),
                Route::Here => {
                    not_at = Some(self.cluster.incarnation());
                    continue;
                }
                Route::At { node, address } => (node, address),
            };
            match self.try_node(held, wanted, node, &address).await {
                Ok(response) if response.status() == StatusCode::MISDIRECTED_REQUEST => {}
                Ok(response) => return Ok(Some(response)),
                Err(NodeError::NotReached) => {}
                Err(NodeError::NoAnswer) if held.changes_nothing() => {}
                Err(NodeError::NoAnswer) => {
                    let message = "The session's node went away; whether this was carried out is \
                                   not known. Look, or ask again.";
                    return Err(Failed::unavailable(message));
                }
            }
            metrics().requests_misdirected.increment(1);
            not_at = Some(node);
        }
    }

    /// Whether a session that this node owns runs here, in a moment at the latest: between its claim and
    /// its opening it does not.
    async fn opens(&self, wanted: &Wanted) -> bool {
        let opened = self.gateway.sessions().wait_until_running(&wanted.code);
        let moved = self
            .cluster
            .wait_for_move(wanted.id, self.cluster.incarnation());
        let opens = async {
            tokio::select! {
                () = opened => true,
                () = moved => false,
            }
        };
        timeout(OPENS_WITHIN, opens).await.unwrap_or(false)
    }

    /// Has a node answer, unless the session moves away from it meanwhile.
    async fn try_node(
        &self,
        held: &mut Held,
        wanted: &Wanted,
        node: Incarnation,
        address: &str,
    ) -> Result<Response, NodeError> {
        let session = wanted.id;
        let request = held.to_request(&wanted.code);
        let answer = tokio::select! {
            answer = self.peers.send(address, request) => answer?,
            () = self.cluster.wait_for_move(session, node) => return Err(NodeError::NoAnswer),
        };
        metrics().requests_relayed.increment(1);
        let mut answer = answer.map(Body::new);
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(client) = held.parts.extensions.remove::<OnUpgrade>()
            && let Some(slot) = held.parts.extensions.get::<Slot>().cloned()
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

impl Held {
    fn source(&self) -> SubscriberKey {
        let slot = self.parts.extensions.get::<Slot>();
        slot.map_or(SubscriberKey::Exempt, |slot| slot.subscriber_key())
    }

    /// Whether it becomes a WebSocket, which shows its token later, and is bounded by its connection.
    fn is_upgrade(&self) -> bool {
        self.parts.extensions.get::<OnUpgrade>().is_some()
    }

    /// Whether it may be sent twice.
    fn changes_nothing(&self) -> bool {
        self.parts.method == Method::GET
    }

    fn to_request(&self, session_code: &str) -> hyper::Request<Full<Bytes>> {
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
        headers.remove(SESSION);
        headers.extend(HeaderValue::from_str(session_code).map(|code| (SESSION, code)));
        request
    }

    fn into_request(self) -> Request {
        Request::from_parts(self.parts, Body::from(self.body))
    }
}

/// The session's code in a path that has one; as people type it, with what a path has to escape.
pub(super) fn session_in_path(path: &str) -> Option<String> {
    let rest = path.strip_prefix(SOCKETS).or_else(|| {
        let below = path.strip_prefix(routes::PREFIX)?;
        below.strip_prefix("/sessions/")
    })?;
    let segment = rest.split('/').next()?;
    let typed = percent_decode_str(segment).decode_utf8().ok()?;
    let code = plain_code(&typed);
    (!code.is_empty()).then_some(code)
}

fn names_session_in_body(request: &Request) -> bool {
    let below = request.uri().path().strip_prefix(routes::PREFIX);
    let is_named = below.is_some_and(|below| NAMED_IN_BODY.contains(&below));
    is_named && request.method() == Method::POST
}

/// What else the body says is for the owner to understand.
fn session_in_body(body: &Bytes) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        session: String,
    }
    let named: Named = serde_json::from_slice(body).ok()?;
    Some(plain_code(&named.session))
}

#[cfg(test)]
mod tests {
    use super::session_in_path;

    #[test]
    fn a_path_tells_its_session() {
        for (path, code) in [
            ("/ws/kite42", Some("KITE42")),
            ("/ws/%20ki-te%34%32%20/", Some("KITE42")),
            ("/api/v1/sessions/%ff", None),
            ("/api/v1/sessions/KITE42", Some("KITE42")),
            ("/api/v1/sessions/KITE42/clues/c1", Some("KITE42")),
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
