//! HTTP: the REST interface for those who run and join hunts, health, and the way to the WebSocket.
//!
//! Never here: rules, or the state of a session beyond what a request is answered with.

mod answers;
mod codes;
mod cors;
mod desk;
mod devices;
mod export;
mod game_masters;
mod health;
mod identity;
mod metrics;
mod names;
mod nodes;
mod openapi;
mod owner;
mod playing;
mod routes;
mod routing;
mod welcome;

use axum::Router;
use axum::routing::get;

pub use codes::random_code;
pub use export::export_lines;
pub use routing::Routing;

use crate::gateway::{Gateway, upgrade};

/// Every path of the server. With other nodes, what is for one of them is passed on.
pub fn router(gateway: Gateway, routing: Option<Routing>) -> Router {
    let mut router = paths();
    if let Some(routing) = routing {
        let to_owner = axum::middleware::from_fn_with_state(routing, routing::to_owner);
        router = router.layer(to_owner);
    }
    router
        .layer(axum::middleware::from_fn_with_state(
            gateway.clone(),
            cors::allow_listed,
        ))
        .layer(axum::middleware::from_fn(metrics::count))
        .with_state(gateway)
}

/// What other nodes may ask of this one: the same for sessions that run here, and what only nodes
/// ask each other.
pub fn router_for_nodes(gateway: Gateway, routing: &Routing) -> Router {
    let only_here = axum::middleware::from_fn_with_state(routing.clone(), nodes::only_here);
    let relayed = paths()
        .layer(only_here)
        .layer(axum::middleware::from_fn(metrics::count));
    relayed.with_state(gateway).merge(nodes::router(routing))
}

fn paths() -> Router<Gateway> {
    Router::new()
        .route("/", get(welcome::welcome))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/ws/{code}", get(upgrade))
        .nest(routes::PREFIX, routes::router())
        .fallback(answers::no_such_path)
        .method_not_allowed_fallback(answers::method_not_allowed)
}
