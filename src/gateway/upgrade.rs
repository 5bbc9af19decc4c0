//! From an HTTP request to a WebSocket.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use protocol::Codec;
use protocol::limits::CLIENT_MESSAGE_BYTES_MAX;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::Gateway;
use super::connection::Connection;
use super::listener::Slot;

/// Every idle connection keeps so much. A command fits; a longer message takes several reads. The
/// default of 128 KiB is zero-filled at every read and makes an idle connection cost as much.
const READ_BUFFER_BYTES: usize = 1024;

/// Answers `GET /ws/{session code}` and runs the connection in a task of its own.
///
/// An unknown session is told by a close code after the upgrade, because browsers do not show the
/// status of a refused one.
pub async fn upgrade(
    State(gateway): State<Gateway>,
    Path(session): Path<String>,
    Extension(slot): Extension<Slot>,
    mut request: Request<Body>,
) -> Response {
    let (accept, codec) = match negotiate(request.headers()) {
        Ok(agreed) => agreed,
        Err(refusal) => return refusal.into_response(),
    };
    let upgraded = hyper::upgrade::on(&mut request);
    let tasks = gateway.tasks.clone();
    tasks.spawn(async move {
        match upgraded.await {
            Ok(upgraded) => {
                let parts = upgraded
                    .downcast::<TokioIo<TcpStream>>()
                    .expect("the listener serves plain TCP streams");
                let stream = parts.io.into_inner();
                let read_so_far = parts.read_buf.to_vec();
                drop(parts.read_buf);
                let socket = websocket(stream, read_so_far).await;
                Connection::new(gateway, socket, codec, session, slot)
                    .run()
                    .await;
            }
            Err(error) => tracing::debug!(%error, "a connection ended during its upgrade"),
        }
    });
    switching_protocols(&accept, codec)
}

async fn websocket(stream: TcpStream, read_so_far: Vec<u8>) -> WebSocketStream<TcpStream> {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(CLIENT_MESSAGE_BYTES_MAX))
        .max_frame_size(Some(CLIENT_MESSAGE_BYTES_MAX));
    WebSocketStream::from_partially_read(stream, read_so_far, Role::Server, Some(config)).await
}

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
