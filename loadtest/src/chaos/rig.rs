//! The PostgreSQL of the run, and what stands around it so that faults can be injected: a proxy on
//! the nodes' way to it, and a small disk for its write-ahead log.

use std::io;

use testkit::{
    POSTGRES_DATABASE, POSTGRES_ROLE, Postgres, PostgresError, PostgresOptions, SmallDisk, TcpProxy,
};

use crate::arguments::Fault;

/// What the statement that makes events durable begins with.
const APPEND_MARK: &[u8] = b"INSERT INTO journal";

/// The small disk: room for the log's usual segments and little more.
const DISK_BYTES: u64 = 128 << 20;

/// Settings by which the log stays small enough for that disk.
const SMALL_LOG: [(&str, &str); 2] = [("min_wal_size", "32MB"), ("max_wal_size", "48MB")];

/// A running PostgreSQL. Dropping it ends it before its disk goes.
#[derive(Debug)]
pub(super) struct Rig {
    pub(super) server: Postgres,
    /// There if a fault needs it; otherwise it would only cost time.
    pub(super) proxy: Option<TcpProxy>,
    pub(super) disk: Option<SmallDisk>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum RigError {
    /// PostgreSQL does not run.
    #[error("cannot start PostgreSQL: {0}")]
    Postgres(#[from] PostgresError),
    /// There is no proxy.
    #[error("cannot start a proxy: {0}")]
    Proxy(#[source] io::Error),
    /// There is no small disk.
    #[error("NOT RUN: disk-full requires a small disk, which cannot be mounted (root only): {0}")]
    Disk(#[source] io::Error),
}

impl Rig {
    /// Starts what these faults need.
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

    /// Where the nodes connect to.
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
