//! Connections: their settings, and the requirements on a server.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection, Row};

use crate::ids::Incarnation;

/// How long a claim waits for a running append of the owner.
const LOCK_WAIT_MAX: &str = "500ms";
/// How long a transaction other than an append may be idle between two statements.
const IDLE_IN_TRANSACTION_MAX: &str = "30s";
/// Settings that must be on so that no acknowledged event is lost, each with the danger of turning it off.
const UNSAFE_WHEN_OFF: [(&str, &str); 3] = [
    ("fsync", "a crash of the machine"),
    (
        "full_page_writes",
        "a page that a crash leaves half written",
    ),
    ("synchronous_commit", "a crash of the server"),
];

/// Makes the server close a dead connection within 30 s. With TCP's defaults a connection that a firewall
/// dropped would hold its slot and its locks on the server for two hours.
const LOST_CONNECTION: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20000"),
];

/// The oldest supported major version.
const VERSION_MIN: i32 = 15;
/// Factor of the major version in `server_version_num`.
const VERSION_FACTOR: i32 = 10_000;

/// Opens connections for one node.
#[derive(Clone)]
pub(super) struct Connector {
    options: PgConnectOptions,
    connect_max: Duration,
}

/// Why there is no usable connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// The server is unreachable or refuses the connection.
    #[error(transparent)]
    Connect(#[from] sqlx::Error),
    /// The server did not answer in time.
    #[error("the server did not answer within {0:?}; see journal.postgres_connect_ms_max")]
    TimedOut(Duration),
    /// A setting of the server would lose acknowledged events.
    #[error(
        "{setting} is off on this server, for this database or for this role, so {danger} would lose \
         acknowledged events; switch it on (ALTER SYSTEM SET {setting} = on, ALTER ROLE … RESET \
         {setting}, ALTER DATABASE … RESET {setting}), and then reload the server"
    )]
    Unsafe {
        setting: &'static str,
        danger: &'static str,
    },
    /// The version is not supported.
    #[error(
        "this server is PostgreSQL {found}, and version {VERSION_MIN} is the oldest that this program \
         supports; upgrade it, or name another server in journal.postgres_url"
    )]
    TooOld { found: i32 },
    /// The server is a standby.
    #[error(
        "this server is a standby, which accepts no writes; name the primary in journal.postgres_url"
    )]
    Standby,
}

/// The name by which a node's connections are known to the server and to other nodes.
pub(super) fn application_name(incarnation: Incarnation) -> String {
    format!("cluecast-{:016x}", incarnation.0)
}

impl Connector {
    pub(super) fn new(
        options: PgConnectOptions,
        incarnation: Incarnation,
        connect_max: Duration,
    ) -> Self {
        let options = options
            .application_name(&application_name(incarnation))
            // The fence waits for a row lock and then reads the row again. A stricter isolation level,
            // which may be a database's default, fails the statement instead.
            .options([("default_transaction_isolation", "read committed")])
            .options(LOST_CONNECTION)
            .disable_statement_logging();
        Self {
            options,
            connect_max,
        }
    }

    /// A connection for a lane, without timeouts on the server: they would only turn more outcomes
    /// unknown.
    pub(super) async fn lane(&self) -> Result<PgConnection, ConnectError> {
        let options = self.options.clone().options([
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            // The statement is planned once for any size, and never with a sequential scan, whatever
            // the statistics were at that time.
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("jit", "off"),
        ]);
        self.within_timeout(async {
            let mut connection = options.connect().await?;
            check_server(&mut connection).await?;
            Ok(connection)
        })
        .await
    }

    /// A single connection for reading or changing the schema.
    pub(super) async fn single(&self) -> Result<PgConnection, ConnectError> {
        self.within_timeout(async { Ok(self.options.connect().await?) })
            .await
    }

    /// The pool for everything that is neither an append nor a heartbeat. Connects lazily.
    pub(super) fn pool(&self, connections_max: u32) -> PgPool {
        let options = self.options.clone();
        let options = options.options([
            ("lock_timeout", LOCK_WAIT_MAX),
            (
                "idle_in_transaction_session_timeout",
                IDLE_IN_TRANSACTION_MAX,
            ),
        ]);
        PgPoolOptions::new()
            .max_connections(connections_max)
            .acquire_timeout(self.connect_max)
            .connect_lazy_with(options)
    }

    /// The connection for heartbeats. An answered heartbeat extends a lease, and a crash of the server must
    /// not undo it, so it is flushed locally. It does not wait for a standby: a lost standby must not
    /// expire the leases of nodes that reach the primary.
    pub(super) async fn heartbeat(&self) -> Result<PgConnection, ConnectError> {
        let options = self.options.clone().options([
            ("lock_timeout", LOCK_WAIT_MAX),
            ("synchronous_commit", "local"),
        ]);
        self.within_timeout(async { Ok(options.connect().await?) })
            .await
    }

    async fn within_timeout<T>(
        &self,
        connecting: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let connected = tokio::time::timeout(self.connect_max, connecting).await;
        connected.unwrap_or(Err(ConnectError::TimedOut(self.connect_max)))
    }
}

/// Refuses a server that would lose acknowledged events or accepts no writes.
async fn check_server(connection: &mut PgConnection) -> Result<(), ConnectError> {
    let row = sqlx::query(
        "SELECT pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'), \
         current_setting('synchronous_commit'), current_setting('server_version_num')::int",
    )
    .persistent(false)
    .fetch_one(connection)
    .await?;
    check_version(row.try_get(UNSAFE_WHEN_OFF.len() + 1)?)?;
    for (index, (setting, danger)) in UNSAFE_WHEN_OFF.into_iter().enumerate() {
        if row.try_get::<&str, _>(index + 1)? == "off" {
            return Err(ConnectError::Unsafe { setting, danger });
        }
    }
    if row.try_get(0)? {
        return Err(ConnectError::Standby);
    }
    Ok(())
}

fn check_version(number: i32) -> Result<(), ConnectError> {
    let found = number / VERSION_FACTOR;
    if found < VERSION_MIN {
        return Err(ConnectError::TooOld { found });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_version;

    #[test]
    fn an_old_server_is_refused_by_its_version() {
        for number in [150_000, 150_013, 180_001] {
            check_version(number).expect("it is new enough");
        }
        let refused = check_version(140_022).expect_err("it is too old");
        let refused = refused.to_string();
        assert!(refused.contains("PostgreSQL 14"), "{refused}");
        assert!(refused.contains("version 15"), "{refused}");
    }
}
