//! Clues and announcements: their audiences, exactly-once delivery, and their part in snapshots.

use protocol::rest::{Announced, CluePushed, Joined};
use protocol::{Audience, Codec, Event, Order, Receipt, RejectionCode, Target, Update};
use serde_json::json;

use crate::lobby;
use testkit::app::{TestApp, TestClient, announcement, clue};

/// A game master, two devices of one player, one of a teammate, one of a rival.
struct Cast {
    organiser: TestClient,
    ana: Joined,
    players: [TestClient; 4],
}

/// Indexes of the devices.
const ANA: usize = 0;
const ANAS_OTHER: usize = 1;
const BEN: usize = 2;
const FOX: usize = 3;

impl Cast {
    async fn of(app: &TestApp) -> Self {
        let ana = app.join("Owls").await;
        let anas_other = app.add_device(&ana.token).await;
        let (ben, fox) = (app.join_team(&ana.team_code).await, app.join("Foxes").await);
        Self {
            organiser: app.attach_with(Codec::Json, &app.game_master_token).await,
            players: [
                app.attach(&ana.token).await,
                app.attach_with(Codec::Json, &anas_other.token).await,
                app.attach(&ben.token).await,
                app.attach_with(Codec::Json, &fox.token).await,
            ],
            ana,
        }
    }

    fn everyone() -> Target {
        Target::Everyone
    }

    fn owls(&self) -> Target {
        let team = self.ana.team.clone();
        Target::Team { team }
    }

    fn ana(&self) -> Target {
        let player = self.ana.player.clone();
        Target::Player { player }
    }

    async fn push(&mut self, id: u64, to: Target, lasts_ms: Option<u64>) -> Receipt {
        let order = clue(to, &format!("Clue {id}"), lasts_ms);
        self.organiser.order_as(id, order).await.expect_accepted()
    }

    /// Waits until everything has reached everyone; returns the updates of each since the last call.
    async fn received(&mut self) -> [Vec<Update>; 4] {
        let time_ms = self.organiser.catch_up().await.server_time_ms;
        for player in &mut self.players {
            player.catch_up_to(time_ms).await;
        }
        self.players
            .each_mut()
            .map(|player| std::mem::take(&mut player.updates))
    }
}

fn clue_of(receipt: &Receipt) -> String {
    receipt.clue.clone().expect("the receipt has the clue's id")
}

#[tokio::test]
async fn a_clue_reaches_its_target_once_and_no_other() {
    let app = lobby().await;
    let mut cast = Cast::of(&app).await;
    cast.received().await;
    let everyone = Cast::everyone();
    let (owls, ana) = (cast.owls(), cast.ana());
    for (id, to, audience, reached) in [
        (
            1,
            everyone,
            Audience::Everyone,
            &[ANA, ANAS_OTHER, BEN, FOX][..],
        ),
        (2, owls, Audience::Team, &[ANA, ANAS_OTHER, BEN]),
        (3, ana, Audience::Player, &[ANA, ANAS_OTHER]),
    ] {
        let receipt = cast.push(id, to.clone(), None).await;
        let clue = clue_of(&receipt);
        // Sent again, as after a cut: the same receipt, and no second clue.
        assert_eq!(cast.push(id, to.clone(), None).await, receipt);
        let order = Order::CancelClue { clue: clue.clone() };
        cast.organiser
            .order_as(100 + id, order)
            .await
            .expect_accepted();
        for (player, updates) in cast.received().await.iter().enumerate() {
            let expected = if reached.contains(&player) { 2 } else { 0 };
            assert_eq!(
                updates.len(),
                expected,
                "clue {id} at {player}: {updates:?}"
            );
            let [pushed, cancelled] = &updates[..] else {
                continue;
            };
            assert_eq!((pushed.audience, cancelled.audience), (audience, audience));
            assert_eq!(cancelled.number, pushed.number + 1);
            let Event::CluePushed {
                clue: shown,
                to: None,
            } = &pushed.event
            else {
                panic!("{pushed:?}");
            };
            assert_eq!((&shown.id, &shown.text), (&clue, &format!("Clue {id}")));
            assert_eq!(shown.expires_at_ms, None);
            assert_eq!(cancelled.event, Event::ClueCancelled { clue: clue.clone() });
        }
        // Game masters see the target.
        let is_it = |event: &Event| {
            matches!(event, Event::CluePushed { clue: shown, to: Some(of) }
                if shown.id == clue && *of == to)
        };
        cast.organiser.expect_update(is_it).await;
    }
}

#[tokio::test]
async fn a_clue_expires_for_everyone_it_had_reached() {
    let app = lobby().await;
    let mut cast = Cast::of(&app).await;
    let ana = cast.ana();
    cast.received().await;
    let clue = clue_of(&cast.push(1, ana, Some(1_000)).await);
    let expired = Event::ClueExpired { clue: clue.clone() };
    let update = cast.players[ANA]
        .expect_update(|event| *event == expired)
        .await;
    cast.organiser
        .expect_update(|event| *event == expired)
        .await;
    let received = cast.received().await;
    for (player, updates) in received.iter().enumerate() {
        let expected = if player == ANA || player == ANAS_OTHER {
            2
        } else {
            0
        };
        assert_eq!(updates.len(), expected, "at {player}: {updates:?}");
    }
    let Event::CluePushed { clue: shown, .. } = &received[ANA][0].event else {
        panic!("{received:?}");
    };
    // It expires at the announced time.
    assert_eq!(shown.expires_at_ms, Some(shown.pushed_at_ms + 1_000));
    assert_eq!(shown.expires_at_ms, Some(update.at_ms));
    let order = Order::CancelClue { clue };
    cast.organiser
        .order_as(2, order)
        .await
        .expect_rejection(RejectionCode::UnknownClue);
}

