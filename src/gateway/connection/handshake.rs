//! The WebSocket handshake: from an HTTP request to a connection.

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use protocol::Codec;
use protocol::limits::CLIENT_MESSAGE_BYTES_MAX;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::lifetime::Connection;
use crate::gateway::Gateway;
use crate::gateway::net::http::WriteTimeout;
use crate::gateway::net::public::Slot;
use crate::gateway::net::stream::Stream;
use crate::gateway::ws::{Socket, SocketLimits};
use crate::telemetry::metrics;

/// Read buffer of each connection, which stays allocated while it is idle. A command fits; a longer message
/// takes several reads. tungstenite's default of 128 KiB is also zero-filled at every read.
const READ_BUFFER_BYTES: usize = 1024;
const LIMITS: SocketLimits = SocketLimits {
    message_bytes_max: CLIENT_MESSAGE_BYTES_MAX,
    read_buffer_bytes: READ_BUFFER_BYTES,
};

/// Answers `GET /ws/{session code}` and runs the connection in a task of its own.
///
/// An unknown session is reported by a close code after the upgrade, because browsers do not show the status
/// of a failed handshake.
pub async fn upgrade(
    State(gateway): State<Gateway>,
    session: Result<Path<String>, PathRejection>,
    Extension(slot): Extension<Slot>,
    mut request: Request<Body>,
) -> Response {
    if !gateway.origins.allow(request.headers()) {
        metrics().origins_refused.increment(1);
        return (StatusCode::FORBIDDEN, FOREIGN_ORIGIN).into_response();
    }
    let (accept, codec) = match negotiate(request.headers()) {
        Ok(agreed) => agreed,
        Err(refusal @ (StatusCode::UPGRADE_REQUIRED, _)) => {
            return ([(UPGRADE, "websocket")], refusal).into_response();
        }
        Err(refusal) => return refusal.into_response(),
    };
    // A code that is not text becomes the empty code, which no session has.
    let session = session.map_or_else(|_not_utf8| String::new(), |Path(session)| session);
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = gateway.tasks.clone();
    tasks.spawn(async move {
        match upgraded.await {
            Ok(upgraded) => {
                let parts = upgraded
                    .downcast::<TokioIo<WriteTimeout<Stream>>>()
                    .expect("the public listener serves this type of stream");
                // Copied, because a slice would keep hyper's whole buffer allocated.
                let early = Bytes::copy_from_slice(&parts.read_buf);
                drop(parts.read_buf);
                // The connection has a write timeout of its own.
                let stream = parts.io.into_inner().into_inner();
                let socket = Socket::new(stream, early, LIMITS);
                let mut connection = Connection::new(gateway, socket, codec, &session, slot);
                connection.run().await;
            }
            Err(error) => tracing::debug!(%error, "a connection failed during its upgrade"),
        }
    });
    switching_protocols(&accept, codec)
}

const FOREIGN_ORIGIN: &str = "This web page's origin is not allowed; the server's operator can add it \
                              to gateway.origins.\n";
const NO_SUBPROTOCOL: &str =
    "Offer one of the subprotocols cluecast.v1.msgpack and cluecast.v1.json.\n";

type Negotiated = Result<(String, Codec), (StatusCode, &'static str)>;

fn negotiate(headers: &HeaderMap) -> Negotiated {
    let bad = |what| (StatusCode::BAD_REQUEST, what);
    if !has_token(headers, &UPGRADE, "websocket") || !has_token(headers, &CONNECTION, "upgrade") {
        let upgrade_required = StatusCode::UPGRADE_REQUIRED;
        return Err((
            upgrade_required,
            "This path takes WebSocket connections only.\n",
        ));
    }
    if headers.get(SEC_WEBSOCKET_VERSION) != Some(&HeaderValue::from_static("13")) {
        return Err(bad("The WebSocket version must be 13.\n"));
    }
    let key = headers.get(SEC_WEBSOCKET_KEY);
    let key = key.ok_or(bad("The header sec-websocket-key is missing.\n"))?;
    // The server's preference decides, not the order of the client's offer.
    let offers = |codec: &Codec| {
        let mut offered = tokens(headers, &SEC_WEBSOCKET_PROTOCOL);
        offered.any(|name| name == codec.subprotocol())
    };
    let codec = Codec::ALL.into_iter().find(offers);
    let codec = codec.ok_or(bad(NO_SUBPROTOCOL))?;
    Ok((derive_accept_key(key.as_bytes()), codec))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|value| value.eq_ignore_ascii_case(token))
}

/// The elements of a comma-separated header.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn switching_protocols(accept: &str, codec: Codec) -> Response {
    let headers = [
        (UPGRADE, "websocket"),
        (CONNECTION, "upgrade"),
        (SEC_WEBSOCKET_ACCEPT, accept),
        (SEC_WEBSOCKET_PROTOCOL, codec.subprotocol()),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}
