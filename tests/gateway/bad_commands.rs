//! Commands that can be read and are refused: each by a rejection with its code, and nothing
//! changes.

use protocol::limits::{COMMANDS_OUTSTANDING_MAX, GUESS_CHARS_MAX};
use protocol::{Codec, RejectionCode};

use crate::beside::Beside;
use crate::device::Device;
use crate::stage::{ANSWER, Stage};

/// Sends a guess that must be refused, and checks that nothing happened.
async fn refused(device: &mut Device, id: u64, puzzle: &str, guess: &str) -> RejectionCode {
    let before = device.cursor;
    let rejection = device.guess(id, puzzle, guess).await;
    let rejection = rejection.expect_err("the guess is not to be accepted");
    assert!(!rejection.message.is_empty());
    device.read_until_heads().await;
    assert_eq!(device.cursor, before, "a refusal is nobody's update");
    rejection.code
}

#[tokio::test]
async fn a_bad_guess_is_refused_and_changes_nothing() {
    let stage = Stage::running(&[]).await;
    let mut beside = Beside::begin(&stage).await;
    for codec in Codec::ALL {
        let joined = stage.join("Owls").await;
        let mut device = Device::attached(&stage, codec, &joined.token).await;
        device.guess_wrong(1, "p0", "wrong").await;
        device.guess(2, "p1", ANSWER).await.expect("accepted");
        let too_long = "x".repeat(GUESS_CHARS_MAX + 1);
        let rows = [
            ("p99", "guess", RejectionCode::UnknownPuzzle),
            ("", "guess", RejectionCode::UnknownPuzzle),
            ("p0\0", "guess", RejectionCode::UnknownPuzzle),
            ("p0", "", RejectionCode::EmptyGuess),
            ("p0", " ?!\u{200b}\0", RejectionCode::EmptyGuess),
            ("p0", too_long.as_str(), RejectionCode::GuessTooLong),
            ("p0", "  Wrong! ", RejectionCode::AlreadyGuessed),
            ("p1", "again", RejectionCode::AlreadySolved),
        ];
        for (id, (puzzle, guess, code)) in (3..).zip(rows) {
            let got = refused(&mut device, id, puzzle, guess).await;
            assert_eq!(got, code, "{guess:?} for {puzzle:?}");
            beside.goes_on().await;
        }
        // A refused id was not used up.
        device.guess_wrong(3, "p0", "another").await;
    }
    beside.has_lost_nothing(&stage).await;
}

#[tokio::test]
async fn a_guess_out_of_its_time_is_refused() {
    let stage = Stage::lobby(&[]).await;
    let mut devices = Vec::new();
    for codec in Codec::ALL {
        let joined = stage.join("Owls").await;
        devices.push(Device::attached(&stage, codec, &joined.token).await);
    }
    for (order, code) in [
        (None, Some(RejectionCode::NotStarted)),
        (Some("start"), None),
        (Some("pause"), Some(RejectionCode::Paused)),
        (Some("resume"), None),
        (Some("finish"), Some(RejectionCode::Finished)),
    ] {
        if let Some(order) = order {
            stage.order(order).await;
        }
        for device in &mut devices {
            let guess = format!("after {order:?}");
            let id = device.updates.len() as u64 + 1;
            let answer = device.guess(id, "p0", &guess).await;
            let refusal = answer.err().map(|rejection| rejection.code);
            assert_eq!(refusal, code, "{guess}");
        }
    }
    stage.assert_unharmed();
}

#[tokio::test]
async fn ids_that_go_backwards_are_answered_or_refused_and_never_applied_again() {
    let kept = COMMANDS_OUTSTANDING_MAX as u64;
    for codec in Codec::ALL {
        let stage = Stage::running(&[]).await;
        let joined = stage.join("Owls").await;
        let mut device = Device::attached(&stage, codec, &joined.token).await;
        let last = kept + 10;
        for id in 1..=last {
            device.guess_wrong(id, "p0", &format!("G{id}")).await;
        }
        let seen = device.cursor;
        // The receipts that are kept are given again.
        for id in [last, last - 1, last - kept + 1] {
            let receipt = device.guess(id, "p0", &format!("G{id}")).await;
            assert_eq!(receipt.map(|receipt| receipt.id), Ok(id));
        }
        // The older ones are refused, even with a guess that would be new.
        for id in [last - kept, 2, 1, 0] {
            let code = refused(&mut device, id, "p1", "new").await;
            assert_eq!(code, RejectionCode::StaleCommand, "{id}");
        }
        device.read_until_heads().await;
        assert_eq!(device.cursor, seen, "nothing was applied again");
        device.guess_wrong(u64::MAX, "p0", "the last").await;
        stage.assert_unharmed();
    }
}
