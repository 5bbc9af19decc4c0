//! A node whose lease has expired sends nothing that is not in the journal.
//!
//! Two nodes within this process share a journal, and one of them can be disconnected from it. That node
//! keeps running and reads from its clients; the other node claims its session.

use std::sync::Arc;
use std::time::Duration;

use cluecast::cli::Server;
use cluecast::config::{Config, Layers};
use cluecast::journal::MemoryJournal;
use cluecast::session::InjectedFault;
use protocol::{CloseCode, Cursor, ServerMessage};
use testkit::app::{ANSWER, Ended, Session, TestClient, WAIT_MAX, guess};
use testkit::{TempDir, admin_token, temporary_folder};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::fragile::Fragile;

const POLL_EVERY: Duration = Duration::from_millis(10);
/// Several times the period of heads, and the time of an answer.
const MESSAGE_WAIT: Duration = Duration::from_millis(500);
/// Maximum number of messages read from a node that does not fall silent.
const MESSAGES_MAX: usize = 20;

const SETTINGS: [&str; 4] = [
    "server.listen=127.0.0.1:0",
    "delivery.heads_every_ms=100",
    "cluster.rebalance_sessions_max=0",
    // Long enough for clients to attach, and short to wait for.
    "cluster.lease_ms=1000",
];

/// A session at the first of two nodes, and a player who is attached there.
struct Cut {
    journal: Fragile,
    old: Server,
    new: Server,
    session: Session,
    player: TestClient,
    _folder: TempDir,
}

impl Cut {
    async fn attached(fault: InjectedFault) -> Self {
        let folder = temporary_folder().expect("a temporary folder can be made");
        let mut layers = Layers::built_in();
        for setting in SETTINGS {
            layers.add_flag(setting);
        }
        layers.add_flag(&format!("server.data_dir={}", folder.path().display()));
        let config = Config::read(layers).expect("the settings are good");
        let admin = admin_token(env!("CARGO_BIN_EXE_cluecast").as_ref(), folder.path()).await;
        let admin = admin.expect("the key can be made");
        let shared = MemoryJournal::new();
        let journal = Fragile::on(shared.clone());
        let old = Server::start_node_with_fault(&config, Arc::new(journal.clone()), fault).await;
        let old = old.expect("it starts");
        let new = Server::start_node(&config, Arc::new(shared)).await;
        let new = new.expect("it starts");
        let mut server = Session::none(old.address(), &admin);
        server.upload_hunt().await;
        let session = server.create().await;
        session.order("start").await;
        Self {
            player: session.team("Near").await,
            journal,
            old,
            new,
            session,
            _folder: folder,
        }
    }

    async fn stop(self) {
        self.journal.is_reached.send_replace(true);
        self.old.stop().await.expect("it stops");
        self.new.stop().await.expect("it stops");
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(POLL_EVERY).await;
        }
    };
    let waited = timeout(WAIT_MAX, waiting).await;
    waited.unwrap_or_else(|_| panic!("{what} does not come about"));
}

/// Returns the stale messages that a disconnected node sends to a player after another node has claimed the
/// session: heads that are behind, and a rejection. The session continues at the new owner; in the old
/// owner's state it is paused.
async fn stale_messages(fault: InjectedFault) -> Vec<String> {
    let mut cut = Cut::attached(fault).await;
    cut.session.order("pause").await;
    cut.player.catch_up().await;
    cut.journal.is_reached.send_replace(false);
    let sessions = cut.new.gateway().sessions();
    let is_claimed = || sessions.runs_here(&cut.session.code);
    until("the claim", is_claimed).await;
    let new = Session::none(cut.new.address(), "");
    let session = cut.session.via(&new);
    session.order("resume").await;
    let token = cut.player.token.clone().expect("players have one");
    let newest = session.attach(&token).await.cursor;
    let mut received = Received::default();
    // Messages sent before the claim come first and are correct.
    received.read(&mut cut.player, newest).await;
    received.stale.clear();
    if received.ended.is_none() {
        cut.player.send(guess("p0", ANSWER)).await;
        received.read(&mut cut.player, newest).await;
    }
    cut.journal.is_reached.send_replace(true);
    while received.ended.is_none() {
        received.read(&mut cut.player, newest).await;
    }
    // The node has learned that it was replaced.
    let ended = received.ended.expect("it was just looked at");
    ended.expect_code(CloseCode::SessionRestarting);
    cut.stop().await;
    received.stale
}

/// Messages of a node that may have been replaced.
#[derive(Default)]
struct Received {
    stale: Vec<String>,
    ended: Option<Ended>,
}

impl Received {
    /// Reads until the node is silent or ends the connection, as it may once its lease has expired.
    async fn read(&mut self, player: &mut TestClient, newest: Cursor) {
        for _ in 0..MESSAGES_MAX {
            match timeout(MESSAGE_WAIT, player.read()).await {
                Ok(Ok(message)) => self.stale.extend(stale(&message, newest)),
                Ok(Err(ended)) => {
                    self.ended = Some(ended);
                    return;
                }
                Err(_silent) => return,
            }
        }
    }
}

fn stale(message: &ServerMessage, newest: Cursor) -> Option<String> {
    match message {
        ServerMessage::Heads(frame) if frame.heads.everyone < newest.everyone => {
            Some(format!("{frame:?}"))
        }
        ServerMessage::Rejection(rejection) => Some(format!("{rejection:?}")),
        _ => None,
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_sends_nothing_stale() {
    let stale = stale_messages(InjectedFault::None).await;
    assert!(stale.is_empty(), "{stale:#?}");
}

#[tokio::test]
async fn a_node_that_ignores_its_lease_is_detected() {
    let stale = stale_messages(InjectedFault::SpeaksWithoutLease).await;
    let of = |kind: &str| stale.iter().any(|message| message.starts_with(kind));
    assert!(of("HeadsFrame") && of("Rejection"), "{stale:#?}");
}

/// A receipt stays correct whichever node owns the session, so the gate releases it. But other messages may wait
/// for the socket with it, so the connection is closed after the lease.
#[tokio::test]
async fn a_connection_is_closed_rather_than_written_to_after_the_lease() {
    let mut cut = Cut::attached(InjectedFault::None).await;
    cut.journal.appends_answered.send_replace(false);
    let before = *cut.journal.appends.borrow();
    cut.player.send(guess("p0", ANSWER)).await;
    reaches(&cut.journal.appends, before + 1).await;
    cut.journal.is_reached.send_replace(false);
    let lease = cut.old.gateway().sessions().lease();
    until("the expiry of the lease", || !lease.is_held()).await;
    cut.journal.appends_answered.send_replace(true);
    loop {
        match cut.player.read().await {
            Ok(ServerMessage::Receipt(receipt)) => panic!("{receipt:?}"),
            Ok(_) => {}
            Err(ended) => {
                ended.expect_code(CloseCode::SessionRestarting);
                break;
            }
        }
    }
    cut.stop().await;
}

async fn reaches(count: &watch::Sender<u64>, least: u64) {
    let mut count = count.subscribe();
    let reached = timeout(WAIT_MAX, count.wait_for(|count| *count >= least)).await;
    let reached = reached.unwrap_or_else(|_| panic!("it does not reach {least}"));
    drop(reached.expect("the sender is borrowed"));
}
