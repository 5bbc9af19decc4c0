//! Clients of a node while a session's owner goes.

use std::time::Duration;

use protocol::rest::{FailureCode, SessionCreated};
use protocol::{CloseCode, Codec, Event, ServerMessage, Verdict};
use tokio::time::timeout;

use crate::device::Device;
use crate::fleet::{Fleet, try_to_found_team};
use crate::stage::WAIT_MAX;

const ANSWER: &str = "SOLVED";
/// How long what a stopped node had said may take to arrive.
const LAST_WORDS_WAIT: Duration = Duration::from_millis(200);

/// Two teams of a session that the first node owns: one plays by way of the owner, one by way of the
/// other node.
struct Two {
    fleet: Fleet,
    session: String,
    created: SessionCreated,
    near: Device,
    far: Device,
}

impl Two {
    async fn attached() -> Self {
        let fleet = Fleet::start(2).await;
        let created = fleet.created(0).await;
        let session = created.session.clone();
        let near = fleet.join(0, &session, "Near").await;
        let far = fleet.join(1, &session, "Far").await;
        let mut two = Self {
            near: Device::new(Codec::MessagePack, &near.token),
            far: Device::new(Codec::Json, &far.token),
            fleet,
            session,
            created,
        };
        two.near.connect(&two.fleet.stage(0, &two.session)).await;
        two.far.connect(&two.fleet.stage(1, &two.session)).await;
        two
    }

    async fn far_comes_back(&mut self) {
        self.far.connect(&self.fleet.stage(1, &self.session)).await;
    }
}

async fn solve(device: &mut Device, id: u64, puzzle: &str) {
    let receipt = device.guess(id, puzzle, ANSWER).await;
    let receipt = receipt.unwrap_or_else(|rejection| panic!("{rejection:?}"));
    assert_eq!(receipt.verdict, Some(Verdict::Correct));
}

#[tokio::test]
async fn any_node_takes_any_client() {
    let mut two = Two::attached().await;
    for (id, puzzle) in [(1, "p0"), (2, "p1")] {
        solve(&mut two.far, id, puzzle).await;
    }
    solve(&mut two.near, 1, "p0").await;
    two.far.read_until_heads().await;
    two.near.read_until_heads().await;
    let scores = [("Far".to_owned(), 2), ("Near".to_owned(), 1)];
    for node in [0, 1] {
        assert_eq!(two.fleet.scores(node, &two.session).await, scores);
    }
    let ours = two.fleet.session(1).await;
    two.fleet.join(0, &ours, "Elsewhere").await;
    assert_eq!(two.fleet.scores(0, &ours).await.len(), 1);
    two.fleet
        .until_metric(1, "cluecast_relays_open ", 1.0)
        .await;
}

#[tokio::test]
async fn what_an_address_may_do_is_counted_for_it_through_any_node() {
    let settings = [
        "limits.address_new_teams_per_minute=1",
        "limits.address_new_teams_burst=2",
    ];
    let fleet = Fleet::start_with(2, &settings).await;
    let session = fleet.session(0).await;
    fleet.join(1, &session, "Far").await;
    fleet.join(0, &session, "Near").await;
    for by in [0, 1] {
        let refused = try_to_found_team(&fleet.rest(by), &session, "Third").await;
        let code = refused.err().and_then(|error| error.code());
        assert_eq!(code, Some(FailureCode::RateLimited), "by way of {by}");
    }
}

#[tokio::test]
async fn the_sessions_of_a_killed_node_go_on_at_another() {
    let mut two = Two::attached().await;
    solve(&mut two.far, 1, "p0").await;
    two.fleet.nodes[0].kill().await.expect("it can be killed");
    assert_eq!(
        two.far.ended().await.code(),
        Some(CloseCode::SessionRestarting.number()),
        "it is told to come back"
    );
    two.far_comes_back().await;
    solve(&mut two.far, 1, "p0").await;
    solve(&mut two.far, 2, "p1").await;
    two.near.connect(&two.fleet.stage(1, &two.session)).await;
    solve(&mut two.near, 1, "p0").await;
    two.far.read_until_heads().await;
    let scores = [("Far".to_owned(), 2), ("Near".to_owned(), 1)];
    assert_eq!(two.fleet.scores(1, &two.session).await, scores);
}

