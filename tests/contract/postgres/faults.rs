//! Faults of the server while batches are appended: killed, frozen, connections terminated.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cluecast::ids::Epoch;
use cluecast::journal::{AppendError, Journal, Ledger, PostgresJournal, PostgresOptions};
use futures_util::future::{FutureExt, join_all};
use sqlx::PgConnection;
use testkit::Postgres;

use super::{NODE, connect, execute, open_on, parse, start};
use crate::suite::{ME, batch, claim, hunt_and_session, id};

const SESSIONS: u64 = 8;
/// Batches that are stored before and after each fault.
const BETWEEN_FAULTS: i64 = 50;

struct Site {
    server: Postgres,
    journal: PostgresJournal,
    observer: PgConnection,
}

impl Site {
    async fn new() -> Self {
        Self::with(|options| options).await
    }

    async fn with(change: impl FnOnce(PostgresOptions) -> PostgresOptions) -> Self {
        let server = start().await;
        let options = change(PostgresOptions::new(parse(&server.url()), NODE));
        let observer = connect(&options.connect).await;
        let journal = open_on(options).await;
        for number in 1..=SESSIONS {
            hunt_and_session(&journal, id(number), &format!("CODE{number}")).await;
        }
        Self {
            server,
            journal,
            observer,
        }
    }
}

/// What a session's owner knows of its appends.
struct Known {
    acknowledged: u64,
    is_unknown: bool,
}

/// Appends batch after batch until an outcome is unknown or `done`.
async fn append_on(journal: &PostgresJournal, number: u64, done: &AtomicBool) -> Known {
    let mut acknowledged = 0;
    while !done.load(Ordering::Relaxed) {
        let seq = acknowledged + 1;
        match journal.append(batch(id(number), Epoch(1), seq..=seq)).await {
            Ok(()) => acknowledged = seq,
            Err(AppendError::Unknown(_)) => {
                let is_unknown = true;
                return Known {
                    acknowledged,
                    is_unknown,
                };
            }
            Err(other) => panic!("session {number}: {other}"),
        }
    }
    Known {
        acknowledged,
        is_unknown: false,
    }
}

async fn append_to_all(journal: &PostgresJournal, done: &AtomicBool) -> Vec<Known> {
    let numbers = 1..=SESSIONS;
    join_all(numbers.map(|number| append_on(journal, number, done))).await
}

/// Settles each session as its owner does, by a claim and a load: every acknowledged batch must be stored,
/// and at most the one batch whose outcome is unknown. Then it appends again, possibly over a connection
/// that broke while idle.
async fn settle(journal: &PostgresJournal, known: &[Known]) {
    for (number, known) in (1..).zip(known) {
        // The server may still be coming back.
        while journal.ownership(id(number)).await.is_err() {
            tokio::task::yield_now().await;
        }
        let mut epoch = claim(journal, id(number), ME).await;
        let tail = journal.load(id(number)).await.expect("loads").tail;
        let head = tail.last().map_or(0, |batch| batch.last_seq);
        let acknowledged = known.acknowledged;
        let most = acknowledged + u64::from(known.is_unknown);
        assert!(
            (acknowledged..=most).contains(&head),
            "session {number}: {acknowledged} are acknowledged and {head} stored"
        );
        assert!(tail.iter().map(|batch| batch.first_seq).eq(1..=head));
        let next = |epoch| journal.append(batch(id(number), epoch, head + 1..=head + 1));
        let mut appended = next(epoch).await;
        while matches!(appended, Err(AppendError::Unknown(_))) {
            epoch = claim(journal, id(number), ME).await;
            appended = next(epoch).await;
        }
        appended.expect("the connection was broken before anything was sent on it");
    }
}

async fn stored(observer: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM journal")
        .fetch_one(observer)
        .await
        .expect("the statement is valid")
}

