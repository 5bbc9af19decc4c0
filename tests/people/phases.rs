//! Running a session over a WebSocket.

use protocol::Order::{Finish, Pause, Resume, Start};
use protocol::RejectionCode::{Finished, WrongPhase};
use protocol::rest::SessionState;
use protocol::{Codec, Event, Order, Phase, Receipt, RejectionCode};

use crate::lobby;
use testkit::app::TestClient;

const STARTED: Event = Event::SessionStarted { ends_at_ms: None };
const RESUMED: Event = Event::SessionResumed { ends_at_ms: None };

fn done(id: u64) -> Receipt {
    Receipt {
        id,
        verdict: None,
        points: None,
        clue: None,
        announcement: None,
    }
}

async fn expect_rejections(client: &mut TestClient, orders: &[Order], code: RejectionCode) {
    for order in orders {
        // A rejected command leaves no trace: its id is free for the next one.
        client
            .order_as(100, order.clone())
            .await
            .expect_rejection(code);
    }
}

#[tokio::test]
async fn a_game_master_runs_the_session_over_the_socket() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let mut player = app.attach(&ana.token).await;
    let mut organiser = app.attach_with(Codec::Json, &app.game_master_token).await;
    let overview = organiser
        .overview
        .clone()
        .expect("game masters get an overview");
    assert_eq!(overview.phase, Phase::Lobby);
    assert_eq!(overview.teams[0].name, "Owls");
    assert_eq!(
        (overview.teams[0].players, overview.game_masters.len()),
        (1, 1)
    );
    let steps = [
        ([Pause, Resume], Start, STARTED, Phase::Running),
        ([Start, Resume], Pause, Event::SessionPaused, Phase::Paused),
        ([Start, Pause], Resume, RESUMED, Phase::Running),
        (
            [Start, Resume],
            Finish,
            Event::SessionFinished,
            Phase::Finished,
        ),
    ];
    let events = steps.each_ref().map(|(_, _, event, _)| event.clone());
    for (id, (wrong, order, event, phase)) in (1..).zip(steps) {
        expect_rejections(&mut organiser, &wrong, WrongPhase).await;
        // Sent again it is the same order again, though the phase is another one by then.
        for _ in 0..2 {
            assert_eq!(
                organiser
                    .order_as(id, order.clone())
                    .await
                    .expect_accepted(),
                done(id)
            );
        }
        player.expect_update(|seen| *seen == event).await;
        organiser.expect_update(|seen| *seen == event).await;
        let read: SessionState = app.get("", "").await.read(200);
        assert_eq!(read.phase, phase);
    }
    expect_rejections(&mut organiser, &[Start, Pause, Resume, Finish], Finished).await;

    let time_ms = organiser.catch_up().await.server_time_ms;
    player.catch_up_to(time_ms).await;
    for client in [&player, &organiser] {
        let seen = client.updates.iter().map(|update| &update.event);
        let seen: Vec<_> = seen.filter(|event| events.contains(event)).collect();
        // A game master follows two streams: everyone's and the game masters'.
        let each = if client.overview.is_some() { 2 } else { 1 };
        assert_eq!(seen.len(), each * events.len(), "{seen:?}");
    }
}
