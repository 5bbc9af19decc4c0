//! Servers that the journal refuses, and payloads that the server refuses.

use cluecast::journal::{
    AppendError, History, Journal, JournalError, Ledger, PostgresJournal, PostgresOptions,
    PrivateKind, PrivateRecord,
};
use futures_util::future::join_all;
use testkit::Postgres;

use super::{NODE, connect, empty_database, execute, open, open_on, parse};
use crate::suite::{batch, hunt_and_session, id};

fn refusal(opened: Result<PostgresJournal, JournalError>) -> String {
    let refused = opened.map(drop).expect_err("it must be refused");
    refused.to_string()
}

#[tokio::test]
async fn a_database_without_the_schema_is_refused_until_it_is_migrated() {
    let options = PostgresOptions::new(empty_database().await, NODE);
    let refused = refusal(PostgresJournal::open(options.clone()).await);
    assert!(refused.contains("cluecast migrate"), "{refused}");
    let before = PostgresJournal::schema(&options).await.expect("reads");
    assert!(before.steps.iter().all(|step| !step.is_applied));

    // Concurrent migrations are serialised.
    let migrated = join_all((0..3).map(|_| PostgresJournal::migrate(&options))).await;
    assert!(migrated.iter().all(Result::is_ok), "{migrated:?}");
    let after = PostgresJournal::schema(&options).await.expect("reads");
    assert!(after.steps.iter().all(|step| step.is_applied));
    let opened = PostgresJournal::open(options).await.expect("opens");
    opened.close().await.expect("closes");
}

#[tokio::test]
async fn a_later_schema_is_refused_and_not_changed() {
    let options = PostgresOptions::new(empty_database().await, NODE);
    let journal = open_on(options.clone()).await;
    journal.close().await.expect("closes");
    let mut connection = connect(&options.connect).await;
    let later = "INSERT INTO _sqlx_migrations \
                 (version, description, success, checksum, execution_time) \
                 VALUES (999, 'later', true, '', 0)";
    execute(&mut connection, later.to_owned()).await;
    PostgresJournal::migrate(&options)
        .await
        .expect("no step is missing");
    let refused = refusal(PostgresJournal::open(options).await);
    assert!(refused.contains("at step 999"), "{refused}");
    assert!(refused.contains("later version"), "{refused}");
}

#[tokio::test]
async fn the_schema_of_an_earlier_version_is_refused_with_advice() {
    let options = PostgresOptions::new(empty_database().await, NODE);
    open_on(options.clone())
        .await
        .close()
        .await
        .expect("closes");
    let mut connection = connect(&options.connect).await;
    let changed = "UPDATE _sqlx_migrations SET checksum = 'x'";
    execute(&mut connection, changed.to_owned()).await;
    let later_steps = "INSERT INTO _sqlx_migrations \
                       (version, description, success, checksum, execution_time) \
                       VALUES (2, 'snapshots', true, 'y', 0), (3, 'finished', true, 'z', 0)";
    execute(&mut connection, later_steps.to_owned()).await;
    let migrated = PostgresJournal::migrate(&options).await;
    let migrated = migrated.expect_err("it cannot be migrated").to_string();
    let opened = refusal(PostgresJournal::open(options).await);
    for refused in [migrated, opened] {
        assert!(refused.contains("an earlier version"), "{refused}");
        assert!(refused.contains("Create a new database"), "{refused}");
    }
}

#[tokio::test]
async fn settings_that_would_lose_acknowledged_events_are_refused_by_name() {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let unsafe_options = testkit::PostgresOptions {
            settings: vec![(setting.to_owned(), "off".to_owned())],
            ..testkit::PostgresOptions::default()
        };
        let started = Postgres::start(&unsafe_options).await;
        let server = started.expect("it starts");
        let options = PostgresOptions::new(parse(&server.url()), NODE);
        PostgresJournal::migrate(&options).await.expect("migrates");
        let refused = refusal(PostgresJournal::open(options).await);
        assert!(refused.contains(&format!("{setting} is off")), "{refused}");
    }
}

#[tokio::test]
async fn a_database_with_asynchronous_commits_is_refused_too() {
    let options = PostgresOptions::new(empty_database().await, NODE);
    open_on(options.clone())
        .await
        .close()
        .await
        .expect("closes");
    let mut connection = connect(&options.connect).await;
    let database = options.connect.get_database().expect("it has one");
    let off = format!("ALTER DATABASE {database} SET synchronous_commit = off");
    execute(&mut connection, off).await;
    let refused = refusal(PostgresJournal::open(options).await);
    assert!(refused.contains("synchronous_commit is off"), "{refused}");
}

#[tokio::test]
async fn a_refused_payload_affects_its_session_only() {
    let journal = open().await;
    let mut epochs = Vec::new();
    for number in 1..=20 {
        epochs.push(hunt_and_session(&journal, id(number), &format!("CODE{number}")).await);
    }
    let appends = (1..=60).map(|turn: u64| {
        let (number, seq) = ((turn - 1) % 20 + 1, (turn - 1) / 20 + 1);
        let epoch = epochs[usize::try_from(number).expect("small") - 1];
        let mut batch = batch(id(number), epoch, seq..=seq);
        if number == 7 && seq == 2 {
            // PostgreSQL stores no NUL in text.
            let text = "a\0b".to_owned();
            batch.private = vec![PrivateRecord {
                kind: PrivateKind::Name,
                id: 1,
                text,
            }];
        }
        journal.append(batch)
    });
    let outcomes = join_all(appends.collect::<Vec<_>>()).await;
    for (turn, outcome) in (1..).zip(&outcomes) {
        let (number, seq) = ((turn - 1) % 20 + 1, (turn - 1) / 20 + 1);
        match (number, seq) {
            (7, 2) => assert!(
                matches!(outcome, Err(AppendError::Refused(_))),
                "{outcome:?}"
            ),
            (7, 3) => assert!(
                matches!(outcome, Err(AppendError::NotContiguous)),
                "{outcome:?}"
            ),
            _ => assert!(
                outcome.is_ok(),
                "session {number}, batch {seq}: {outcome:?}"
            ),
        }
    }
    let stored = journal.read(id(7), 0, 9).await.expect("reads");
    assert_eq!(stored.len(), 1);
    journal.close().await.expect("closes");
}
