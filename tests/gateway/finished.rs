//! Finished sessions: nobody has to run them until somebody asks.

use std::time::Duration;

use protocol::rest::{FailureCode, Standings};
use protocol::{Codec, RejectionCode};

use crate::device::Device;
use crate::stage::{ANSWER, Stage, WAIT_MAX};

const OPEN: &str = "cluecast_sessions_open";

async fn stop_and_start(stage: &mut Stage) {
    let stopped = stage.server.terminate(WAIT_MAX).await;
    assert_eq!(stopped.expect("it stops in time").code(), Some(0));
    stage.start_again().await;
}

async fn score(stage: &Stage) -> u32 {
    let path = format!("/sessions/{}/standings", stage.session);
    let standings: Standings = stage.rest().get(&path, None).await.expect("it is public");
    standings.rows[0].score
}

#[tokio::test]
async fn a_finished_session_is_opened_when_somebody_asks_for_it() {
    let mut stage = Stage::running(&[]).await;
    let owls = stage.join("Owls").await;
    let mut device = Device::attached(&stage, Codec::Json, &owls.token).await;
    device.guess(1, "p0", ANSWER).await.expect("accepted");
    stage.order("finish").await;
    device.cut();
    assert_eq!(stage.metric(OPEN).await, 1, "who is there may look around");

    stop_and_start(&mut stage).await;
    assert_eq!(stage.metric(OPEN).await, 0);
    assert_eq!(score(&stage).await, 1);
    assert_eq!(stage.metric(OPEN).await, 1);

    // The same after a crash, and for a device.
    stage.crash_and_restart().await;
    assert_eq!(stage.metric(OPEN).await, 0);
    device.connect(&stage).await;
    let rejected = device.guess(2, "p1", ANSWER).await;
    let rejected = rejected.expect_err("it is over");
    assert_eq!(rejected.code, RejectionCode::Finished);
    assert_eq!(stage.metric(OPEN).await, 1);
    stage.assert_unharmed();
}

#[tokio::test]
async fn a_finished_session_is_closed_when_nobody_uses_it_any_more() {
    let stage = Stage::running(&["session.idle_ms_max=1000"]).await;
    let owls = stage.join("Owls").await;
    let mut device = Device::attached(&stage, Codec::MessagePack, &owls.token).await;
    device.guess(1, "p0", ANSWER).await.expect("accepted");
    stage.order("finish").await;
    let retired = "cluecast_sessions_retired_total";
    // Two more heartbeats of a connection than the session may be unused.
    for _ in 0..12 {
        device.read_until_heads().await;
    }
    assert_eq!(stage.metric(retired).await, 0, "somebody is connected");
    device.cut();
    while stage.metric(OPEN).await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(stage.metric(retired).await, 1);

    assert_eq!(score(&stage).await, 1);
    assert_eq!(stage.metric(OPEN).await, 1);
    device.connect(&stage).await;
    device.read_until_heads().await;
    stage.assert_unharmed();
}

/// Sessions and those who ask for them, all at once, while sessions are closed for want of users.
#[tokio::test]
async fn whoever_asks_at_the_moment_when_a_session_is_closed_is_answered() {
    let stage = Stage::running(&["session.idle_ms_max=1000"]).await;
    stage.join("Owls").await;
    stage.order("finish").await;
    let rest = stage.rest();
    let path = format!("/sessions/{}/standings", stage.session);
    let mut retired = 0;
    while retired < 3 {
        while stage.metric("cluecast_sessions_retired_total").await == retired {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        retired += 1;
        for _ in 0..20 {
            let standings: Standings = rest.get(&path, None).await.expect("it is opened again");
            assert_eq!(standings.rows.len(), 1);
        }
    }
    stage.assert_unharmed();
}

#[tokio::test]
async fn a_finished_session_takes_no_place_that_is_not_free() {
    let settings = ["session.idle_ms_max=1000", "server.sessions_max=1"];
    let stage = Stage::running(&settings).await;
    stage.order("finish").await;
    while stage.metric(OPEN).await > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let newer = stage.create_session().await;
    let path = format!("/sessions/{}/standings", stage.session);
    let refused = stage.rest().get::<Standings>(&path, None).await;
    let refused = refused.expect_err("there is one open");
    assert_eq!(refused.code(), Some(FailureCode::Unavailable));
    assert_eq!(stage.metric(OPEN).await, 1);
    let path = format!("/sessions/{}/standings", newer.session);
    let standings: Standings = stage.rest().get(&path, None).await.expect("it is open");
    assert_eq!(standings.rows.len(), 0);
}
