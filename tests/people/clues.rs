//! Clues and announcements: whom they reach, once, and what is left of them.

use protocol::rest::{Announced, CluePushed, Joined};
use protocol::{Audience, Event, Order, Receipt, RejectionCode, Target, Update};
use serde_json::json;

use crate::seat::Seat;
use crate::stage::Stage;

/// A game master and devices of all kinds: two of one player, a team-mate's, a rival's.
struct Cast {
    organiser: Seat,
    ana: Joined,
    players: [Seat; 4],
}

/// Which of the players' devices.
const ANA: usize = 0;
const ANAS_OTHER: usize = 1;
const BEN: usize = 2;
const FOX: usize = 3;

impl Cast {
    async fn of(stage: &Stage) -> Self {
        let ana = stage.found("Owls").await;
        let anas_other = stage.add_device(&ana.token).await;
        let (ben, fox) = (stage.join(&ana).await, stage.found("Foxes").await);
        Self {
            organiser: Seat::take_json(stage, &stage.organiser).await,
            players: [
                Seat::take(stage, &ana.token).await,
                Seat::take_json(stage, &anas_other.token).await,
                Seat::take(stage, &ben.token).await,
                Seat::take_json(stage, &fox.token).await,
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
        let text = format!("Clue {id}");
        let order = Order::PushClue { to, text, lasts_ms };
        self.organiser.ordered(id, order).await
    }

    /// Waits until everything has reached everyone; gives the updates of each since the last time.
    async fn received(&mut self) -> [Vec<Update>; 4] {
        let time_ms = self.organiser.next_heads().await;
        for player in &mut self.players {
            player.heads_since(time_ms).await;
        }
        self.players
            .each_mut()
            .map(|player| std::mem::take(&mut player.updates))
    }
}

fn clue_of(receipt: &Receipt) -> String {
    receipt
        .clue
        .clone()
        .expect("the receipt tells the clue's id")
}

#[tokio::test]
async fn a_clue_reaches_its_target_once_and_nobody_else() {
    let stage = Stage::lobby().await;
    let mut cast = Cast::of(&stage).await;
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
        cast.organiser.ordered(100 + id, order).await;
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
        cast.organiser.sees(is_it).await;
    }
}

#[tokio::test]
async fn an_expired_clue_is_taken_from_whom_it_had_reached() {
    let stage = Stage::lobby().await;
    let mut cast = Cast::of(&stage).await;
    let ana = cast.ana();
    cast.received().await;
    let clue = clue_of(&cast.push(1, ana, Some(1_000)).await);
    let expired = Event::ClueExpired { clue: clue.clone() };
    let update = cast.players[ANA].sees(|event| *event == expired).await;
    cast.organiser.sees(|event| *event == expired).await;
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
    // It ends when it was said to end.
    assert_eq!(shown.expires_at_ms, Some(shown.pushed_at_ms + 1_000));
    assert_eq!(shown.expires_at_ms, Some(update.at_ms));
    let order = Order::CancelClue { clue };
    let refused = cast.organiser.order(2, order).await;
    assert_eq!(
        refused.expect_err("it is over").code,
        RejectionCode::UnknownClue
    );
}

#[tokio::test]
async fn a_snapshot_holds_what_is_live_and_ones_own() {
    let stage = Stage::lobby().await;
    let mut cast = Cast::of(&stage).await;
    let (owls, ana) = (cast.owls(), cast.ana());
    let cancelled = clue_of(&cast.push(1, Cast::everyone(), None).await);
    cast.push(2, Cast::everyone(), None).await;
    cast.push(3, owls, None).await;
    cast.push(4, ana, Some(3_600_000)).await;
    let over = clue_of(&cast.push(5, Cast::everyone(), Some(1_000)).await);
    cast.organiser
        .ordered(6, Order::CancelClue { clue: cancelled })
        .await;
    let receipt = cast
        .organiser
        .ordered(
            7,
            Order::Announce {
                text: " Dinner is ready ".to_owned(),
            },
        )
        .await;
    let announcement = receipt.announcement.expect("the receipt tells the id");
    cast.organiser
        .sees(|event| *event == Event::ClueExpired { clue: over.clone() })
        .await;
    let tokens = [cast.ana.token.clone(), stage.found("Bears").await.token];
    for (token, texts) in tokens
        .iter()
        .zip([&["Clue 2", "Clue 3", "Clue 4"][..], &["Clue 2"]])
    {
        let snapshot = Seat::take(&stage, token)
            .await
            .snapshot
            .expect("without a cursor");
        let shown: Vec<&str> = snapshot
            .clues
            .iter()
            .map(|clue| clue.text.as_str())
            .collect();
        assert_eq!(shown, texts);
        let told: Vec<_> = snapshot
            .announcements
            .iter()
            .map(|one| (&one.id, one.text.as_str()))
            .collect();
        assert_eq!(told, [(&announcement, "Dinner is ready")]);
    }
    let overview = Seat::take(&stage, &stage.organiser)
        .await
        .overview
        .expect("without a cursor");
    let targets: Vec<_> = overview.clues.into_iter().map(|clue| clue.to).collect();
    assert_eq!(targets, [Cast::everyone(), cast.owls(), cast.ana()]);
    assert_eq!(overview.announcements.len(), 1);
}

#[tokio::test]
async fn an_announcement_reaches_everyone_once() {
    let stage = Stage::lobby().await;
    let mut cast = Cast::of(&stage).await;
    cast.received().await;
    let announce = || Order::Announce {
        text: "Dinner is ready".to_owned(),
    };
    let receipt = cast.organiser.ordered(1, announce()).await;
    assert_eq!(cast.organiser.ordered(1, announce()).await, receipt);
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
async fn what_is_pushed_over_rest_reaches_the_same_people() {
    let stage = Stage::lobby().await;
    let mut cast = Cast::of(&stage).await;
    cast.received().await;
    let body = json!({ "to": cast.ana(), "text": "Look up", "lasts_ms": 3_600_000 });
    let pushed: CluePushed = stage
        .post("/clues", &stage.organiser, Some(body))
        .await
        .read(201);
    let body = json!({ "text": "Dinner" });
    let told = stage.post("/announcements", &stage.admin, Some(body)).await;
    let told: Announced = told.read(201);
    let path = format!("/clues/{}", pushed.clue);
    assert_eq!(stage.delete(&path, &stage.organiser).await.status, 204);
    let again = stage.delete(&path, &stage.organiser).await;
    assert_eq!(again.failure(), (409, "unknown_clue".to_owned()));
    let counts = cast.received().await.map(|updates| updates.len());
    assert_eq!(counts, [3, 3, 1, 1]);
    let is_told = |event: &Event| matches!(event, Event::Announced { announcement } if announcement.id == told.announcement);
    cast.organiser.sees(is_told).await;
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
        let answer = stage.post("/clues", &stage.organiser, Some(body)).await;
        assert_eq!(answer.failure(), (409, code.to_owned()), "{to}");
    }
    for lasts_ms in [0, u64::MAX] {
        let to = json!({ "type": "everyone" });
        let body = json!({ "to": to, "text": "Look up", "lasts_ms": lasts_ms });
        let answer = stage.post("/clues", &stage.organiser, Some(body)).await;
        assert_eq!(answer.failure(), (409, "bad_duration".to_owned()));
    }
}
