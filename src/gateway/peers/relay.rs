//! Relays a WebSocket to the node that owns its session: bytes in both directions, with a bounded buffer
//! each.
//!
//! The relay only tracks the boundaries of the owner's frames. It can thus send a close frame after the
//! last whole frame if the owner disappears, and notice when the owner has accepted the client.
//! Backpressure passes through: what the client does not read waits at the owner, within its limits.

use std::io::{Error, ErrorKind};
use std::ops::RangeInclusive;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use protocol::CloseCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::gateway::Gateway;
use crate::gateway::net::public::Slot;
use crate::telemetry::metrics;

/// Buffer per direction.
const BUFFER_BYTES: usize = 4 * 1024;
/// Timeout for the owner to finish after the client has closed its side.
const OWNER_CLOSE_WAIT: Duration = Duration::from_secs(5);
/// Timeout for sending a close frame to the client.
const CLOSE_WAIT: Duration = Duration::from_secs(1);
/// Delay, drawn per client, of the close frame after the owner has disappeared; it spreads the reconnects.
const CLOSE_DELAY_MS: RangeInclusive<u64> = 0..=200;

/// Relays between a client and the owner of its session until either closes, the session has `moved`, or the
/// gateway stops.
pub async fn relay(
    gateway: Gateway,
    (client, owner): (OnUpgrade, OnUpgrade),
    slot: Slot,
    moved: impl Future<Output = ()> + Send,
) {
    let (client, owner) = match tokio::try_join!(client, owner) {
        Ok(both) => both,
        Err(error) => {
            tracing::debug!(%error, "a relayed connection failed during its upgrade");
            return;
        }
    };
    metrics().relays_open.increment(1);
    let stop = gateway.stop.clone();
    let ends = async {
        tokio::select! {
            () = stop.cancelled() => CloseCode::GoingAway,
            () = moved => CloseCode::SessionRestarting,
        }
    };
    let joined = join(TokioIo::new(client), TokioIo::new(owner), &slot, ends).await;
    if let Err(error) = joined {
        tracing::debug!(%error, "a relayed connection ended early");
    }
    metrics().relays_open.decrement(1);
}

async fn join(
    client: impl AsyncRead + AsyncWrite,
    owner: impl AsyncRead + AsyncWrite,
    slot: &Slot,
    ends: impl Future<Output = CloseCode>,
) -> Result<(), Error> {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_owner, mut to_owner) = tokio::io::split(owner);
    let mut tracker = FrameTracker::default();
    let code = {
        let up = async {
            copy(&mut from_client, &mut to_owner).await?;
            to_owner.shutdown().await
        };
        let down = down(&mut from_owner, &mut to_client, &mut tracker, slot);
        tokio::pin!(up, down, ends);
        let mut has_client_closed = false;
        loop {
            tokio::select! {
                down = &mut down => match down {
                    Ok(()) => break CloseCode::SessionRestarting,
                    Err(RelayError::Client(error)) => return Err(error),
                    Err(RelayError::Owner(error)) => {
                        tracing::debug!(%error, "the owner of a relayed connection disappeared");
                        break CloseCode::SessionRestarting;
                    }
                },
                code = &mut ends => break code,
                up = &mut up, if !has_client_closed => {
                    has_client_closed = true;
                    if up.is_ok() {
                        drop(timeout(OWNER_CLOSE_WAIT, &mut down).await);
                        return Ok(());
                    }
                    // The client or the owner failed; reading from the owner shows which.
                }
            }
        }
    };
    let closing = async {
        if !tracker.has_closed() {
            metrics().relays_broken.increment(1);
            tokio::time::sleep(Duration::from_millis(rand::random_range(CLOSE_DELAY_MS))).await;
            if tracker.is_at_boundary() {
                to_client.write_all(&close_frame(code)).await?;
            }
        }
        to_client.shutdown().await
    };
    let closed = timeout(CLOSE_WAIT, closing).await;
    closed.unwrap_or_else(|_elapsed| Err(ErrorKind::TimedOut.into()))
}

/// The side that failed while the owner's bytes were relayed.
enum RelayError {
    Client(Error),
    Owner(Error),
}

async fn down(
    from_owner: &mut (impl AsyncRead + Unpin),
    to_client: &mut (impl AsyncWrite + Unpin),
    tracker: &mut FrameTracker,
    slot: &Slot,
) -> Result<(), RelayError> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from_owner
            .read(&mut buffer)
            .await
            .map_err(RelayError::Owner)?;
        if count == 0 {
            return Ok(());
        }
        let had_data = tracker.has_data();
        tracker.advance(&buffer[..count]);
        if tracker.has_data() && !had_data {
            slot.mark_authenticated();
        }
        // If this future is dropped meanwhile, it is unknown how much the client has received.
        tracker.is_write_pending = true;
        let written = to_client.write_all(&buffer[..count]).await;
        written.map_err(RelayError::Client)?;
        to_client.flush().await.map_err(RelayError::Client)?;
        tracker.is_write_pending = false;
    }
}

async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
) -> Result<(), Error> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count]).await?;
        to.flush().await?;
    }
}

/// An unmasked close frame (RFC 6455, section 5.5.1).
fn close_frame(code: CloseCode) -> Vec<u8> {
    const FINAL_CLOSE: u8 = 0x88;
    let name = code.name().as_bytes();
    let length = u8::try_from(2 + name.len()).expect("names of codes are short");
    let mut frame = vec![FINAL_CLOSE, length];
    frame.extend(code.number().to_be_bytes());
    frame.extend(name);
    frame
}

