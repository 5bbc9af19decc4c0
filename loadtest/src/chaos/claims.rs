//! Has PostgreSQL itself note every claim of a session, with how far the journal reached within the claim's
//! own transaction.
//!
//! A row of an earlier epoch beyond that point was written by an owner that had been replaced. Nobody can
//! tell that later: the next owner goes on behind such a row as if it had been there before.

use sqlx::{Connection, PgConnection};

use super::rows::Claimed;

/// The claim has the row's lock when the trigger looks, and every look is a snapshot of its own: whatever
/// was appended under that lock is seen. A row of an owner that appends without it may come later.
const NOTE_CLAIMS: &str = "
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

/// From now on claims are noted. The database has the server's tables, and nobody runs on it yet.
pub(super) async fn have_noted(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(NOTE_CLAIMS).execute(&mut connection).await?;
    connection.close().await
}

/// Every claim, with its session's code.
pub(super) async fn noted(
    connection: &mut PgConnection,
) -> Result<Vec<(String, Claimed)>, sqlx::Error> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(CLAIMS).fetch_all(connection).await?;
    let rows = rows.into_iter();
    let claims = rows.map(|(code, epoch, head)| (code, Claimed { epoch, head }));
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
    use super::have_noted;

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

    /// An append of the first owner is under way, and commits after the next owner's claim unless that
    /// waits for it.
    async fn appended_during_a_claim(append: &'static str, claim_waits: bool) -> RowChecker {
        let server = Postgres::start(&PostgresOptions::default()).await;
        let server = server.expect("PostgreSQL starts");
        let url = server.url();
        let connect = async || PgConnection::connect(&url).await.expect("it accepts");
        let (mut old, mut new, mut looking) = (connect().await, connect().await, connect().await);
        run(&mut old, TABLES).await;
        have_noted(&url).await.expect("the tables are there");
        run(&mut old, SESSION).await;
        let mut appending = old.begin().await.expect("it begins");
        let appended = sqlx::raw_sql(append).execute(&mut *appending).await;
        assert_eq!(appended.expect("it appends").rows_affected(), 1);
        if claim_waits {
            let waits = async {
                loop {
                    let waiting: i64 = sqlx::query_scalar(WAITING)
                        .fetch_one(&mut looking)
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
            let claimed = timeout(WAIT_MAX, run(&mut new, CLAIM)).await;
            claimed.expect("the claim does not wait");
            appending.commit().await.expect("it commits");
        }
        run(&mut new, NEXT_APPEND).await;
        run(&mut new, RELEASE).await;
        let mut checker = RowChecker::default();
        let mut store = Store::Postgres { url, open: None };
        let shown = store.show_claims(&mut checker).await;
        shown.expect("claims are noted");
        let shown = store.show_rows(&mut checker).await;
        shown.expect("rows can be read");
        let counts = (checker.rows, checker.claimed, checker.holes);
        assert_eq!(counts, (3, 2, 0), "a release is no claim");
        checker
    }

    /// The rows themselves are the same in both cases: only the claim tells.
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