#[tokio::test]
async fn a_snapshot_holds_the_live_clues_for_its_player() {
    let app = lobby().await;
    let mut cast = Cast::of(&app).await;
    let (owls, ana) = (cast.owls(), cast.ana());
    let cancelled = clue_of(&cast.push(1, Cast::everyone(), None).await);
    cast.push(2, Cast::everyone(), None).await;
    cast.push(3, owls, None).await;
    cast.push(4, ana, Some(3_600_000)).await;
    let over = clue_of(&cast.push(5, Cast::everyone(), Some(1_000)).await);
    cast.organiser
        .order_as(6, Order::CancelClue { clue: cancelled })
        .await
        .expect_accepted();
    let receipt = cast
        .organiser
        .order_as(7, announcement(" Dinner is ready "))
        .await
        .expect_accepted();
    let announcement = receipt.announcement.expect("the receipt has the id");
    cast.organiser
        .expect_update(|event| *event == Event::ClueExpired { clue: over.clone() })
        .await;
    let tokens = [cast.ana.token.clone(), app.join("Bears").await.token];
    for (token, texts) in tokens
        .iter()
        .zip([&["Clue 2", "Clue 3", "Clue 4"][..], &["Clue 2"]])
    {
        let snapshot = app.attach(token).await.snapshot.expect("without a cursor");
        let shown: Vec<&str> = snapshot
            .clues
            .iter()
            .map(|clue| clue.text.as_str())
            .collect();
        assert_eq!(shown, texts);
        let announced: Vec<_> = snapshot
            .announcements
            .iter()
            .map(|one| (&one.id, one.text.as_str()))
            .collect();
        assert_eq!(announced, [(&announcement, " Dinner is ready")]);
    }
    let overview = app.desk().await.overview.expect("without a cursor");
    let targets: Vec<_> = overview.clues.into_iter().map(|clue| clue.to).collect();
    assert_eq!(targets, [Cast::everyone(), cast.owls(), cast.ana()]);
    assert_eq!(overview.announcements.len(), 1);
}

#[tokio::test]
async fn an_announcement_reaches_everyone_once() {
    let app = lobby().await;
    let mut cast = Cast::of(&app).await;
    cast.received().await;
    let announce = || announcement("Dinner is ready");
    let receipt = cast
        .organiser
        .order_as(1, announce())
        .await
        .expect_accepted();
    assert_eq!(
        cast.organiser
            .order_as(1, announce())
            .await
            .expect_accepted(),
        receipt
    );
    for updates in cast.received().await {
        let [update] = &updates[..] else {
            panic!("{updates:?}");
        };
        assert_eq!(update.audience, Audience::Everyone);
        let Event::Announced { announcement } = &update.event else {
            panic!("{update:?}");
        };
        assert_eq!(Some(&announcement.id), receipt.announcement.as_ref());
    }
}

#[tokio::test]
async fn a_clue_pushed_over_rest_reaches_the_same_audience() {
    let app = lobby().await;
    let mut cast = Cast::of(&app).await;
    cast.received().await;
    let body = json!({ "to": cast.ana(), "text": "Look up", "lasts_ms": 3_600_000 });
    let pushed: CluePushed = app
        .post("/clues", &app.game_master_token, Some(body))
        .await
        .read(201);
    let body = json!({ "text": "Dinner" });
    let announced = app
        .post("/announcements", &app.admin_token, Some(body))
        .await;
    let announced: Announced = announced.read(201);
    let path = format!("/clues/{}", pushed.clue);
    assert_eq!(app.delete(&path, &app.game_master_token).await.status, 204);
    let again = app.delete(&path, &app.game_master_token).await;
    again.expect_failure(409, "unknown_clue");
    let counts = cast.received().await.map(|updates| updates.len());
    assert_eq!(counts, [3, 3, 1, 1]);
    let is_announced = |event: &Event| matches!(event, Event::Announced { announcement } if announcement.id == announced.announcement);
    cast.organiser.expect_update(is_announced).await;
    for (to, text, code) in [
        (
            json!({ "type": "team", "team": "t99" }),
            "Look up",
            "unknown_team",
        ),
        (
            json!({ "type": "team", "team": "Owls" }),
            "Look up",
            "unknown_team",
        ),
        (
            json!({ "type": "player", "player": "p99" }),
            "Look up",
            "unknown_player",
        ),
        (
            json!({ "type": "player", "player": "nobody" }),
            "Look up",
            "unknown_player",
        ),
        (json!({ "type": "everyone" }), "  ", "bad_text"),
        (
            json!({ "type": "everyone" }),
            &"x".repeat(2_001),
            "bad_text",
        ),
    ] {
        let body = json!({ "to": to, "text": text });
        let answer = app.post("/clues", &app.game_master_token, Some(body)).await;
        answer.expect_failure(409, code);
    }
    for lasts_ms in [0, u64::MAX] {
        let to = json!({ "type": "everyone" });
        let body = json!({ "to": to, "text": "Look up", "lasts_ms": lasts_ms });
        let answer = app.post("/clues", &app.game_master_token, Some(body)).await;
        answer.expect_failure(409, "bad_duration");
    }
}
