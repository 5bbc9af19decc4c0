//! The accept loop: one port for HTTP and WebSockets.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};

use super::Gateway;
use super::addresses::{Place, Places};
use super::farewell::{Farewell, Farewells};
use super::stream::Tcp;
use crate::telemetry::{Late, Refused, metrics};

/// A connection's place; it is also an extension of each of the connection's requests.
pub type Slot = Arc<Place>;

/// What a header may have: a token, cookies and a path are far smaller. It is also what hyper reads
/// of a body at a time.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// The wait after the operating system refuses to accept, which it does while files run out.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Accepts connections until the gateway stops.
pub async fn listen(gateway: Gateway, listener: TcpListener, router: Router) {
    let places = Places::new(&gateway.config);
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
            Ok(place) => {
                metrics().connections_accepted.increment(1);
                let guest = Guest {
                    stream,
                    slot: Arc::new(place),
                    farewells: farewells.clone(),
                };
                let serving = guest.serve(gateway.clone(), router.clone());
                gateway.tasks.spawn(serving);
            }
            Err(refused) => {
                metrics().connections_refused.of(refused).increment(1);
                let farewell = match refused {
                    Refused::Full => Farewell::Full,
                    Refused::Address => Farewell::TooManyFromAddress,
                };
                if let Some(saying) = farewells.say(farewell, stream) {
                    gateway.tasks.spawn(saying);
                }
            }
        }
    }
}

/// A connection that has a place.
struct Guest {
    stream: TcpStream,
    slot: Slot,
    farewells: Farewells,
}

impl Guest {
    /// Serves requests until either side ends the connection or it is upgraded; an upgraded one goes
    /// on in a task of its own and leaves nothing here.
    async fn serve(self, gateway: Gateway, router: Router) {
        let Self {
            stream,
            slot,
            farewells,
        } = self;
        let stream = match Tcp::new(stream) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::debug!(%error, "a connection ended before it began");
                return;
            }
        };
        let router = TowerToHyperService::new(router);
        let held = slot.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(held.clone());
            router.call(request)
        });
        let mut connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(gateway.config.header_max)
            .max_buf_size(HEADER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let ended = gateway.stop.run_until_cancelled(&mut connection).await;
        let ended = if let Some(ended) = ended {
            ended
        } else {
            std::pin::Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        };
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
            metrics().requests_late.of(Late::Header).increment(1);
            if let Some(saying) = farewells.say(Farewell::LateHeader, parts.io.into_inner()) {
                saying.await;
            }
        }
    }
}
