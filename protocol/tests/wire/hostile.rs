//! Hostile payloads: each returns a typed error, never panics, and is cheap to reject.

use cluecast_protocol::limits::{CLIENT_MESSAGE_BYTES_MAX, MESSAGE_DEPTH_MAX};
use cluecast_protocol::{ClientMessage, Codec, DecodeError, ServerMessage};
use serde_json::{Value, json};

use crate::allocation::peak_bytes_of;
use crate::vectors;

/// The memory that one level of nesting may reserve for the elements that its header announces, which is
/// serde's own limit. It is freed when the next byte is missing.
const RESERVED_BYTES_PER_LEVEL_MAX: usize = 1024 * 1024 + 4096;

fn decode(codec: Codec, payload: &[u8]) -> Result<ClientMessage, DecodeError> {
    codec.decode_client_message(payload)
}

fn assert_malformed(codec: Codec, payload: &[u8], what: &str) {
    let (decoded, peak_bytes) = peak_bytes_of(|| decode(codec, payload));
    assert!(
        matches!(decoded, Err(DecodeError::Malformed(_))),
        "{codec:?}: {what}: {decoded:?}"
    );
    assert!(
        peak_bytes <= RESERVED_BYTES_PER_LEVEL_MAX,
        "{codec:?}: {what}: held {peak_bytes} bytes"
    );
}

#[test]
fn a_message_cut_at_any_length_is_malformed() {
    for codec in Codec::ALL {
        for vector in vectors::client() {
            let whole = codec.encode(&vector.message);
            for length in 0..whole.len() {
                let what = format!("{} cut to {length} bytes", vector.name);
                assert_malformed(codec, &whole[..length], &what);
            }
        }
        for vector in vectors::server() {
            let whole = codec.encode(&vector.message);
            for length in 0..whole.len() {
                let cut = codec.decode::<ServerMessage>(&whole[..length]);
                assert!(cut.is_err(), "{} cut to {length} bytes", vector.name);
            }
        }
    }
}

#[test]
fn bytes_after_the_message_are_counted_and_refused() {
    for (codec, bytes) in [
        (Codec::MessagePack, [0xc0, 0xc0, 0xc0]),
        (Codec::Json, *b" {}"),
        (Codec::Json, *b"}}}"),
        (Codec::Json, *b"abc"),
        (Codec::Json, [0xff, 0x00, 0xff]),
    ] {
        for vector in vectors::client() {
            let mut payload = codec.encode(&vector.message);
            payload.extend(bytes);
            let refused = Err(DecodeError::TrailingBytes(3));
            assert_eq!(decode(codec, &payload), refused, "{codec:?}");
        }
    }
}

#[test]
fn space_around_json_is_no_trailing_byte() {
    let hello = &vectors::client()[0].message;
    let json = String::from_utf8(Codec::Json.encode(hello)).expect("JSON is UTF-8");
    let spaced = format!(" \r\n\t{json}\n ");
    assert_eq!(decode(Codec::Json, spaced.as_bytes()).as_ref(), Ok(hello));
}

#[test]
fn every_changed_byte_is_decoded_or_refused_without_a_panic() {
    for codec in Codec::ALL {
        for vector in vectors::client() {
            let whole = codec.encode(&vector.message);
            for at in 0..whole.len() {
                for byte in 0..=u8::MAX {
                    let mut payload = whole.clone();
                    payload[at] = byte;
                    // Some mutations are valid messages; none may panic or allocate much.
                    let (_, peak_bytes) = peak_bytes_of(|| decode(codec, &payload));
                    let name = vector.name;
                    assert!(
                        peak_bytes <= RESERVED_BYTES_PER_LEVEL_MAX * 2,
                        "{codec:?} {name}: byte {at} as {byte:#x} held {peak_bytes} bytes"
                    );
                }
            }
        }
    }
}

