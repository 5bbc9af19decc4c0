//! Clients of a session whose owner is killed, hangs or leaves.

use std::time::Duration;

use protocol::rest::Joined;
use protocol::{CloseCode, Codec, Event, ServerMessage};
use testkit::app::{ANSWER, Session, TestClient, guess};
use tokio::time::timeout;

use crate::fleet::Fleet;

const OPEN: &str = "cluecast_sessions_open";
const CLAIMED: &str = "cluecast_cluster_sessions_claimed_total";
/// How long messages that a stopped node had sent may take to arrive.
const LAST_MESSAGES_WAIT: Duration = Duration::from_millis(200);

/// Two teams of a session that the first node owns: one plays through the owner, one through the
/// other node.
struct Two {
    fleet: Fleet,
    session: Session,
    near: TestClient,
    far: TestClient,
}

impl Two {
    async fn attach() -> Self {
        let fleet = Fleet::start_with(2, &["session.reopen_ms_max=0"]).await;
        let session = fleet.session(0).await;
        let far = session.via(&fleet.nodes[1]);
        Self {
            near: session.team("Near").await,
            far: far.team_with(Codec::Json, "Far").await,
            session,
            fleet,
        }
    }

    /// The session through a node.
    fn session(&self, node: usize) -> Session {
        self.session.via(&self.fleet.nodes[node])
    }

    async fn near_moves_over(&mut self) {
        self.near.reconnect_via(&self.fleet.nodes[1]).await;
    }
}

async fn solve(player: &mut TestClient, id: u64, puzzle: &str) {
    player.guess_as(id, puzzle, ANSWER).await.expect_correct();
}

fn scores<const N: usize>(scores: [(&str, u32); N]) -> Vec<(String, u32)> {
    scores.map(|(team, score)| (team.to_owned(), score)).into()
}

#[tokio::test]
async fn any_node_serves_any_client() {
    let mut two = Two::attach().await;
    solve(&mut two.far, 1, "p0").await;
    solve(&mut two.far, 2, "p1").await;
    solve(&mut two.near, 1, "p0").await;
    two.far.catch_up().await;
    two.near.catch_up().await;
    for node in [0, 1] {
        let seen = two.session(node).scores().await;
        assert_eq!(seen, scores([("Far", 2), ("Near", 1)]));
    }
    let other = two.fleet.session(1).await.via(&two.fleet.nodes[0]);
    other.join("Elsewhere").await;
    assert_eq!(other.scores().await.len(), 1);
    let relays = "cluecast_relays_open";
    two.fleet.nodes[1].until_metric(relays, |it| it >= 1).await;
}

#[tokio::test]
async fn an_address_has_one_limit_through_all_nodes() {
    let settings = [
        "limits.address_new_teams_per_minute=1",
        "limits.address_new_teams_burst=2",
    ];
    let fleet = Fleet::start_with(2, &settings).await;
    let near = fleet.session(0).await;
    let far = near.via(&fleet.nodes[1]);
    far.join("Far").await;
    near.join("Near").await;
    for session in [near, far] {
        let third = session.join_request(Some("Third"), None);
        let refused = session.send(&third).await;
        refused.expect_failure(429, "rate_limited");
    }
}

#[tokio::test]
async fn another_node_takes_over_the_sessions_of_a_killed_node() {
    let mut two = Two::attach().await;
    solve(&mut two.far, 1, "p0").await;
    two.fleet.nodes[0].kill().await;
    two.far.expect_close(CloseCode::SessionRestarting).await;
    two.far.reconnect().await;
    solve(&mut two.far, 1, "p0").await;
    solve(&mut two.far, 2, "p1").await;
    two.near_moves_over().await;
    solve(&mut two.near, 1, "p0").await;
    two.far.catch_up().await;
    let seen = two.session(1).scores().await;
    assert_eq!(seen, scores([("Far", 2), ("Near", 1)]));
}

#[tokio::test]
async fn a_finished_session_of_a_killed_node_is_claimed_by_the_next_request() {
    let mut two = Two::attach().await;
    solve(&mut two.near, 1, "p0").await;
    let live = two.fleet.session(0).await;
    two.session(1).order("finish").await;
    let finished = "cluecast_sessions_finished_total";
    two.session.until_metric(finished, |it| it >= 1).await;
    two.fleet.nodes[0].kill().await;

    let live = live.via(&two.fleet.nodes[1]);
    let session = two.session(1);
    assert_eq!(live.scores().await, []);
    live.until_metric(OPEN, |open| open >= 1).await;
    assert_eq!(live.metric(CLAIMED).await, 1);
    let seen = session.scores().await;
    assert_eq!(seen, scores([("Near", 1), ("Far", 0)]));
    assert_eq!(session.metric(CLAIMED).await, 2);
    two.near_moves_over().await;
}

