//! The contract of every journal: one suite, run on every implementation.

mod postgres;
mod sqlite;
mod suite;

use std::sync::Arc;

use cluecast::ids::Incarnation;
use cluecast::journal::{Catalogue, Journal, Ledger, MemoryJournal, SqliteJournal, SqliteOptions};
use suite::{Fixture, append, batch, claim, hunt_and_session, id};

/// One test per behaviour and implementation.
macro_rules! contract {
    ($($behaviour:ident,)*) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    super::suite::$behaviour(&super::Fixture::new(super::MemoryJournal::new())).await;
                }
            )*
        }
        mod on_postgres {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    let journal = super::postgres::open().await;
                    super::suite::$behaviour(&super::Fixture::new(journal.clone())).await;
                    super::Journal::close(&journal).await.expect("closes");
                }
            )*
        }
        mod on_sqlite {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    let folder = tempfile::tempdir().expect("a temporary folder");
                    let journal = super::open(folder.path()).await;
                    super::suite::$behaviour(&super::Fixture::new(journal.clone())).await;
                    super::Journal::close(&journal).await.expect("closes");
                }
            )*
        }
    };
}

contract! {
    a_hunt_is_kept_under_its_revision,
    a_session_needs_its_hunt_and_a_code_of_its_own,
    sessions_are_listed_in_the_order_of_creation,
    a_finished_session_stays_finished_under_every_owner,
    batches_are_read_back_as_they_were_appended,
    a_batch_must_follow_the_head,
    a_batch_that_is_stored_already_is_reported_as_such,
    concurrent_appends_have_separate_outcomes,
    an_earlier_owner_is_fenced,
    the_same_owner_is_fenced_from_its_earlier_epoch,
    an_unclaimed_session_accepts_no_append,
    appends_commit_in_the_order_of_the_calls,
    a_failing_session_affects_no_other,
    private_records_are_stored_with_their_batch_or_not_at_all,
    a_private_record_replaces_the_earlier_one_with_its_key,
    a_recovery_starts_from_the_newest_snapshot,
    a_snapshot_ahead_of_the_journal_is_ignored,
    a_damaged_snapshot_gives_way_to_the_one_before,
    a_large_snapshot_reads_back,
    the_newest_snapshots_and_the_newest_verified_ones_are_kept,
    a_snapshot_is_verified_by_its_digest,
    an_unverified_snapshot_is_replaced,
    two_concurrent_snapshots_leave_an_intact_one,
    reads_of_the_oldest_batches_are_bounded_in_bytes,
    the_newest_batches_are_read_backwards_and_bounded,
    a_truncated_journal_accepts_appends,
    only_what_two_verified_snapshots_cover_is_truncated,
    an_earlier_owner_cannot_truncate,
    a_read_may_start_inside_a_batch,
    unknown_sessions_are_refused,
    a_claim_needs_the_expected_owner_and_epoch,
    a_thousand_races_to_claim_have_one_winner_each,
    a_released_session_has_no_owner_and_accepts_no_append,
    a_session_is_handed_off_to_its_next_owner,
    terminating_connections_keeps_committed_events,
    nodes_are_members_until_they_are_removed,
    a_node_with_a_later_heartbeat_is_not_removed,
}

async fn open(folder: &std::path::Path) -> SqliteJournal {
    let opened = SqliteJournal::open(SqliteOptions::new(folder)).await;
    opened.expect("the folder is fresh or was closed")
}

#[tokio::test]
async fn sqlite_keeps_everything_across_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = open(folder.path()).await;
    let epoch = hunt_and_session(&journal, id(1), "AAAA").await;
    append(&journal, batch(id(1), epoch, 1..=3))
        .await
        .expect("follows the head");
    journal.close().await.expect("closes");

    let journal = open(folder.path()).await;
    let claimed = claim(&journal, id(1), Incarnation(2)).await;
    assert!(claimed > epoch, "an epoch is never reused");
    let loaded = journal.load(id(1)).await.expect("loads");
    assert_eq!(loaded.tail.len(), 1);
    assert_eq!(journal.sessions().await.expect("lists").len(), 1);
    journal.close().await.expect("closes");
}

#[tokio::test]
async fn sqlite_is_open_in_one_process_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let journal = open(folder.path()).await;
    let second = SqliteJournal::open(SqliteOptions::new(folder.path())).await;
    let refused = second
        .map(drop)
        .expect_err("the folder is in use")
        .to_string();
    assert!(refused.contains("in use by another server"), "{refused}");
    journal.close().await.expect("closes");
}

/// The message with which a folder is refused after a statement changed its database.
async fn refusal_after(statement: &'static str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    open(folder.path()).await.close().await.expect("closes");
    let path = folder.path().join(cluecast::journal::DATABASE_FILE);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::ConnectOptions::connect(&options)
        .await
        .expect("connects");
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .expect("the statement is right");
    sqlx::Connection::close(connection).await.expect("closes");
    let opened = SqliteJournal::open(SqliteOptions::new(folder.path())).await;
    let refused = opened
        .map(drop)
        .expect_err("the schema is of another version");
    refused.to_string()
}

#[tokio::test]
async fn sqlite_refuses_a_schema_of_a_later_version() {
    let refused = refusal_after(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'later', TRUE, x'00', 0)",
    )
    .await;
    assert!(refused.contains("later version"), "{refused}");
}

#[tokio::test]
async fn sqlite_refuses_a_schema_of_an_earlier_version_with_advice() {
    let refused = refusal_after(
        "UPDATE _sqlx_migrations SET checksum = x'00'; \
         INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (2, 'snapshots', TRUE, x'01', 0), (3, 'finished', TRUE, x'02', 0)",
    )
    .await;
    assert!(refused.contains("earlier version"), "{refused}");
    assert!(refused.contains("move the folder away"), "{refused}");
}

#[tokio::test]
async fn sqlite_checkpoints_its_log_while_it_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = SqliteOptions {
        checkpoint_every: std::time::Duration::from_millis(10),
        ..SqliteOptions::new(folder.path())
    };
    let journal = Arc::new(SqliteJournal::open(options).await.expect("opens"));
    let epoch = hunt_and_session(&*journal, id(1), "AAAA").await;
    let path = folder.path().join(cluecast::journal::DATABASE_FILE);
    let size = || std::fs::metadata(&path).expect("it exists").len();
    let before = size();
    let mut seq = 1;
    while size() == before {
        let mut large = batch(id(1), epoch, seq..=seq);
        large.events = vec![7; 64 * 1024];
        append(&*journal, large).await.expect("follows the head");
        seq += 1;
        assert!(seq < 20_000, "no checkpoint in a gigabyte");
    }
    journal.close().await.expect("closes");
}
