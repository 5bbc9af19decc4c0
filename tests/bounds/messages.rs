//! Deadlines, sizes and queues of WebSockets.

use std::time::Duration;

use protocol::limits::{CLIENT_MESSAGE_BYTES_MAX, GUESS_CHARS_MAX, MESSAGE_DEPTH_MAX};
use protocol::{RejectionCode, ServerMessage};
use tokio::net::TcpSocket;
use tokio::time::Instant;

use crate::http::PATIENCE;
use crate::site::{PUZZLES, Site};
use crate::socket::Socket;

fn closed(code: &str) -> String {
    format!("cluecast_connections_closed_total{{code=\"{code}\"}}")
}

#[tokio::test]
async fn a_connection_without_hello_is_closed_with_4408() {
    let site = Site::start(&["gateway.hello_ms_max=300"]).await;
    let mut socket = Socket::open(&site).await;
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4408);
    assert!(reason.starts_with("hello_timeout: send"), "{reason}");
    let failed = "cluecast_hellos_failed_total{code=\"hello_timeout\"}";
    assert_eq!(site.metric(failed).await, 1);
    assert_eq!(site.metric(&closed("hello_timeout")).await, 1);
}

#[tokio::test]
async fn a_message_that_is_too_long_is_closed_with_1009() {
    let site = Site::start(&[]).await;
    let player = site.join("Owls").await;
    let mut socket = Socket::attach(&site, &player.token).await;
    socket.send(vec![0; CLIENT_MESSAGE_BYTES_MAX + 1]).await;
    assert_eq!(socket.closed().await.0, 1009);
    assert_eq!(site.metric(&closed("too_large")).await, 1);
}

#[tokio::test]
async fn a_message_that_is_nested_too_deep_is_closed_with_4400() {
    let site = Site::start(&[]).await;
    let player = site.join("Owls").await;
    for depth in [MESSAGE_DEPTH_MAX + 1, 1_000] {
        let mut socket = Socket::attach(&site, &player.token).await;
        // Lists of one element, in MessagePack.
        socket.send(vec![0x91; depth]).await;
        let (code, reason) = socket.closed().await;
        assert_eq!(code, 4400);
        assert!(reason.starts_with("bad_message"), "{reason}");
    }
    assert_eq!(site.metric(&closed("bad_message")).await, 2);
}

#[tokio::test]
async fn commands_beyond_the_limit_are_told_when_to_come_again() {
    let settings = ["limits.commands_per_second=1", "limits.commands_burst=2"];
    let site = Site::start(&settings).await;
    let player = site.join("Owls").await;
    let mut socket = Socket::attach(&site, &player.token).await;
    for id in 1..=3 {
        socket.guess(id, "p0", &format!("wrong {id}")).await;
    }
    let rejection = loop {
        let message = socket.receive().await.expect("the connection holds");
        if let ServerMessage::Rejection(rejection) = message {
            break rejection;
        }
    };
    assert_eq!(
        (rejection.id, rejection.code),
        (3, RejectionCode::RateLimited)
    );
    assert!(rejection.retry_at_ms.is_some());
    let rejected = "cluecast_commands_rejected_total{code=\"rate_limited\"}";
    assert_eq!(site.metric(rejected).await, 1);
    assert_eq!(site.metric("cluecast_commands_received_total").await, 3);
}

/// Bytes and frames that wait are bounded each; what the system's own buffers take comes on top.
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
        let site = Site::start(&settings).await;
        let slow = site.join("Owls").await;
        let quick = site
            .join_team(&slow.team_code)
            .await
            .expect("the team exists");
        let narrow = TcpSocket::new_v4().expect("a socket");
        narrow.set_recv_buffer_size(1).expect("it can be set");
        let stream = narrow.connect(site.address()).await.expect("it listens");
        let mut asleep = Socket::upgrade(&site, stream).await.expect("there is room");
        asleep.hello(&slow.token).await;
        let mut busy = Socket::attach(&site, &quick.token).await;

        let overflowed = "cluecast_outboxes_overflowed_total";
        let deadline = Instant::now() + PATIENCE;
        let mut id = 0;
        while site.metric(overflowed).await == 0 {
            assert!(
                Instant::now() < deadline,
                "{id} guesses did not overflow the queue"
            );
            for _ in 0..10 {
                id += 1;
                // The longest guess, of letters that take four bytes; each is another one.
                let filler = "\u{20000}".repeat(GUESS_CHARS_MAX - 10);
                let puzzle = format!("p{}", id % PUZZLES);
                busy.guess(id, &puzzle, &format!("{id:010}{filler}")).await;
            }
            answered(&mut busy, id).await;
        }
        // A socket that takes nothing is not tried again with every update.
        let refused = "cluecast_socket_writes_total{outcome=\"blocked\"}";
        let refused = site.metric(refused).await;
        assert!((1..=5).contains(&refused), "{refused} of {id} updates");
        assert_eq!(site.metric("cluecast_socket_writes_blocked_peak").await, 1);

        let (code, reason) = asleep.closed().await;
        assert_eq!(code, 4410);
        assert!(reason.starts_with("slow_reader: "), "{reason}");
        assert_eq!(site.metric(&closed("slow_reader")).await, 1);
        assert!(site.metric("cluecast_outbox_bytes_peak").await > 0);
        assert!(site.metric("cluecast_outbox_frames_peak").await > 0);

        // Nothing is lost: whoever comes back is shown everything.
        let mut back = Socket::attach(&site, &slow.token).await;
        tokio::time::timeout(Duration::from_secs(10), back.receive())
            .await
            .expect("a snapshot")
            .expect("a snapshot");
    }
}

async fn answered(socket: &mut Socket, wanted: u64) {
    loop {
        match socket.receive().await.expect("the connection holds") {
            ServerMessage::Receipt(receipt) if receipt.id == wanted => return,
            ServerMessage::Rejection(rejection) => panic!("{rejection:?}"),
            _ => {}
        }
    }
}
