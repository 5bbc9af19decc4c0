//! The internal listener, which only other nodes of the cluster use: relayed requests and liveness probes.
//!
//! A request without the cluster credential is rejected before anything else. Clients were counted, also
//! per address, at the node that they connected to; here a relayed connection only takes a connection permit.

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

use crate::gateway::Gateway;
use crate::gateway::admission::addresses::SubscriberKey;
use crate::gateway::admission::slots::{ConnectionPermit, ConnectionSlot};
use crate::gateway::net::accept::accept_connections;
use crate::gateway::net::http::{self, WriteTimeout};
use crate::gateway::net::stream::{Stream, Tcp};

/// Header that carries the cluster credential.
pub(super) const CREDENTIAL: HeaderName = HeaderName::from_static("x-cluecast-credential");

/// Header that carries the address of a relayed request's subscriber key; missing for an exempt one.
pub const CLIENT: HeaderName = HeaderName::from_static("x-cluecast-client");

/// Accepts connections of other nodes until the gateway stops.
pub async fn listen_to_nodes(gateway: Gateway, listener: TcpListener, router: Router) {
    let credential = Arc::<str>::from(gateway.tokens.cluster_credential());
    let slots = Arc::new(Semaphore::new(gateway.config.connections_max));
    let stop = gateway.stop.clone();
    accept_connections(&stop, listener, "internal", |stream, _peer| {
        // A node that is refused retries, as if this node were down.
        let Ok(permit) = slots.clone().try_acquire_owned() else {
            return;
        };
        let serving = serve(
            stream,
            permit,
            gateway.clone(),
            router.clone(),
            credential.clone(),
        );
        gateway.tasks.spawn(serving);
    })
    .await;
}

async fn serve(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    gateway: Gateway,
    router: Router,
    credential: Arc<str>,
) {
    let stream = match Tcp::new(stream) {
        Ok(stream) => Stream::plain(stream),
        Err(error) => {
            tracing::debug!(%error, "a node's connection failed before its first request");
            return;
        }
    };
    let permit = ConnectionPermit::new(permit);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let is_node = has_credential(&request, &credential);
        let headers = request.headers_mut();
        headers.remove(CREDENTIAL);
        let key = subscriber_key(headers.remove(CLIENT).as_ref());
        let slot = ConnectionSlot::relayed(key, permit.clone());
        request.extensions_mut().insert(slot);
        let answering = is_node.then(|| router.call(request));
        async {
            match answering {
                Some(answering) => answering.await,
                None => Ok::<_, Infallible>(unauthorized()),
            }
        }
    });
    let stream = WriteTimeout::new(stream, gateway.config.write_max);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(gateway.config.header_max)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Err(error) = http::serve(&mut connection, &gateway.stop).await {
        tracing::debug!(%error, "a node's connection ended early");
    }
}

fn subscriber_key(header: Option<&HeaderValue>) -> SubscriberKey {
    let address = header
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    address.map_or(SubscriberKey::Exempt, SubscriberKey::Address)
}

/// Compares in constant time.
fn has_credential(request: &Request<Incoming>, credential: &str) -> bool {
    let sent = request.headers().get(CREDENTIAL);
    sent.map(HeaderValue::as_bytes).is_some_and(|sent| {
        let pairs = sent.iter().zip(credential.as_bytes());
        let differing = pairs.fold(0, |differing, (a, b)| differing | (a ^ b));
        sent.len() == credential.len() && differing == 0
    })
}

fn unauthorized() -> Response<Body> {
    let mut response = Response::new(Body::from(
        "This port is for the other nodes; check that all of them have the same cluster.secret.\n",
    ));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response
}
