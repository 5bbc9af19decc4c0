//! Commands that can be read and are refused: each by a rejection with its code, and nothing
//! changes.

use protocol::limits::{COMMANDS_OUTSTANDING_MAX, GUESS_CHARS_MAX};
use protocol::{
    ClientMessage, Codec, Command, Hello, Order, Rejection, RejectionCode, ServerMessage, Target,
};

use crate::beside::Beside;
use crate::device::Device;
use crate::stage::{ANSWER, Stage};
use crate::wire::Wire;

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

/// What only game masters may order.
fn orders_of_game_masters() -> Vec<Order> {
    let text = || "Look up.".to_owned();
    vec![
        Order::PushClue {
            to: Target::Everyone,
            text: text(),
            lasts_ms: None,
        },
        Order::CancelClue {
            clue: "c1".to_owned(),
        },
        Order::Announce { text: text() },
        Order::Start,
        Order::Pause,
        Order::Resume,
        Order::Finish,
    ]
}

/// Sends an order, and gives the rejection that must follow.
async fn rejection_of(wire: &mut Wire, id: u64, order: Order) -> Rejection {
    wire.send(&ClientMessage::Command(Command { id, order }))
        .await;
    loop {
        match wire.receive().await.expect("the connection holds") {
            ServerMessage::Rejection(rejection) => return rejection,
            ServerMessage::Receipt(receipt) => panic!("{receipt:?}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn an_order_of_another_role_is_refused() {
    let stage = Stage::running(&[]).await;
    let mut beside = Beside::begin(&stage).await;
    let joined = stage.join("Owls").await;
    let guess = Order::SubmitGuess {
        puzzle: "p0".to_owned(),
        guess: ANSWER.to_owned(),
    };
    for codec in Codec::ALL {
        for (token, orders) in [
            (&joined.token, orders_of_game_masters()),
            (&stage.game_master, vec![guess.clone()]),
        ] {
            let mut wire = Wire::open(stage.address(), &stage.session, codec).await;
            let (token, cursor) = (token.clone(), None);
            wire.send(&ClientMessage::Hello(Hello { token, cursor }))
                .await;
            for (id, order) in (1..).zip(orders) {
                let rejection = rejection_of(&mut wire, id, order).await;
                let refused = (rejection.id, rejection.code);
                assert_eq!(refused, (id, RejectionCode::Forbidden));
            }
            beside.goes_on().await;
        }
    }
    beside.has_lost_nothing(&stage).await;
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
