//! Deadlines, sizes and queues of WebSockets.

use protocol::limits::{CLIENT_MESSAGE_BYTES_MAX, GUESS_CHARS_MAX, MESSAGE_DEPTH_MAX};
use protocol::{CloseCode, Codec, RejectionCode};
use testkit::app::{PUZZLES, TestApp, WAIT_MAX, guess};
use tokio::time::Instant;

fn closed(code: &str) -> String {
    format!("cluecast_connections_closed_total{{code=\"{code}\"}}")
}

#[tokio::test]
async fn a_connection_without_hello_is_closed_with_4408() {
    let app = TestApp::running(&["gateway.hello_ms_max=300"]).await;
    let mut socket = app.socket(Codec::MessagePack).await;
    let reason = socket.expect_close(CloseCode::HelloTimeout).await;
    assert!(reason.starts_with("hello_timeout: "), "{reason}");
    let failed = "cluecast_hellos_failed_total{code=\"hello_timeout\"}";
    assert_eq!(app.metric(failed).await, 1);
    assert_eq!(app.metric(&closed("hello_timeout")).await, 1);
}

#[tokio::test]
async fn a_message_that_is_too_long_is_closed_with_1009() {
    let app = TestApp::running(&[]).await;
    let mut player = app.team("Owls").await;
    let payload = vec![0; CLIENT_MESSAGE_BYTES_MAX + 1];
    player.socket().send_payload(payload).await;
    player.expect_close(CloseCode::TooLarge).await;
    assert_eq!(app.metric(&closed("too_large")).await, 1);
}

#[tokio::test]
async fn a_message_that_is_nested_too_deep_is_closed_with_4400() {
    let app = TestApp::running(&[]).await;
    let player = app.join("Owls").await;
    for depth in [MESSAGE_DEPTH_MAX + 1, 1_000] {
        let mut client = app.attach(&player.token).await;
        // Lists of one element, in MessagePack.
        client.socket().send_payload(vec![0x91; depth]).await;
        let reason = client.expect_close(CloseCode::BadMessage).await;
        assert!(reason.starts_with("bad_message"), "{reason}");
    }
    assert_eq!(app.metric(&closed("bad_message")).await, 2);
}

#[tokio::test]
async fn commands_beyond_the_limit_get_a_retry_time() {
    let settings = ["limits.commands_per_second=1", "limits.commands_burst=2"];
    let app = TestApp::running(&settings).await;
    let mut player = app.team("Owls").await;
    for number in 1..=3 {
        player.send(guess("p0", &format!("wrong {number}"))).await;
    }
    let answer = player.answer(3).await;
    let rejection = answer.expect_rejection(RejectionCode::RateLimited);
    assert!(rejection.retry_at_ms.is_some());
    let rejected = "cluecast_commands_rejected_total{code=\"rate_limited\"}";
    assert_eq!(app.metric(rejected).await, 1);
    assert_eq!(app.metric("cluecast_commands_received_total").await, 3);
}

/// The queue is bounded in bytes and in frames; the operating system's buffers come on top.
#[tokio::test]
async fn a_reader_that_is_too_slow_is_closed_with_4410() {
    let by_bytes = [
        "delivery.outbound_bytes_max=65536",
        "gateway.write_ms_max=8000",
    ];
    let by_frames = [
        "delivery.outbound_frames_max=64",
        "gateway.write_ms_max=8000",
    ];
    for settings in [by_bytes, by_frames] {
        let app = TestApp::running(&settings).await;
        let joined = app.join("Owls").await;
        let asleep = app.narrow_socket(Codec::MessagePack).await;
        let mut asleep = app.attach_on(asleep, &joined.token).await;
        let mut busy = app.teammate(&asleep).await;

        let overflowed = "cluecast_outboxes_overflowed_total";
        let deadline = Instant::now() + WAIT_MAX;
        let (mut id, mut last) = (0, 0);
        while app.metric(overflowed).await == 0 {
            assert!(
                Instant::now() < deadline,
                "{id} guesses did not overflow the queue"
            );
            for _ in 0..10 {
                id += 1;
                // Distinct guesses of the maximum length, with letters of four bytes each.
                let filler = "\u{20000}".repeat(GUESS_CHARS_MAX - 10);
                let puzzle = format!("p{}", id % PUZZLES);
                let order = guess(&puzzle, &format!("{id:010}{filler}"));
                last = busy.send(order).await;
            }
            busy.answer(last).await.expect_wrong();
        }
        // A socket that accepts no data is not written to again at every update.
        let refused = "cluecast_socket_writes_total{outcome=\"blocked\"}";
        let refused = app.metric(refused).await;
        assert!((1..=5).contains(&refused), "{refused} of {id} updates");
        assert_eq!(app.metric("cluecast_socket_writes_blocked_peak").await, 1);

        let reason = asleep.expect_close(CloseCode::SlowReader).await;
        assert!(reason.starts_with("slow_reader: "), "{reason}");
        assert_eq!(app.metric(&closed("slow_reader")).await, 1);
        assert!(app.metric("cluecast_outbox_bytes_peak").await > 0);
        assert!(app.metric("cluecast_outbox_frames_peak").await > 0);

        // Nothing is lost: the client receives every update when it reconnects.
        asleep.reconnect().await;
    }
}

#[test]
fn close_codes_have_their_documented_numbers() {
    for (code, number) in [
        (CloseCode::TooLarge, 1009),
        (CloseCode::BadMessage, 4400),
        (CloseCode::HelloTimeout, 4408),
        (CloseCode::Replaced, 4409),
        (CloseCode::SlowReader, 4410),
        (CloseCode::Overloaded, 4429),
    ] {
        assert_eq!(code.number(), number, "{code:?}");
    }
}
