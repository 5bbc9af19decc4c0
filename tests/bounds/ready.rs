//! A server on a journal with injected faults: `/health/ready` succeeds only while no session is being
//! recovered, a session that is being created is claimed once, and one that stays closed is reported.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cluecast::cli::Server;
use cluecast::cluster::Host;
use cluecast::config::{Config, Layers};
use cluecast::delivery::Hub;
use cluecast::ids::{Incarnation, SessionId};
use cluecast::journal::{Batch, Journal};
use cluecast::session::{SessionHandle, StoredHunt, Unavailable};
use hunt::GameMasterOrder;
use protocol::{CloseCode, Codec};
use testkit::TempDir;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::fragile::Fragile;
use testkit::app::http::Request;
use testkit::app::{Session, WAIT_MAX};

fn settings() -> (Config, TempDir) {
    let folder = testkit::temporary_folder().expect("a temporary folder");
    let mut layers = Layers::built_in();
    layers.add_flag("server.listen=127.0.0.1:0");
    layers.add_flag(&format!("server.data_dir={}", folder.path().display()));
    let config = Config::read(layers).expect("the settings are good");
    (config, folder)
}

async fn started_on(config: &Config, journal: &Fragile) -> Server {
    let server = Server::start_on(config, Arc::new(journal.clone())).await;
    server.expect("it starts")
}

async fn create(server: &Server, number: u64, code: &str, hunt: &str) -> SessionHandle<Hub> {
    let sessions = server.gateway().sessions();
    let created = sessions.create(SessionId::new(number), code.to_owned(), hunt.to_owned());
    created.await.expect("created")
}

/// The revision of a hunt that is stored.
async fn put_hunt(server: &Server) -> String {
    let hunt = "[hunt]\ntitle = \"H\"\n[round.r]\ntitle = \"R\"\n[puzzle.p]\nround = \"r\"\n\
                title = \"P\"\npoints = 1\nanswer = \"A\"\n";
    let files = [("hunt.toml".to_owned(), hunt.to_owned())].into();
    let stored = StoredHunt::new(&files).expect("the hunt is valid");
    let put = server.gateway().sessions().put_hunt(&stored).await;
    put.expect("it is stored");
    stored.revision
}

