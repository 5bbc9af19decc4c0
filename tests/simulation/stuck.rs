//! One session whose archive never answers: its snapshots must not be delayed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cluecast::clock::Clock;
use cluecast::config::SessionConfig;
use cluecast::delivery::Hub;
use cluecast::ids::{Incarnation, SessionId};
use cluecast::journal::{
    Answer, Archive, ArchiveError, ArchivePermit, History, Journal, Ledger, MemoryJournal, Piece,
    SessionRecord,
};
use cluecast::session::{
    Archiving, InjectedFault, JournalAccess, Services, SessionHandle, SessionSpec, launch,
};
use futures_util::FutureExt;
use hunt::{GameMasterOrder, Issuer, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::model::HUNT_FILE;
use crate::paused_runtime;
use crate::world::{WAIT_MAX, content_paths, delivery_config};

const SESSION: SessionId = SessionId::new(1);
/// Longer than the least time between two snapshots.
const PAUSE: Duration = Duration::from_secs(6);

/// Accepts every piece and never answers.
struct StuckArchive;

impl Archive for StuckArchive {
    fn store(&self, piece: Piece, permit: ArchivePermit) -> Answer<(), ArchiveError> {
        async move {
            let _held = (piece, permit);
            std::future::pending().await
        }
        .boxed()
    }
}

/// A session that runs until this is dropped.
struct Running {
    session: SessionHandle<Hub>,
    _task: JoinSet<()>,
}

async fn run_on(journal: Arc<dyn Journal>, archive: Arc<dyn Archive>) -> Running {
    let files = BTreeMap::from([("hunt.toml".to_owned(), HUNT_FILE.to_owned())]);
    let hunt = hunt::parse(&files).expect("the hunt has no mistakes");
    let record = SessionRecord {
        id: SESSION,
        code: "STUCK".to_owned(),
        hunt_revision: "stuck".to_owned(),
        created_at_ms: 0,
    };
    let put = journal.put_hunt(record.hunt_revision.clone(), Vec::new());
    put.await.expect("memory stores");
    let created = journal.create_session(record.clone()).await;
    created.expect("memory stores");
    let clock = Clock::simulated(Timestamp(1_000_000));
    let services = Services {
        journal,
        owner: Incarnation(1),
        access: JournalAccess::Exclusive,
        clock: clock.clone(),
        config: SessionConfig {
            mailbox_max: 64,
            turn_requests_max: 4,
            batches_in_flight_max: 4,
            wait_max: WAIT_MAX,
            idle_max: WAIT_MAX,
            reopen_max: Duration::ZERO,
        },
        snapshot_every_events: 10,
        archiving: Some(Archiving::new(archive, 1)),
        fault: InjectedFault::None,
    };
    let spec = SessionSpec {
        record: record.into(),
        hunt: hunt.into(),
        claimed: None,
        stop: CancellationToken::new(),
        abandon: CancellationToken::new(),
    };
    let hub = move || Hub::new(&delivery_config(), clock.clone(), content_paths());
    let (session, running) = launch(services.into(), spec, hub);
    let mut task = JoinSet::new();
    task.spawn(running.map(drop));
    Running {
        session,
        _task: task,
    }
}

async fn announce(session: &SessionHandle<Hub>) {
    let order = GameMasterOrder::Announce {
        text: "On we go.".to_owned(),
    };
    let outcome = session.submit_order(Issuer::Admin, order, Vec::new()).await;
    let outcome = outcome.expect("the session is open");
    outcome.expect("the rules allow it");
}

#[test]
fn an_archive_that_hangs_delays_no_snapshot() {
    paused_runtime().block_on(async {
        let journal = Arc::new(MemoryJournal::new());
        let running = run_on(journal.clone(), Arc::new(StuckArchive)).await;
        let mut verified = Vec::new();
        for _ in 0..5 {
            for _ in 0..10 {
                announce(&running.session).await;
            }
            tokio::time::sleep(PAUSE).await;
            let newest = journal.verified_snapshots(SESSION).await.expect("lists");
            verified.extend(newest.first().copied());
        }
        assert_eq!(verified, [10, 20, 30, 40, 50]);
        let stored = journal.read(SESSION, 0, 1).await.expect("nothing is lost");
        assert_eq!(stored[0].first_seq, 1);
    });
}
