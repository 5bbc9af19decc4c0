//! Running a session over a WebSocket.

use protocol::Order::{Finish, Pause, Resume, Start};
use protocol::RejectionCode::{Finished, WrongPhase};
use protocol::rest::SessionState;
use protocol::{Event, Order, Phase, Receipt, RejectionCode};

use crate::seat::Seat;
use crate::stage::Stage;

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

async fn refuse(seat: &mut Seat, orders: &[Order], code: RejectionCode) {
    for order in orders {
        // A refused command leaves no trace: its number is free for the next one.
        let refused = seat.order(100, order.clone()).await;
        assert_eq!(refused.expect_err("another phase").code, code, "{order:?}");
    }
}

#[tokio::test]
async fn a_game_master_runs_the_session_over_the_socket() {
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let mut player = Seat::take(&stage, &ana.token).await;
    let mut organiser = Seat::take_json(&stage, &stage.organiser).await;
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
        refuse(&mut organiser, &wrong, WrongPhase).await;
        // Sent again it is the same order again, though the phase is another one by then.
        for _ in 0..2 {
            assert_eq!(organiser.ordered(id, order.clone()).await, done(id));
        }
        player.sees(|seen| *seen == event).await;
        organiser.sees(|seen| *seen == event).await;
        let read: SessionState = stage.get("", "").await.read(200);
        assert_eq!(read.phase, phase);
    }
    refuse(&mut organiser, &[Start, Pause, Resume, Finish], Finished).await;

    let time_ms = organiser.next_heads().await;
    player.heads_since(time_ms).await;
    for seat in [&player, &organiser] {
        let seen = seat.updates.iter().map(|update| &update.event);
        let seen: Vec<_> = seen.filter(|event| events.contains(event)).collect();
        // A game master follows two streams: everyone's and the game masters'.
        let each = if seat.overview.is_some() { 2 } else { 1 };
        assert_eq!(seen.len(), each * events.len(), "{seen:?}");
    }
}
