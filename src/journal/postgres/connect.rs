//! Connections: what each is set up with, and what a server must be like.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection, Row};

use super::super::Incarnation;

/// How long a claim waits for an append of the owner that is under way.
const LOCK_WAIT_MAX: &str = "500ms";
/// How long a transaction of another kind than an append may rest between two of its statements.
const IDLE_IN_TRANSACTION_MAX: &str = "30s";
/// What would let an acknowledged event be lost, with what each protects from.
const UNSAFE_WHEN_OFF: [(&str, &str); 3] = [
    ("fsync", "a crash of the machine"),
    (
        "full_page_writes",
        "a page that a crash leaves half written",
    ),
    ("synchronous_commit", "a crash of the server"),
];

/// When the server takes a connection for lost: within half a minute. Otherwise what a firewall forgot would
/// keep its place among the server's connections, and its locks, for two hours.
const LOST_CONNECTION: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "20000"),
];

/// The oldest version of the server.
const VERSION_MIN: i32 = 15;
/// By which the server multiplies its major version in `server_version_num`.
const VERSION_FACTOR: i32 = 10_000;

/// Makes connections for one node.
#[derive(Clone)]
pub(super) struct Connector {
    options: PgConnectOptions,
    connect_max: Duration,
}

/// Why a server is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    /// It cannot be reached, or refuses us.
    #[error(transparent)]
    Connect(#[from] sqlx::Error),
    /// It did not answer.
    #[error("the server did not answer within {0:?}; see journal.postgres_connect_ms_max")]
    Late(Duration),
    /// It would lose what is acknowledged.
    #[error(
        "{setting} is off on this server, for this database or for this role, so {danger} would lose \
         acknowledged events; switch it on (ALTER SYSTEM SET {setting} = on, ALTER ROLE … RESET \
         {setting}, ALTER DATABASE … RESET {setting}), and then reload the server"
    )]
    Unsafe {
        setting: &'static str,
        danger: &'static str,
    },
    /// It is too old.
    #[error(
        "this server is PostgreSQL {found}, and version {VERSION_MIN} is the oldest that this program is \
         tried on; upgrade it, or name another server in journal.postgres_url"
    )]
    TooOld { found: i32 },
    /// It is a standby.
    #[error(
        "this server is a standby, which takes no writes; name the primary in journal.postgres_url"
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
            // The fence waits for a row and then looks at it again. A stricter level, which may be a
            // database's default, fails the statement instead.
            .options([("default_transaction_isolation", "read committed")])
            .options(LOST_CONNECTION)
            .disable_statement_logging();
        Self {
            options,
            connect_max,
        }
    }

    /// A connection for a lane. The server never gives up an append by itself: that would only add to
    /// the outcomes that nobody knows.
    pub(super) async fn lane(&self) -> Result<PgConnection, ConnectError> {
        let options = self.options.clone().options([
            ("statement_timeout", "0"),
            ("lock_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            // The one statement is planned once, for any size, and never scans a whole table, whatever
            // the statistics were when it was planned.
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("jit", "off"),
        ]);
        self.bounded(async {
            let mut connection = options.connect().await?;
            check_server(&mut connection).await?;
            Ok(connection)
        })
        .await
    }

    /// A single connection for looking at the schema or changing it.
    pub(super) async fn single(&self) -> Result<PgConnection, ConnectError> {
        self.bounded(async { Ok(self.options.connect().await?) })
            .await
    }

    /// Connections for everything that is neither an append nor a beat.
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

    /// The connection for beats. A beat that was answered makes a validity longer, and a crash of the
    /// server must not take its stamp back; but no beat waits for a standby, without which nodes fall
    /// silent that still reach the primary.
    pub(super) async fn heart(&self) -> Result<PgConnection, ConnectError> {
        let options = self.options.clone().options([
            ("lock_timeout", LOCK_WAIT_MAX),
            ("synchronous_commit", "local"),
        ]);
        self.bounded(async { Ok(options.connect().await?) }).await
    }

    async fn bounded<T>(
        &self,
        connecting: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let connected = tokio::time::timeout(self.connect_max, connecting).await;
        connected.unwrap_or(Err(ConnectError::Late(self.connect_max)))
    }
}

/// Refuses a server that would lose what is acknowledged, or that takes no writes.
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
    fn a_server_that_is_too_old_is_refused_by_its_version() {
        for number in [150_000, 150_013, 180_001] {
            check_version(number).expect("it is new enough");
        }
        let refused = check_version(140_022).expect_err("it is too old");
        let refused = refused.to_string();
        assert!(refused.contains("PostgreSQL 14"), "{refused}");
        assert!(refused.contains("version 15"), "{refused}");
    }
}
