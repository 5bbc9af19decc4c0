//! The OpenAPI document: served, committed, complete.

use std::path::Path;

use protocol::limits::{
    CLUE_LASTS_MS_MAX, CLUE_LASTS_MS_MIN, HUNT_BODY_BYTES_MAX, NAME_CHARS_MAX, REST_BODY_BYTES_MAX,
    TEXT_CHARS_MAX,
};
use serde_json::Value;

use testkit::app::TestApp;
use testkit::app::http::Request;

use crate::document::Document;
use crate::lobby;

/// Set to `write`, the committed document is written anew instead of compared.
///
/// The server reads what begins with `CLUECAST_` as settings, so this must not.
const SWITCH: &str = "OPENAPI";

const HOW_TO_REWRITE: &str = "if the interface was meant to change, write protocol/openapi.json anew \
     with `OPENAPI=write cargo test --test people openapi` and read the difference";

#[expect(
    clippy::disallowed_methods,
    reason = "an explicit switch of this test, not a setting of the server"
)]
fn is_writing() -> bool {
    std::env::var(SWITCH).is_ok_and(|value| value == "write")
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let app = TestApp::bare(&[]).await;
    let served = app.send(&Request::get("/api/v1/openapi.json")).await;
    let served: Value = served.read(200);
    if is_writing() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/openapi.json");
        let text = serde_json::to_string_pretty(&served).expect("it is JSON");
        std::fs::write(path, text + "\n").expect("the document can be written");
        return;
    }
    assert!(served == Document::committed().0, "{HOW_TO_REWRITE}");
}

/// The router's routes below `/api/v1` and the document come from one table. This test detects routes added
/// without the table, and documented routes that are not served.
#[tokio::test]
async fn every_documented_path_exists_and_takes_no_other_method() {
    let app = lobby().await;
    let document = Document::committed();
    let operations = document.operations();
    assert!(operations.len() > 20, "the document has its operations");
    for (template, _) in &operations {
        let path = template.replace("{code}", &app.code);
        for method in ["GET", "POST", "DELETE", "PUT", "PATCH"] {
            let documented = operations
                .iter()
                .any(|(path, of)| path == template && of.eq_ignore_ascii_case(method));
            let path = path.as_str();
            let answer = app.send(&Request::new(method, path)).await;
            if !documented {
                answer.expect_failure(405, "method_not_allowed");
                assert!(answer.headers.contains_key("allow"), "{method} {path}");
                continue;
            }
            // Requests carry neither token nor body here.
            let operation = document.operation(path, method);
            let operation = operation.expect("it was just listed");
            let security = operation["security"].as_array();
            let expected = match (
                security.is_some_and(|tokens| !tokens.is_empty()),
                &operation["requestBody"],
            ) {
                (true, _) => 401,
                (false, Value::Null) => 200,
                (false, _) => 400,
            };
            assert_eq!(answer.status, expected, "{method} {path}");
            if expected == 401 {
                assert_eq!(
                    answer.headers["www-authenticate"], "Bearer",
                    "{method} {path}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_documented_is_not_found() {
    let app = lobby().await;
    let session = format!("/api/v1/sessions/{}", app.code);
    for path in [
        "/dance",
        "/start/now",
        "/devices/d1/d2",
        "/teams",
        "/players/p1/name",
    ] {
        let path = format!("{session}{path}");
        for method in ["GET", "POST", "DELETE"] {
            let answer = app.send(&Request::new(method, path.as_str())).await;
            answer.expect_failure(404, "not_found");
        }
    }
    for path in [
        "/api/v1",
        "/api/v1/",
        "/api/v1/openapi",
        "/api/v1/join",
        "/api/v2/sessions",
        "/health",
    ] {
        let answer = app.send(&Request::get(path)).await;
        answer.expect_failure(404, "not_found");
    }
}

#[test]
fn the_document_states_the_limits() {
    let document = Document::committed().0;
    let schemas = &document["components"]["schemas"];
    for (schema, field, max) in [
        ("Join", "name", NAME_CHARS_MAX),
        ("Join", "new_team", NAME_CHARS_MAX),
        ("InviteGameMaster", "name", NAME_CHARS_MAX),
        ("Rename", "name", NAME_CHARS_MAX),
        ("Rename", "reason", NAME_CHARS_MAX),
        ("PushClue", "text", TEXT_CHARS_MAX),
        ("Announce", "text", TEXT_CHARS_MAX),
    ] {
        let stated = &schemas[schema]["properties"][field]["maxLength"];
        assert_eq!(*stated, max, "{schema}.{field}");
    }
    let lasts = &schemas["PushClue"]["properties"]["lasts_ms"];
    assert_eq!(lasts["minimum"], CLUE_LASTS_MS_MIN);
    assert_eq!(lasts["maximum"], CLUE_LASTS_MS_MAX);
    let too_large = &document["components"]["responses"]["TooLarge"]["description"];
    let kibibytes = REST_BODY_BYTES_MAX / 1024;
    let mebibytes = HUNT_BODY_BYTES_MAX / 1024 / 1024;
    let stated = too_large.as_str().expect("a text");
    assert!(stated.contains(&format!("{kibibytes} KiB")), "{stated}");
    assert!(stated.contains(&format!("{mebibytes} MiB")), "{stated}");
}

#[test]
fn every_reference_resolves_and_every_operation_is_explained() {
    fn references<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                into.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, into));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, into)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let document = Document::committed();
    let mut all = Vec::new();
    references(&document.0, &mut all);
    assert!(!all.is_empty());
    for reference in all {
        let pointer = reference.strip_prefix('#').expect("references are local");
        assert!(document.0.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = std::collections::BTreeSet::new();
    for (path, method) in document.operations() {
        let operation = &document.0["paths"][&path][&method];
        assert!(operation["summary"].is_string(), "{method} {path}");
        let id = operation["operationId"].as_str();
        assert!(ids.insert(id.expect("an id")), "{id:?} is there twice");
    }
}
