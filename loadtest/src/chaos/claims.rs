//! Logs every claim of a session in PostgreSQL by a trigger, with the journal's head within the claim's
//! transaction.
//!
//! A row of an earlier epoch beyond that head was written by a replaced owner. This cannot be detected
//! afterwards: the next owner continues behind such a row as if it had been there before.

use sqlx::{Connection, PgConnection};

use super::rows::Claim;

/// The claim holds the row lock when the trigger runs, and each query has its own snapshot: it sees
/// everything that was appended under that lock. An owner that appends without the lock can add a row
/// later.
const LOG_CLAIMS: &str = "
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.claim (session_id bigint NOT NULL, epoch bigint NOT NULL, head bigint NOT NULL);
    CREATE FUNCTION chaos.note_claim() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO chaos.claim (session_id, epoch, head) VALUES (
            NEW.session_id, NEW.epoch,
            coalesce((SELECT j.last_seq FROM journal j WHERE j.session_id = NEW.session_id
                      ORDER BY j.seq DESC LIMIT 1), 0));
        RETURN NULL;
    END $$;
    CREATE TRIGGER note_first_claim AFTER INSERT ON ownership
        FOR EACH ROW EXECUTE FUNCTION chaos.note_claim();
    CREATE TRIGGER note_claim AFTER UPDATE ON ownership
        FOR EACH ROW WHEN (NEW.epoch IS DISTINCT FROM OLD.epoch)
        EXECUTE FUNCTION chaos.note_claim();";

const CLAIMS: &str = "
    SELECT s.code, c.epoch, c.head FROM chaos.claim c JOIN session s ON s.id = c.session_id";

/// Installs the trigger. The database has the server's schema, and no node runs on it yet.
pub(super) async fn install_claim_log(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(LOG_CLAIMS).execute(&mut connection).await?;
    connection.close().await
}

/// Returns every claim with its session's code.
pub(super) async fn logged_claims(
    connection: &mut PgConnection,
) -> Result<Vec<(String, Claim)>, sqlx::Error> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(CLAIMS).fetch_all(connection).await?;
    let rows = rows.into_iter();
    let claims = rows.map(|(code, epoch, head)| (code, Claim { epoch, head }));
    Ok(claims.collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::{Connection, PgConnection};
    use testkit::{Postgres, PostgresOptions};
    use tokio::time::{sleep, timeout};

    use super::super::rows::RowChecker;
    use super::super::store::Store;
    use super::install_claim_log;

    const TABLES: &str = include_str!("../../../migrations/postgres/0001_first.sql");
    const SESSION: &str = "
        INSERT INTO hunt VALUES ('r', '');
        INSERT INTO session VALUES (1, 'A', 'r', 0);
        INSERT INTO ownership VALUES (1, 10, 1);
        INSERT INTO journal VALUES (1, 1, 1, 1, 0, '')";
    const CLAIM: &str = "
        UPDATE ownership SET owner_incarnation = 20, epoch = epoch + 1 WHERE session_id = 1 AND epoch = 1";
    const RELEASE: &str = "UPDATE ownership SET owner_incarnation = NULL WHERE session_id = 1";
    const NEXT_APPEND: &str = "INSERT INTO journal VALUES (1, 3, 3, 2, 0, '')";
    const WAITING: &str = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";

    const WAIT_MAX: Duration = Duration::from_secs(20);

    async fn run(connection: &mut PgConnection, sql: &'static str) {
        let done = sqlx::raw_sql(sql).execute(connection).await;
        done.expect("PostgreSQL does it");
    }

    /// Runs an append of the first owner that commits after the next owner's claim, unless the claim
    /// waits for it.
    async fn appended_during_a_claim(append: &'static str, claim_waits: bool) -> RowChecker {
        let server = Postgres::start(&PostgresOptions::default()).await;
        let server = server.expect("PostgreSQL starts");
        let url = server.url();
        let connect = async || PgConnection::connect(&url).await.expect("it accepts");
        let (mut old, mut new, mut querying) = (connect().await, connect().await, connect().await);
        run(&mut old, TABLES).await;
        install_claim_log(&url).await.expect("the tables are there");
        run(&mut old, SESSION).await;
        let mut appending = old.begin().await.expect("it begins");
        let appended = sqlx::raw_sql(append).execute(&mut *appending).await;
        assert_eq!(appended.expect("it appends").rows_affected(), 1);
        if claim_waits {
            let waits = async {
                loop {
                    let waiting: i64 = sqlx::query_scalar(WAITING)
                        .fetch_one(&mut querying)
                        .await
                        .expect("it answers");
                    if waiting > 0 {
                        break;
                    }
                    sleep(Duration::from_millis(5)).await;
                }
                appending.commit().await.expect("it commits");
            };
            let both = async { tokio::join!(run(&mut new, CLAIM), waits) };
            timeout(WAIT_MAX, both).await.expect("the claim waits");
        } else {
            let claim_count = timeout(WAIT_MAX, run(&mut new, CLAIM)).await;
            claim_count.expect("the claim does not wait");
            appending.commit().await.expect("it commits");
        }
        run(&mut new, NEXT_APPEND).await;
        run(&mut new, RELEASE).await;
        let mut checker = RowChecker::default();
        let mut store = Store::Postgres { url, open: None };
        let applied = store.check_claims(&mut checker).await;
        applied.expect("claims are noted");
        let applied = store.check_rows(&mut checker).await;
        applied.expect("rows can be read");
        let counts = (checker.rows, checker.claim_count, checker.holes);
        assert_eq!(counts, (3, 2, 0), "a release is no claim");
        checker
    }

    /// The rows are equal in both cases: only the claim log shows the difference.
    #[tokio::test]
    async fn a_row_that_was_appended_without_the_lock_is_stale() {
        let without = "
            INSERT INTO journal SELECT session_id, 2, 2, 1, 0, '' FROM ownership
             WHERE session_id = 1 AND owner_incarnation = 10 AND epoch = 1";
        let checker = appended_during_a_claim(without, false).await;
        assert_eq!(checker.stale, 1, "{:?}", checker.problems);
        let with = "
            WITH held AS MATERIALIZED (
                SELECT session_id FROM ownership
                 WHERE session_id = 1 AND owner_incarnation = 10 AND epoch = 1 FOR SHARE)
            INSERT INTO journal SELECT session_id, 2, 2, 1, 0, '' FROM held";
        let checker = appended_during_a_claim(with, true).await;
        assert_eq!(checker.stale, 0, "{:?}", checker.problems);
    }
}
