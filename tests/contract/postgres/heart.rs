//! Beats: their connection is their own, and one that leads nowhere holds up one beat.

use std::time::Duration;

use cluecast::journal::{Beat, Journal, PostgresJournal, PostgresOptions};
use futures_util::future::join_all;
use testkit::TcpProxy;
use tokio::time::timeout;

use super::{NODE, node, open, open_on, parse, start};

/// Far longer than a beat takes, and far shorter than the server may take to answer anything else.
const BEAT_MAX: Duration = Duration::from_secs(2);

async fn beat(journal: &PostgresJournal) -> Option<Beat> {
    let beat = timeout(BEAT_MAX, journal.beat(node())).await.ok()?;
    Some(beat.expect("the server is there"))
}

#[tokio::test]
async fn a_server_that_vanished_costs_one_beat() {
    let server = start().await;
    let target = ([127, 0, 0, 1], server.port()).into();
    let proxy = TcpProxy::start(target, b"cluecast").await;
    let proxy = proxy.expect("a free port");
    let address = parse(&server.url()).host("127.0.0.1");
    let address = address.port(proxy.address().port());
    let journal = open_on(PostgresOptions::new(address, NODE)).await;
    journal.join(node()).await.expect("joins");
    assert_eq!(beat(&journal).await, Some(Beat::Renewed));

    proxy.vanish();
    // Lists that nobody answers either, and that are waited for much longer.
    let lists: Vec<_> = (0..4).map(|_| journal.nodes()).collect();
    assert_eq!(beat(&journal).await, None, "its connection leads nowhere");
    assert_eq!(beat(&journal).await, Some(Beat::Renewed), "over a new one");
    drop(lists);
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
            assert_eq!(beat, Some(Beat::Renewed));
        }
    });
    heart.join().expect("every beat was answered");
    journal.close().await.expect("closes");
}