/// Tracks frame boundaries in a server's stream, whose frames are not masked (RFC 6455, section 5.2).
#[derive(Debug, Default)]
struct FrameTracker {
    /// Bytes of an incomplete header; empty within a payload and between frames.
    header: Vec<u8>,
    payload_left: u64,
    seen: Seen,
    /// The client may have received only a part of the tracked bytes.
    is_write_pending: bool,
}

/// What was seen. An owner sends only control frames before it has accepted the client.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Seen {
    #[default]
    Nothing,
    Data,
    Close,
}

const OPCODE: u8 = 0x0f;
const OPCODE_CLOSE: u8 = 0x08;
const LENGTH: u8 = 0x7f;
const TWO_BYTES_FOLLOW: u8 = 126;
const EIGHT_BYTES_FOLLOW: u8 = 127;

impl FrameTracker {
    fn advance(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload_left > 0 {
                let left = usize::try_from(self.payload_left).unwrap_or(usize::MAX);
                let skipped = left.min(bytes.len());
                self.payload_left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header.push(*first);
            bytes = rest;
            if let Some(length) = self.payload_length() {
                let opcode = self.header[0] & OPCODE;
                self.seen = match opcode {
                    OPCODE_CLOSE => Seen::Close,
                    0..OPCODE_CLOSE if self.seen == Seen::Nothing => Seen::Data,
                    _ => self.seen,
                };
                self.payload_left = length;
                self.header.clear();
            }
        }
    }

    /// The payload length, once the header is complete.
    fn payload_length(&self) -> Option<u64> {
        let length = *self.header.get(1)? & LENGTH;
        let extended = match length {
            TWO_BYTES_FOLLOW => self.header.get(2..4)?,
            EIGHT_BYTES_FOLLOW => self.header.get(2..10)?,
            short => return Some(u64::from(short)),
        };
        let number = extended
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte));
        Some(number)
    }

    /// Whether the client has received whole frames only.
    fn is_at_boundary(&self) -> bool {
        self.header.is_empty() && self.payload_left == 0 && !self.is_write_pending
    }

    fn has_data(&self) -> bool {
        self.seen == Seen::Data
    }

    fn has_closed(&self) -> bool {
        self.seen == Seen::Close
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::sync::Arc;
    use std::time::Duration;

    use protocol::CloseCode;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::Semaphore;
    use tokio::time::sleep;

    use super::{Error, FrameTracker, close_frame, join};
    use crate::gateway::admission::addresses::SubscriberKey;
    use crate::gateway::admission::slots::{ConnectionPermit, ConnectionSlot};

    /// Relays to a client that accepts only the first bytes; returns the result and what the client received.
    async fn stalled(buffer_bytes: usize, sent: &[u8]) -> (Result<(), Error>, Vec<u8>) {
        let (mut client, to_client) = duplex(buffer_bytes);
        let (mut owner, to_owner) = duplex(sent.len());
        owner
            .write_all(sent)
            .await
            .expect("the buffer is large enough");
        let slots = Arc::new(Semaphore::new(1));
        let permit = slots.try_acquire_owned().expect("a free slot");
        let ends = async {
            sleep(Duration::from_secs(1)).await;
            CloseCode::GoingAway
        };
        let permit = ConnectionPermit::new(permit);
        let slot = ConnectionSlot::relayed(SubscriberKey::Exempt, permit);
        let joined = join(to_client, to_owner, &slot, ends).await;
        let mut received = Vec::new();
        client
            .read_to_end(&mut received)
            .await
            .expect("the stream ends");
        (joined, received)
    }

    #[tokio::test(start_paused = true)]
    async fn sending_a_close_frame_to_a_stalled_client_times_out() {
        let whole = frame(2, 14);
        let (joined, received) = stalled(whole.len(), &whole).await;
        assert_eq!(
            joined.map_err(|error| error.kind()),
            Err(ErrorKind::TimedOut)
        );
        assert_eq!(received, whole);
    }

    #[tokio::test(start_paused = true)]
    async fn no_close_frame_is_sent_within_a_partial_frame() {
        let whole = frame(2, 14);
        let (joined, received) = stalled(5, &whole).await;
        joined.expect("no close frame is sent");
        assert_eq!(received, whole[..5]);
    }

    fn frame(opcode: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match length {
            0..126 => frame.push(u8::try_from(length).expect("short")),
            126..65_536 => {
                frame.push(126);
                frame.extend(u16::try_from(length).expect("it fits").to_be_bytes());
            }
            _ => {
                frame.push(127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(vec![0x88; length]);
        frame
    }

    #[test]
    fn frame_boundaries_are_tracked_however_the_stream_is_split() {
        let mut stream = Vec::new();
        let mut ends = vec![0];
        for (opcode, length) in [
            (10, 5),
            (2, 0),
            (1, 125),
            (2, 126),
            (2, 65_535),
            (2, 70_000),
        ] {
            stream.extend(frame(opcode, length));
            ends.push(stream.len());
        }
        for piece in [1, 2, 3, 7, 4_096, stream.len()] {
            let mut tracker = FrameTracker::default();
            let mut at = 0;
            for bytes in stream.chunks(piece) {
                tracker.advance(bytes);
                at += bytes.len();
                assert_eq!(tracker.is_at_boundary(), ends.contains(&at), "{piece} {at}");
                assert_eq!(tracker.has_data(), at > ends[1] + 1, "{piece} {at}");
            }
            assert!(!tracker.has_closed());
            tracker.advance(&close_frame(CloseCode::SessionRestarting));
            assert!(tracker.has_closed() && tracker.is_at_boundary());
        }
    }

    #[test]
    fn a_close_frame_after_a_bad_token_does_not_count_as_data() {
        let mut tracker = FrameTracker::default();
        tracker.advance(&close_frame(CloseCode::Unauthorized));
        assert!(tracker.has_closed() && !tracker.has_data());
    }
}
