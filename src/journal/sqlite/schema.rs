//! The schema of the database file: created in an empty folder, refused if it is another version's.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqlSafeStr, SqliteConnection};

/// The steps, oldest first, numbered from 1. A released step never changes.
const STEPS: [(&str, &str); 1] = [(
    "first",
    include_str!("../../../migrations/sqlite/0001_first.sql"),
)];

/// Why a database file is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SchemaError {
    /// Created by an earlier version, or not by this program.
    #[error(
        "{} holds a journal of an earlier version, which this program cannot read; move the folder \
         away or choose another one in server.data_dir",
        .0.display()
    )]
    Earlier(PathBuf),
    /// Changed by a later version.
    #[error(
        "{} holds a journal of a later version; install that version or choose another folder in \
         server.data_dir",
        .0.display()
    )]
    Later(PathBuf),
    #[error(transparent)]
    Failed(#[from] sqlx::Error),
    #[error(transparent)]
    Migrate(#[from] MigrateError),
}

/// Checks the schema and applies missing steps, on a connection that is then closed.
///
/// It is the only connection at that time, so that closing it moves the whole write-ahead log into the
/// database: logs left by killed processes do not accumulate over restarts.
pub(super) async fn prepare(
    options: &SqliteConnectOptions,
    folder: PathBuf,
) -> Result<(), SchemaError> {
    let mut connection = options.connect().await?;
    let migrator = migrator();
    let applied = applied(&mut connection).await?;
    let differs = |step: &Migration| {
        let checksum = applied.get(&step.version);
        checksum.is_some_and(|checksum| *checksum != *step.checksum)
    };
    if migrator.iter().any(differs) {
        return Err(SchemaError::Earlier(folder));
    }
    if applied
        .keys()
        .any(|number| !migrator.version_exists(*number))
    {
        return Err(SchemaError::Later(folder));
    }
    migrator.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// The checksums of the applied steps, by number.
async fn applied(connection: &mut SqliteConnection) -> Result<BTreeMap<i64, Vec<u8>>, sqlx::Error> {
    let exists: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

fn migrator() -> Migrator {
    let steps = (1..).zip(STEPS).map(|(number, (name, text))| {
        let kind = MigrationType::Simple;
        Migration::new(number, name.into(), kind, text.into_sql_str(), false)
    });
    Migrator::with_migrations(steps.collect())
}
