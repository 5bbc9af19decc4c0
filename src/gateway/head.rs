//! The head of a connection's first request, awaited with as little as can be.
//!
//! An HTTP connection keeps buffers and state of some ten kilobytes. Until a client has sent a whole
//! head it has only what it sent, so that thousands who drip one byte after the other cost little.
//! Whether the head is good is not judged here: what can be none goes on at once, to be refused.

use std::future::poll_fn;
use std::io::Error;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

/// What is read at a time. It is needed only while there is something to read.
const READ_BYTES: usize = 1024;
/// Ends of a head that begin before what was read last.
const END_BYTES_MAX: usize = 4;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A head and maybe more, or what cannot become one.
    Read(Bytes),
    /// The other side closed, or its time was over before it had sent anything.
    None,
    /// Its time was over after it had begun.
    Late,
}

/// Reads up to the end of a head, but at most `bytes_max` and not for longer than `wait_max`.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
    wait_max: Duration,
) -> Result<Head, Error> {
    let mut head = BytesMut::new();
    let reading = async {
        loop {
            let added = read_some(stream, &mut head).await?;
            if is_enough(&head, added, bytes_max) {
                return Ok(());
            }
        }
    };
    match tokio::time::timeout(wait_max, reading).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) if head.is_empty() => Ok(Head::None),
        Ok(Ok(())) => Ok(Head::Read(head.freeze())),
        Err(_elapsed) => Ok(Head::Late),
    }
}

/// Gives how many bytes were read; none at the end.
async fn read_some(
    stream: &mut (impl AsyncRead + Unpin),
    head: &mut BytesMut,
) -> Result<usize, Error> {
    poll_fn(|cx| {
        let mut bytes = [0; READ_BYTES];
        let mut into = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut *stream).poll_read(cx, &mut into))?;
        head.extend_from_slice(into.filled());
        Poll::Ready(Ok(into.filled().len()))
    })
    .await
}

/// Whether nothing more has to be awaited after so many bytes were added.
fn is_enough(head: &[u8], added: usize, bytes_max: usize) -> bool {
    let new = &head[head.len() - added..];
    let tail = &head[head.len().saturating_sub(added + END_BYTES_MAX)..];
    let has_end = [&b"\r\n\r\n"[..], b"\n\n"]
        .iter()
        .any(|end| tail.windows(end.len()).any(|part| part == *end));
    let is_none = new
        .iter()
        .any(|byte| byte.is_ascii_control() && !b"\r\n\t".contains(byte));
    added == 0 || has_end || is_none || head.len() >= bytes_max
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::{Head, read};

    const BYTES_MAX: usize = 100;
    const WAIT_MAX: Duration = Duration::from_secs(5);

    /// What is made of parts that arrive one by one, each a second after the one before.
    async fn sent(parts: &[&[u8]], then_closed: bool) -> Head {
        let (mut client, mut server) = duplex(4 * BYTES_MAX);
        let sending = async {
            for part in parts {
                tokio::time::sleep(Duration::from_secs(1)).await;
                // The other side may have enough already.
                let _written = client.write_all(part).await;
            }
            if !then_closed {
                // Until the other side lets go.
                let _closed = client.read_u8().await;
            }
            drop(client);
        };
        let reading = async {
            let head = read(&mut server, BYTES_MAX, WAIT_MAX).await;
            drop(server);
            head.expect("nothing fails")
        };
        tokio::join!(sending, reading).1
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_is_awaited_to_its_end_wherever_it_is_cut() {
        let head = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        for cut in 1..head.len() {
            let read = sent(&[&head[..cut], &head[cut..]], false).await;
            assert_eq!(read, Head::Read(head[..].into()), "cut at {cut}");
        }
        let with_more = b"POST / HTTP/1.1\n\nbody";
        assert_eq!(
            sent(&[with_more], false).await,
            Head::Read(with_more[..].into())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_be_none_goes_on_at_once() {
        let hello_of_tls = [&b"\x16\x03"[..], b"never"];
        assert_eq!(
            sent(&hello_of_tls, false).await,
            Head::Read(b"\x16\x03"[..].into())
        );
        let long = &[b'x'; BYTES_MAX];
        assert_eq!(sent(&[long], false).await, Head::Read(long[..].into()));
        assert_eq!(
            sent(&[b"GET /"], true).await,
            Head::Read(b"GET /"[..].into())
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_and_drips_are_told_apart() {
        assert_eq!(sent(&[], true).await, Head::None);
        assert_eq!(sent(&[], false).await, Head::None);
        assert_eq!(sent(&[&b"G"[..]; 6], false).await, Head::Late);
    }
}
