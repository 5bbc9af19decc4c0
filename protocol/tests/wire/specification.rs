//! Verifies that the written specification, `README.md`, mentions every name, code, limit and cost.

use cluecast_protocol::rest::FailureCode;
use cluecast_protocol::{
    Advice, ClientMessage, CloseCode, Codec, RejectionCode, ServerMessage, cost, limits,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::kinds;

const SPECIFICATION: &str = include_str!("../../README.md");

fn assert_mentions(what: &str, as_written: &str) {
    assert!(
        SPECIFICATION.contains(as_written),
        "protocol/README.md does not mention {what} as {as_written}"
    );
}

/// Formats a number as in the specification's tables: digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn numbers_are_grouped() {
    for (number, text) in [
        (0, "0"),
        (256, "256"),
        (1_000, "1,000"),
        (8_388_608, "8,388,608"),
    ] {
        assert_eq!(grouped(number), text);
    }
}

#[test]
fn every_message_event_order_and_value_is_specified() {
    for names in [
        kinds::CLIENT_MESSAGES,
        kinds::SERVER_MESSAGES,
        kinds::EVENTS,
        kinds::ORDERS,
        kinds::PHASES,
        kinds::VERDICTS,
        kinds::AUDIENCES,
        kinds::RESUMES,
        kinds::SCOPES,
    ] {
        for name in names {
            assert_mentions("a name on the wire", &format!("`{name}`"));
        }
    }
}

#[test]
fn every_rejection_code_has_a_row() {
    for code in kinds::REJECTION_CODES {
        if *code != "unknown" {
            assert_mentions("a rejection code", &format!("\n| `{code}` |"));
        }
    }
}

#[test]
fn every_failure_code_has_a_row() {
    for code in kinds::FAILURE_CODES {
        let read: FailureCode =
            serde_json::from_str(&format!("\"{code}\"")).expect("every name is one of the wire's");
        if !matches!(read, FailureCode::Rejected(_)) {
            let status = read.class().status;
            assert_mentions("a failure code", &format!("\n| {status} | `{code}` |"));
        }
    }
}

/// The statuses of rejections over REST, as the row of rejections lists them.
#[test]
fn every_rejection_has_a_status_that_the_specification_lists() {
    for code in kinds::REJECTION_CODES {
        let read: RejectionCode =
            serde_json::from_str(&format!("\"{code}\"")).expect("every name is one of the wire's");
        let status = read.class().status;
        let is_exception = status != 409;
        assert!(
            matches!(status, 403 | 409 | 429 | 500 | 503),
            "{code}: {status}"
        );
        if is_exception && status != 429 && status != 503 {
            assert_mentions("a rejection's status", &format!("{status} for `"));
        }
    }
}

#[test]
fn every_close_code_has_a_row_with_its_advice() {
    for code in CloseCode::ALL {
        let advice = match code.advice() {
            Advice::RetryNow => "now",
            Advice::RetryLater => "later",
            Advice::Never => "never",
        };
        let row = format!("\n| {} | `{}` | {advice} |", code.number(), code.name());
        assert_mentions("a close code", &row);
    }
}

#[test]
fn every_limit_has_a_row_with_its_value() {
    fn size(bytes: usize) -> u64 {
        u64::try_from(bytes).expect("limits are small")
    }
    for (name, value) in [
        (
            "CLIENT_MESSAGE_BYTES_MAX",
            size(limits::CLIENT_MESSAGE_BYTES_MAX),
        ),
        ("MESSAGE_DEPTH_MAX", size(limits::MESSAGE_DEPTH_MAX)),
        ("HELLO_WAIT_MS_MAX", limits::HELLO_WAIT_MS_MAX),
        ("GUESS_CHARS_MAX", size(limits::GUESS_CHARS_MAX)),
        ("NAME_CHARS_MAX", size(limits::NAME_CHARS_MAX)),
        ("TEXT_CHARS_MAX", size(limits::TEXT_CHARS_MAX)),
        ("CLUE_LASTS_MS_MIN", limits::CLUE_LASTS_MS_MIN),
        ("CLUE_LASTS_MS_MAX", limits::CLUE_LASTS_MS_MAX),
        (
            "COMMANDS_OUTSTANDING_MAX",
            size(limits::COMMANDS_OUTSTANDING_MAX),
        ),
        ("HEADS_EVERY_MS_MAX", limits::HEADS_EVERY_MS_MAX),
        (
            "REFUSALS_PER_MINUTE_MAX",
            limits::REFUSALS_PER_MINUTE_MAX.into(),
        ),
        ("REST_BODY_BYTES_MAX", size(limits::REST_BODY_BYTES_MAX)),
        ("HUNT_BODY_BYTES_MAX", size(limits::HUNT_BODY_BYTES_MAX)),
        ("PAGE_ROWS_MAX", size(limits::PAGE_ROWS_MAX)),
    ] {
        assert_mentions("a limit", &format!("\n| `{name}` | {} |", grouped(value)));
    }
    let declared = include_str!("../../src/limits.rs")
        .matches("pub const ")
        .count();
    assert_eq!(
        declared, 14,
        "a new limit needs a line above and a row in the specification"
    );
}

#[test]
fn every_cost_has_a_row() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
    let mut orders = 0;
    for file in std::fs::read_dir(folder).expect("the golden vectors are there") {
        let text = std::fs::read_to_string(file.expect("it is listed").path());
        let vector: Value = serde_json::from_str(&text.expect("it is text")).expect("it is JSON");
        let Some(order) = vector["message"].get("do") else {
            continue;
        };
        let name = order["type"].as_str().expect("orders have a type");
        let order = serde_json::from_value(order.clone()).expect("it is an order");
        let row = format!("\n| `{name}` | {} |", cost::order_cost(&order));
        assert_mentions("a cost", &row);
        orders += 1;
    }
    assert!(
        orders >= kinds::ORDERS.len(),
        "{orders} orders have a vector"
    );
    assert_mentions("a cost", &format!("\n| `resync` | {} |", cost::RESYNC_COST));
    let pings = format!(
        "{} at\nonce and {} a second",
        cost::CONTROL_FRAMES_BURST,
        cost::CONTROL_FRAMES_PER_SECOND
    );
    assert_mentions("the limit of pings", &pings);
}

#[test]
fn every_subprotocol_is_specified() {
    for codec in Codec::ALL {
        assert_mentions("a subprotocol", &format!("`{}`", codec.subprotocol()));
    }
}

/// Checks that a message is valid in this version and spelled exactly as it would be sent.
fn is_exact<M: Serialize + DeserializeOwned>(json: &str) -> Result<(), String> {
    let read: M = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let written = serde_json::to_string(&read).map_err(|error| error.to_string())?;
    if written == json {
        Ok(())
    } else {
        Err(format!("it would be sent as {written}"))
    }
}

#[test]
fn every_message_of_the_transcript_is_as_it_would_be_sent() {
    let mut messages = 0;
    for line in SPECIFICATION.lines() {
        let exact = match line.split_at_checked(2) {
            Some(("> ", json)) => is_exact::<ClientMessage>(json),
            Some(("< ", json)) => is_exact::<ServerMessage>(json),
            Some(_) | None => continue,
        };
        assert_eq!(exact, Ok(()), "{line}");
        messages += 1;
    }
    assert!(messages > 15, "the specification contains the transcripts");
}
