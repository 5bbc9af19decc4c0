//! The OpenAPI document of the REST interface, made from the table of routes and from the types of
//! the bodies.
//!
//! Never here: what a request does, or a second list of paths.

mod operation;
mod outside;
mod schemas;

use std::sync::LazyLock;

use axum::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName};
use protocol::rest::Failure;
use serde_json::{Map, Value, json};

use operation::{FAILURES, failure_answer};
pub(super) use operation::{Operation, Token};
use schemas::Schemas;

use super::routes::{PREFIX, routes};

static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

pub(super) async fn serve() -> ([(HeaderName, &'static str); 1], Bytes) {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone())
}

fn document() -> Value {
    let mut schemas = Schemas::default();
    schemas.add::<Failure>();
    let mut paths = outside::paths();
    for route in routes() {
        let path = format!("{PREFIX}{}", route.path);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        let method = route.method.as_str().to_ascii_lowercase();
        methods[method] = route.operation.render(route.path, &mut schemas);
    }
    let answers = FAILURES.iter().map(|failure| {
        let answer = failure_answer(failure.description);
        (failure.name.to_owned(), answer)
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
            "responses": answers.collect::<Map<_, _>>(),
            "securitySchemes": security_schemes(),
        },
    })
}

const DESCRIPTION: &str = "Those who run hunts, and those who join them, use this interface; what \
    happens in a session then travels over the WebSocket at `/ws/{code}`, which \
    `protocol/README.md` specifies. Bodies are JSON. Unknown fields of a request are refused; \
    unknown fields of an answer are to be ignored. A field that is not required is left out rather \
    than null. Every answer below `/api/v1` that is not a success has the body `Failure`; a path \
    that does not exist gives 404 `not_found`, and a method that a path does not take gives 405 \
    `method_not_allowed`.";

/// What operations are grouped by.
const TAGS: [(&str, &str); 6] = [
    ("hunts", "What authors write."),
    ("sessions", "Live runs of a hunt."),
    ("players", "Joining, and the devices of players."),
    (
        "game masters",
        "Those who run a session, and what they tell players.",
    ),
    ("document", "This document."),
    ("health", "For operators and their machines."),
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
        "admin": bearer("Of the server's owner: `cluecast token admin`. It is good wherever a game \
            master's token is."),
        "game_master": bearer("Of one session's game master, as the invitation gave it. The names \
            that stand with it are the scopes that the game master must have."),
        "device": bearer("Of one device of a player in one session, as joining gave it."),
    })
}
