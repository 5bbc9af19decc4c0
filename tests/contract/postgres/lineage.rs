//! Servers that may lack acknowledged events, and raising the generation.

use std::time::Duration;

use cluecast::ids::Incarnation;
use cluecast::journal::{Journal, Membership, PostgresJournal, PostgresOptions};

use super::{NODE, connect, empty_database, execute, node, open_on};

/// A database that a node has opened, with its stored lineage changed afterwards.
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
async fn a_former_primary_is_refused() {
    let options = written_on("timeline = 7").await;
    let refused = refusal(&options).await;
    assert!(refused.contains("on timeline 7"), "{refused}");
    assert!(refused.contains("raise-generation"), "{refused}");
}

#[tokio::test]
async fn the_timeline_of_a_promoted_server_is_stored() {
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
    assert_eq!(timeline, 1, "this server was never promoted");
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
async fn the_generation_is_not_raised_while_a_node_runs() {
    let options = PostgresOptions::new(empty_database().await, NODE);
    let journal = open_on(options.clone()).await;
    journal.join(node()).await.expect("joins");
    let raised = PostgresJournal::raise_generation(&options).await;
    let refused = raised.expect_err("a node runs").to_string();
    assert!(refused.contains("stop all nodes"), "{refused}");
    let removed = journal.remove(Incarnation(7), None).await;
    assert!(removed.expect("removes"));
    let raised = PostgresJournal::raise_generation(&options).await;
    assert_eq!(raised.expect("no node runs"), 2);
    journal.close().await.expect("closes");
}

#[tokio::test]
async fn a_node_with_a_heartbeat_in_the_future_does_not_run() {
    let options = PostgresOptions::new(empty_database().await, NODE);
    let journal = open_on(options.clone()).await;
    journal.join(node()).await.expect("joins");
    let mut connection = connect(&options.connect).await;
    let into_future = "UPDATE node SET heartbeat_at = heartbeat_at + interval '1 hour'";
    execute(&mut connection, into_future.to_owned()).await;
    let nodes = journal.nodes().await.expect("lists");
    assert_eq!(nodes[0].age, Duration::ZERO);
    let raised = PostgresJournal::raise_generation(&options).await;
    assert_eq!(raised.expect("it sends no heartbeat"), 2);
    let removed = journal.remove(Incarnation(7), Some(nodes[0].last_heartbeat));
    assert!(removed.await.expect("removes"));
    journal.close().await.expect("closes");
}
