//! The accept loop: one port for HTTP and WebSockets.

use std::sync::Arc;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Gateway;

/// A connection's place among those that are allowed; it travels with an upgrade and ends with the
/// connection.
pub(super) type Slot = Arc<OwnedSemaphorePermit>;

/// What somebody hears for whom there is no place.
const NO_PLACE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\
    \r\ncontent-type: text/plain\r\ncontent-length: 43\r\n\r\n\
    The server is full; try again in 5 seconds.";
/// The wait after the operating system refuses to accept, which it does while files run out.
const ACCEPT_RETRY: std::time::Duration = std::time::Duration::from_millis(50);

/// Accepts connections until the gateway stops.
pub async fn listen(gateway: Gateway, listener: TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(gateway.config.connections_max));
    let stop = gateway.stop.clone();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _address)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        match places.clone().try_acquire_owned() {
            Ok(place) => {
                let serving = serve(gateway.clone(), stream, router.clone(), Arc::new(place));
                gateway.tasks.spawn(serving);
            }
            // Nobody waits for a full buffer here: either it takes the few bytes or not.
            Err(_full) => drop(stream.try_write(NO_PLACE)),
        }
    }
}

async fn serve(gateway: Gateway, stream: TcpStream, router: Router, slot: Slot) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it began");
        return;
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(slot.clone());
        router.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.config.header_max)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = gateway.stop.run_until_cancelled(connection.as_mut()).await;
    let ended = if let Some(ended) = ended {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
