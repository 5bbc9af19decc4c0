//! Sessions that move while their players play and ask.

use std::time::Duration;

use futures_util::future::join_all;
use protocol::rest::{FailureCode, Standings};
use protocol::{CloseCode, Codec, Verdict};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::device::Device;
use crate::fleet::Fleet;
use crate::stage::Stage;

const ANSWER: &str = "SOLVED";
const SESSIONS: usize = 8;
/// Whoever meets a move goes on within this. Requests may wait for longer: who waits for anything but the
/// new owner does so until then.
const GOES_ON_WITHIN: Duration = Duration::from_secs(20);
const ROUTE_WAIT: &str = "cluster.route_wait_ms_max=60000";
/// Between two requests of one asker.
const ASK_EVERY: Duration = Duration::from_millis(5);

#[tokio::test(flavor = "multi_thread")]
async fn who_meets_a_move_is_answered_by_the_new_owner() {
    // These want no sessions; all of them move to a third that does, once it has been there for a while.
    let settings = [ROUTE_WAIT, "cluster.rebalance_sessions_max=2"];
    let unwilling = [settings[0], settings[1], "cluster.weight=0"];
    let mut fleet = Fleet::start_with(2, &unwilling).await;
    let sessions = join_all((0..SESSIONS).map(|_| fleet.session(0))).await;
    let players = sessions
        .iter()
        .flat_map(|session| [0, 1].map(|node| (node, session)));
    let seated = players.map(|(node, session)| Player::seated(&fleet, node, session));
    let players = join_all(seated).await;
    fleet.add(&settings).await;
    let (moved, is_moved) = watch::channel(false);
    let asking = sessions.iter().flat_map(|session| {
        let asker = |node| ask_until(&fleet, node, session, is_moved.clone());
        [asker(0), asker(1), asker(2)]
    });
    let all_move = async {
        join_all(players.into_iter().map(Player::plays_through_a_move)).await;
        moved.send_replace(true);
    };
    let (answers, ()) = tokio::join!(join_all(asking), all_move);
    assert!(answers.iter().all(|answers| *answers > 0), "{answers:?}");
    for session in &sessions {
        let scores = fleet.scores(1, session).await;
        assert_eq!(scores.len(), 2, "{scores:?}");
        assert!(scores.iter().all(|(_, score)| *score == 2), "{scores:?}");
    }
}

/// A player by way of one node.
struct Player {
    node: usize,
    stage: Stage,
    device: Device,
}

impl Player {
    async fn seated(fleet: &Fleet, node: usize, session: &str) -> Self {
        let joined = fleet.join(node, session, &format!("By {node}")).await;
        let mut player = Self {
            node,
            stage: fleet.stage(node, session),
            device: Device::new(Codec::MessagePack, &joined.token),
        };
        player.device.connect(&player.stage).await;
        solve(&mut player.device, 1, "p0").await;
        player
    }

    /// Is told that the session moves, comes back, and goes on.
    async fn plays_through_a_move(self) {
        let Self {
            node,
            stage,
            mut device,
        } = self;
        let ended = device.ended().await;
        let moved = Some(CloseCode::SessionRestarting.number());
        assert_eq!(ended.code(), moved, "{ended:?}");
        let back = timeout(GOES_ON_WITHIN, device.connect(&stage)).await;
        back.unwrap_or_else(|_| panic!("node {node} finds no way to {}", stage.session));
        solve(&mut device, 1, "p0").await;
        solve(&mut device, 2, "p1").await;
        device.read_until_heads().await;
    }
}

async fn solve(device: &mut Device, id: u64, puzzle: &str) {
    let receipt = device.guess(id, puzzle, ANSWER).await;
    let receipt = receipt.unwrap_or_else(|rejection| panic!("{rejection:?}"));
    assert_eq!(receipt.verdict, Some(Verdict::Correct));
}

/// Asks a node for a session's standings, again and again; how often it got them.
async fn ask_until(
    fleet: &Fleet,
    node: usize,
    session: &str,
    mut is_over: watch::Receiver<bool>,
) -> usize {
    let rest = fleet.rest(node);
    let path = format!("/sessions/{session}/standings");
    let mut answers = 0;
    while !*is_over.borrow_and_update() {
        let asked = timeout(GOES_ON_WITHIN, rest.get::<Standings>(&path, None)).await;
        let asked = asked.unwrap_or_else(|_| panic!("node {node} does not answer for {session}"));
        match asked {
            Ok(_) => answers += 1,
            // It was in the owner's mailbox when that stopped.
            Err(error) if error.code() == Some(FailureCode::Unavailable) => {}
            Err(error) => panic!("node {node}, {session}: {error}"),
        }
        sleep(ASK_EVERY).await;
    }
    answers
}
