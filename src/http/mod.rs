//! HTTP: the REST interface for admins, game masters and players, health and metrics, and the routing of
//! all paths, the WebSocket's included.
//!
//! Holds no rules and no session state, and does not convert state to wire types: delivery's `render` does.

mod admin;
mod body;
mod console;
mod content;
mod cors;
mod desk;
mod devices;
mod export;
mod failure;
mod forwarding;
mod game_masters;
mod idempotency;
mod identity;
mod names;
mod newest;
mod nodes;
mod openapi;
mod pages;
mod phases;
mod playing;
mod reasons;
mod routes;
mod teams;

use axum::Router;
use axum::routing::get;

pub use admin::random_code;
pub use export::export_lines;
pub use forwarding::Forwarding;

use crate::gateway::{Gateway, upgrade};

/// The router of all public paths. With forwarding, requests for a session of another node go to that node.
pub fn router(gateway: Gateway, forwarding: Option<Forwarding>) -> Router {
    let mut router = paths();
    if let Some(forwarding) = forwarding {
        let to_owner = axum::middleware::from_fn_with_state(forwarding, forwarding::to_owner);
        router = router.layer(to_owner);
    }
    router
        .layer(axum::middleware::from_fn_with_state(
            gateway.clone(),
            cors::allow_listed_origins,
        ))
        .layer(axum::middleware::from_fn(pages::count_requests))
        .with_state(gateway)
}

/// The router of the internal port: the public paths, for sessions that run here only, and the paths for
/// other nodes.
pub fn router_for_nodes(gateway: Gateway, forwarding: &Forwarding) -> Router {
    let only_here = axum::middleware::from_fn_with_state(forwarding.clone(), nodes::only_here);
    let relayed = paths()
        .layer(only_here)
        .layer(axum::middleware::from_fn(pages::count_requests));
    relayed.with_state(gateway).merge(nodes::router(forwarding))
}

fn paths() -> Router<Gateway> {
    Router::new()
        .route("/", get(pages::welcome))
        .route("/health/live", get(pages::live))
        .route("/health/ready", get(pages::ready))
        .route("/metrics", get(pages::metrics))
        .route("/ws/{code}", get(upgrade))
        .route(content::PATH, get(content::file))
        .nest(routes::PREFIX, routes::router())
        .fallback(failure::path_not_found)
        .method_not_allowed_fallback(failure::method_not_allowed)
}