#[tokio::test]
async fn an_idle_finished_session_is_released_until_the_next_request() {
    let fleet =
        Fleet::start_with(2, &["session.reopen_ms_max=0", "session.idle_ms_max=1000"]).await;
    let session = fleet.session(0).await;
    session.join("Owls").await;
    let other = session.via(&fleet.nodes[1]);
    other.order("finish").await;
    let retired = "cluecast_sessions_retired_total";
    session.until_metric(retired, |it| it >= 1).await;
    assert_eq!(session.metric(OPEN).await, 0);
    assert_eq!(other.scores().await, scores([("Owls", 0)]));
    assert_eq!(other.metric(OPEN).await, 1);
}

#[tokio::test]
async fn a_node_that_hangs_is_replaced_and_sends_nothing_stale_afterwards() {
    let mut two = Two::attach().await;
    solve(&mut two.near, 1, "p0").await;
    // The last state that the hanging node has: the session is paused and rejects guesses.
    two.session(0).order("pause").await;
    two.near
        .expect_update(|event| matches!(event, Event::SessionPaused { .. }))
        .await;
    let hanging = &two.fleet.nodes[0].server;
    hanging.pause().expect("it can be stopped");
    two.far.expect_close(CloseCode::SessionRestarting).await;
    two.far.reconnect().await;
    // Messages that it sent before it hung.
    while let Ok(message) = timeout(LAST_MESSAGES_WAIT, two.near.read()).await {
        message.expect("it is stopped");
    }
    two.session(1).order("resume").await;
    solve(&mut two.far, 1, "p0").await;
    two.near.send_as(2, guess("p1", ANSWER)).await;
    two.fleet.nodes[0].server.resume().expect("it goes on");
    let ended = loop {
        match two.near.read().await {
            // The session and everyone's stream have progressed: both messages would be stale.
            Ok(ServerMessage::Rejection(rejection)) => panic!("stale: {rejection:?}"),
            Ok(ServerMessage::Heads(frame)) => panic!("stale: {frame:?}"),
            Ok(_) => {}
            Err(ended) => break ended,
        }
    };
    ended.expect_code(CloseCode::SessionRestarting);
    two.near.reconnect().await;
    solve(&mut two.near, 2, "p1").await;
    let seen = two.session(0).scores().await;
    assert_eq!(seen, scores([("Near", 2), ("Far", 1)]));
    let evictions = "cluecast_cluster_evictions_suffered_total";
    two.session.until_metric(evictions, |it| it >= 1).await;
}

#[tokio::test]
async fn a_node_that_leaves_hands_its_sessions_off() {
    let mut two = Two::attach().await;
    solve(&mut two.near, 1, "p0").await;
    two.fleet.nodes[0].stop().await;
    two.near.ended().await;
    two.far.ended().await;
    two.far.reconnect().await;
    two.near_moves_over().await;
    solve(&mut two.near, 1, "p0").await;
    solve(&mut two.far, 1, "p0").await;
    let session = two.session(1);
    session.until_metric(CLAIMED, |claimed| claimed >= 1).await;
    let mut seen = session.scores().await;
    seen.sort();
    assert_eq!(seen, scores([("Far", 1), ("Near", 1)]));
}

#[tokio::test]
async fn a_repeated_request_creates_nothing_at_another_node() {
    let mut two = Two::attach().await;
    let join = |session: &Session| {
        let request = session.join_request(Some("Third"), None);
        request.header("idempotency-key", "kQ3x9ZpT7mW2vB5nR8cY1d")
    };
    let far = two.session(1);
    let first: Joined = far.send(&join(&far)).await.read(201);
    two.fleet.nodes[0].kill().await;
    two.far.expect_close(CloseCode::SessionRestarting).await;
    // While the session moves, the outcome of a request can be unknown: the same request is sent again.
    let again: Joined = loop {
        let response = far.send(&join(&far)).await;
        if response.status != 503 {
            break response.read(201);
        }
    };
    let ids = |joined: &Joined| {
        let Joined {
            team,
            player,
            device,
            ..
        } = joined.clone();
        (team, player, device)
    };
    assert_eq!(ids(&again), ids(&first));
    far.attach(&again.token).await;
    assert_eq!(far.scores().await.len(), 3);
}
