//! From an HTTP request to a WebSocket.

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

use super::Gateway;
use super::connection::Connection;
use super::http::Impatient;
use super::listener::Slot;
use super::socket::{Socket, SocketLimits};
use super::stream::Stream;
use crate::telemetry::metrics;

/// Every idle connection keeps so much. A command fits; a longer message takes several reads. The
/// default of 128 KiB is zero-filled at every read and makes an idle connection cost as much.
const READ_BUFFER_BYTES: usize = 1024;
const LIMITS: SocketLimits = SocketLimits {
    message_bytes_max: CLIENT_MESSAGE_BYTES_MAX,
    read_buffer_bytes: READ_BUFFER_BYTES,
};

/// Answers `GET /ws/{session code}` and runs the connection in a task of its own.
///
/// An unknown session is told by a close code after the upgrade, because browsers do not show the
/// status of a refused one.
pub async fn upgrade(
    State(gateway): State<Gateway>,
    session: Result<Path<String>, PathRejection>,
    Extension(slot): Extension<Slot>,
    mut request: Request<Body>,
) -> Response {
    if !gateway.origins.allow(request.headers()) {
        metrics().origins_refused.increment(1);
        return (StatusCode::FORBIDDEN, FOREIGN_PAGE).into_response();
    }
    let (accept, codec) = match negotiate(request.headers()) {
        Ok(agreed) => agreed,
        Err(refusal @ (StatusCode::UPGRADE_REQUIRED, _)) => {
            return ([(UPGRADE, "websocket")], refusal).into_response();
        }
        Err(refusal) => return refusal.into_response(),
    };
    // No session has the empty code: what is no text is told like any other that nothing has.
    let session = session.map_or_else(|_not_text| String::new(), |Path(session)| session);
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = gateway.tasks.clone();
    tasks.spawn(async move {
        match upgraded.await {
            Ok(upgraded) => {
                let parts = upgraded
                    .downcast::<TokioIo<Impatient<Stream>>>()
                    .expect("the listener serves its own streams");
                // A copy, because hyper's buffer is large and would stay for as long as a part of it.
                let early = Bytes::copy_from_slice(&parts.read_buf);
                drop(parts.read_buf);
                // A socket looks itself at how long it is stuck.
                let stream = parts.io.into_inner().into_inner();
                let socket = Socket::new(stream, early, LIMITS);
                let mut connection = Connection::new(gateway, socket, codec, &session, slot);
                connection.run().await;
            }
            Err(error) => tracing::debug!(%error, "a connection ended during its upgrade"),
        }
    });
    switching_protocols(&accept, codec)
}

const FOREIGN_PAGE: &str = "The page that connects comes from elsewhere; let the server's operator \
                            add its origin to gateway.origins.\n";
const ASK_FOR_A_SUBPROTOCOL: &str =
    "Ask for one of the subprotocols cluecast.v1.msgpack and cluecast.v1.json.\n";

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
    // The server's order of preference decides, whatever order the client offers them in.
    let offers = |codec: &Codec| {
        let mut offered = tokens(headers, &SEC_WEBSOCKET_PROTOCOL);
        offered.any(|name| name == codec.subprotocol())
    };
    let codec = Codec::ALL.into_iter().find(offers);
    let codec = codec.ok_or(bad(ASK_FOR_A_SUBPROTOCOL))?;
    Ok((derive_accept_key(key.as_bytes()), codec))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|value| value.eq_ignore_ascii_case(token))
}

/// The elements of a header's comma-separated lists.
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
