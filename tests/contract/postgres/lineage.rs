//! Servers that may lack what was acknowledged, and the way on from there.

use std::time::Duration;

use cluecast::journal::{Incarnation, Journal, Membership, PostgresJournal, PostgresOptions};

use super::{NODE, connect, empty_database, execute, node, open_on};

/// A database that a node has written on, and what is then said to be known of that server.
async fn written_on(known: &str) -> PostgresOptions {
    let options = PostgresOptions::new(empty_database().await, NODE);
    let journal = open_on(options.clone()).await;
    assert_eq!(journal.generation().await.expect("reads"), 1);
    journal.close().await.expect("closes");
    let mut connection = connect(&options.connect).await;
    execute(&mut connection, format!("UPDATE lineage SET {known}")).await;
    options
}

async fn refusal(options: &PostgresOptions) -> String {
    let opened = PostgresJournal::open(options.clone()).await;
    let refused = opened.map(drop).expect_err("it must be refused");
    refused.to_string()
}

#[tokio::test]
async fn a_server_from_before_a_failover_is_refused() {
    let options = written_on("timeline = 7").await;
    let refused = refusal(&options).await;
    assert!(refused.contains("on timeline 7"), "{refused}");
    assert!(refused.contains("raise-generation"), "{refused}");
}

#[tokio::test]
async fn a_server_that_was_promoted_is_remembered() {
    let options = written_on("timeline = 0").await;
    let opened = PostgresJournal::open(options.clone()).await;
    let journal = opened.expect("its timeline has risen");
    assert_eq!(journal.generation().await.expect("reads"), 1);
    journal.close().await.expect("closes");
    let mut connection = connect(&options.connect).await;
    let timeline: i64 = sqlx::query_scalar("SELECT timeline FROM lineage")
        .fetch_one(&mut connection)
        .await
        .expect("there is one row");
    assert_eq!(timeline, 1, "a server that was never promoted");
}

#[tokio::test]
async fn another_system_is_refused_until_the_generation_is_raised() {
    let options = written_on("system_identifier = 42").await;
    let refused = refusal(&options).await;
    assert!(refused.contains("on the system 42"), "{refused}");
    assert!(refused.contains("raise-generation"), "{refused}");
    let raised = PostgresJournal::raise_generation(&options).await;
    assert_eq!(raised.expect("no node runs"), 2);
    let opened = PostgresJournal::open(options).await;
    let journal = opened.expect("it is the right one now");
    assert_eq!(journal.generation().await.expect("reads"), 2);
    journal.close().await.expect("closes");
}

#[tokio::test]
async fn no_generation_begins_beside_a_node_that_runs() {
    let options = PostgresOptions::new(empty_database().await, NODE);
    let journal = open_on(options.clone()).await;
    journal.join(node()).await.expect("joins");
    let raised = PostgresJournal::raise_generation(&options).await;
    let refused = raised.expect_err("a node runs").to_string();
    assert!(refused.contains("stop all of them"), "{refused}");
    let gone = journal.remove(Incarnation(7), None).await;
    assert!(gone.expect("forgets"));
    let raised = PostgresJournal::raise_generation(&options).await;
    assert_eq!(raised.expect("no node runs"), 2);
    journal.close().await.expect("closes");
}

#[tokio::test]
async fn a_node_of_a_time_that_is_still_to_come_does_not_run() {
    let options = PostgresOptions::new(empty_database().await, NODE);
    let journal = open_on(options.clone()).await;
    journal.join(node()).await.expect("joins");
    let mut connection = connect(&options.connect).await;
    let to_come = "UPDATE node SET heartbeat_at = heartbeat_at + interval '1 hour'";
    execute(&mut connection, to_come.to_owned()).await;
    let seen = journal.nodes().await.expect("lists");
    assert_eq!(seen[0].age, Duration::ZERO);
    let raised = PostgresJournal::raise_generation(&options).await;
    assert_eq!(raised.expect("it is heard of no more"), 2);
    let forgotten = journal.remove(Incarnation(7), Some(seen[0].last_heartbeat));
    assert!(forgotten.await.expect("forgets"));
    journal.close().await.expect("closes");
}
