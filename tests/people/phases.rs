//! Running a session over a WebSocket.

use protocol::Order::{Pause, Resume};
use protocol::RejectionCode::{Finished, WrongPhase};
use protocol::rest::SessionState;
use protocol::{Codec, Event, Order, OrderKind, Phase, Receipt, RejectionCode};

use crate::lobby;
use testkit::app::TestClient;

const START: Order = Order::Start { at_ms: None };
const FINISH: Order = Order::Finish { confirm: true };

fn done(id: u64, order: OrderKind) -> Receipt {
    Receipt {
        id,
        order,
        verdict: None,
        points: None,
        clue: None,
        announcement: None,
    }
}

fn kind(event: &Event) -> String {
    let event = serde_json::to_value(event).expect("an event is JSON");
    event["type"].as_str().expect("it has a type").to_owned()
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
        ([Pause, Resume], START, "session_started", Phase::Running),
        ([START, Resume], Pause, "session_paused", Phase::Paused),
        ([START, Pause], Resume, "session_resumed", Phase::Running),
        ([START, Resume], FINISH, "session_finished", Phase::Finished),
    ];
    let events = steps.each_ref().map(|(_, _, event, _)| *event);
    for (id, (wrong, order, event, phase)) in (1..).zip(steps) {
        expect_rejections(&mut organiser, &wrong, WrongPhase).await;
        // A repeated order has the same receipt, although the phase has changed.
        for _ in 0..2 {
            assert_eq!(
                organiser
                    .order_as(id, order.clone())
                    .await
                    .expect_accepted(),
                done(id, order.kind())
            );
        }
        player.expect_update(|seen| kind(seen) == event).await;
        organiser.expect_update(|seen| kind(seen) == event).await;
        let read: SessionState = app.get("", "").await.read(200);
        assert_eq!(read.phase, phase);
    }
    expect_rejections(&mut organiser, &[START, Pause, Resume, FINISH], Finished).await;

    let time_ms = organiser.catch_up().await.server_time_ms;
    player.catch_up_to(time_ms).await;
    for client in [&player, &organiser] {
        let seen = client.updates.iter().map(|update| &update.event);
        let seen = seen
            .map(kind)
            .filter(|kind| events.contains(&kind.as_str()));
        assert!(seen.eq(events), "each once and in order");
    }
}
