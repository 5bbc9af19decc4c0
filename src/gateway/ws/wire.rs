//! The stream as tungstenite sees it: reads come from the stream, and writes go to the queue.
//!
//! For tungstenite every write succeeds at once, so it buffers nothing. [`super::Socket`] decides when
//! bytes are sent. Reading never writes.

use std::io::{Error, ErrorKind, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::coding::OpCode;

use super::queue::WriteQueue;
use super::text::TextValidator;

/// Header of an unmasked control frame.
const CONTROL_HEADER_BYTES: usize = 2;

/// The stream, its write queue and its text validator.
#[derive(Debug)]
pub(super) struct Wire<S> {
    pub(super) stream: S,
    pub(super) queue: WriteQueue,
    /// Bytes that were read before the WebSocket began.
    early: Bytes,
    text: TextValidator,
    /// A text was not UTF-8; the bytes before it were passed on.
    has_bad_text: bool,
    /// Waker of the task that waits for input.
    waker: Waker,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, early: Bytes) -> Self {
        Self {
            stream,
            queue: WriteQueue::new(),
            early,
            text: TextValidator::default(),
            has_bad_text: false,
            waker: Waker::noop().clone(),
        }
    }

    /// Sets the task to wake when there is input.
    pub(super) fn set_waker(&mut self, waker: &Waker) {
        self.waker.clone_from(waker);
    }

    pub(super) fn has_bad_text(&self) -> bool {
        self.has_bad_text
    }

    /// Writes the queue until it is empty or the stream accepts no more. Sets `progressed` if the stream
    /// accepted anything.
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
        // TLS buffers encrypted data until it is flushed; for TCP this does nothing.
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
        let Err(bad) = self.text.validate(&into[..count]) else {
            return Ok(count);
        };
        self.has_bad_text = true;
        if bad.valid_bytes == 0 {
            return Err(ErrorKind::InvalidData.into());
        }
        Ok(bad.valid_bytes)
    }
}

impl<S> Write for Wire<S> {
    /// Queues whole control frames: tungstenite writes nothing else here, and each one in a single call.
    fn write(&mut self, frames: &[u8]) -> Result<usize, Error> {
        let mut rest = frames;
        while let [first, length, ..] = rest {
            let bytes = CONTROL_HEADER_BYTES + usize::from(*length);
            let (OpCode::Control(kind), Some((frame, after))) =
                (OpCode::from(first & 0x0f), rest.split_at_checked(bytes))
            else {
                return Err(ErrorKind::Unsupported.into());
            };
            self.queue.push_control(kind, frame);
            rest = after;
        }
        Ok(frames.len())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
