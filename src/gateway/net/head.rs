//! Reads the head of a connection's first request with little memory.
//!
//! hyper keeps buffers and state of some ten kilobytes for a connection. Until a client has sent a whole
//! head, the server keeps only the bytes that have arrived, so that thousands of slow connections cost
//! little. The head is not validated here: input that cannot become a head is returned at once, for hyper
//! to reject.

use std::future::poll_fn;
use std::io::Error;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};

/// Size of the read buffer, which is on the stack.
const READ_BYTES: usize = 1024;
/// Longest end of a head.
const END_BYTES_MAX: usize = 4;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// A head and perhaps more, or input that cannot become a head.
    Read(Bytes),
    /// The client closed, or the timeout passed, before the first byte.
    Empty,
    /// The timeout passed after the first byte.
    Late,
}

/// Reads up to the end of a head, for at most `timeout_max`, or until `bytes_max` bytes have arrived.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    bytes_max: usize,
    timeout_max: Duration,
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
    match tokio::time::timeout(timeout_max, reading).await {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) if head.is_empty() => Ok(Head::Empty),
        Ok(Ok(())) => Ok(Head::Read(head.freeze())),
        Err(_elapsed) => Ok(Head::Late),
    }
}

/// Returns how many bytes were read; 0 at the end of the stream.
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

/// Whether reading ends after the last `added` bytes.
fn is_enough(head: &[u8], added: usize, bytes_max: usize) -> bool {
    let new = &head[head.len() - added..];
    let tail = &head[head.len().saturating_sub(added + END_BYTES_MAX)..];
    let has_end = [&b"\r\n\r\n"[..], b"\n\n"]
        .iter()
        .any(|end| tail.windows(end.len()).any(|part| part == *end));
    let is_invalid = new
        .iter()
        .any(|byte| byte.is_ascii_control() && !b"\r\n\t".contains(byte));
    added == 0 || has_end || is_invalid || head.len() >= bytes_max
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::{Head, read};

    const BYTES_MAX: usize = 100;
    const TIMEOUT_MAX: Duration = Duration::from_secs(5);

    /// Reads a head from parts that arrive one second apart.
    async fn sent(parts: &[&[u8]], then_closed: bool) -> Head {
        let (mut client, mut server) = duplex(4 * BYTES_MAX);
        let sending = async {
            for part in parts {
                tokio::time::sleep(Duration::from_secs(1)).await;
                // The reader may have returned already.
                let _written = client.write_all(part).await;
            }
            if !then_closed {
                // Until the reader drops its end.
                let _closed = client.read_u8().await;
            }
            drop(client);
        };
        let reading = async {
            let head = read(&mut server, BYTES_MAX, TIMEOUT_MAX).await;
            drop(server);
            head.expect("nothing fails")
        };
        tokio::join!(sending, reading).1
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_is_read_to_its_end_wherever_it_is_split() {
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
    async fn input_that_cannot_become_a_head_is_returned_at_once() {
        let client_hello = [&b"\x16\x03"[..], b"never"];
        assert_eq!(
            sent(&client_hello, false).await,
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
    async fn an_empty_head_and_a_late_one_are_distinguished() {
        assert_eq!(sent(&[], true).await, Head::Empty);
        assert_eq!(sent(&[], false).await, Head::Empty);
        assert_eq!(sent(&[&b"G"[..]; 6], false).await, Head::Late);
    }
}
