//! What a node says whose validity is over: nothing that is not in the journal.
//!
//! Two nodes within this process share a journal, from which one of them can be cut off. It still runs
//! then, and hears its clients; the other takes its session.

use std::sync::Arc;
use std::time::Duration;

use cluecast::cli::Server;
use cluecast::config::{Config, Layers};
use cluecast::journal::MemoryJournal;
use cluecast::session::InjectedFault;
use protocol::rest::{Joined, SessionCreated};
use protocol::{CloseCode, Codec, Cursor, ServerMessage};
use testkit::{Rest, TempDir, admin_token, temporary_folder};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::device::Device;
use crate::fleet::{create_session, found_team, give_order, upload_hunt};
use crate::fragile::Fragile;
use crate::stage::{Stage, WAIT_MAX};
use crate::wire::Ended;

const ANSWER: &str = "SOLVED";
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Several times as long as a node takes to tell heads, or to answer.
const WORDS_WAIT: Duration = Duration::from_millis(500);
/// Words that are read of a node that does not fall silent.
const WORDS_MAX: usize = 20;

const SETTINGS: [&str; 4] = [
    "server.listen=127.0.0.1:0",
    "delivery.heads_every_ms=100",
    "cluster.rebalance_sessions_max=0",
    // Clients have time to be attached before it is over, and do not wait for long.
    "cluster.lease_ms=1000",
];

/// A session at the first of two nodes, and a player who is attached there.
struct Cut {
    journal: Fragile,
    old: Server,
    new: Server,
    session: SessionCreated,
    joined: Joined,
    device: Device,
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
        let hunt = upload_hunt(&rest(&old), &admin).await;
        let session = create_session(&rest(&old), &admin, &hunt).await;
        let joined = found_team(&rest(&old), &session.session, "Near").await;
        let mut device = Device::new(Codec::MessagePack, &joined.token);
        device.connect(&stage(&old, &session)).await;
        Self {
            journal,
            old,
            new,
            session,
            joined,
            device,
            _folder: folder,
        }
    }

    async fn stop(self) {
        self.journal.is_reached.send_replace(true);
        self.old.stop().await.expect("it stops");
        self.new.stop().await.expect("it stops");
    }
}

fn rest(server: &Server) -> Rest {
    let rest = Rest::new(&format!("http://{}", server.address()), WAIT_MAX);
    rest.expect("it is an address")
}

fn stage(server: &Server, session: &SessionCreated) -> Stage {
    Stage {
        address: server.address(),
        session: session.session.clone(),
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(LOOK_EVERY).await;
        }
    };
    let waited = timeout(WAIT_MAX, waiting).await;
    waited.unwrap_or_else(|_| panic!("{what} does not come about"));
}

/// What a node that is cut off says to a player after another has taken the session, which goes on there
/// and is paused here: heads that are behind, and a refusal.
async fn stale_words(fault: InjectedFault) -> Vec<String> {
    let mut cut = Cut::attached(fault).await;
    give_order(&rest(&cut.old), &cut.session, "pause").await;
    cut.device.read_until_heads().await;
    cut.journal.is_reached.send_replace(false);
    let sessions = cut.new.gateway().sessions();
    let is_taken = || sessions.runs_here(&cut.session.session);
    until("the takeover", is_taken).await;
    give_order(&rest(&cut.new), &cut.session, "resume").await;
    let mut elsewhere = Device::new(Codec::MessagePack, &cut.joined.token);
    elsewhere.connect(&stage(&cut.new, &cut.session)).await;
    let newest = elsewhere.cursor.expect("it is attached");
    let mut heard = Heard::default();
    // What was said before comes first, and is right.
    heard.words(&mut cut.device, newest).await;
    heard.stale.clear();
    if heard.ended.is_none() {
        cut.device.send_guess(1, "p0", ANSWER).await;
        heard.words(&mut cut.device, newest).await;
    }
    cut.journal.is_reached.send_replace(true);
    while heard.ended.is_none() {
        heard.words(&mut cut.device, newest).await;
    }
    let ended = heard.ended.and_then(|ended| ended.code());
    let restarting = Some(CloseCode::SessionRestarting.number());
    assert_eq!(ended, restarting, "it learns that it was replaced");
    cut.stop().await;
    heard.stale
}

/// What a node says that may have been replaced.
#[derive(Default)]
struct Heard {
    stale: Vec<String>,
    ended: Option<Ended>,
}

impl Heard {
    /// Reads until the node is silent, or ends the connection: it may do so as soon as its validity is over.
    async fn words(&mut self, device: &mut Device, newest: Cursor) {
        for _ in 0..WORDS_MAX {
            match timeout(WORDS_WAIT, device.read()).await {
                Ok(Ok(said)) => self.stale.extend(judge(&said, newest)),
                Ok(Err(ended)) => {
                    self.ended = Some(ended);
                    return;
                }
                Err(_silent) => return,
            }
        }
    }
}

fn judge(said: &ServerMessage, newest: Cursor) -> Option<String> {
    match said {
        ServerMessage::Heads(frame) if frame.heads.everyone < newest.everyone => {
            Some(format!("{frame:?}"))
        }
        ServerMessage::Rejection(rejection) => Some(format!("{rejection:?}")),
        _ => None,
    }
}

#[tokio::test]
async fn a_node_that_is_cut_off_says_nothing_stale() {
    let stale = stale_words(InjectedFault::None).await;
    assert!(stale.is_empty(), "{stale:#?}");
}

#[tokio::test]
async fn a_node_that_speaks_without_validity_is_noticed() {
    let stale = stale_words(InjectedFault::SpeaksWithoutLease).await;
    let of = |kind: &str| stale.iter().any(|word| word.starts_with(kind));
    assert!(of("HeadsFrame") && of("Rejection"), "{stale:#?}");
}

/// A receipt is true whoever owns the session by then, and passes the gate; but what waits with it for a
/// socket may not be.
#[tokio::test]
async fn a_connection_is_ended_rather_than_written_to_after_the_validity() {
    let mut cut = Cut::attached(InjectedFault::None).await;
    cut.journal.appends_answered.send_replace(false);
    let before = *cut.journal.appends.borrow();
    cut.device.send_guess(1, "p0", ANSWER).await;
    reaches(&cut.journal.appends, before + 1).await;
    cut.journal.is_reached.send_replace(false);
    let validity = cut.old.gateway().sessions().lease();
    until("the end of the validity", || !validity.holds()).await;
    cut.journal.appends_answered.send_replace(true);
    let restarting = Some(CloseCode::SessionRestarting.number());
    loop {
        match cut.device.read().await {
            Ok(ServerMessage::Receipt(receipt)) => panic!("{receipt:?}"),
            Ok(_) => {}
            Err(ended) => {
                assert_eq!(ended.code(), restarting, "{ended:?}");
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
