//! HTTP/1.1 on one connection, with a write timeout and a graceful shutdown that ends in time.

use std::error::Error as StdError;
use std::io::{Error, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::http1::UpgradeableConnection;
use hyper::service::HttpService;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::stream::Stream;
use crate::telemetry::{LossReason, metrics};

/// Timeout of a graceful shutdown for the request in progress. A client that takes longer, to send it or to
/// read its answer, is cut off, because the sessions are still to be handed off.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(1);

/// A stream whose writes fail once the peer has accepted nothing for `write_max`. The timeout runs only while
/// a write is pending.
#[derive(Debug)]
pub(in crate::gateway) struct WriteTimeout<S> {
    stream: S,
    write_max: Duration,
    /// Runs while the operating system accepts nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeout<S> {
    pub(in crate::gateway) fn new(stream: S, write_max: Duration) -> Self {
        Self {
            stream,
            write_max,
            stalled: None,
        }
    }

    /// The stream without the timeout.
    pub(in crate::gateway) fn into_inner(self) -> S {
        self.stream
    }

    /// The result of a write, or a timeout error.
    fn check_timeout<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<Result<T, Error>>,
    ) -> Poll<Result<T, Error>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let write_max = self.write_max;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(write_max)));
        if stalled.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        metrics()
            .connections_lost
            .with_label(LossReason::WriteTimeout)
            .increment(1);
        self.stalled = None;
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.check_timeout(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.check_timeout(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.check_timeout(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.check_timeout(cx, shut)
    }
}

/// Serves a connection until either side ends it. Once `stop` is cancelled, the request in progress may
/// finish within [`SHUTDOWN_WAIT`]; pipelined requests behind it are not read.
pub(in crate::gateway) async fn serve<S, B>(
    connection: &mut UpgradeableConnection<TokioIo<WriteTimeout<Stream>>, S>,
    stop: &CancellationToken,
) -> Result<(), hyper::Error>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn StdError + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    if let Some(ended) = stop.run_until_cancelled(&mut *connection).await {
        return ended;
    }
    Pin::new(&mut *connection).graceful_shutdown();
    let ended = timeout(SHUTDOWN_WAIT, &mut *connection).await;
    ended.unwrap_or_else(|_elapsed| {
        tracing::debug!("a connection was cut off by the shutdown");
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::WriteTimeout;

    const WRITE_MAX: Duration = Duration::from_secs(5);
    const BUFFER_BYTES: usize = 16;

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_keeps_its_connection_and_a_stalled_one_loses_it() {
        let (mut client, server) = duplex(BUFFER_BYTES);
        let mut server = WriteTimeout::new(server, WRITE_MAX);
        let began = Instant::now();
        let writing = async {
            server.write_all(&[7; 4 * BUFFER_BYTES]).await?;
            // The timeout does not run while nothing is to be written.
            sleep(WRITE_MAX * 2).await;
            server.write_all(&[7; 4 * BUFFER_BYTES]).await
        };
        let reading = async {
            for _ in 0..6 * BUFFER_BYTES {
                sleep(WRITE_MAX * 9 / 10).await;
                client.read_u8().await.expect("a byte");
            }
            Instant::now()
        };
        let (written, last_read) = tokio::join!(writing, reading);
        let error = written.expect_err("the buffer is full");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(last_read - began > WRITE_MAX * 80);
        assert_eq!(Instant::now() - last_read, WRITE_MAX);
    }
}
