//! Sessions that move to another node while their players play and clients read.

use std::time::Duration;

use futures_util::future::join_all;
use protocol::CloseCode;
use testkit::app::{ANSWER, Session, TestClient};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::fleet::Fleet;

const SESSIONS: usize = 8;
/// Timeout of every request and reconnect during a move. It is below the server's own limit, which a request
/// reaches if it waits for anything but the new owner.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
const ROUTE_WAIT: &str = "cluster.route_wait_ms_max=60000";
/// Interval between two requests of one reader.
const READ_EVERY: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_meet_a_move_are_answered_by_the_new_owner() {
    // These nodes have weight 0: all sessions move to a third node, once membership has been stable.
    let settings = [ROUTE_WAIT, "cluster.rebalance_sessions_max=2"];
    let unwilling = [settings[0], settings[1], "cluster.weight=0"];
    let mut fleet = Fleet::start_with(2, &unwilling).await;
    let sessions = join_all((0..SESSIONS).map(|_| fleet.session(0))).await;
    let players = sessions.iter().flat_map(|session| {
        let through = |node: usize| session.via(&fleet.nodes[node]);
        [first_solve(through(0), 0), first_solve(through(1), 1)]
    });
    let players = join_all(players).await;
    fleet.add(&settings).await;
    let (moved, is_moved) = watch::channel(false);
    let reading = sessions.iter().flat_map(|session| {
        let reader = |node: usize| read_until(session.via(&fleet.nodes[node]), is_moved.clone());
        [reader(0), reader(1), reader(2)]
    });
    let all_move = async {
        join_all(players.into_iter().map(play_through_a_move)).await;
        moved.send_replace(true);
    };
    let (answers, ()) = tokio::join!(join_all(reading), all_move);
    assert!(answers.iter().all(|answers| *answers > 0), "{answers:?}");
    for session in &sessions {
        let scores = session.via(&fleet.nodes[1]).scores().await;
        assert_eq!(scores.len(), 2, "{scores:?}");
        assert!(scores.iter().all(|(_, score)| *score == 2), "{scores:?}");
    }
}

/// A player through one node, who has solved a puzzle.
async fn first_solve(session: Session, node: usize) -> TestClient {
    let mut player = session.team(&format!("Through {node}")).await;
    player.guess("p0", ANSWER).await.expect_correct();
    player
}

/// Waits until the connection is closed because the session moves, then reconnects.
async fn play_through_a_move(mut player: TestClient) {
    player.expect_close(CloseCode::SessionRestarting).await;
    let back = timeout(ANSWERED_WITHIN, player.reconnect()).await;
    back.expect("the node finds the new owner");
    player.guess_as(1, "p0", ANSWER).await.expect_correct();
    player.guess_as(2, "p1", ANSWER).await.expect_correct();
    player.catch_up().await;
}

/// Reads a session's standings repeatedly; returns how often it got them.
async fn read_until(session: Session, mut is_over: watch::Receiver<bool>) -> usize {
    let mut answers = 0;
    while !*is_over.borrow_and_update() {
        let read = timeout(ANSWERED_WITHIN, session.get("/standings", "")).await;
        let read = read.unwrap_or_else(|_| panic!("no answer for {}", session.code));
        match read.status {
            200 => answers += 1,
            // It was in the owner's mailbox when that stopped.
            _ => read.expect_failure(503, "unavailable"),
        }
        sleep(READ_EVERY).await;
    }
    answers
}
