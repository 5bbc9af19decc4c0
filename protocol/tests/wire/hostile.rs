//! Payloads that no honest client sends: each is a typed error, never a panic, and cheap.

use cluecast_protocol::limits::{CLIENT_MESSAGE_BYTES_MAX, MESSAGE_DEPTH_MAX};
use cluecast_protocol::{ClientMessage, Codec, DecodeError, ServerMessage};
use serde_json::{Value, json};

use crate::allocation::peak_bytes_of;
use crate::tolerance::msgpack;
use crate::vectors;

/// A level of nesting may reserve this much for the elements that its header announces: serde's
/// own cap. It is given back when the next byte turns out to be missing.
const RESERVED_BYTES_PER_LEVEL_MAX: usize = 1024 * 1024 + 4096;

fn decode(payload: &[u8]) -> Result<ClientMessage, DecodeError> {
    Codec::MessagePack.decode(payload)
}

fn assert_malformed(payload: &[u8], what: &str) {
    let (decoded, peak_bytes) = peak_bytes_of(|| decode(payload));
    assert!(
        matches!(decoded, Err(DecodeError::Malformed(_))),
        "{what}: {decoded:?}"
    );
    assert!(
        peak_bytes <= RESERVED_BYTES_PER_LEVEL_MAX,
        "{what}: held {peak_bytes} bytes"
    );
}

#[test]
fn a_message_cut_at_any_length_is_malformed() {
    for vector in vectors::client() {
        let whole = Codec::MessagePack.encode(&vector.message);
        for length in 0..whole.len() {
            let what = format!("{} cut to {length} bytes", vector.name);
            assert_malformed(&whole[..length], &what);
        }
    }
    for vector in vectors::server() {
        let whole = Codec::MessagePack.encode(&vector.message);
        for length in 0..whole.len() {
            let cut = Codec::MessagePack.decode::<ServerMessage>(&whole[..length]);
            assert!(cut.is_err(), "{} cut to {length} bytes", vector.name);
        }
    }
}

#[test]
fn bytes_after_the_message_are_counted_and_refused() {
    for vector in vectors::client() {
        let mut payload = Codec::MessagePack.encode(&vector.message);
        payload.extend([0xc0, 0xc0, 0xc0]);
        assert_eq!(decode(&payload), Err(DecodeError::TrailingBytes(3)));
    }
}

#[test]
fn every_changed_byte_is_decoded_or_refused_without_a_panic() {
    for vector in vectors::client() {
        let whole = Codec::MessagePack.encode(&vector.message);
        for at in 0..whole.len() {
            for byte in 0..=u8::MAX {
                let mut payload = whole.clone();
                payload[at] = byte;
                // Some changes give another valid message; none may panic or cost much.
                let (_, peak_bytes) = peak_bytes_of(|| decode(&payload));
                let name = vector.name;
                assert!(
                    peak_bytes <= RESERVED_BYTES_PER_LEVEL_MAX * 2,
                    "{name}: byte {at} as {byte:#x} held {peak_bytes} bytes"
                );
            }
        }
    }
}

#[test]
fn a_thousand_levels_of_nesting_are_refused() {
    let levels = 1_000;
    assert_malformed(&vec![0x91; levels], "arrays without an end");
    let closed: Vec<u8> = [vec![0x91; levels], vec![0xc0]].concat();
    assert_malformed(&closed, "arrays around nil");
    let maps: Vec<u8> = [0x81, 0xa1, b'k'].repeat(levels);
    assert_malformed(&maps, "maps");
    // In a place where any value would do, before the tag is known.
    let field: Vec<u8> = [&[0x82, 0xa1, b'x'], closed.as_slice()].concat();
    assert_malformed(&field, "a field of arrays");
}

#[test]
fn honest_messages_stay_below_the_depth_limit() {
    fn depth(value: &Value) -> usize {
        match value {
            Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
            Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
        }
    }
    for vector in vectors::server() {
        let value = serde_json::to_value(&vector.message).expect("messages have a JSON form");
        assert!(depth(&value) < MESSAGE_DEPTH_MAX / 2, "{}", vector.name);
    }
}

