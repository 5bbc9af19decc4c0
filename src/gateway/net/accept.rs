//! The accept loop, which the public and the internal listener share.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Pause after a failed `accept`, which fails for instance while the process has no free file descriptor.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Hands each accepted connection to `serve`, which must not block, until `stop` is cancelled. `name` is
/// the listener's name in logs.
pub(in crate::gateway) async fn accept_connections(
    stop: &CancellationToken,
    listener: TcpListener,
    name: &'static str,
    mut serve: impl FnMut(TcpStream, SocketAddr),
) {
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => serve(stream, peer),
            Err(error) => {
                tracing::warn!(%error, listener = name, "accepting a connection failed");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }
}
