//! The OpenAPI document of the REST interface, generated from the table of routes and the body types.
//!
//! Holds no second list of the routes.

mod operation;
mod pages;
mod query;
mod schemas;

use hyper::Method;
use protocol::rest::Failure;
use serde_json::{Map, Value, json};

use operation::{FAILURES, failure_response};
pub(super) use operation::{Operation, Token};
pub(super) use query::QueryParameter;
use schemas::Schemas;

/// A route as the document describes it.
pub(super) struct DescribedRoute {
    pub(super) method: Method,
    /// The path below `prefix`, with its parameters in braces.
    pub(super) path: &'static str,
    pub(super) operation: Operation,
}

/// The document of these routes, which are all below `prefix`, and of the pages for operators.
pub(super) fn document(prefix: &str, routes: impl Iterator<Item = DescribedRoute>) -> Value {
    let mut schemas = Schemas::default();
    schemas.add::<Failure>();
    let mut paths = pages::paths();
    for route in routes {
        let path = format!("{prefix}{}", route.path);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        let method = route.method.as_str().to_ascii_lowercase();
        methods[method] = route.operation.render(route.path, &mut schemas);
    }
    let responses = FAILURES.iter().map(|failure| {
        let response = failure_response(failure.description);
        (failure.name.to_owned(), response)
    });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cluecast",
            "version": "1",
            "license": { "name": "MIT", "identifier": "MIT" },
            "description": DESCRIPTION,
        },
        "servers": [{ "url": "/" }],
        "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "paths": paths,
        "components": {
            "schemas": schemas.into_json(),
            "responses": responses.collect::<Map<_, _>>(),
            "securitySchemes": security_schemes(),
        },
    })
}

const DESCRIPTION: &str = "Clients use this interface to create, run and join sessions. Updates of a \
    session are delivered over the WebSocket at `/ws/{code}`, which `protocol/README.md` specifies. \
    Bodies are JSON. The server rejects unknown fields in requests; clients must ignore unknown \
    fields in responses. Optional fields are omitted, never null. Every response below `/api/v1` \
    other than a success has the body `Failure`. An unknown path is answered with 404 `not_found`, \
    and an unsupported method with 405 `method_not_allowed`.";

/// Groups of operations, with their descriptions.
const TAGS: [(&str, &str); 6] = [
    ("hunts", "Hunts, as authors write them."),
    ("sessions", "Live runs of a hunt."),
    ("players", "Joining, and the devices of players."),
    (
        "game masters",
        "The game masters of a session, their clues and their announcements.",
    ),
    ("document", "This document."),
    ("health", "Health checks and metrics for operators."),
];

fn security_schemes() -> Value {
    let bearer = |description: &str| {
        json!({
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "PASETO v4.local",
            "description": description,
        })
    };
    json!({
        "admin": bearer("The token of an admin, from `cluecast token admin`. It is accepted wherever \
            a game master's token is."),
        "game_master": bearer("The token of a game master of one session, from the invitation. The \
            listed names are the scopes that the game master must have."),
        "device": bearer("The token of one device of a player in one session, from joining."),
    })
}