#[test]
fn a_thousand_levels_of_nesting_are_refused() {
    let levels = 1_000;
    let closed: Vec<u8> = [vec![0x91; levels], vec![0xc0]].concat();
    for (payload, what) in [
        (vec![0x91; levels], "arrays without an end"),
        (closed.clone(), "arrays around nil"),
        ([0x81, 0xa1, b'k'].repeat(levels), "maps"),
        // In a field before the tag, where any value is accepted.
        (
            [&[0x82, 0xa1, b'x'], closed.as_slice()].concat(),
            "a field of arrays",
        ),
    ] {
        assert_malformed(Codec::MessagePack, &payload, what);
    }
    let closed = "[".repeat(levels) + &"]".repeat(levels);
    for (payload, what) in [
        ("[".repeat(levels), "arrays without an end"),
        (closed.clone(), "arrays"),
        (r#"{"k":"#.repeat(levels), "maps"),
        (
            format!(r#"{{"x":{closed},"type":"hello","token":"t"}}"#),
            "a field of arrays",
        ),
    ] {
        assert_malformed(Codec::Json, payload.as_bytes(), what);
    }
}

#[test]
fn both_codecs_take_as_many_levels_as_the_limit_says() {
    for codec in Codec::ALL {
        for (levels, is_taken) in [(MESSAGE_DEPTH_MAX, true), (MESSAGE_DEPTH_MAX + 1, false)] {
            // The message itself is one level.
            let mut value = json!([]);
            for _ in 2..levels {
                value = json!([value]);
            }
            let message = json!({ "type": "goaway", "reconnect_in_ms": 1, "x": value });
            let decoded = codec.decode::<ServerMessage>(&codec.encode(&message));
            assert_eq!(
                decoded.is_ok(),
                is_taken,
                "{codec:?}, {levels}: {decoded:?}"
            );
        }
    }
}

#[test]
fn brackets_within_json_strings_are_no_levels() {
    let token = r#"[[[[[[[[[[[[[[[[[[[["{\"#;
    let hello = Codec::Json.encode(&json!({ "type": "hello", "token": token }));
    let Ok(ClientMessage::Hello(hello)) = decode(Codec::Json, &hello) else {
        panic!("it is a hello");
    };
    assert_eq!(hello.token, token);
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
        assert_malformed(Codec::MessagePack, &bare, what);
        // As the value of a field before the tag, which has to be buffered.
        let field: Vec<u8> = [&[0x82, 0xa1, b'x', header][..], &length].concat();
        let (decoded, peak_bytes) = peak_bytes_of(|| decode(Codec::MessagePack, &field));
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
    let (decoded, peak_bytes) = peak_bytes_of(|| decode(Codec::MessagePack, &payload));
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
        // The fields of a message as a list, without names.
        json!(["hello", "t"]),
        json!(["hello", "t", null]),
        json!({}),
        json!({ "type": null }),
        json!({ "type": "unknown" }),
        json!({ "type": "HELLO", "token": "t" }),
        json!({ "type": "hello" }),
        json!({ "type": "hello", "token": 7 }),
        json!({ "type": "hello", "token": ["t"] }),
        json!({ "type": "hello", "token": "t", "cursor": 4 }),
        json!({ "type": "hello", "token": "t", "cursor": { "everyone": -1, "team": 1, "player": 1 } }),
        json!({ "type": "hello", "token": "t", "cursor": { "everyone": 1.5, "team": 1, "player": 1 } }),
        json!({ "type": "resync", "cursor": "latest" }),
        json!({ "type": "command", "do": guess }),
        json!({ "type": "command", "id": "41", "do": guess }),
        json!({ "type": "command", "id": -1, "do": guess }),
        json!({ "type": "command", "id": 41 }),
        json!({ "type": "command", "id": 41, "do": "submit_guess" }),
        json!({ "type": "command", "id": 41, "do": {} }),
        json!({ "type": "command", "id": 41, "do": { "type": "win" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "submit_guess", "puzzle": "flags" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "submit_guess", "puzzle": 1, "guess": 2 } }),
        // Unknown fields: an old server must not execute a request only partially.
        json!({ "type": "hello", "token": "t", "extra": 1 }),
        json!({ "type": "resync", "cursor": cursor, "extra": 1 }),
        json!({ "type": "resync", "cursor": { "everyone": 1, "team": 1, "player": 1, "extra": 1 } }),
        json!({ "type": "command", "id": 41, "do": guess, "extra": 1 }),
        json!({ "type": "command", "id": 41, "do": { "type": "submit_guess", "puzzle": "flags", "guess": "sail", "extra": 1 } }),
        json!({ "type": "command", "id": 41, "do": { "type": "start", "extra": 1 } }),
        json!({ "type": "command", "id": 41, "do": { "type": "push_clue", "to": { "type": "everyone", "team": "t1" }, "text": "t" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "push_clue", "to": { "type": "team", "team": "t1", "player": "p1" }, "text": "t" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "push_clue", "to": { "type": "world" }, "text": "t" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "push_clue", "to": "everyone", "text": "t" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "push_clue", "to": { "type": "everyone" }, "text": "t", "lasts_ms": -1 } }),
        json!({ "type": "command", "id": 41, "do": { "type": "announce", "text": null } }),
        // The fields of a map as a list, and a variant by its index.
        json!({ "type": "hello", "token": "t", "cursor": [] }),
        json!({ "type": "hello", "token": "t", "cursor": [1, 0, 3, 1] }),
        json!({ "type": "resync", "cursor": [1, 0, 3, 1, 0] }),
        json!({ "type": 0, "token": "t" }),
        json!({ "token": "t", "type": 0 }),
        json!({ "type": ["hello"], "token": "t" }),
        json!({ "type": { "hello": null }, "token": "t" }),
        json!({ "type": "command", "id": 41, "do": ["submit_guess", "flags", "compass"] }),
        json!({ "type": "command", "id": 41, "do": ["start"] }),
        json!({ "type": "command", "id": 41, "do": { "type": 4 } }),
        json!({ "type": "command", "id": 41, "do": { "type": ["start"] } }),
        json!({ "type": "command", "id": 41, "do": { "type": "push_clue", "to": ["everyone"], "text": "t" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "push_clue", "to": ["team", "t1"], "text": "t" } }),
        json!({ "type": "command", "id": 41, "do": { "type": "push_clue", "to": { "type": 0 }, "text": "t" } }),
        // Messages of the opposite direction.
        json!({ "type": "receipt", "id": 41 }),
        json!({ "type": "goaway", "reconnect_in_ms": 1 }),
    ] {
        for codec in Codec::ALL {
            assert_malformed(codec, &codec.encode(&value), &value.to_string());
        }
    }
}

#[test]
fn names_may_be_written_with_escapes_and_mean_the_same() {
    let hello = br#"{"\u0074ype":"hello","to\u006ben":"t"}"#;
    let decoded = decode(Codec::Json, hello);
    assert!(
        matches!(decoded, Ok(ClientMessage::Hello(_))),
        "{decoded:?}"
    );
    let number = br#"{"\u0074ype":0,"token":"t"}"#;
    assert_malformed(Codec::Json, number, "a variant's number");
    let number = br#"{"type" :	0,"token":"t"}"#;
    assert_malformed(Codec::Json, number, "a variant's number after space");
}

#[test]
fn other_kinds_of_message_pack_than_the_contract_names_are_malformed() {
    let text = |text: &str| Codec::MessagePack.encode(&json!(text));
    let map = |fields: &[Vec<u8>]| {
        let count = u8::try_from(fields.len() / 2).expect("few");
        [vec![0x80 | count], fields.concat()].concat()
    };
    let bytes = |bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).expect("few");
        [&[0xc4, length], bytes].concat()
    };
    let (r#type, hello, token) = (text("type"), text("hello"), text("token"));
    let good = map(&[r#type.clone(), hello.clone(), token.clone(), text("t")]);
    decode(Codec::MessagePack, &good).expect("it is a hello");
    for (payload, what) in [
        (
            map(&[r#type.clone(), bytes(b"hello"), token.clone(), text("t")]),
            "bytes for a type",
        ),
        (
            map(&[r#type.clone(), hello.clone(), token.clone(), bytes(b"t")]),
            "bytes for a token",
        ),
        (
            map(&[r#type.clone(), hello.clone(), bytes(b"token"), text("t")]),
            "bytes for a name",
        ),
        (
            map(&[r#type.clone(), hello.clone(), vec![0], text("t")]),
            "a number for a name",
        ),
        (
            map(&[r#type.clone(), hello, vec![0xc0], text("t")]),
            "nil for a name",
        ),
        (
            map(&[r#type.clone(), vec![0], token.clone(), text("t")]),
            "a variant's number",
        ),
        (
            map(&[token, text("t"), r#type, vec![0xcc, 0]]),
            "a variant's number in two bytes, at the end",
        ),
    ] {
        assert_malformed(Codec::MessagePack, &payload, what);
    }
}

#[test]
fn numbers_of_any_width_are_taken() {
    let name = |text: &str| Codec::MessagePack.encode(&json!(text));
    for number in [
        vec![5],
        vec![0xcc, 5],
        vec![0xcd, 0, 5],
        vec![0xce, 0, 0, 0, 5],
        vec![0xcf, 0, 0, 0, 0, 0, 0, 0, 5],
        vec![0xd0, 5],
        vec![0xd1, 0, 5],
        vec![0xd2, 0, 0, 0, 5],
        vec![0xd3, 0, 0, 0, 0, 0, 0, 0, 5],
    ] {
        let parts = [
            vec![0x82],
            name("type"),
            name("resync"),
            name("cursor"),
            vec![0xde, 0, 1],
            name("everyone"),
            number,
        ];
        let decoded = decode(Codec::MessagePack, &parts.concat());
        let Ok(ClientMessage::Resync(resync)) = decoded else {
            panic!("a resync, not {decoded:?}");
        };
        assert_eq!(resync.cursor.expect("it has one").everyone, 5);
    }
}

#[test]
fn text_that_is_not_utf_8_is_malformed() {
    for codec in Codec::ALL {
        let whole = codec.encode(&json!({ "type": "hello", "token": "AAAA" }));
        let at = whole.iter().rposition(|byte| *byte == b'A');
        let mut payload = whole.clone();
        payload[at.expect("the token is there")] = 0xff;
        assert_malformed(codec, &payload, "a token with a byte that no UTF-8 has");
    }
}

#[test]
fn a_field_given_twice_is_malformed() {
    let hello = Codec::MessagePack.encode(&json!({ "type": "hello", "token": "t" }));
    let mut twice = vec![0x83];
    twice.extend(&hello[1..]);
    twice.extend(Codec::MessagePack.encode(&json!("token")));
    twice.extend(Codec::MessagePack.encode(&json!("u")));
    assert_malformed(Codec::MessagePack, &twice, "two tokens");
    let twice = br#"{"type":"hello","token":"t","token":"u"}"#;
    assert_malformed(Codec::Json, twice, "two tokens");
}

#[test]
fn numbers_that_do_not_fit_are_malformed() {
    let digits = "9".repeat(5_000);
    for number in [
        "18446744073709551616",
        &digits,
        "-1",
        "1.0",
        "1e3",
        "1e999",
        "-1e-999",
        "01",
        "+1",
        "0x1",
        "NaN",
        "Infinity",
    ] {
        let guess = r#"{"type":"submit_guess","puzzle":"flags","guess":"sail"}"#;
        let payload = format!(r#"{{"type":"command","id":{number},"do":{guess}}}"#);
        assert_malformed(Codec::Json, payload.as_bytes(), &format!("{number:.30}"));
    }
}

#[test]
fn what_only_looks_like_json_is_malformed() {
    for payload in [
        "",
        "   ",
        "{",
        "{}}",
        "\u{feff}{}",
        "{'type':'hello','token':'t'}",
        "{type:\"hello\",token:\"t\"}",
        r#"{"type":"hello","token":"t",}"#,
        r#"{"type":"hello","token":"t"/* */}"#,
        r#"{"type":"hello","token":"\ud800"}"#,
        r#"{"type":"hello","token":"\x41"}"#,
        "{\"type\":\"hello\",\"token\":\"\n\"}",
        "{\"type\":\"hello\",\"token\":\"\0\"}",
    ] {
        assert_malformed(Codec::Json, payload.as_bytes(), payload);
    }
}
