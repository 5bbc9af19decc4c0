//! The stream of a connection, which counts how often it is written to.
//!
//! A write is tried only when the operating system has said that there is room, so a peer that takes
//! nothing costs one try that is refused, and none after it until it takes something.

use std::io::{Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::telemetry::{Write, metrics};

/// See the module.
#[derive(Debug)]
pub(super) struct Tcp(TcpStream);

impl Tcp {
    /// Small frames leave at once: a receipt must not wait for the acknowledgement of an update.
    pub(super) fn new(stream: TcpStream) -> Result<Self, Error> {
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    fn poll_try(
        &self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> Result<usize, Error>,
    ) -> Poll<Result<usize, Error>> {
        loop {
            ready!(self.0.poll_write_ready(cx))?;
            let written = write(&self.0);
            let is_refused =
                matches!(&written, Err(error) if error.kind() == ErrorKind::WouldBlock);
            let outcome = if is_refused {
                Write::Refused
            } else {
                Write::Done
            };
            metrics().socket_writes.of(outcome).increment(1);
            if !is_refused {
                return Poll::Ready(written);
            }
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        self.poll_try(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        self.poll_try(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
