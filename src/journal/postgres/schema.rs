//! The schema's steps: which are applied, which are missing, and applying them.

use std::collections::BTreeMap;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{PgConnection, SqlSafeStr};

/// The steps, oldest first; a step that was released never changes. Each may run while servers of the
/// release before it do.
const STEPS: [(i64, &str, &str); 4] = [
    (
        1,
        "first",
        include_str!("../../../migrations/postgres/0001_first.sql"),
    ),
    (
        2,
        "snapshots",
        include_str!("../../../migrations/postgres/0002_snapshots.sql"),
    ),
    (
        3,
        "finished",
        include_str!("../../../migrations/postgres/0003_finished.sql"),
    ),
    (
        4,
        "lineage",
        include_str!("../../../migrations/postgres/0004_lineage.sql"),
    ),
];
/// sqlx's own list of what was applied.
const APPLIED_TABLE: &str = "_sqlx_migrations";

/// How a database stands to the steps that this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStatus {
    /// The steps that this program knows, oldest first.
    pub steps: Vec<SchemaStep>,
    /// Steps that the database has and this program does not know.
    pub later: Vec<i64>,
    /// The last step that a program must know to run on the database; 0 without any schema.
    pub runs_from_step: i64,
}

/// A step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaStep {
    /// Its number.
    pub number: i64,
    /// What it is called.
    pub name: &'static str,
    /// Whether the database has it.
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
    TooOld {
        /// The last step of the database.
        found: i64,
        /// The last step of the program.
        needed: i64,
    },
    /// The database has moved on too far.
    #[error(
        "the database's schema needs a program that knows step {needed}, and this one knows {known}; \
         install the later version"
    )]
    TooNew {
        /// The step that a program must know.
        needed: i64,
        /// The last step that this program knows.
        known: i64,
    },
    /// A step is not what this program knows by its number.
    #[error(
        "step {0} of the database's schema is not the one that this program knows; is it another \
         program's database?"
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

/// Looks at a database without changing it.
pub(super) async fn status(
    connection: &mut PgConnection,
) -> Result<Result<SchemaStatus, SchemaError>, sqlx::Error> {
    let applied = applied(connection).await?;
    for migration in migrator().iter() {
        match applied.get(&migration.version) {
            Some(Applied {
                is_whole: false, ..
            }) => {
                return Ok(Err(SchemaError::Unfinished(migration.version)));
            }
            Some(Applied { checksum, .. }) if *checksum != *migration.checksum => {
                return Ok(Err(SchemaError::Foreign(migration.version)));
            }
            Some(_) | None => {}
        }
    }
    let runs_from_step = if applied.is_empty() {
        0
    } else {
        let oldest = sqlx::query_scalar("SELECT max(runs_from_step) FROM compatibility");
        oldest.fetch_one(&mut *connection).await?
    };
    let steps = STEPS.map(|(number, name, _)| SchemaStep {
        number,
        name,
        is_applied: applied.contains_key(&number),
    });
    let later = applied.keys().filter(|number| **number > last_known());
    Ok(Ok(SchemaStatus {
        steps: steps.to_vec(),
        later: later.copied().collect(),
        runs_from_step,
    }))
}

impl SchemaStatus {
    /// Whether this program may run on the database.
    pub fn check(&self) -> Result<(), SchemaError> {
        let known = last_known();
        if self.runs_from_step > known {
            let needed = self.runs_from_step;
            return Err(SchemaError::TooNew { needed, known });
        }
        let missing = self.steps.iter().position(|step| !step.is_applied);
        match missing {
            None => Ok(()),
            Some(first) => {
                let before = first.checked_sub(1).map(|index| &self.steps[index]);
                Err(SchemaError::TooOld {
                    found: before.map_or(0, |step| step.number),
                    needed: known,
                })
            }
        }
    }
}

struct Applied {
    checksum: Vec<u8>,
    is_whole: bool,
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
    let applied = rows.into_iter().map(|(number, checksum, is_whole)| {
        let applied = Applied { checksum, is_whole };
        (number, applied)
    });
    Ok(applied.collect())
}

/// Applies the steps that are missing. Programs that do so at the same time take turns, by a lock
/// that the database keeps for the connection. A database of a later version is left as it is.
pub(super) async fn apply(
    connection: &mut PgConnection,
) -> Result<(), sqlx::migrate::MigrateError> {
    let mut migrator = migrator();
    migrator.set_ignore_missing(true);
    migrator.run(connection).await
}
