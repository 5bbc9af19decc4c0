//! The stream as tungstenite sees it: it reads from the stream, and what it writes goes to the queue.
//!
//! tungstenite thinks everything written at once, and so keeps nothing that would have to be tried
//! again; when bytes leave is decided in [`super::Socket`]. Reading never writes.

use std::io::{Error, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;

use super::queue::WriteQueue;
use super::text::TextWatch;

/// Header of a control frame that is not masked.
const CONTROL_HEADER_BYTES: usize = 2;

/// See the module.
#[derive(Debug)]
pub(super) struct Wire<S> {
    pub(super) stream: S,
    pub(super) queue: WriteQueue,
    /// Bytes that were read before the WebSocket began.
    early: Bytes,
    text: TextWatch,
    /// Text was not UTF-8; what came before it was passed on.
    has_bad_text: bool,
    /// Who waits for bytes to read.
    waker: Waker,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, early: Bytes) -> Self {
        Self {
            stream,
            queue: WriteQueue::new(),
            early,
            text: TextWatch::default(),
            has_bad_text: false,
            waker: Waker::noop().clone(),
        }
    }

    /// Whom to wake when there is something to read.
    pub(super) fn wake(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
    }

    pub(super) fn has_bad_text(&self) -> bool {
        self.has_bad_text
    }

    /// Writes what waits until nothing does, or the stream takes no more. `progressed` becomes true
    /// if it took anything.
    pub(super) fn poll_write_out(
        &mut self,
        cx: &mut Context<'_>,
        progressed: &mut bool,
    ) -> Poll<Result<(), Error>> {
        while !self.queue.is_empty() {
            let stream = Pin::new(&mut self.stream);
            let write = |slices: &[IoSlice<'_>]| stream.poll_write_vectored(cx, slices);
            match ready!(self.queue.write(write)) {
                Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Ok(_) => *progressed = true,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // TLS keeps what it has encrypted until it is flushed; for TCP this is nothing.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn read_stream(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        if !self.early.is_empty() {
            let count = self.early.len().min(into.len());
            self.early.copy_to_slice(&mut into[..count]);
            if self.early.is_empty() {
                self.early = Bytes::new();
            }
            return Ok(count);
        }
        let mut context = Context::from_waker(&self.waker);
        let mut buffer = ReadBuf::new(into);
        match Pin::new(&mut self.stream).poll_read(&mut context, &mut buffer) {
            Poll::Ready(Ok(())) => Ok(buffer.filled().len()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Read for Wire<S> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error> {
        if self.has_bad_text {
            return Err(ErrorKind::InvalidData.into());
        }
        let count = self.read_stream(into)?;
        let Err(bad) = self.text.look(&into[..count]) else {
            return Ok(count);
        };
        self.has_bad_text = true;
        if bad.good_bytes == 0 {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(bad.good_bytes)
    }
}

impl<S> Write for Wire<S> {
    /// Takes whole control frames: tungstenite writes nothing else here, and each at once.
    fn write(&mut self, frames: &[u8]) -> Result<usize, Error> {
        let mut rest = frames;
        while let [first, length, ..] = rest {
            let bytes = CONTROL_HEADER_BYTES + usize::from(*length);
            let (OpCode::Control(kind), Some((frame, after))) =
                (OpCode::from(first & 0x0f), rest.split_at_checked(bytes))
            else {
                return Err(ErrorKind::Unsupported.into());
            };
            self.queue.control(kind, frame);
            rest = after;
        }
        Ok(frames.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
