//! A WebSocket whose session another node owns: bytes in, bytes out, with a bounded buffer each way.
//!
//! Nothing of it is understood but where the owner's frames begin, so that a goodbye can be put
//! behind the last whole one when the owner goes away without a word, and so that it is known when
//! the owner has let the client in. Backpressure goes through: what the client does not read waits at
//! the owner, within its bounds.

use std::io::{Error, ErrorKind};
use std::ops::RangeInclusive;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use protocol::CloseCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::Gateway;
use super::listener::Slot;
use crate::telemetry::metrics;

/// What is taken from one side before the other has taken it.
const BUFFER_BYTES: usize = 4 * 1024;
/// How long the owner's last words may take after the client has said its own.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(5);
/// How long a client may take to accept a goodbye.
const GOODBYE_WAIT: Duration = Duration::from_secs(1);
/// Over which time the goodbyes of all clients of an owner that is gone are spread.
const SPREAD_MS: RangeInclusive<u64> = 0..=200;

/// Joins a client and the owner of its session until either is gone, the session has `moved`, or the
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
            tracing::debug!(%error, "a relayed connection ended during its upgrade");
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
    let mut frames = Frames::default();
    let code = {
        let up = async {
            copy(&mut from_client, &mut to_owner).await?;
            to_owner.shutdown().await
        };
        let down = down(&mut from_owner, &mut to_client, &mut frames, slot);
        tokio::pin!(up, down, ends);
        let mut is_client_gone = false;
        loop {
            tokio::select! {
                down = &mut down => match down {
                    Ok(()) => break CloseCode::SessionRestarting,
                    Err(Down::Client(error)) => return Err(error),
                    Err(Down::Owner(error)) => {
                        tracing::debug!(%error, "the owner of a relayed connection is gone");
                        break CloseCode::SessionRestarting;
                    }
                },
                code = &mut ends => break code,
                up = &mut up, if !is_client_gone => {
                    is_client_gone = true;
                    if up.is_ok() {
                        drop(timeout(LAST_WORDS_WAIT, &mut down).await);
                        return Ok(());
                    }
                    // The client or the owner broke: what the owner still says tells which.
                }
            }
        }
    };
    let goodbye = async {
        if !frames.have_closed() {
            metrics().relays_broken.increment(1);
            tokio::time::sleep(Duration::from_millis(rand::random_range(SPREAD_MS))).await;
            if frames.are_whole() {
                to_client.write_all(&close_frame(code)).await?;
            }
        }
        to_client.shutdown().await
    };
    let said = timeout(GOODBYE_WAIT, goodbye).await;
    said.unwrap_or_else(|_elapsed| Err(ErrorKind::TimedOut.into()))
}

/// Which side ended the way down.
enum Down {
    Client(Error),
    Owner(Error),
}

async fn down(
    from_owner: &mut (impl AsyncRead + Unpin),
    to_client: &mut (impl AsyncWrite + Unpin),
    frames: &mut Frames,
    slot: &Slot,
) -> Result<(), Down> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = from_owner.read(&mut buffer).await.map_err(Down::Owner)?;
        if count == 0 {
            return Ok(());
        }
        let had_let_in = frames.have_let_in();
        frames.follow(&buffer[..count]);
        if frames.have_let_in() && !had_let_in {
            slot.authenticated();
        }
        // Whoever ends this in between does not know how much the client has.
        frames.are_on_their_way = true;
        let written = to_client.write_all(&buffer[..count]).await;
        written.map_err(Down::Client)?;
        to_client.flush().await.map_err(Down::Client)?;
        frames.are_on_their_way = false;
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

/// A close frame of the server's side (RFC 6455, section 5.5.1).
fn close_frame(code: CloseCode) -> Vec<u8> {
    const FINAL_CLOSE: u8 = 0x88;
    let name = code.name().as_bytes();
    let length = u8::try_from(2 + name.len()).expect("names of codes are short");
    let mut frame = vec![FINAL_CLOSE, length];
    frame.extend(code.number().to_be_bytes());
    frame.extend(name);
    frame
}

/// Follows the frames of a server's stream, which are not masked (RFC 6455, section 5.2).
#[derive(Debug, Default)]
struct Frames {
    /// The header's bytes so far; empty within a payload and between frames.
    header: Vec<u8>,
    payload_left: u64,
    seen: Seen,
    /// The client has taken only a part of what was followed.
    are_on_their_way: bool,
}

/// What has been seen. An owner says nothing but control frames before it has let a client in.
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

impl Frames {
    fn follow(&mut self, mut bytes: &[u8]) {
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

    /// The length that a complete header tells.
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

    /// Whether the client is between two frames.
    fn are_whole(&self) -> bool {
        self.header.is_empty() && self.payload_left == 0 && !self.are_on_their_way
    }

    fn have_let_in(&self) -> bool {
        self.seen == Seen::Data
    }

    fn have_closed(&self) -> bool {
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

    use super::super::addresses::{Place, Room, Source};
    use super::{Error, Frames, close_frame, join};

    /// What becomes of a client that takes only the first bytes of what its owner sends, and what
    /// it was sent until it is let go of.
    async fn stuck(room_bytes: usize, sent: &[u8]) -> (Result<(), Error>, Vec<u8>) {
        let (mut client, to_client) = duplex(room_bytes);
        let (mut owner, to_owner) = duplex(sent.len());
        owner.write_all(sent).await.expect("there is room");
        let room = Arc::new(Semaphore::new(1));
        let permit = room.try_acquire_owned().expect("there is room");
        let ends = async {
            sleep(Duration::from_secs(1)).await;
            CloseCode::GoingAway
        };
        let place = Place::relayed(Source::Unlimited, Room::new(permit));
        let joined = join(to_client, to_owner, &place, ends).await;
        let mut taken = Vec::new();
        client.read_to_end(&mut taken).await.expect("it ends");
        (joined, taken)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_not_waited_for_with_a_goodbye() {
        let whole = frame(2, 14);
        let (joined, taken) = stuck(whole.len(), &whole).await;
        assert_eq!(
            joined.map_err(|error| error.kind()),
            Err(ErrorKind::TimedOut)
        );
        assert_eq!(taken, whole);
    }

    #[tokio::test(start_paused = true)]
    async fn no_goodbye_lands_within_a_frame_of_which_the_client_has_a_part() {
        let whole = frame(2, 14);
        let (joined, taken) = stuck(5, &whole).await;
        joined.expect("there was nothing to say");
        assert_eq!(taken, whole[..5]);
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
    fn frames_are_followed_however_they_are_cut() {
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
            let mut frames = Frames::default();
            let mut at = 0;
            for bytes in stream.chunks(piece) {
                frames.follow(bytes);
                at += bytes.len();
                assert_eq!(frames.are_whole(), ends.contains(&at), "{piece} {at}");
                assert_eq!(frames.have_let_in(), at > ends[1] + 1, "{piece} {at}");
            }
            assert!(!frames.have_closed());
            frames.follow(&close_frame(CloseCode::SessionRestarting));
            assert!(frames.have_closed() && frames.are_whole());
        }
    }

    #[test]
    fn a_close_in_answer_to_a_bad_token_lets_nobody_in() {
        let mut frames = Frames::default();
        frames.follow(&close_frame(CloseCode::Unauthorized));
        assert!(frames.have_closed() && !frames.have_let_in());
    }
}
