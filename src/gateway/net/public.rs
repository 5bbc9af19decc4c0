//! The public listener: one port for HTTP and WebSockets.
//!
//! Admits or refuses each connection, opens TLS, reads the first request's header and serves HTTP/1.1 until
//! the connection ends or is upgraded.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use super::accept::accept_connections;
use super::head::{self, Head};
use super::http::{self, WriteTimeout};
use super::refusal::{ConnectionRefusal, RefusalSender};
use super::stream::{Stream, Tcp};
use super::tls::Tls;
use crate::gateway::Gateway;
use crate::gateway::admission::reserve;
use crate::gateway::admission::slots::{Admission, ConnectionSlot, ConnectionSlots};
use crate::telemetry::{HandshakeFailure, RequestPart, metrics};

/// Extension of each request: the connection slot that it is counted for.
pub type Slot = Arc<ConnectionSlot>;

/// Limit of a request's header; a token, cookies and a path are far smaller. It is also how much hyper
/// reads of a body at a time.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Accepts clients' connections until the gateway stops.
pub async fn listen(gateway: Gateway, listener: TcpListener, router: Router) {
    let slots = Arc::new(ConnectionSlots::new(&gateway.config));
    let refusals = RefusalSender::default();
    let stop = gateway.stop.clone();
    accept_connections(&stop, listener, "public", |stream, peer| {
        match slots.admit(peer.ip()) {
            Ok(admission) => {
                metrics().connections_accepted.increment(1);
                let client = ClientConnection {
                    admission,
                    refusals: refusals.clone(),
                };
                let serving = client.serve(stream, gateway.clone(), router.clone());
                gateway.tasks.spawn(serving);
            }
            Err(refused) => {
                metrics()
                    .connections_refused
                    .with_label(refused)
                    .increment(1);
                let opening = open(stream, gateway.tls.clone());
                if let Some(sending) = refusals.send(refused.into(), opening) {
                    gateway.tasks.spawn(sending);
                }
            }
        }
    })
    .await;
}

/// Opens the stream, with a TLS handshake if the server has a certificate.
async fn open(stream: TcpStream, tls: Option<Arc<Tls>>) -> std::io::Result<Stream> {
    let stream = Tcp::new(stream)?;
    let Some(tls) = tls else {
        return Ok(Stream::plain(stream));
    };
    match tokio::time::timeout(tls.handshake_max(), tls.accept(stream)).await {
        Ok(Ok(stream)) => Ok(Stream::tls(stream)),
        Ok(Err(error)) => {
            metrics()
                .handshakes_failed
                .with_label(HandshakeFailure::Failed)
                .increment(1);
            Err(error)
        }
        Err(_elapsed) => {
            metrics()
                .handshakes_failed
                .with_label(HandshakeFailure::Timeout)
                .increment(1);
            Err(ErrorKind::TimedOut.into())
        }
    }
}

/// An admitted connection.
#[derive(Clone)]
struct ClientConnection {
    admission: Admission,
    refusals: RefusalSender,
}

impl ClientConnection {
    /// Serves requests until either side ends the connection or it is upgraded. An upgraded connection
    /// continues in a task of its own and keeps nothing of this future.
    async fn serve(self, stream: TcpStream, gateway: Gateway, router: Router) {
        let stop = gateway.stop.clone();
        let opening = Box::pin(self.open(stream, &gateway));
        let opened = stop.run_until_cancelled(opening).await;
        match opened {
            Some(Ok(Some(stream))) => Box::pin(self.serve_http(stream, gateway, router)).await,
            Some(Ok(None)) | None => {}
            Some(Err(error)) => {
                tracing::debug!(%error, "a connection failed before its first request");
            }
        }
    }

    /// The stream, once the first request's header has arrived; none if it did not arrive in time.
    async fn open(&self, stream: TcpStream, gateway: &Gateway) -> std::io::Result<Option<Stream>> {
        let mut stream = open(stream, gateway.tls.clone()).await?;
        let refused = self.admission.refused();
        let header_max = match refused {
            Some(_) => reserve::HEADER_MAX,
            None => gateway.config.header_max,
        };
        match (
            head::read(&mut stream, HEADER_BYTES_MAX, header_max).await?,
            refused,
        ) {
            (Head::Read(head), _) => {
                stream.unread(head);
                Ok(Some(stream))
            }
            (Head::Empty | Head::Late, Some(refused)) => {
                metrics()
                    .connections_refused
                    .with_label(refused)
                    .increment(1);
                self.refuse(refused.into(), stream).await;
                Ok(None)
            }
            (Head::Empty, None) => Ok(None),
            (Head::Late, None) => {
                self.refuse_late(stream).await;
                Ok(None)
            }
        }
    }

    /// Refuses a request whose header did not arrive in time.
    async fn refuse_late(&self, stream: Stream) {
        metrics()
            .requests_late
            .with_label(RequestPart::Header)
            .increment(1);
        self.refuse(ConnectionRefusal::HeaderTimeout, stream).await;
    }

    async fn refuse(&self, refusal: ConnectionRefusal, stream: Stream) {
        let opened = std::future::ready(Ok(stream));
        if let Some(sending) = self.refusals.send(refusal, opened) {
            sending.await;
        }
    }

    async fn serve_http(self, stream: Stream, gateway: Gateway, router: Router) {
        let admission = self.admission.clone();
        let keep_alive = admission.refused().is_none();
        let of_service = gateway.clone();
        let router = TowerToHyperService::new(router);
        let service = service_fn(move |request: Request<Incoming>| {
            let answering = match admission.slot(request.headers()) {
                Ok(slot) => Ok(answer(router.clone(), slot, request)),
                Err(_) if is_eligible_for_reserve(&of_service, &request) => {
                    metrics().requests_reserved.increment(1);
                    let slot = admission.reserved_slot(request.headers());
                    Ok(answer(router.clone(), slot, request))
                }
                Err(refused) => Err(refused),
            };
            async {
                match answering {
                    Ok(answering) => answering.await,
                    Err(refused) => {
                        metrics()
                            .connections_refused
                            .with_label(refused)
                            .increment(1);
                        Ok(ConnectionRefusal::from(refused).response())
                    }
                }
            }
        });
        let stream = WriteTimeout::new(stream, gateway.config.write_max);
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(gateway.config.header_max)
            .max_buf_size(HEADER_BYTES_MAX)
            .keep_alive(keep_alive)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let ended = http::serve(&mut connection, &gateway.stop).await;
        let Err(error) = ended else { return };
        tracing::debug!(%error, "a connection ended early");
        if !error.is_timeout() {
            return;
        }
        // An idle connection is closed without an answer; a request that had begun gets one.
        let Some(parts) = connection.into_parts() else {
            return;
        };
        if !parts.read_buf.is_empty() {
            let stream = parts.io.into_inner().into_inner();
            self.refuse_late(stream).await;
        }
    }
}

fn is_eligible_for_reserve(gateway: &Gateway, request: &Request<Incoming>) -> bool {
    let now = gateway.sessions.clock().now();
    reserve::is_eligible(request, &gateway.tokens, now)
}

/// Answers a request and holds its slot at least as long.
async fn answer(
    router: TowerToHyperService<Router>,
    slot: Slot,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    request.extensions_mut().insert(slot.clone());
    let answered = router.call(request).await;
    drop(slot);
    answered
}
