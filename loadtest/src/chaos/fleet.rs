//! The nodes of the run: started, killed, paused, and started again when they end by themselves.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::select_all;
use testkit::ServerError;
use tokio::time::sleep;

use crate::idle::Memory;
use crate::managed_server::{ManagedServer, ManagedServerError, ManagedServerOptions};

/// What an operator's supervisor waits before it starts a node that has ended by itself.
const RESTART_AFTER: Duration = Duration::from_millis(300);

/// The nodes.
#[derive(Debug)]
pub(super) struct Fleet {
    nodes: Vec<Node>,
    /// How often a node ended by itself.
    pub(super) exits: u64,
    /// Why the first one did.
    pub(super) first_exit: Option<String>,
}

#[derive(Debug)]
struct Node {
    server: ManagedServer,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// Killed on purpose, and not to be started yet.
    Killed,
    Paused,
    /// Ended by itself.
    Exited,
}

impl Fleet {
    /// Starts a node for each of these.
    pub(super) async fn start(
        nodes: Vec<ManagedServerOptions>,
    ) -> Result<Self, ManagedServerError> {
        let mut started = Vec::new();
        for options in nodes {
            started.push(Node {
                server: ManagedServer::start(options).await?,
                state: State::Up,
            });
        }
        Ok(Self {
            nodes: started,
            exits: 0,
            first_exit: None,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The host and port of each.
    pub(super) fn authorities(&self) -> Vec<String> {
        let nodes = self.nodes.iter();
        nodes
            .map(|node| node.server.authority().to_owned())
            .collect()
    }

    pub(super) fn server(&self, node: usize) -> &ManagedServer {
        &self.nodes[node].server
    }

    pub(super) async fn kill(&mut self, node: usize) -> Result<(), ServerError> {
        self.nodes[node].state = State::Killed;
        self.nodes[node].server.kill().await
    }

    pub(super) async fn restart(&mut self, node: usize) -> Result<(), ServerError> {
        self.nodes[node].server.restart().await?;
        self.nodes[node].state = State::Up;
        Ok(())
    }

    pub(super) fn pause(&mut self, node: usize) -> Result<(), ServerError> {
        self.nodes[node].state = State::Paused;
        self.nodes[node].server.pause()
    }

    pub(super) fn resume(&mut self, node: usize) -> Result<(), ServerError> {
        self.nodes[node].state = State::Up;
        self.nodes[node].server.resume()
    }

    /// Starts every node again that has ended by itself, for as long as it is awaited. It may be
    /// dropped at any time: a node whose start was under way is started anew by the next call.
    pub(super) async fn restart_exits(&mut self) -> Infallible {
        loop {
            match self.exited_node() {
                Some(node) => self.restart_exited(node).await,
                None => self.wait_for_exit().await,
            }
        }
    }

    /// Waits until no node is down that should be up.
    pub(super) async fn all_up(&mut self) {
        while let Some(node) = self.exited_node() {
            self.restart_exited(node).await;
        }
    }

    /// The resident memory of each node that runs.
    pub(super) fn resident_bytes(&self) -> Vec<Option<u64>> {
        let resident = |node: &Node| {
            let process = node.server.id()?;
            Memory::read(process).ok().map(|memory| memory.resident)
        };
        let nodes = self.nodes.iter();
        nodes.map(resident).collect()
    }

    /// Stops every node cleanly.
    pub(super) async fn stop(&mut self) -> Result<(), ServerError> {
        for node in &mut self.nodes {
            if node.state == State::Up {
                node.server.stop().await?;
            }
        }
        Ok(())
    }

    fn exited_node(&self) -> Option<usize> {
        let mut nodes = self.nodes.iter();
        nodes.position(|node| node.state == State::Exited)
    }

    /// Tries to start it once. While its store is down it cannot, and the next try comes in a moment.
    async fn restart_exited(&mut self, node: usize) {
        sleep(RESTART_AFTER).await;
        if self.nodes[node].server.restart().await.is_ok() {
            self.nodes[node].state = State::Up;
        }
    }

    /// Waits until a node that is up ends.
    async fn wait_for_exit(&mut self) {
        let up = self.nodes.iter_mut().enumerate();
        let up = up.filter(|(_, node)| node.state == State::Up);
        let exits: Vec<_> = up
            .map(|(index, node)| Box::pin(async move { (index, node.server.exited().await) }))
            .collect();
        if exits.is_empty() {
            return std::future::pending().await;
        }
        let ((index, error), _, _) = select_all(exits).await;
        self.nodes[index].state = State::Exited;
        self.exits += 1;
        self.first_exit.get_or_insert_with(|| error.to_string());
    }
}