async fn until_ready_is(server: &Server, status: u16) -> String {
    let waiting = async {
        loop {
            let answer = Request::get("/health/ready").send(server.address()).await;
            if answer.status == status {
                return answer.body;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(WAIT_MAX, waiting).await.expect("the status comes")
}

#[tokio::test]
async fn a_server_is_not_ready_while_a_session_is_being_recovered() {
    let (config, _folder) = settings();
    let journal = Fragile::default();
    let server = started_on(&config, &journal).await;
    assert_eq!(until_ready_is(&server, 200).await, "ready\n");

    let hunt = put_hunt(&server).await;
    let session = create(&server, 1, "KITE42", &hunt).await;
    assert_eq!(until_ready_is(&server, 200).await, "ready\n");

    journal.broken.store(true, Ordering::SeqCst);
    let order = session.submit_order(hunt::Issuer::Admin, GameMasterOrder::Start, Vec::new());
    order.await.expect_err("the journal is broken");
    let told = until_ready_is(&server, 503).await;
    assert_eq!(told, "sessions being recovered: 1\n");
    let live = Request::get("/health/live").send(server.address()).await;
    assert_eq!(live.status, 200, "the liveness check still succeeds");
    journal.broken.store(false, Ordering::SeqCst);
    assert_eq!(until_ready_is(&server, 200).await, "ready\n");
    server.stop().await.expect("it stops");
}

/// The node's own scans see a session that is claimed but does not run yet.
#[tokio::test]
async fn a_session_that_is_being_created_is_claimed_once() {
    let (config, _folder) = settings();
    let journal = Fragile::default();
    let server = Server::start_node(&config, Arc::new(journal.clone())).await;
    let server = server.expect("it starts");
    let hunt = put_hunt(&server).await;
    journal.claims_answered.send_replace(false);
    let sessions = server.gateway().sessions();
    let creating = sessions.create(SessionId::new(1), "KITE42".to_owned(), hunt);
    let looking = async {
        reaches(&journal.claims, 1).await;
        // The third scan begins only after the steps of the second, which began after the claim.
        let looks = *journal.looks.borrow();
        reaches(&journal.looks, looks + 3).await;
        journal.claims_answered.send_replace(true);
    };
    let (created, ()) = tokio::join!(creating, looking);
    created.expect("its epoch is still the one that was claimed");
    assert_eq!(*journal.claims.borrow(), 1);
    server.stop().await.expect("it stops");
}

async fn reaches(count: &watch::Sender<u64>, least: u64) {
    let mut count = count.subscribe();
    let reached = timeout(WAIT_MAX, count.wait_for(|count| *count >= least)).await;
    let reached = reached.unwrap_or_else(|_| panic!("it does not reach {least}"));
    drop(reached.expect("the sender is borrowed"));
}

/// The session's journal makes its actor panic repeatedly.
#[tokio::test]
async fn a_session_that_stays_closed_advises_a_long_retry_delay() {
    let (config, _folder) = settings();
    let journal = Fragile::default();
    let server = started_on(&config, &journal).await;
    let hunt = put_hunt(&server).await;
    let session = create(&server, 1, "KITE42", &hunt).await;

    journal.panics.store(true, Ordering::SeqCst);
    journal.broken.store(true, Ordering::SeqCst);
    let order = session.submit_order(hunt::Issuer::Admin, GameMasterOrder::Start, Vec::new());
    order.await.expect_err("the journal is broken");
    let waiting = async {
        loop {
            let path = "/api/v1/sessions/KITE42/standings";
            let answer = Request::get(path).send(server.address()).await;
            assert_eq!(answer.status, 503);
            if answer.body.contains("closed after repeated failures") {
                return answer;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert_eq!(server.gateway().sessions().broken(), []);
    let answer = timeout(WAIT_MAX, waiting).await.expect("it stays closed");
    assert_eq!(server.gateway().sessions().broken(), [SessionId::new(1)]);
    let seconds = answer.retry_after();
    assert!(seconds >= 60, "{seconds}");

    let session = Session::none(server.address(), "").with_code("KITE42");
    let refused = session.watch(Codec::MessagePack).await.err();
    let reason = refused
        .expect("it is closed")
        .expect_code(CloseCode::Overloaded);
    assert!(reason.ends_with("try again in 60000 ms"), "{reason}");
    server.stop().await.expect("it stops");
}

/// The session is finished, and reading it makes its actor panic.
#[tokio::test]
async fn a_finished_session_that_stays_closed_is_not_released() {
    let (mut config, _folder) = settings();
    config.session.idle_max = Duration::from_millis(100);
    config.session.reopen_max = Duration::ZERO;
    let journal = Fragile::default();
    let server = started_on(&config, &journal).await;
    let hunt = put_hunt(&server).await;
    let session = create(&server, 1, "KITE42", &hunt).await;
    for order in [
        GameMasterOrder::Start,
        GameMasterOrder::Finish { confirmed: true },
    ] {
        let ordered = session.submit_order(hunt::Issuer::Admin, order, Vec::new());
        ordered.await.expect("it runs").expect("it may");
    }
    let sessions = server.gateway().sessions();
    let bringing_down = async {
        while sessions.broken().is_empty() {
            let reading = session.read(|_| -> () { panic!("a panic that the test asked for") });
            reading.await.expect_err("its actor ends");
        }
    };
    let down = timeout(WAIT_MAX, bringing_down).await;
    down.expect("it is brought down three times");
    drop(session);
    // Long enough for many scans for unused sessions.
    sleep(Duration::from_secs(1)).await;
    let woken = timeout(WAIT_MAX, sessions.get_or_reopen("KITE42")).await;
    let woken = woken.expect("it is answered at once").expect("it exists");
    let refused = woken.read(|_| ()).await.expect_err("it stays closed");
    assert_eq!(refused, Unavailable::Closed);
    server.stop().await.expect("it stops");
}

/// The journal of one session is unreadable, that of another one is not.
#[tokio::test]
async fn an_unreadable_session_does_not_affect_the_others() {
    let (config, _folder) = settings();
    let journal = Fragile::default();
    let server = started_on(&config, &journal).await;
    let hunt = put_hunt(&server).await;
    for (number, code) in [(1, "KITE42"), (2, "KITE43")] {
        create(&server, number, code, &hunt).await;
    }
    server.stop().await.expect("it stops");
    damage(&journal, SessionId::new(1)).await;

    // The server starts nevertheless.
    let server = started_on(&config, &journal).await;
    assert_eq!(until_ready_is(&server, 200).await, "ready\n");
    let standings = async |code: &str| {
        let path = format!("/api/v1/sessions/{code}/standings");
        Request::get(&path).send(server.address()).await
    };
    assert_eq!(standings("KITE43").await.status, 200);
    let refused = standings("KITE42").await;
    assert_eq!(refused.status, 503);
    let seconds = refused.retry_after();
    assert!(seconds >= 60, "{seconds}");
    let stopped = timeout(WAIT_MAX, server.stop()).await;
    stopped.expect("it waits for nothing").expect("it stops");
}

/// Appends an invalid record as a later owner.
async fn damage(journal: &dyn Journal, session: SessionId) {
    let found = journal.ownership(session).await.expect("reads");
    let found = found.expect("it was created");
    let owner = Incarnation(u64::MAX);
    let epoch = journal.claim(found.claim_for(owner)).await.expect("claims");
    let stored = journal.read(session, 0, usize::MAX).await.expect("reads");
    let head = stored.last().map_or(0, |batch| batch.last_seq);
    let batch = Batch {
        session,
        owner,
        epoch,
        first_seq: head + 1,
        last_seq: head + 1,
        at_ms: 0,
        events: b"no record".to_vec(),
        private: Vec::new(),
    };
    journal.append(batch).await.expect("appends");
}