async fn until_stored(observer: &mut PgConnection, at_least: i64) {
    while stored(observer).await < at_least {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn terminated_connections_lose_nothing() {
    let mut site = Site::new().await;
    let done = AtomicBool::new(false);
    let injecting = async {
        // All connections of the journal, but not the observer's.
        let terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE application_name = 'cluecast-0000000000000abc'";
        until_stored(&mut site.observer, BETWEEN_FAULTS).await;
        execute(&mut site.observer, terminate.to_owned()).await;
        // Later batches came over new connections, after an append over a broken one.
        let stored = stored(&mut site.observer).await;
        until_stored(&mut site.observer, stored + BETWEEN_FAULTS).await;
        done.store(true, Ordering::Relaxed);
        std::future::pending::<()>().await;
    };
    // Sessions end at `done`, or with an unknown outcome over a broken connection.
    let known = tokio::select! {
        known = append_to_all(&site.journal, &done) => known,
        () = injecting => Vec::new(),
    };
    assert!(known.iter().any(|known| known.is_unknown));
    settle(&site.journal, &known).await;
    site.journal.close().await.expect("closes");
}

#[tokio::test]
async fn a_killed_server_loses_nothing() {
    let mut site = Site::new().await;
    let done = AtomicBool::new(false);
    let injecting = async {
        until_stored(&mut site.observer, BETWEEN_FAULTS).await;
        site.server.kill().await.expect("it dies");
        site.server.restart().await.expect("it recovers");
    };
    // Every session has an unknown outcome: a dead server acknowledges nothing.
    let (known, ()) = tokio::join!(append_to_all(&site.journal, &done), injecting);
    assert!(known.iter().all(|known| known.is_unknown));
    settle(&site.journal, &known).await;
    site.journal.close().await.expect("closes");
}

#[tokio::test]
async fn a_frozen_server_acknowledges_nothing_until_it_resumes() {
    let site = Site::new().await;
    site.server.freeze().await.expect("it freezes");
    let numbers = 1..=SESSIONS;
    let batches = numbers.map(|number| batch(id(number), Epoch(1), 1..=1));
    let mut appends = join_all(batches.map(|batch| site.journal.append(batch)));
    for _ in 0..1_000 {
        let early = (&mut appends).now_or_never();
        assert!(early.is_none(), "{early:?}");
        tokio::task::yield_now().await;
    }
    site.server.thaw().expect("it thaws");
    let outcomes = appends.await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    site.journal.close().await.expect("closes");
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_leaves_the_outcome_unknown() {
    // Longer than the set-up before the freeze takes on a busy machine.
    let site = Site::with(|options| PostgresOptions {
        answer_max: Duration::from_secs(2),
        ..options
    })
    .await;
    site.server.freeze().await.expect("it freezes");
    let done = AtomicBool::new(false);
    let known = append_to_all(&site.journal, &done).await;
    assert!(known.iter().all(|known| known.is_unknown));
    site.server.thaw().expect("it thaws");
    settle(&site.journal, &known).await;
    site.journal.close().await.expect("closes");
}

#[tokio::test]
async fn a_cancelled_wait_for_a_standby_is_an_unknown_outcome() {
    let mut site = Site::new().await;
    let reload = "SELECT pg_reload_conf()".to_owned();
    let wait = "ALTER SYSTEM SET synchronous_standby_names = 'absent'".to_owned();
    execute(&mut site.observer, wait).await;
    execute(&mut site.observer, reload.clone()).await;
    let done = AtomicBool::new(false);
    let cancelling = async {
        let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
                      WHERE wait_event = 'SyncRep'";
        while !done.load(Ordering::Relaxed) {
            execute(&mut site.observer, cancel.to_owned()).await;
        }
    };
    let appending = async {
        let known = append_to_all(&site.journal, &AtomicBool::new(false)).await;
        done.store(true, Ordering::Relaxed);
        known
    };
    let (known, ()) = tokio::join!(appending, cancelling);
    let no_more = "ALTER SYSTEM RESET synchronous_standby_names".to_owned();
    execute(&mut site.observer, no_more).await;
    execute(&mut site.observer, reload).await;
    settle(&site.journal, &known).await;
    site.journal.close().await.expect("closes");
}
