//! What a later version may add without breaking the clients of this one.

use cluecast_protocol::{ClientMessage, Codec, Event, ServerMessage};
use serde_json::{Value, json};

use crate::vectors;

/// The MessagePack form of any JSON value.
pub(crate) fn msgpack(value: &Value) -> Vec<u8> {
    Codec::MessagePack.encode(value)
}

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

#[test]
fn unknown_fields_of_server_messages_are_ignored() {
    for vector in vectors::server() {
        let mut value = serde_json::to_value(&vector.message).expect("messages have a JSON form");
        with_unknown_fields(&mut value);
        let decoded: ServerMessage = Codec::MessagePack
            .decode(&msgpack(&value))
            .unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        assert_eq!(decoded, vector.message, "{}", vector.name);
    }
}

#[test]
fn an_unknown_event_keeps_its_number_and_decodes_to_unknown() {
    let update = msgpack(&json!({
        "type": "update", "audience": "team", "number": 7, "at_ms": 12,
        "event": { "type": "clue_pushed", "clue": "c1", "body": ["one", { "two": 3 }] },
    }));
    let decoded: ServerMessage = Codec::MessagePack.decode(&update).expect("it is tolerated");
    let ServerMessage::Update(update) = decoded else {
        panic!("an update, not {decoded:?}");
    };
    assert_eq!((update.number, update.event), (7, Event::Unknown));
}

#[test]
fn an_unknown_server_message_decodes_to_unknown() {
    let latest = msgpack(&json!({ "type": "latest", "key": "board", "value": { "rows": [] } }));
    let decoded: ServerMessage = Codec::MessagePack.decode(&latest).expect("it is tolerated");
    assert_eq!(decoded, ServerMessage::Unknown);
}

#[test]
fn an_unknown_rejection_code_keeps_its_message() {
    let rejection = msgpack(&json!({
        "type": "rejection", "id": 3, "code": "cool_down", "message": "wait 30 s",
    }));
    let decoded: ServerMessage = Codec::MessagePack
        .decode(&rejection)
        .expect("it is tolerated");
    let ServerMessage::Rejection(rejection) = decoded else {
        panic!("a rejection, not {decoded:?}");
    };
    assert_eq!(rejection.code, cluecast_protocol::RejectionCode::Unknown);
    assert_eq!(rejection.message, "wait 30 s");
}

#[test]
fn a_cursor_without_a_generation_is_of_generation_zero() {
    let hello = msgpack(&json!({
        "type": "hello", "token": "t", "cursor": { "everyone": 1, "team": 2, "player": 3 },
    }));
    let decoded: ClientMessage = Codec::MessagePack
        .decode(&hello)
        .expect("it may be missing");
    let ClientMessage::Hello(hello) = decoded else {
        panic!("a hello, not {decoded:?}");
    };
    assert_eq!(hello.cursor.expect("it has one").generation, 0);
}
