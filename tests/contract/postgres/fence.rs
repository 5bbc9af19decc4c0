//! The fence as SQL: why an append locks the ownership row.
//!
//! A statement that took its snapshot before a session was released, and continues after the next owner
//! has claimed it and read its tail, must insert nothing. The schedule is forced with an advisory lock
//! inside the statement, before it reads the ownership row.

use cluecast::ids::{Epoch, Incarnation};
use cluecast::journal::{History, Journal, Ledger, PostgresJournal, PostgresOptions};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use super::{NODE, connect, empty_database, execute, open_on};
use crate::suite::{batch, claim, hunt_and_session, id};

/// The lock that the statement waits for after it has taken its snapshot.
const GATE: i64 = 77;

/// Reads the ownership row as the journal does, in a statement that first takes its snapshot and then waits
/// at the gate.
fn late_insert(lock: &str) -> String {
    format!(
        "WITH gate AS MATERIALIZED (SELECT pg_advisory_lock_shared({GATE})), \
         held AS MATERIALIZED (\
             SELECT o.session_id FROM (SELECT 1 FROM gate) AS passed, ownership o \
             WHERE o.session_id = 1 AND o.owner_incarnation = 1 AND o.epoch = 1 {lock}) \
         INSERT INTO journal (session_id, seq, last_seq, epoch, at_ms, events) \
         SELECT session_id, 1, 1, 1, 5, 'late' FROM held"
    )
}

/// Runs the late statement across a release, the next claim and the next owner's read; returns how many
/// rows it inserted that this owner did not see.
async fn rows_inserted_late(lock: &str) -> usize {
    let database = empty_database().await;
    let journal = open_on(PostgresOptions::new(database.clone(), NODE)).await;
    let epoch = hunt_and_session(&journal, id(1), "AAAA").await;
    assert_eq!(epoch, Epoch(1));

    let mut gatekeeper = connect(&database).await;
    execute(&mut gatekeeper, format!("SELECT pg_advisory_lock({GATE})")).await;
    let mut late = connect(&database).await;
    let statement = late_insert(lock);
    let running = execute(&mut late, statement);
    let taking_over = async {
        until_one_waits_at_the_gate(&mut gatekeeper).await;
        let released = journal.release(id(1), Incarnation(1), epoch).await;
        released.expect("the row is not locked");
        claim(&journal, id(1), Incarnation(2)).await;
        let tail = journal.load(id(1)).await.expect("loads").tail;
        assert!(tail.is_empty(), "the late statement still waits");
        execute(
            &mut gatekeeper,
            format!("SELECT pg_advisory_unlock({GATE})"),
        )
        .await;
    };
    tokio::join!(running, taking_over);
    let stored = journal.read(id(1), 0, 9).await.expect("reads").len();
    gatekeeper.close().await.expect("closes");
    journal.close().await.expect("closes");
    stored
}

async fn until_one_waits_at_the_gate(connection: &mut PgConnection) {
    let waits = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                 AND objid = 77 AND database = (SELECT oid FROM pg_database \
                                                WHERE datname = current_database()))";
    while !sqlx::query_scalar::<_, bool>(waits)
        .fetch_one(&mut *connection)
        .await
        .expect("the statement is valid")
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_statement_that_is_older_than_the_release_inserts_nothing() {
    assert_eq!(rows_inserted_late("FOR SHARE OF o").await, 0);
}

#[tokio::test]
async fn without_the_lock_it_inserts_unseen_by_the_next_owner() {
    assert_eq!(rows_inserted_late("").await, 1);
}

#[tokio::test]
async fn an_append_that_waits_for_a_release_is_fenced_by_it() {
    append_over_a_release(empty_database().await).await;
}

#[tokio::test]
async fn the_default_isolation_level_of_a_database_does_not_matter() {
    let database = empty_database().await;
    let name = database.get_database().expect("it was named");
    let stricter = "SET default_transaction_isolation = 'serializable'";
    let statement = format!("ALTER DATABASE {name} {stricter}");
    execute(&mut connect(&database).await, statement).await;
    append_over_a_release(database).await;
}

