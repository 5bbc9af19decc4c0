//! The port that only other nodes of the cluster use: requests that they relay, and their knocks.
//!
//! Whoever does not show the nodes' pass is turned away before anything else is looked at. Clients
//! were counted, by address too, where they came in; here each relayed connection only takes room.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Gateway;
use super::addresses::{Place, Room, Source};
use super::http::{self, Impatient};
use super::stream::{Stream, Tcp};

/// In which a node shows its pass.
pub(super) const PASS: HeaderName = HeaderName::from_static("x-cluecast-pass");

/// In which a node tells whom limits by address count a relayed request for; nobody if it is missing.
pub const CLIENT: HeaderName = HeaderName::from_static("x-cluecast-client");

/// Accepts connections of other nodes until the gateway stops.
pub async fn listen_to_nodes(gateway: Gateway, listener: TcpListener, router: Router) {
    let pass = Arc::<str>::from(gateway.tokens.pass_of_nodes());
    let room = Arc::new(Semaphore::new(gateway.config.connections_max));
    let stop = gateway.stop.clone();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a node's connection failed");
                tokio::time::sleep(super::listener::ACCEPT_RETRY).await;
                continue;
            }
        };
        // A node that is turned away here tries another time, as with one that is down.
        let Ok(permit) = room.clone().try_acquire_owned() else {
            continue;
        };
        let serving = serve(
            stream,
            permit,
            gateway.clone(),
            router.clone(),
            pass.clone(),
        );
        gateway.tasks.spawn(serving);
    }
}

async fn serve(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    gateway: Gateway,
    router: Router,
    pass: Arc<str>,
) {
    let stream = match Tcp::new(stream) {
        Ok(stream) => Stream::plain(stream),
        Err(error) => {
            tracing::debug!(%error, "a node's connection ended before it began");
            return;
        }
    };
    let room = Room::new(permit);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let is_node = shows(&request, &pass);
        let headers = request.headers_mut();
        headers.remove(PASS);
        let place = Place::relayed(source_of(headers.remove(CLIENT).as_ref()), room.clone());
        request.extensions_mut().insert(place);
        let answering = is_node.then(|| router.call(request));
        async {
            match answering {
                Some(answering) => answering.await,
                None => Ok::<_, Infallible>(turned_away()),
            }
        }
    });
    let stream = Impatient::new(stream, gateway.config.write_max);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.config.header_max)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = http::serve(&mut connection, &gateway.stop).await {
        tracing::debug!(%error, "a node's connection ended early");
    }
}

fn source_of(told: Option<&HeaderValue>) -> Source {
    let told = told.and_then(|told| told.to_str().ok());
    let address = told.and_then(|told| told.parse().ok());
    address.map_or(Source::Unlimited, Source::Subscriber)
}

/// Takes the same time wherever the first difference is.
fn shows(request: &Request<Incoming>, pass: &str) -> bool {
    let shown = request.headers().get(PASS).map(HeaderValue::as_bytes);
    shown.is_some_and(|shown| {
        let pairs = shown.iter().zip(pass.as_bytes());
        let differing = pairs.fold(0, |differing, (a, b)| differing | (a ^ b));
        shown.len() == pass.len() && differing == 0
    })
}

fn turned_away() -> Response<Body> {
    let mut response = Response::new(Body::from(
        "This port is for the other nodes; do all of them have the same cluster.secret?\n",
    ));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}
