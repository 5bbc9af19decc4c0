//! Heartbeats: they have their own connection, and a dead one costs one heartbeat.

use std::time::Duration;

use cluecast::ids::HeartbeatOutcome;
use cluecast::journal::{
    AppendError, Journal, Ledger, Membership, PostgresJournal, PostgresOptions,
};
use futures_util::future::join_all;
use testkit::{Postgres, TcpProxy};
use tokio::time::timeout;

use super::{NODE, node, open, open_on, parse, start};
use crate::suite::{batch, hunt_and_session, id};

/// Far longer than a heartbeat takes, and far shorter than the timeout of other queries.
const HEARTBEAT_MAX: Duration = Duration::from_secs(2);

/// Far less than the timeout of 30 s, and more than the grace period.
const SOON: Duration = Duration::from_secs(15);

async fn heartbeat(journal: &PostgresJournal) -> Option<HeartbeatOutcome> {
    let outcome = timeout(HEARTBEAT_MAX, journal.heartbeat(node()))
        .await
        .ok()?;
    Some(outcome.expect("the server is reachable"))
}

/// A journal behind a proxy, after joining and one heartbeat.
async fn proxied_journal() -> (Postgres, TcpProxy, PostgresJournal) {
    let server = start().await;
    let target = ([127, 0, 0, 1], server.port()).into();
    let proxy = TcpProxy::start(target, b"cluecast").await;
    let proxy = proxy.expect("a free port");
    let address = parse(&server.url()).host("127.0.0.1");
    let address = address.port(proxy.address().port());
    let journal = open_on(PostgresOptions::new(address, NODE)).await;
    journal.join(node()).await.expect("joins");
    assert_eq!(heartbeat(&journal).await, Some(HeartbeatOutcome::Renewed));
    (server, proxy, journal)
}

#[tokio::test]
async fn a_vanished_server_costs_one_heartbeat() {
    let (_server, proxy, journal) = proxied_journal().await;
    proxy.vanish();
    // These queries get no answer either and have a much longer timeout.
    let lists: Vec<_> = (0..4).map(|_| journal.nodes()).collect();
    assert_eq!(heartbeat(&journal).await, None, "its connection is dead");
    assert_eq!(
        heartbeat(&journal).await,
        Some(HeartbeatOutcome::Renewed),
        "over a new connection"
    );
    drop(lists);
}

/// Queries on a dead connection end far earlier than their timeout of 30 s.
#[tokio::test]
async fn pending_queries_on_a_dead_path_fail_once_another_connection_works() {
    let (_server, proxy, journal) = proxied_journal().await;
    let epoch = hunt_and_session(&journal, id(1), "CODE1").await;
    let append = |seq| journal.append(batch(id(1), epoch, seq..=seq));
    append(1).await.expect("appends");

    proxy.vanish();
    let (appending, listing) = (append(2), journal.nodes());
    assert_eq!(heartbeat(&journal).await, None);
    assert_eq!(heartbeat(&journal).await, Some(HeartbeatOutcome::Renewed));
    let soon = timeout(SOON, async { tokio::join!(appending, listing) });
    let (appended, listed) = soon.await.expect("neither waits for its timeout");
    let unknown = matches!(appended, Err(AppendError::Unknown(_)));
    assert!(unknown, "the outcome is unknown: {appended:?}");
    listed.expect_err("the query was abandoned");
    // Idle connections are replaced too.
    journal.nodes().await.expect("lists");
    append(2).await.expect("appends what did not arrive");
}

/// Sends heartbeats on their own runtime, as a node does, while the only thread of the runtime that opened
/// the journal is blocked.
#[tokio::test]
async fn a_heartbeat_needs_only_its_own_runtime() {
    let journal = open().await;
    journal.join(node()).await.expect("joins");
    let lists = join_all((0..4).map(|_| journal.nodes())).await;
    assert!(lists.iter().all(Result::is_ok), "{lists:?}");
    let sender = journal.clone();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime starts");
        for _ in 0..3 {
            let outcome = runtime.block_on(heartbeat(&sender));
            assert_eq!(outcome, Some(HeartbeatOutcome::Renewed));
        }
    });
    thread.join().expect("every heartbeat was answered");
    journal.close().await.expect("closes");
}
