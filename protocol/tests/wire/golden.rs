//! The golden vectors under `golden/`. Each contains a message in its JSON form, which is that of the JSON
//! codec, and the bytes of its MessagePack form. Clients in other languages test against them, so a change
//! here is a change of the wire protocol.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

use cluecast_protocol::{ClientMessage, Codec, Command, Order, ServerMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::kinds;
use crate::vectors::{self, Vector};

/// If set to `write`, the test rewrites the vectors instead of comparing them.
const SWITCH: &str = "CLUECAST_GOLDEN";

const HOW_TO_REGENERATE: &str = "if the wire protocol was meant to change, rewrite the vectors with \
     `CLUECAST_GOLDEN=write cargo test -p cluecast-protocol --test wire` and review the difference";

#[derive(Serialize)]
struct File<'a, M> {
    message: &'a M,
    msgpack_hex: String,
}

#[expect(
    clippy::disallowed_methods,
    reason = "an explicit switch of this test, not a setting of the server"
)]
fn is_writing() -> bool {
    std::env::var(SWITCH).is_ok_and(|value| value == "write")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes any text");
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "two digits a byte");
    let digits = |at: usize| text.get(at..at + 2).expect("hexadecimal digits are ASCII");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(digits(at), 16).expect("a hexadecimal byte"))
        .collect()
}

fn check<M: Serialize + DeserializeOwned + PartialEq + Debug>(vector: &Vector<M>) {
    let name = vector.name;
    let path = folder().join(name).with_extension("json");
    let file = File {
        message: &vector.message,
        msgpack_hex: hex(&Codec::MessagePack.encode(&vector.message)),
    };
    let rendered = serde_json::to_string_pretty(&file).expect("messages have a JSON form") + "\n";
    if is_writing() {
        fs::write(&path, &rendered).expect("the folder golden/ can be written");
    }
    let golden = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{name}: {error}; {HOW_TO_REGENERATE}"));
    assert_eq!(rendered, golden, "{name}: {HOW_TO_REGENERATE}");

    let golden: serde_json::Value = serde_json::from_str(&golden).expect("the vector is JSON");
    let bytes = unhex(golden["msgpack_hex"].as_str().expect("a string"));
    let decoded: M = Codec::MessagePack
        .decode(&bytes)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(decoded, vector.message, "{name}");
    let json = Codec::Json.encode(&vector.message);
    let encoded: serde_json::Value = serde_json::from_slice(&json).expect("it is JSON");
    assert_eq!(encoded, golden["message"], "{name}");
    let decoded: M = Codec::Json
        .decode(golden["message"].to_string().as_bytes())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(decoded, vector.message, "{name}");
}

fn assert_covered<'a>(all: &[&'a str], seen: &BTreeSet<&'a str>) {
    for kind in all {
        // Variants of later versions are never encoded, so they have no vector.
        if *kind != "unknown" {
            assert!(seen.contains(kind), "`{kind}` has no vector in vectors.rs");
        }
    }
}

#[test]
fn client_messages_match_their_vectors() {
    vectors::client().iter().for_each(check);
}

#[test]
fn server_messages_match_their_vectors() {
    vectors::server().iter().for_each(check);
}

#[test]
fn every_message_event_and_order_has_a_vector() {
    let (client, server) = (vectors::client(), vectors::server());
    let client_kinds = client.iter().map(|v| kinds::client_message(&v.message));
    assert_covered(kinds::CLIENT_MESSAGES, &client_kinds.collect());
    let orders = client.iter().filter_map(|vector| match &vector.message {
        ClientMessage::Command(command) => Some(kinds::order(&command.order)),
        ClientMessage::Hello(_) | ClientMessage::Resync(_) | ClientMessage::Watch(_) => None,
    });
    assert_covered(kinds::ORDERS, &orders.collect());
    let targets = client.iter().filter_map(|vector| match &vector.message {
        ClientMessage::Command(Command {
            order: Order::PushClue { to, .. },
            ..
        }) => Some(kinds::target(to)),
        _ => None,
    });
    assert_covered(kinds::TARGETS, &targets.collect());
    let server_kinds = server.iter().map(|v| kinds::server_message(&v.message));
    assert_covered(kinds::SERVER_MESSAGES, &server_kinds.collect());
    let events = server.iter().filter_map(|vector| match &vector.message {
        ServerMessage::Update(update) => Some(kinds::event(&update.event)),
        ServerMessage::Welcome(_)
        | ServerMessage::Snapshot(_)
        | ServerMessage::Overview(_)
        | ServerMessage::Receipt(_)
        | ServerMessage::Rejection(_)
        | ServerMessage::Heads(_)
        | ServerMessage::Goaway(_)
        | ServerMessage::Board(_)
        | ServerMessage::Standing(_)
        | ServerMessage::Presence(_)
        | ServerMessage::Attendance(_)
        | ServerMessage::Unknown => None,
    });
    assert_covered(kinds::EVENTS, &events.collect());
}

#[test]
fn the_folder_holds_these_vectors_and_no_others() {
    let mut names: BTreeSet<String> = BTreeSet::new();
    names.extend(vectors::client().iter().map(|v| format!("{}.json", v.name)));
    names.extend(vectors::server().iter().map(|v| format!("{}.json", v.name)));
    let files = fs::read_dir(folder()).expect("the folder golden/ is there");
    let files: BTreeSet<String> = files
        .map(|file| file.expect("the folder can be read").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if !is_writing() {
        assert_eq!(
            files, names,
            "{HOW_TO_REGENERATE}; delete what is left over"
        );
    }
}