#[test]
fn headers_that_announce_four_billion_elements_cost_no_memory() {
    let length = [0xff; 4];
    for (header, what) in [
        (0xdd, "array"),
        (0xdf, "map"),
        (0xdb, "string"),
        (0xc6, "bytes"),
        (0xc9, "extension"),
    ] {
        let bare: Vec<u8> = [&[header][..], &length].concat();
        assert_malformed(&bare, what);
        // As the value of a field that comes before the tag, where it has to be kept.
        let field: Vec<u8> = [&[0x82, 0xa1, b'x', header][..], &length].concat();
        let (decoded, peak_bytes) = peak_bytes_of(|| decode(&field));
        assert!(decoded.is_err(), "{what} in a field: {decoded:?}");
        assert!(
            peak_bytes <= RESERVED_BYTES_PER_LEVEL_MAX * 2,
            "{what} in a field: held {peak_bytes} bytes"
        );
    }
}

#[test]
fn nested_headers_of_four_billion_elements_are_bounded_by_the_depth() {
    let mut payload = vec![0x82, 0xa1, b'x'];
    payload.extend([0xdd, 0xff, 0xff, 0xff, 0xff].repeat(CLIENT_MESSAGE_BYTES_MAX / 5));
    let (decoded, peak_bytes) = peak_bytes_of(|| decode(&payload));
    assert!(matches!(decoded, Err(DecodeError::Malformed(_))));
    assert!(
        peak_bytes <= RESERVED_BYTES_PER_LEVEL_MAX * MESSAGE_DEPTH_MAX,
        "held {peak_bytes} bytes"
    );
}

#[test]
fn values_of_a_wrong_type_are_malformed() {
    let cursor = json!({ "generation": 1, "everyone": 1, "team": 1, "player": 1 });
    let guess = json!({ "type": "submit_guess", "puzzle": "flags", "guess": "sail" });
    for value in [
        json!(null),
        json!(7),
        json!("hello"),
        json!([]),
        json!({}),
        json!({ "type": null }),
        json!({ "type": "unknown" }),
        json!({ "type": "HELLO", "token": "t" }),
        json!({ "type": "hello" }),
        json!({ "type": "hello", "token": 7 }),
        json!({ "type": "hello", "token": ["t"] }),
        json!({ "type": "hello", "token": "t", "cursor": 4 }),
        json!({ "type": "hello", "token": "t", "cursor": { "everyone": 1, "team": 1 } }),
        json!({ "type": "hello", "token": "t", "cursor": { "everyone": -1, "team": 1, "player": 1 } }),
        json!({ "type": "hello", "token": "t", "cursor": { "everyone": 1.5, "team": 1, "player": 1 } }),
        json!({ "type": "resync", "cursor": "latest" }),
        json!({ "type": "command", "do": guess }),
        json!({ "type": "command", "id": "41", "do": guess }),
        json!({ "type": "command", "id": -1, "do": guess }),
        json!({ "type": "command", "id": 41 }),
        json!({ "type": "command", "id": 41, "do": "submit_guess" }),
        json!({ "type": "command", "id": 41, "do": {} }),
        json!({ "type": "command", "id": 41, "do": { "type": "finish" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "submit_guess", "puzzle": "flags" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "submit_guess", "puzzle": 1, "guess": 2 } }),
        // Fields that this version does not know: an old server must not act on half a wish.
        json!({ "type": "hello", "token": "t", "extra": 1 }),
        json!({ "type": "resync", "cursor": cursor, "extra": 1 }),
        json!({ "type": "resync", "cursor": { "everyone": 1, "team": 1, "player": 1, "extra": 1 } }),
        json!({ "type": "command", "id": 41, "do": guess, "extra": 1 }),
        json!({ "type": "command", "id": 41, "do": { "type": "submit_guess", "puzzle": "flags", "guess": "sail", "extra": 1 } }),
        // Messages of the other direction.
        json!({ "type": "receipt", "id": 41 }),
        json!({ "type": "goaway", "reconnect_in_ms": 1 }),
    ] {
        assert_malformed(&msgpack(&value), &value.to_string());
    }
}

#[test]
fn text_that_is_not_utf_8_is_malformed() {
    let mut payload = msgpack(&json!({ "type": "hello", "token": "AAAA" }));
    let at = payload.len() - 2;
    payload[at] = 0xff;
    assert_malformed(&payload, "a token with a byte that no UTF-8 has");
}

#[test]
fn a_field_given_twice_is_malformed() {
    let hello = msgpack(&json!({ "type": "hello", "token": "t" }));
    let mut twice = vec![0x83];
    twice.extend(&hello[1..]);
    twice.extend(msgpack(&json!("token")));
    twice.extend(msgpack(&json!("u")));
    assert_malformed(&twice, "two tokens");
}
