//! An echo server on the socket layer alone: `cargo run --example echo -- 127.0.0.1:9001`.
//!
//! `make conformance` tests it against RFC 6455. It prints its address when it listens, and runs until the
//! process is killed.

use std::convert::Infallible;
use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use cluecast::gateway::ws::{Received, Socket, SocketError, SocketLimits};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The largest test messages have 16 MiB. The Cluecast server accepts far less.
const LIMITS: SocketLimits = SocketLimits {
    message_bytes_max: 32 * 1024 * 1024,
    read_buffer_bytes: 16 * 1024,
};
/// Concurrent connections.
const CONNECTIONS_MAX: usize = 256;
/// Timeout of the closing handshake.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("{}", listener.local_addr()?);
    let mut connections = JoinSet::new();
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        connections.spawn(serve(stream));
    }
}

/// Upgrades a connection and serves it until it ends.
async fn serve(stream: TcpStream) {
    let (upgrading_tx, mut upgrading_rx) = tokio::sync::mpsc::channel(1);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let upgrading = upgrading_tx.clone();
        async move {
            let (status, accept) = match request.headers().get(SEC_WEBSOCKET_KEY) {
                Some(key) => (
                    StatusCode::SWITCHING_PROTOCOLS,
                    derive_accept_key(key.as_bytes()),
                ),
                None => (StatusCode::UPGRADE_REQUIRED, String::new()),
            };
            if status == StatusCode::SWITCHING_PROTOCOLS {
                // A connection is upgraded once, and the channel has room for it.
                let _first = upgrading.try_send(hyper::upgrade::on(&mut request));
            }
            let answer = Response::builder()
                .status(status)
                .header(UPGRADE, "websocket")
                .header(CONNECTION, "upgrade")
                .header(SEC_WEBSOCKET_ACCEPT, accept)
                .body(Empty::<Bytes>::new())
                .expect("the headers are well-formed");
            Ok::<_, Infallible>(answer)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        eprintln!("no upgrade: {error}");
    }
    let Some(upgrading) = upgrading_rx.recv().await else {
        return;
    };
    match upgrading.await {
        Ok(upgraded) => {
            let parts = upgraded
                .downcast::<TokioIo<TcpStream>>()
                .expect("it was served on a TCP stream");
            let socket = Socket::new(parts.io.into_inner(), parts.read_buf, LIMITS);
            echo(socket).await;
        }
        Err(error) => eprintln!("no upgrade: {error}"),
    }
}

async fn echo(mut socket: Socket<TcpStream>) {
    let ended = loop {
        let (kind, payload) = match socket.next().await {
            Ok(Received::Message(kind, payload)) => (kind, payload),
            Ok(Received::Control) => continue,
            Ok(Received::Close) => break SocketError::Ended,
            Err(error) => break error,
        };
        // Backpressure: a client that does not read is not read from.
        if let Err(error) = socket.write_out().await {
            break error;
        }
        socket
            .offer(kind, [payload].into())
            .expect("the queue has room, and the socket is not closing");
    };
    let close = ended.close_code().map(|code| (code, ""));
    let finished = tokio::time::timeout(CLOSE_WAIT, socket.finish(close)).await;
    if let Ok(Err(error)) = finished {
        eprintln!("ended with {error}");
    }
}
