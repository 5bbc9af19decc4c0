//! The schema's steps: which are applied, which are missing, and applying them.

use std::collections::BTreeMap;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{PgConnection, SqlSafeStr};

/// The steps, oldest first. A released step never changes.
const STEPS: [(i64, &str, &str); 1] = [(
    1,
    "first",
    include_str!("../../../migrations/postgres/0001_first.sql"),
)];
/// The table in which sqlx records the applied steps.
const APPLIED_TABLE: &str = "_sqlx_migrations";

/// The schema of a database, compared with the steps that this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStatus {
    /// The steps that this program knows, oldest first.
    pub steps: Vec<SchemaStep>,
    /// Applied steps that this program does not know.
    pub later: Vec<i64>,
}

/// A step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStep {
    /// Its number.
    pub number: i64,
    /// Its name.
    pub name: &'static str,
    /// Whether it is applied to the database.
    pub is_applied: bool,
}

/// Why a program does not run on a database's schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Steps are missing.
    #[error(
        "the database's schema is at step {found} and this program needs step {needed}; run `cluecast \
         migrate` with the same settings first"
    )]
    Behind {
        /// The last applied step; 0 for an empty database.
        found: i64,
        /// The last step of the program.
        needed: i64,
    },
    /// A later version of the program has changed the schema.
    #[error(
        "the database's schema is at step {found} and this program knows steps up to {known}; install \
         the later version"
    )]
    Ahead {
        /// The last applied step.
        found: i64,
        /// The last step that this program knows.
        known: i64,
    },
    /// A step differs from the one that this program knows by the same number.
    #[error(
        "step {0} of the database's schema is not this program's: an earlier version or another program \
         created the schema, and it cannot be migrated. Create a new database, name it in \
         journal.postgres_url, and run `cluecast migrate`"
    )]
    Foreign(i64),
    /// A step was begun and not finished.
    #[error(
        "step {0} of the database's schema was not finished; restore a backup or finish it by hand"
    )]
    Unfinished(i64),
}

fn migrator() -> Migrator {
    let steps = STEPS.map(|(number, name, text)| {
        let kind = MigrationType::Simple;
        Migration::new(number, name.into(), kind, text.into_sql_str(), false)
    });
    Migrator::with_migrations(steps.to_vec())
}

/// The last step that this program knows.
fn last_known() -> i64 {
    STEPS.last().map_or(0, |(number, ..)| *number)
}

/// Compares a database's schema with this program's, without changing it.
pub(super) async fn status(
    connection: &mut PgConnection,
) -> Result<Result<SchemaStatus, SchemaError>, sqlx::Error> {
    let applied = applied(connection).await?;
    for migration in migrator().iter() {
        match applied.get(&migration.version) {
            Some(Applied {
                is_finished: false, ..
            }) => {
                return Ok(Err(SchemaError::Unfinished(migration.version)));
            }
            Some(Applied { checksum, .. }) if *checksum != *migration.checksum => {
                return Ok(Err(SchemaError::Foreign(migration.version)));
            }
            Some(_) | None => {}
        }
    }
    let steps = STEPS.map(|(number, name, _)| SchemaStep {
        number,
        name,
        is_applied: applied.contains_key(&number),
    });
    let later = applied.keys().filter(|number| **number > last_known());
    Ok(Ok(SchemaStatus {
        steps: steps.to_vec(),
        later: later.copied().collect(),
    }))
}

impl SchemaStatus {
    /// Whether this program may run on the database.
    pub fn check(&self) -> Result<(), SchemaError> {
        let known = last_known();
        if let Some(found) = self.later.last() {
            let found = *found;
            return Err(SchemaError::Ahead { found, known });
        }
        let missing = self.steps.iter().position(|step| !step.is_applied);
        match missing {
            None => Ok(()),
            Some(first) => {
                let before = first.checked_sub(1).map(|index| &self.steps[index]);
                Err(SchemaError::Behind {
                    found: before.map_or(0, |step| step.number),
                    needed: known,
                })
            }
        }
    }
}

struct Applied {
    checksum: Vec<u8>,
    is_finished: bool,
}

async fn applied(connection: &mut PgConnection) -> Result<BTreeMap<i64, Applied>, sqlx::Error> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(APPLIED_TABLE)
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i64, Vec<u8>, bool)> =
        sqlx::query_as("SELECT version, checksum, success FROM _sqlx_migrations")
            .fetch_all(connection)
            .await?;
    let applied = rows.into_iter().map(|(number, checksum, is_finished)| {
        let applied = Applied {
            checksum,
            is_finished,
        };
        (number, applied)
    });
    Ok(applied.collect())
}

/// Applies the missing steps. Concurrent runs are serialised by an advisory lock that the server holds for
/// the connection. A database of a later version is not changed.
pub(super) async fn apply(
    connection: &mut PgConnection,
) -> Result<(), sqlx::migrate::MigrateError> {
    let mut migrator = migrator();
    migrator.set_ignore_missing(true);
    migrator.run(connection).await
}
