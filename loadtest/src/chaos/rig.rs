//! The run's PostgreSQL with what fault injection needs: a proxy between nodes and PostgreSQL, and a
//! small disk for the write-ahead log.

use std::io;

use testkit::{
    POSTGRES_DATABASE, POSTGRES_ROLE, Postgres, PostgresError, PostgresOptions, SmallDisk, TcpProxy,
};

use crate::arguments::Fault;

/// Beginning of the statement that appends events.
const APPEND_MARK: &[u8] = b"INSERT INTO journal";

/// Size of the small disk: the usual segments of the write-ahead log and little more.
const DISK_BYTES: u64 = 128 << 20;

/// Settings that keep the write-ahead log small enough for that disk.
const SMALL_LOG: [(&str, &str); 2] = [("min_wal_size", "32MB"), ("max_wal_size", "48MB")];

/// A running PostgreSQL. It ends before its disk is unmounted.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) server: Postgres,
    /// Present only if a fault requires it, as it adds latency.
    pub(super) proxy: Option<TcpProxy>,
    pub(super) disk: Option<SmallDisk>,
}

/// Error that prevents the start.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// PostgreSQL could not be started.
    #[error("cannot start PostgreSQL: {0}")]
    Postgres(#[from] PostgresError),
    /// The proxy could not be started.
    #[error("cannot start a proxy: {0}")]
    Proxy(#[source] io::Error),
    /// The small disk could not be mounted.
    #[error("NOT RUN: disk-full requires a small disk, which cannot be mounted (root only): {0}")]
    Disk(#[source] io::Error),
}

impl Rig {
    /// Starts what these faults require.
    pub(super) async fn start(faults: &[Fault]) -> Result<Self, RigError> {
        let mut options = PostgresOptions::default();
        let disk = if faults.contains(&Fault::DiskFull) {
            let disk = SmallDisk::mount(DISK_BYTES).map_err(RigError::Disk)?;
            options.wal_folder = Some(disk.path().join("wal"));
            let settings = SMALL_LOG.map(|(name, value)| (name.to_owned(), value.to_owned()));
            options.settings.extend(settings);
            Some(disk)
        } else {
            None
        };
        let server = Postgres::start(&options).await?;
        let needs_proxy = |fault: &Fault| matches!(fault, Fault::PgSlow | Fault::ReplyLost);
        let proxy = if faults.iter().any(needs_proxy) {
            let target = ([127, 0, 0, 1], server.port()).into();
            let proxy = TcpProxy::start(target, APPEND_MARK).await;
            Some(proxy.map_err(RigError::Proxy)?)
        } else {
            None
        };
        Ok(Self {
            server,
            proxy,
            disk,
        })
    }

    /// URL for the nodes.
    pub(super) fn url(&self) -> String {
        match &self.proxy {
            Some(proxy) => {
                let address = proxy.address();
                format!("postgres://{POSTGRES_ROLE}@{address}/{POSTGRES_DATABASE}")
            }
            None => self.server.url(),
        }
    }
}
