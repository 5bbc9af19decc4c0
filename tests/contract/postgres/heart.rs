//! Beats: their connection is their own, and one that leads nowhere holds up one beat.

use std::time::Duration;

use cluecast::journal::{
    AppendError, HeartbeatOutcome, Journal, Ledger, Membership, PostgresJournal, PostgresOptions,
};
use futures_util::future::join_all;
use testkit::{Postgres, TcpProxy};
use tokio::time::timeout;

use super::{NODE, node, open, open_on, parse, start};
use crate::suite::{batch, hunt_and_session, id};

/// Far longer than a beat takes, and far shorter than the server may take to answer anything else.
const BEAT_MAX: Duration = Duration::from_secs(2);

/// Far less than the half minute that the server may take to answer, and more than it takes to give up.
const SOON: Duration = Duration::from_secs(15);

async fn beat(journal: &PostgresJournal) -> Option<HeartbeatOutcome> {
    let beat = timeout(BEAT_MAX, journal.heartbeat(node())).await.ok()?;
    Some(beat.expect("the server is there"))
}

/// A journal that reaches its server through a proxy, as a node that is known and has beaten once.
async fn stage() -> (Postgres, TcpProxy, PostgresJournal) {
    let server = start().await;
    let target = ([127, 0, 0, 1], server.port()).into();
    let proxy = TcpProxy::start(target, b"cluecast").await;
    let proxy = proxy.expect("a free port");
    let address = parse(&server.url()).host("127.0.0.1");
    let address = address.port(proxy.address().port());
    let journal = open_on(PostgresOptions::new(address, NODE)).await;
    journal.join(node()).await.expect("joins");
    assert_eq!(beat(&journal).await, Some(HeartbeatOutcome::Renewed));
    (server, proxy, journal)
}

#[tokio::test]
async fn a_server_that_vanished_costs_one_beat() {
    let (_server, proxy, journal) = stage().await;
    proxy.vanish();
    // Lists that nobody answers either, and that are waited for much longer.
    let lists: Vec<_> = (0..4).map(|_| journal.nodes()).collect();
    assert_eq!(beat(&journal).await, None, "its connection leads nowhere");
    assert_eq!(
        beat(&journal).await,
        Some(HeartbeatOutcome::Renewed),
        "over a new one"
    );
    drop(lists);
}

/// The server may take half a minute to answer; a machine that vanished is not waited for so long.
#[tokio::test]
async fn what_waits_on_a_way_that_leads_nowhere_is_given_up_once_another_one_is_found() {
    let (_server, proxy, journal) = stage().await;
    let epoch = hunt_and_session(&journal, id(1), "CODE1").await;
    let append = |seq| journal.append(batch(id(1), epoch, seq..=seq));
    append(1).await.expect("appends");

    proxy.vanish();
    let (appending, listing) = (append(2), journal.nodes());
    assert_eq!(beat(&journal).await, None);
    assert_eq!(beat(&journal).await, Some(HeartbeatOutcome::Renewed));
    let soon = timeout(SOON, async { tokio::join!(appending, listing) });
    let (appended, listed) = soon.await.expect("neither waits for the usual bound");
    let unknown = matches!(appended, Err(AppendError::Unknown(_)));
    assert!(unknown, "nobody knows what came of it: {appended:?}");
    listed.expect_err("the list was given up");
    // Idle connections are left as well: these use others.
    journal.nodes().await.expect("lists");
    append(2).await.expect("appends what did not arrive");
}

/// Beats on a runtime of its own, as a node's heart does, while the one thread of the runtime that
/// opened the journal is blocked.
#[tokio::test]
async fn a_beat_needs_no_other_runtime_than_its_own() {
    let journal = open().await;
    journal.join(node()).await.expect("joins");
    let lists = join_all((0..4).map(|_| journal.nodes())).await;
    assert!(lists.iter().all(Result::is_ok), "{lists:?}");
    let beating = journal.clone();
    let heart = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("there is room for one more");
        for _ in 0..3 {
            let beat = runtime.block_on(beat(&beating));
            assert_eq!(beat, Some(HeartbeatOutcome::Renewed));
        }
    });
    heart.join().expect("every beat was answered");
    journal.close().await.expect("closes");
}
