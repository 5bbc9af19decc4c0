//! `/health/ready` is green only while no session is being recovered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cluecast::cli::Server;
use cluecast::config::{Config, Layers};
use cluecast::journal::{
    Answer, AppendError, Batch, Beat, Claim, ClaimError, CreateError, Epoch, Incarnation, Journal,
    JournalError, Loaded, MemoryJournal, Name, NodeRecord, NodeSeen, Ownership, ReadError,
    SessionId, SessionRecord, Snapshot, StoredBatch, TruncateError, Truncation,
};
use cluecast::session::StoredHunt;
use hunt::GameMasterOrder;
use tokio::time::{sleep, timeout};

use crate::http::{self, PATIENCE};

/// A journal that can be told to let nobody claim and nobody append.
struct Fragile {
    inner: MemoryJournal,
    broken: Arc<AtomicBool>,
}

impl Fragile {
    fn is_broken(&self) -> bool {
        self.broken.load(Ordering::SeqCst)
    }
}

impl Journal for Fragile {
    fn put_hunt(&self, revision: String, files: Vec<u8>) -> Answer<()> {
        self.inner.put_hunt(revision, files)
    }

    fn hunt(&self, revision: String) -> Answer<Option<Vec<u8>>> {
        self.inner.hunt(revision)
    }

    fn create_session(&self, session: SessionRecord) -> Answer<(), CreateError> {
        self.inner.create_session(session)
    }

    fn sessions(&self) -> Answer<Vec<SessionRecord>> {
        self.inner.sessions()
    }

    fn ownerships(&self) -> Answer<Vec<Ownership>> {
        self.inner.ownerships()
    }

    fn ownership(&self, session: SessionId) -> Answer<Option<Ownership>> {
        self.inner.ownership(session)
    }

    fn claim(&self, claim: Claim) -> Answer<Epoch, ClaimError> {
        if self.is_broken() {
            let error = JournalError {
                action: "claim",
                reason: "it is broken".to_owned(),
            };
            return Box::pin(async { Err(error.into()) });
        }
        self.inner.claim(claim)
    }

    fn release(
        &self,
        session: SessionId,
        owner: Incarnation,
        epoch: Epoch,
    ) -> Answer<(), ClaimError> {
        self.inner.release(session, owner, epoch)
    }

    fn evict(&self, incarnation: Incarnation) -> Answer<()> {
        self.inner.evict(incarnation)
    }

    fn join(&self, node: NodeRecord) -> Answer<()> {
        self.inner.join(node)
    }

    fn beat(&self, node: NodeRecord) -> Answer<Beat> {
        self.inner.beat(node)
    }

    fn nodes(&self) -> Answer<Vec<NodeSeen>> {
        self.inner.nodes()
    }

    fn forget(&self, incarnation: Incarnation, unseen_for: Duration) -> Answer<bool> {
        self.inner.forget(incarnation, unseen_for)
    }

    fn append(&self, batch: Batch) -> Answer<(), AppendError> {
        if self.is_broken() {
            return Box::pin(async { Err(AppendError::Unknown("it is broken".to_owned())) });
        }
        self.inner.append(batch)
    }

    fn load_before(&self, session: SessionId, seq: u64) -> Answer<Loaded> {
        self.inner.load_before(session, seq)
    }

    fn read(
        &self,
        session: SessionId,
        after_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>, ReadError> {
        self.inner.read(session, after_seq, limit)
    }

    fn oldest(
        &self,
        session: SessionId,
        through_seq: u64,
        limit: usize,
    ) -> Answer<Vec<StoredBatch>> {
        self.inner.oldest(session, through_seq, limit)
    }

    fn put_snapshot(&self, session: SessionId, snapshot: Snapshot) -> Answer<()> {
        self.inner.put_snapshot(session, snapshot)
    }

    fn snapshot(&self, session: SessionId, seq: u64) -> Answer<Option<Snapshot>> {
        self.inner.snapshot(session, seq)
    }

    fn mark_verified(&self, session: SessionId, seq: u64, digest: [u8; 32]) -> Answer<bool> {
        self.inner.mark_verified(session, seq, digest)
    }

    fn verified_snapshots(&self, session: SessionId) -> Answer<Vec<u64>> {
        self.inner.verified_snapshots(session)
    }

    fn truncate(&self, truncation: Truncation) -> Answer<u64, TruncateError> {
        self.inner.truncate(truncation)
    }

    fn names(&self, session: SessionId) -> Answer<Vec<Name>> {
        self.inner.names(session)
    }

    fn close(&self) -> Answer<()> {
        self.inner.close()
    }
}

async fn until_ready_is(server: &Server, status: u16) -> String {
    let waiting = async {
        loop {
            let answer = http::get(server.address(), "/health/ready").await;
            if answer.status == status {
                return answer.body;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("the status comes")
}

#[tokio::test]
async fn a_server_is_not_ready_while_a_session_is_being_recovered() {
    let folder = testkit::temporary_folder().expect("a temporary folder");
    let mut layers = Layers::built_in();
    layers.add_flag("server.listen=127.0.0.1:0");
    layers.add_flag(&format!("server.data_dir={}", folder.path().display()));
    let config = Config::read(layers).expect("the settings are good");
    let broken = Arc::new(AtomicBool::new(false));
    let journal = Fragile {
        inner: MemoryJournal::new(),
        broken: broken.clone(),
    };
    let server = Server::start_on(&config, Arc::new(journal)).await;
    let server = server.expect("it starts");
    assert_eq!(until_ready_is(&server, 200).await, "ready\n");

    let hunt = "[hunt]\ntitle = \"H\"\n[round.r]\ntitle = \"R\"\n[puzzle.p]\nround = \"r\"\n\
                title = \"P\"\npoints = 1\nanswer = \"A\"\n";
    let files = [("hunt.toml".to_owned(), hunt.to_owned())].into();
    let stored = StoredHunt::new(&files).expect("the hunt is valid");
    let sessions = server.gateway().sessions();
    sessions.put_hunt(&stored).await.expect("stored");
    let created = sessions.create(SessionId::new(1), "KITE42".to_owned(), stored.revision);
    let session = created.await.expect("created");
    assert_eq!(until_ready_is(&server, 200).await, "ready\n");

    broken.store(true, Ordering::SeqCst);
    let order = session.game_master(hunt::By::Admin, GameMasterOrder::Start, Vec::new());
    order.await.expect_err("the journal is broken");
    let told = until_ready_is(&server, 503).await;
    assert_eq!(told, "sessions being recovered: 1\n");
    let live = http::get(server.address(), "/health/live").await;
    assert_eq!(live.status, 200, "it lives all the same");
    broken.store(false, Ordering::SeqCst);
    assert_eq!(until_ready_is(&server, 200).await, "ready\n");
    server.stop().await.expect("it stops");
}