async fn append_over_a_release(database: PgConnectOptions) {
    let journal = open_on(PostgresOptions::new(database.clone(), NODE)).await;
    let epoch = hunt_and_session(&journal, id(1), "AAAA").await;
    let mut releasing = connect(&database).await;
    let release = "BEGIN; UPDATE ownership SET owner_incarnation = NULL WHERE session_id = 1";
    execute(&mut releasing, release.to_owned()).await;
    let append = journal.append(batch(id(1), epoch, 1..=1));
    let committing = async {
        let waits = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                     AND datname = current_database())";
        while !sqlx::query_scalar::<_, bool>(waits)
            .fetch_one(&mut releasing)
            .await
            .expect("the statement is valid")
        {
            // The view is cached for the transaction.
            execute(&mut releasing, "SELECT pg_stat_clear_snapshot()".to_owned()).await;
        }
        execute(&mut releasing, "COMMIT".to_owned()).await;
    };
    let (outcome, ()) = tokio::join!(append, committing);
    assert!(
        matches!(outcome, Err(cluecast::journal::AppendError::Fenced)),
        "{outcome:?}"
    );
    assert_eq!(journal.read(id(1), 0, 9).await.expect("reads"), []);
    journal.close().await.expect("closes");
}

#[tokio::test]
async fn a_key_share_lock_is_not_enough() {
    let database = empty_database().await;
    let (journal, mut holder) = holding(&database, "FOR KEY SHARE").await;
    // A claim does not wait for it: the new owner would not see what the holder inserts next.
    claim(&journal, id(1), Incarnation(2)).await;
    execute(&mut holder, "COMMIT".to_owned()).await;
    journal.close().await.expect("closes");
}

#[tokio::test]
async fn a_claim_waits_for_an_append_and_reports_busy_after_its_timeout() {
    let database = empty_database().await;
    let (journal, mut holder) = holding(&database, "FOR SHARE").await;
    let found = crate::suite::ownership(&journal, id(1)).await;
    let busy = journal.claim(found.claim_for(Incarnation(2))).await;
    assert!(
        matches!(busy, Err(cluecast::journal::ClaimError::Busy)),
        "{busy:?}"
    );
    execute(&mut holder, "COMMIT".to_owned()).await;
    let claimed = journal.claim(found.claim_for(Incarnation(2))).await;
    claimed.expect("the row is not locked any more");
    journal.close().await.expect("closes");
}

#[tokio::test]
async fn a_node_with_terminated_connections_delays_no_claim() {
    let database = empty_database().await;
    let dead = Incarnation(0x0dead);
    let of_dead = database
        .clone()
        .application_name("cluecast-000000000000dead");
    let (journal, holder) = holding(&of_dead, "FOR SHARE").await;
    let found = crate::suite::ownership(&journal, id(1)).await;
    journal
        .terminate_connections(dead)
        .await
        .expect("terminates");
    let claimed = journal.claim(found.claim_for(Incarnation(2))).await;
    claimed.expect("the server has released its locks");
    drop(holder);
    let of_journal = PostgresOptions::new(database, dead);
    let reopened = PostgresJournal::open(of_journal).await.expect("opens");
    // The journal's own connections have the name that is searched for.
    journal
        .terminate_connections(dead)
        .await
        .expect("terminates");
    let unknown = reopened.append(batch(id(1), Epoch(1), 1..=1)).await;
    assert!(
        matches!(unknown, Err(cluecast::journal::AppendError::Unknown(_))),
        "{unknown:?}"
    );
    reopened.close().await.expect("closes");
    journal.close().await.expect("closes");
}

/// A journal with a session, and a connection that holds a lock on its ownership row.
async fn holding(database: &PgConnectOptions, lock: &str) -> (PostgresJournal, PgConnection) {
    let journal = open_on(PostgresOptions::new(database.clone(), NODE)).await;
    hunt_and_session(&journal, id(1), "AAAA").await;
    let mut holder = connect(database).await;
    let statement = format!("BEGIN; SELECT 1 FROM ownership WHERE session_id = 1 {lock}");
    execute(&mut holder, statement).await;
    (journal, holder)
}
