//! Behaviour particular to PostgreSQL: faults, refused servers, lineage, and the fence as SQL.

mod command;
mod faults;
mod fence;
mod frozen;
mod heartbeats;
mod lineage;
mod refusals;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cluecast::ids::{Incarnation, NodeRecord};
use cluecast::journal::{PostgresJournal, PostgresOptions};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use testkit::Postgres;
use tokio::sync::OnceCell;

/// The incarnation of the journal under test. Batches of the suite have other owners too, because one
/// journal acts for all nodes there.
pub const NODE: Incarnation = Incarnation(0x0abc);

fn node() -> NodeRecord {
    NodeRecord {
        incarnation: Incarnation(7),
        address: "192.0.2.1:7000".to_owned(),
        version: "1".to_owned(),
        weight: 1,
        lease: Duration::from_millis(1_500),
        is_leaving: false,
    }
}

/// One server for all tests without faults; it ends with this process.
static SERVER: OnceCell<Postgres> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// An empty database on the common server.
pub async fn empty_database() -> PgConnectOptions {
    let started = SERVER.get_or_init(async || start().await).await;
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("contract_{number}");
    let mut connection = connect(&parse(&started.url())).await;
    execute(&mut connection, format!("CREATE DATABASE {name}")).await;
    parse(&started.database_url(&name))
}

/// A server of its own, for tests with faults.
pub async fn start() -> Postgres {
    let started = Postgres::start(&testkit::PostgresOptions::default()).await;
    started.expect("PostgreSQL is installed")
}

/// The journal in a fresh database.
pub async fn open() -> PostgresJournal {
    open_on(PostgresOptions::new(empty_database().await, NODE)).await
}

/// The journal in an empty database.
pub async fn open_on(options: PostgresOptions) -> PostgresJournal {
    PostgresJournal::migrate(&options)
        .await
        .expect("the database is empty");
    let opened = PostgresJournal::open(options).await;
    opened.expect("the schema is current")
}

pub fn parse(url: &str) -> PgConnectOptions {
    url.parse().expect("the address is valid")
}

pub async fn connect(options: &PgConnectOptions) -> PgConnection {
    options.connect().await.expect("the server is reachable")
}

pub async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .expect("the statement is valid");
}