#[tokio::test]
async fn a_finished_session_of_a_killed_node_waits_until_somebody_asks_for_it() {
    let mut two = Two::attached().await;
    solve(&mut two.near, 1, "p0").await;
    let live = two.fleet.session(0).await;
    two.fleet.finish(1, &two.session).await;
    let finished = "cluecast_sessions_finished_total ";
    two.fleet.until_metric(0, finished, 1.0).await;
    two.fleet.nodes[0].kill().await.expect("it can be killed");

    let open = "cluecast_sessions_open ";
    let taken = "cluecast_cluster_sessions_claimed_total ";
    assert_eq!(two.fleet.scores(1, &live).await, []);
    two.fleet.until_metric(1, open, 1.0).await;
    assert_eq!(two.fleet.metric(1, taken).await, Some(1.0));
    let scores = [("Near".to_owned(), 1), ("Far".to_owned(), 0)];
    assert_eq!(two.fleet.scores(1, &two.session).await, scores);
    assert_eq!(two.fleet.metric(1, taken).await, Some(2.0));
    two.near.connect(&two.fleet.stage(1, &two.session)).await;
}

#[tokio::test]
async fn a_finished_session_that_nobody_uses_is_left_to_nobody_until_somebody_asks() {
    let fleet = Fleet::start_with(2, &["session.idle_ms_max=1000"]).await;
    let session = fleet.session(0).await;
    fleet.join(0, &session, "Owls").await;
    fleet.finish(1, &session).await;
    let retired = "cluecast_sessions_retired_total ";
    fleet.until_metric(0, retired, 1.0).await;
    let open = "cluecast_sessions_open ";
    assert_eq!(fleet.metric(0, open).await, Some(0.0));
    let asked_by = 1;
    let scores = [("Owls".to_owned(), 0)];
    assert_eq!(fleet.scores(asked_by, &session).await, scores);
    assert_eq!(fleet.metric(asked_by, open).await, Some(1.0));
}

#[tokio::test]
async fn a_node_that_hangs_is_replaced_and_says_nothing_stale_afterwards() {
    let mut two = Two::attached().await;
    solve(&mut two.near, 1, "p0").await;
    // What the node that hangs will know last: the session is paused, and refuses guesses.
    two.fleet.order(0, &two.created, "pause").await;
    let said_paused = |message: &ServerMessage| match message {
        ServerMessage::Update(update) => update.event == Event::SessionPaused,
        _ => false,
    };
    two.near.read_until(said_paused).await;
    two.fleet.nodes[0].pause().expect("it can be stopped");
    assert_eq!(
        two.far.ended().await.code(),
        Some(CloseCode::SessionRestarting.number()),
        "it is told to come back"
    );
    two.far_comes_back().await;
    // What it had said before.
    while let Ok(said) = timeout(LAST_WORDS_WAIT, two.near.read()).await {
        said.expect("it is stopped");
    }
    two.fleet.order(1, &two.created, "resume").await;
    solve(&mut two.far, 1, "p0").await;
    two.near.send_guess(2, "p1", ANSWER).await;
    two.fleet.nodes[0].resume().expect("it goes on");
    let ended = loop {
        match two.near.read().await {
            // The session goes on, and everyone's stream too: both would be of the old state.
            Ok(ServerMessage::Rejection(rejection)) => panic!("it refused: {rejection:?}"),
            Ok(ServerMessage::Heads(frame)) => panic!("it told heads: {frame:?}"),
            Ok(_) => {}
            Err(ended) => break ended,
        }
    };
    assert_eq!(
        ended.code(),
        Some(CloseCode::SessionRestarting.number()),
        "{ended:?}"
    );
    two.near.connect(&two.fleet.stage(0, &two.session)).await;
    solve(&mut two.near, 2, "p1").await;
    let scores = [("Near".to_owned(), 2), ("Far".to_owned(), 1)];
    assert_eq!(two.fleet.scores(0, &two.session).await, scores);
    let forgotten = "cluecast_cluster_evictions_suffered_total ";
    two.fleet.until_metric(0, forgotten, 1.0).await;
}

#[tokio::test]
async fn a_node_that_leaves_gives_its_sessions_away() {
    let mut two = Two::attached().await;
    solve(&mut two.near, 1, "p0").await;
    let status = two.fleet.nodes[0].terminate(WAIT_MAX).await;
    assert!(status.expect("it stops").success());
    two.near.ended().await;
    two.far.ended().await;
    two.far_comes_back().await;
    two.near.connect(&two.fleet.stage(1, &two.session)).await;
    solve(&mut two.near, 1, "p0").await;
    solve(&mut two.far, 1, "p0").await;
    let taken = "cluecast_cluster_sessions_claimed_total ";
    two.fleet.until_metric(1, taken, 1.0).await;
    let scores = two.fleet.scores(1, &two.session).await;
    assert_eq!(scores.len(), 2);
    assert!(scores.iter().all(|(_, score)| *score == 1), "{scores:?}");
}
