//! The nodes of the run: starts, kills, pauses and restarts them.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::select_all;
use testkit::ServerError;
use tokio::time::sleep;

use crate::idle::Memory;
use crate::managed_server::{ManagedServer, ManagedServerError, ManagedServerOptions};

/// Delay before a node that exited unexpectedly is restarted, as by a supervisor.
const RESTART_AFTER: Duration = Duration::from_millis(300);

/// Nodes of the run.
#[derive(Debug)]
pub(super) struct Fleet {
    nodes: Vec<Node>,
    /// Number of unexpected exits.
    pub(super) exits: u64,
    /// Error of the first of them.
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
    /// Killed by the injector and not restarted yet.
    Killed,
    Paused,
    /// Exited unexpectedly.
    Exited,
}

impl Fleet {
    /// Starts one node for each entry.
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

    /// Host and port of each node.
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

    /// Restarts nodes that exit unexpectedly, for as long as it is awaited. Cancellation-safe: an
    /// interrupted restart is repeated by the next call.
    pub(super) async fn restart_exits(&mut self) -> Infallible {
        loop {
            match self.exited_node() {
                Some(node) => self.restart_exited(node).await,
                None => self.wait_for_exit().await,
            }
        }
    }

    /// Waits until every node that should run is up.
    pub(super) async fn all_up(&mut self) {
        while let Some(node) = self.exited_node() {
            self.restart_exited(node).await;
        }
    }

    /// Resident memory of each running node.
    pub(super) fn resident_bytes(&self) -> Vec<Option<u64>> {
        let resident = |node: &Node| {
            let process = node.server.id()?;
            Memory::read(process).ok().map(|memory| memory.resident)
        };
        let nodes = self.nodes.iter();
        nodes.map(resident).collect()
    }

    /// Shuts down every running node gracefully.
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

    /// Tries to restart a node once. The attempt fails while its store is down and is repeated later.
    async fn restart_exited(&mut self, node: usize) {
        sleep(RESTART_AFTER).await;
        if self.nodes[node].server.restart().await.is_ok() {
            self.nodes[node].state = State::Up;
        }
    }

    /// Waits until a running node exits.
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
