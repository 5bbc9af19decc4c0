//! The stream of a connection, plain or TLS, which counts writes.
//!
//! A write is attempted only when the operating system reports the socket writable. A peer that reads nothing
//! therefore costs one refused attempt, and none after it until it reads again.

use std::io::{Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;

use crate::telemetry::{WriteOutcome, metrics};

/// Window in which refused writes are counted together.
const REFUSALS_WINDOW: Duration = Duration::from_secs(1);

/// A connection's stream.
#[derive(Debug)]
pub(in crate::gateway) struct Stream {
    /// Bytes that were unread, and are read again first.
    early: Bytes,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Plain(Tcp),
    /// Boxed, because the TLS state takes a kilobyte and a plain stream should not.
    Tls(Box<TlsStream<Tcp>>),
}

/// A TCP stream that counts write attempts.
#[derive(Debug)]
pub(in crate::gateway) struct Tcp {
    stream: TcpStream,
    refusals: Option<Refusals>,
}

/// Consecutive writes that the operating system refused within [`REFUSALS_WINDOW`] of the first.
#[derive(Debug, Clone, Copy)]
struct Refusals {
    since: Instant,
    count: usize,
}

impl Tcp {
    /// Disables Nagle's algorithm: a receipt must not wait for the TCP acknowledgement of an update.
    pub(in crate::gateway) fn new(stream: TcpStream) -> Result<Self, Error> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            refusals: None,
        })
    }

    fn count_refusal(&mut self) {
        let now = Instant::now();
        let before = self
            .refusals
            .take_if(|before| now < before.since + REFUSALS_WINDOW);
        let mut refusals = before.unwrap_or(Refusals {
            since: now,
            count: 0,
        });
        refusals.count += 1;
        metrics().socket_refusals_peak.observe(refusals.count);
        self.refusals = Some(refusals);
    }

    fn poll_counted(
        &mut self,
        cx: &mut Context<'_>,
        mut write: impl FnMut(&TcpStream) -> Result<usize, Error>,
    ) -> Poll<Result<usize, Error>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            let written = write(&self.stream);
            let is_refused =
                matches!(&written, Err(error) if error.kind() == ErrorKind::WouldBlock);
            let outcome = if is_refused {
                WriteOutcome::Blocked
            } else {
                WriteOutcome::Done
            };
            metrics().socket_writes.with_label(outcome).increment(1);
            if !is_refused {
                self.refusals = None;
                return Poll::Ready(written);
            }
            self.count_refusal();
        }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        self.poll_counted(cx, |stream| stream.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        self.poll_counted(cx, |stream| stream.try_write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Stream {
    /// An unencrypted stream.
    pub(in crate::gateway) fn plain(stream: Tcp) -> Self {
        Self {
            early: Bytes::new(),
            kind: Kind::Plain(stream),
        }
    }

    /// A TLS stream.
    pub(in crate::gateway) fn tls(stream: TlsStream<Tcp>) -> Self {
        Self {
            early: Bytes::new(),
            kind: Kind::Tls(Box::new(stream)),
        }
    }

    /// Puts bytes back that were read; the next read returns them first.
    pub(in crate::gateway) fn unread(&mut self, early: Bytes) {
        debug_assert!(self.early.is_empty(), "earlier unread bytes would be lost");
        self.early = early;
    }

    fn inner(&mut self) -> Inner<'_> {
        match &mut self.kind {
            Kind::Plain(stream) => Inner::Plain(Pin::new(stream)),
            Kind::Tls(stream) => Inner::Tls(Pin::new(stream)),
        }
    }
}

/// Pinned for one call.
enum Inner<'a> {
    Plain(Pin<&'a mut Tcp>),
    Tls(Pin<&'a mut TlsStream<Tcp>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        if !self.early.is_empty() {
            let length = self.early.len().min(into.remaining());
            into.put_slice(&self.early.split_to(length));
            if self.early.is_empty() {
                self.early = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        match self.inner() {
            Inner::Plain(stream) => stream.poll_read(cx, into),
            Inner::Tls(stream) => stream.poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        match self.inner() {
            Inner::Plain(stream) => stream.poll_write(cx, bytes),
            Inner::Tls(stream) => stream.poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        match self.inner() {
            Inner::Plain(stream) => stream.poll_write_vectored(cx, slices),
            Inner::Tls(stream) => stream.poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.inner() {
            Inner::Plain(stream) => stream.poll_flush(cx),
            Inner::Tls(stream) => stream.poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self.inner() {
            Inner::Plain(stream) => stream.poll_shutdown(cx),
            Inner::Tls(stream) => stream.poll_shutdown(cx),
        }
    }
}
