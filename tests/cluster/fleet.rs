//! A PostgreSQL server and nodes on it.

use testkit::app::{Session, TestApp};
use testkit::{Postgres, PostgresOptions, find_binary, migrate};

const SECRET: &str = "the shared secret of the nodes of this test";

/// Nodes that share a database and nothing else.
pub(crate) struct Fleet {
    pub(crate) nodes: Vec<TestApp>,
    settings: Vec<String>,
    _postgres: Postgres,
}

impl Fleet {
    pub(crate) async fn start(count: usize) -> Self {
        Self::start_with(count, &[]).await
    }

    /// Nodes with these settings added to the usual ones. Unless the settings change that, a session stays
    /// at the node where it was created until the node leaves or dies.
    pub(crate) async fn start_with(count: usize, settings: &[&str]) -> Self {
        let postgres = Postgres::start(&PostgresOptions::default()).await;
        let postgres = postgres.expect("PostgreSQL starts");
        let shared = vec![
            "cluster.rebalance_sessions_max=0".to_owned(),
            "journal.backend=postgres".to_owned(),
            format!("journal.postgres_url={}", postgres.url()),
            format!("cluster.secret={SECRET}"),
        ];
        let binary = find_binary("cluecast").expect("tests are built together with the server");
        let migrated = migrate(&binary, &shared).await;
        migrated.unwrap_or_else(|error| panic!("{error}"));
        let mut fleet = Self {
            nodes: Vec::new(),
            settings: shared,
            _postgres: postgres,
        };
        for _ in 0..count {
            fleet.add(settings).await;
        }
        fleet.nodes[0].upload_hunt().await;
        fleet
    }

    /// Starts a further node.
    pub(crate) async fn add(&mut self, settings: &[&str]) {
        let shared = self.settings.iter().map(String::as_str);
        let all: Vec<&str> = shared.chain(settings.iter().copied()).collect();
        self.nodes.push(TestApp::bare(&all).await);
    }

    /// A running session, created at a node, which then owns it.
    pub(crate) async fn session(&self, at: usize) -> Session {
        let session = self.nodes[0].via(&self.nodes[at]).create().await;
        session.order("start").await;
        session
    }
}
