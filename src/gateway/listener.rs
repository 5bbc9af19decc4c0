//! The accept loop: one port for HTTP and WebSockets.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use super::Gateway;
use super::addresses::{Place, Places, Seat};
use super::farewell::{Farewell, Farewells};
use super::head::{self, Head};
use super::http::{self, Impatient};
use super::reserve;
use super::stream::{Stream, Tcp};
use super::tls::Tls;
use crate::telemetry::{HandshakeFailure, RequestPart, metrics};

/// A client's place; it is an extension of each request.
pub type Slot = Arc<Place>;

/// What a header may have: a token, cookies and a path are far smaller. It is also what hyper reads
/// of a body at a time.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// The wait after the operating system refuses to accept, which it does while files run out.
pub(super) const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Accepts connections until the gateway stops.
pub async fn listen(gateway: Gateway, listener: TcpListener, router: Router) {
    let places = Arc::new(Places::new(&gateway.config));
    let farewells = Farewells::default();
    let stop = gateway.stop.clone();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        match places.take(peer.ip()) {
            Ok(seat) => {
                metrics().connections_accepted.increment(1);
                let guest = Guest {
                    seat,
                    farewells: farewells.clone(),
                };
                let serving = guest.serve(stream, gateway.clone(), router.clone());
                gateway.tasks.spawn(serving);
            }
            Err(refused) => {
                metrics()
                    .connections_refused
                    .with_label(refused)
                    .increment(1);
                let opening = open(stream, gateway.tls.clone());
                if let Some(saying) = farewells.say(refused.into(), opening) {
                    gateway.tasks.spawn(saying);
                }
            }
        }
    }
}

/// The stream as it is spoken on: encrypted, if the server has a certificate.
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

/// Somebody who has a seat.
#[derive(Clone)]
struct Guest {
    seat: Seat,
    farewells: Farewells,
}

impl Guest {
    /// Serves requests until either side ends the connection or it is upgraded; an upgraded one goes
    /// on in a task of its own and leaves nothing here.
    async fn serve(self, stream: TcpStream, gateway: Gateway, router: Router) {
        let stop = gateway.stop.clone();
        let opening = Box::pin(self.open(stream, &gateway));
        let opened = stop.run_until_cancelled(opening).await;
        match opened {
            Some(Ok(Some(stream))) => Box::pin(self.answer_on(stream, gateway, router)).await,
            Some(Ok(None)) | None => {}
            Some(Err(error)) => tracing::debug!(%error, "a connection ended before it began"),
        }
    }

    /// The stream once the first request's head has come; nothing if none came in time.
    async fn open(&self, stream: TcpStream, gateway: &Gateway) -> std::io::Result<Option<Stream>> {
        let mut stream = open(stream, gateway.tls.clone()).await?;
        let refused = self.seat.refused();
        let wait_max = match refused {
            Some(_) => reserve::HEADER_MAX,
            None => gateway.config.header_max,
        };
        match (
            head::read(&mut stream, HEADER_BYTES_MAX, wait_max).await?,
            refused,
        ) {
            (Head::Read(head), _) => {
                stream.unread(head);
                Ok(Some(stream))
            }
            (Head::None | Head::Late, Some(refused)) => {
                metrics()
                    .connections_refused
                    .with_label(refused)
                    .increment(1);
                self.say(refused.into(), stream).await;
                Ok(None)
            }
            (Head::None, None) => Ok(None),
            (Head::Late, None) => {
                self.say_late(stream).await;
                Ok(None)
            }
        }
    }

    /// Tells somebody that a header took too long.
    async fn say_late(&self, stream: Stream) {
        metrics()
            .requests_late
            .with_label(RequestPart::Header)
            .increment(1);
        self.say(Farewell::LateHeader, stream).await;
    }

    async fn say(&self, farewell: Farewell, stream: Stream) {
        let opened = std::future::ready(Ok(stream));
        if let Some(saying) = self.farewells.say(farewell, opened) {
            saying.await;
        }
    }

    async fn answer_on(self, stream: Stream, gateway: Gateway, router: Router) {
        let seat = self.seat.clone();
        let goes_on = seat.refused().is_none();
        let asked = gateway.clone();
        let router = TowerToHyperService::new(router);
        let service = service_fn(move |request: Request<Incoming>| {
            let answering = match seat.place(request.headers()) {
                Ok(place) => Ok(answer(router.clone(), place, request)),
                Err(_) if reserve::is_for(&asked, &request) => {
                    metrics().requests_reserved.increment(1);
                    let place = seat.place_beyond_bounds(request.headers());
                    Ok(answer(router.clone(), place, request))
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
                        Ok(Farewell::from(refused).response())
                    }
                }
            }
        });
        let stream = Impatient::new(stream, gateway.config.write_max);
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(gateway.config.header_max)
            .max_buf_size(HEADER_BYTES_MAX)
            .keep_alive(goes_on)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let ended = http::serve(&mut connection, &gateway.stop).await;
        let Err(error) = ended else { return };
        tracing::debug!(%error, "a connection ended early");
        if !error.is_timeout() {
            return;
        }
        // A connection that waited for its next request ends in silence; one that began it is told.
        let Some(parts) = connection.into_parts() else {
            return;
        };
        if !parts.read_buf.is_empty() {
            let stream = parts.io.into_inner().into_inner();
            self.say_late(stream).await;
        }
    }
}

/// Answers a request; its place lasts at least as long.
async fn answer(
    router: TowerToHyperService<Router>,
    place: Slot,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    request.extensions_mut().insert(place.clone());
    let answered = router.call(request).await;
    drop(place);
    answered
}
