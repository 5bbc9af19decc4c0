//! A node in which a critical loop has failed: it ends, so that other nodes can claim its sessions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use cluecast::cli::{Server, ServerError};
use cluecast::config::{Config, Layers};
use cluecast::ids::{Epoch, Incarnation, Ownership, SessionId};
use cluecast::journal::{Catalogue, Ledger, MemoryJournal, SessionRecord};
use testkit::app::WAIT_MAX;
use testkit::temporary_folder;
use tokio::time::timeout;

use crate::fragile::Fragile;

#[tokio::test]
async fn a_node_whose_scan_has_failed_reports_itself_lost() {
    let folder = temporary_folder().expect("a temporary folder can be made");
    let mut layers = Layers::built_in();
    layers.add_flag("server.listen=127.0.0.1:0");
    layers.add_flag(&format!("server.data_dir={}", folder.path().display()));
    let config = Config::read(layers).expect("the settings are good");
    let shared = MemoryJournal::new();
    let journal = Fragile::on(shared.clone());
    let server = Server::start_node(&config, Arc::new(journal.clone())).await;
    let server = server.expect("it starts");
    // Claims panic; the next scan finds the session of a dead node.
    journal.panics.store(true, Ordering::SeqCst);
    journal.broken.store(true, Ordering::SeqCst);
    orphan(&shared).await;
    let lost = timeout(WAIT_MAX, server.lost()).await;
    let lost = lost.expect("it is noticed");
    assert!(
        matches!(lost, ServerError::TaskEnded("scan of sessions")),
        "{lost}"
    );
    server.stop().await.expect("it stops");
}

/// A session of an unknown node.
async fn orphan(journal: &MemoryJournal) {
    let session = SessionId::new(1);
    let record = SessionRecord {
        id: session,
        code: "KITE42".to_owned(),
        hunt_revision: "any".to_owned(),
        created_at_ms: 1,
    };
    let stored = journal.put_hunt(record.hunt_revision.clone(), Vec::new());
    stored.await.expect("stores");
    journal.create_session(record).await.expect("creates");
    let unowned = Ownership {
        session,
        owner: None,
        epoch: Epoch(0),
    };
    let claim = unowned.claim_for(Incarnation(9));
    journal.claim(claim).await.expect("it has no owner");
}
