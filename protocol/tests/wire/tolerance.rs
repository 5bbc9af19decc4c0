//! Forward compatibility: additions of a later version that clients of this version tolerate.

use cluecast_protocol::{ClientMessage, Codec, Event, RejectionCode, ServerMessage};
use serde_json::{Value, json};

use crate::vectors;

/// Adds an unknown field to every map in a value.
fn with_unknown_fields(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(with_unknown_fields);
            fields.insert(
                "added_in_v9".to_owned(),
                json!({ "nested": [1, "two", null] }),
            );
        }
        Value::Array(items) => items.iter_mut().for_each(with_unknown_fields),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Decodes a server message with every codec, and verifies that the results are equal.
fn tolerated(value: &Value) -> ServerMessage {
    let decoded = Codec::ALL.map(|codec| {
        let decoded = codec.decode(&codec.encode(value));
        decoded.unwrap_or_else(|error| panic!("{value}: {error}"))
    });
    let [message_pack, json] = decoded;
    assert_eq!(message_pack, json, "{value}");
    json
}

#[test]
fn unknown_fields_of_server_messages_are_ignored() {
    for vector in vectors::server() {
        let mut value = serde_json::to_value(&vector.message).expect("messages have a JSON form");
        with_unknown_fields(&mut value);
        assert_eq!(tolerated(&value), vector.message, "{}", vector.name);
    }
}

#[test]
fn an_unknown_event_keeps_its_number_and_decodes_to_unknown() {
    let decoded = tolerated(&json!({
        "type": "update", "audience": "team", "number": 7, "at_ms": 12,
        "event": { "type": "lantern_lit", "lantern": "l1", "body": ["one", { "two": 3 }] },
    }));
    let ServerMessage::Update(update) = decoded else {
        panic!("an update, not {decoded:?}");
    };
    assert_eq!((update.number, update.event), (7, Event::Unknown));
}

#[test]
fn an_unknown_server_message_decodes_to_unknown() {
    let latest = json!({ "type": "lantern", "key": "board", "value": { "rows": [] } });
    assert_eq!(tolerated(&latest), ServerMessage::Unknown);
}

#[test]
fn nil_from_a_client_is_a_field_that_is_left_out() {
    let push = json!({ "type": "push_clue", "to": { "type": "everyone" }, "text": "t" });
    let mut push_for = push.clone();
    push_for["lasts_ms"] = Value::Null;
    let command = |order| json!({ "type": "command", "id": 1, "do": order });
    for (with_nil, without) in [
        (
            json!({ "type": "hello", "token": "t", "cursor": null }),
            json!({ "type": "hello", "token": "t" }),
        ),
        (
            json!({ "type": "resync", "cursor": null }),
            json!({ "type": "resync" }),
        ),
        (command(push_for), command(push)),
    ] {
        for codec in Codec::ALL {
            let [with_nil, without] = [&with_nil, &without].map(|value| {
                let decoded = codec.decode_client_message(&codec.encode(value));
                decoded.unwrap_or_else(|error| panic!("{value}: {error}"))
            });
            assert_eq!(with_nil, without);
        }
    }
}

#[test]
fn an_unknown_rejection_code_keeps_its_message() {
    let decoded = tolerated(&json!({
        "type": "rejection", "id": 3, "code": "lantern_out", "message": "wait 30 s",
    }));
    let ServerMessage::Rejection(rejection) = decoded else {
        panic!("a rejection, not {decoded:?}");
    };
    assert_eq!(rejection.code, RejectionCode::Unknown);
    assert_eq!(rejection.message, "wait 30 s");
}

#[test]
fn a_cursor_without_a_generation_is_of_generation_zero() {
    let hello = json!({
        "type": "hello", "token": "t", "cursor": { "everyone": 1, "team": 2, "player": 3 },
    });
    for codec in Codec::ALL {
        let decoded = codec.decode_client_message(&codec.encode(&hello));
        let decoded = decoded.expect("it may be missing");
        let ClientMessage::Hello(hello) = decoded else {
            panic!("a hello, not {decoded:?}");
        };
        assert_eq!(hello.cursor.expect("it has one").generation, 0);
    }
}
