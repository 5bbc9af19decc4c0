//! HTTP/1.1 on one connection: what it writes must be taken in time, and at the stop it ends in time.

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

/// How long a stop waits for the request that a connection is at. Whoever takes longer, to send it or to
/// read its answer, finds the connection closed: the sessions are still to be handed over.
const LAST_ANSWER_WAIT: Duration = Duration::from_secs(1);

/// A stream that fails once the other side has taken nothing for too long. It looks at that only while
/// something waits to be written.
#[derive(Debug)]
pub(super) struct Impatient<S> {
    stream: S,
    write_max: Duration,
    /// Runs while the operating system takes nothing.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Impatient<S> {
    pub(super) fn new(stream: S, write_max: Duration) -> Self {
        Self {
            stream,
            write_max,
            stuck: None,
        }
    }

    /// The stream itself, for whoever looks at the time in another way.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// What a write came to, or a failure if nothing was taken for too long.
    fn within_time<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<Result<T, Error>>,
    ) -> Poll<Result<T, Error>> {
        if written.is_ready() {
            self.stuck = None;
            return written;
        }
        let write_max = self.write_max;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(write_max)));
        if stuck.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        metrics()
            .connections_lost
            .with_label(LossReason::WriteTimeout)
            .increment(1);
        self.stuck = None;
        Poll::Ready(Err(ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Impatient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Impatient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.within_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Error>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.within_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.within_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.within_time(cx, shut)
    }
}

/// Serves a connection until either side ends it. At the stop it may finish the request that it is at, if
/// that does not take long; the requests behind it are not read.
pub(super) async fn serve<S, B>(
    connection: &mut UpgradeableConnection<TokioIo<Impatient<Stream>>, S>,
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
    let ended = timeout(LAST_ANSWER_WAIT, &mut *connection).await;
    ended.unwrap_or_else(|_elapsed| {
        tracing::debug!("a connection is cut off by the stop");
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Instant, sleep};

    use super::Impatient;

    const WRITE_MAX: Duration = Duration::from_secs(5);
    const ROOM_BYTES: usize = 16;

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_a_little_in_time_is_waited_for_and_nobody_else() {
        let (mut client, server) = duplex(ROOM_BYTES);
        let mut server = Impatient::new(server, WRITE_MAX);
        let began = Instant::now();
        let writing = async {
            server.write_all(&[7; 4 * ROOM_BYTES]).await?;
            // A pause without anything to write is nobody's fault.
            sleep(WRITE_MAX * 2).await;
            server.write_all(&[7; 4 * ROOM_BYTES]).await
        };
        let reading = async {
            for _ in 0..6 * ROOM_BYTES {
                sleep(WRITE_MAX * 9 / 10).await;
                client.read_u8().await.expect("it is there");
            }
            Instant::now()
        };
        let (written, last_read) = tokio::join!(writing, reading);
        let error = written.expect_err("the rest finds no room");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(last_read - began > WRITE_MAX * 80);
        assert_eq!(Instant::now() - last_read, WRITE_MAX);
    }
}
