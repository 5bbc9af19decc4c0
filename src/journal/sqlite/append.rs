//! One transaction for many batches, given to the database as one text: every statement that is given
//! by itself costs a hand-over to the connection's thread and back, and under load each of those
//! waits for a processor.

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Either, Encode, Executor, Sqlite, SqliteConnection, Type};

use super::super::{AppendError, Batch};

/// Inserts a batch if its owner holds the session and it follows the head.
const INSERT_BATCH: &str = "\
    INSERT INTO journal (session_id, seq, last_seq, epoch, at_ms, events) \
    SELECT ?, ?, ?, ?, ?, ? FROM ownership \
    WHERE session_id = ? AND owner_inc = ? AND epoch = ? \
    AND ? = 1 + coalesce((SELECT last_seq FROM journal WHERE session_id = ? \
                          ORDER BY seq DESC LIMIT 1), 0);";
/// Inserts a name of a batch if what was inserted before it, the batch or another name of it, was.
const INSERT_NAME: &str = "\
    INSERT INTO name (session_id, id, text) SELECT ?, ?, ? WHERE changes() > 0;";
/// The longest transaction whose text is kept prepared. There are as many such texts.
const KEPT_BATCHES_MAX: usize = 32;

/// Why nothing can be said of single batches.
pub(super) enum FlushError {
    /// Nothing was committed.
    RolledBack(String),
    /// The commit itself failed.
    Unknown(String),
}

/// Commits batches together; gives the outcome of each.
pub(super) async fn append_together(
    connection: &mut SqliteConnection,
    batches: &[&Batch],
) -> Result<Vec<Result<(), AppendError>>, FlushError> {
    let statements = batches.iter().map(|batch| 1 + batch.names.len());
    let before_commit = 1 + statements.sum::<usize>();
    let mut changes = Vec::with_capacity(before_commit + 1);
    if let Err(error) = run(connection, batches, &mut changes).await {
        let reason = error.to_string();
        // What is still open must not become part of the next transaction. If nothing is open any
        // more, this fails, and there is nothing to be done.
        drop(connection.execute("ROLLBACK").await);
        return Err(if changes.len() == before_commit {
            FlushError::Unknown(reason)
        } else {
            FlushError::RolledBack(reason)
        });
    }
    let mut outcomes = Vec::with_capacity(batches.len());
    let mut statement = 1;
    for batch in batches {
        outcomes.push(match changes[statement] {
            1 => Ok(()),
            _ => Err(why_not(connection, batch).await),
        });
        statement += 1 + batch.names.len();
    }
    Ok(outcomes)
}

/// Runs the transaction; `changes` receives the number of rows that each statement changed, as far as
/// they came.
async fn run(
    connection: &mut SqliteConnection,
    batches: &[&Batch],
    changes: &mut Vec<u64>,
) -> Result<(), sqlx::Error> {
    let mut text = String::from("BEGIN IMMEDIATE;");
    let mut arguments = SqliteArguments::default();
    let mut names = 0;
    for batch in batches {
        text.push_str(INSERT_BATCH);
        add_batch(&mut arguments, batch)?;
        for name in &batch.names {
            names += 1;
            text.push_str(INSERT_NAME);
            add(&mut arguments, batch.session.as_i64())?;
            add(&mut arguments, name.id.cast_signed())?;
            add(&mut arguments, name.text.clone())?;
        }
    }
    text.push_str("COMMIT");
    let is_kept = names == 0 && batches.len() <= KEPT_BATCHES_MAX;
    let query = sqlx::query_with(AssertSqlSafe(text), arguments).persistent(is_kept);
    let mut results = connection.fetch_many(query);
    while let Some(result) = results.try_next().await? {
        if let Either::Left(done) = result {
            changes.push(done.rows_affected());
        }
    }
    Ok(())
}

/// The arguments of [`INSERT_BATCH`], in the order of its question marks.
fn add_batch(arguments: &mut SqliteArguments, batch: &Batch) -> Result<(), sqlx::Error> {
    let session = batch.session.as_i64();
    let epoch = batch.epoch.0.cast_signed();
    let first_seq = batch.first_seq.cast_signed();
    add(arguments, session)?;
    add(arguments, first_seq)?;
    add(arguments, batch.last_seq.cast_signed())?;
    add(arguments, epoch)?;
    add(arguments, batch.at_ms.cast_signed())?;
    add(arguments, batch.events.clone())?;
    add(arguments, session)?;
    add(arguments, batch.owner.0.cast_signed())?;
    add(arguments, epoch)?;
    add(arguments, first_seq)?;
    add(arguments, session)
}

fn add<T>(arguments: &mut SqliteArguments, value: T) -> Result<(), sqlx::Error>
where
    T: for<'q> Encode<'q, Sqlite> + Type<Sqlite>,
{
    arguments.add(value).map_err(sqlx::Error::Encode)
}

/// Why a batch was not inserted.
async fn why_not(connection: &mut SqliteConnection, batch: &Batch) -> AppendError {
    let owns = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM ownership \
         WHERE session_id = ? AND owner_inc = ? AND epoch = ?)",
    )
    .bind(batch.session.as_i64())
    .bind(batch.owner.0.cast_signed())
    .bind(batch.epoch.0.cast_signed())
    .fetch_one(&mut *connection);
    match owns.await {
        Ok(true) => {}
        Ok(false) => return AppendError::Fenced,
        Err(error) => return AppendError::Refused(error.to_string()),
    }
    match is_stored(connection, batch).await {
        Ok(true) => AppendError::AlreadyStored,
        Ok(false) => AppendError::NotContiguous,
        Err(error) => AppendError::Refused(error.to_string()),
    }
}

/// Whether a batch is there already, just as it is.
async fn is_stored(connection: &mut SqliteConnection, batch: &Batch) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM journal \
         WHERE session_id = ? AND seq = ? AND last_seq = ? AND epoch = ? AND events = ?)",
    )
    .bind(batch.session.as_i64())
    .bind(batch.first_seq.cast_signed())
    .bind(batch.last_seq.cast_signed())
    .bind(batch.epoch.0.cast_signed())
    .bind(batch.events.as_slice())
    .fetch_one(connection)
    .await
}
