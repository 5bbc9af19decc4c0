//! What is left after the server was killed, and who did what.

use protocol::rest::{GameMasters, Joined};
use protocol::{CloseCode, Event, Order, Resume, Scope, Target};
use serde_json::{Value, json};

use crate::seat::Seat;
use crate::stage::Stage;

#[tokio::test]
async fn a_killed_server_comes_back_with_clues_game_masters_and_revocations() {
    let mut stage = Stage::running().await;
    let ana = stage.found("Owls").await;
    let lost = stage.add_device(&ana.token).await;
    let (mo, gone) = (
        stage.invite("Mo", &[Scope::Hints]).await,
        stage.invite("Gone", &[]).await,
    );
    let mut seat = Seat::take(&stage, &mo.token).await;
    let clue = Order::PushClue {
        to: Target::Team {
            team: ana.team.clone(),
        },
        text: "Look up".to_owned(),
        lasts_ms: Some(3_600_000),
    };
    let receipt = seat.ordered(1, clue.clone()).await;
    let body = Some(json!({ "text": "Dinner" }));
    assert_eq!(
        stage
            .post("/announcements", &stage.organiser, body)
            .await
            .status,
        201
    );
    let link = stage.post("/links", &ana.token, None).await;
    let link: Value = link.read(201);
    let restore = json!({ "session": stage.session, "link": link["link"] });
    let restored: Joined = stage
        .post_to("/restore", None, Some(restore.clone()))
        .await
        .read(201);
    stage.revoke(&format!("/devices/{}", lost.device)).await;
    stage
        .revoke(&format!("/game-masters/{}", gone.game_master))
        .await;
    let player = Seat::take(&stage, &ana.token).await;

    stage.crash_and_restart().await;

    // The same command again, over the crash: the same receipt, and no second clue.
    let mut seat = Seat::resume(&stage, &mo.token, seat.cursor).await;
    assert_eq!(seat.welcome.last_command, 1);
    assert_eq!(seat.ordered(1, clue).await, receipt);
    let resumed = Seat::resume(&stage, &ana.token, player.cursor).await;
    if resumed.welcome.resume == Resume::Replay {
        assert_eq!(resumed.updates, []);
    }
    for token in [&ana.token, &restored.token] {
        let snapshot = Seat::take(&stage, token)
            .await
            .snapshot
            .expect("without a cursor");
        assert_eq!(snapshot.clues.len(), 1);
        assert_eq!(Some(&snapshot.clues[0].id), receipt.clue.as_ref());
        assert_eq!(snapshot.announcements.len(), 1);
    }
    for token in [&lost.token, &gone.token] {
        assert_eq!(Seat::refused(&stage, token).await, CloseCode::Unauthorized);
    }
    let again = stage.post_to("/restore", None, Some(restore)).await;
    assert_eq!(again.failure(), (409, "link_used".to_owned()));
    let listed: GameMasters = stage.get("/game-masters", &stage.organiser).await.read(200);
    let listed: Vec<_> = listed
        .game_masters
        .iter()
        .map(|one| (one.name.as_str(), one.revoked))
        .collect();
    assert_eq!(
        listed,
        [("Organiser", false), ("Mo", false), ("Gone", true)]
    );
}

/// The lines of the export that somebody's orders caused.
fn caused_by<'a>(lines: &'a [Value], game_master: &str) -> Vec<(&'a str, Option<u64>)> {
    let caused = lines
        .iter()
        .filter(|line| line["game_master"] == game_master);
    caused
        .map(|line| {
            let event = line["event"]["type"].as_str().expect("events are tagged");
            (event, line["command"].as_u64())
        })
        .collect()
}

#[tokio::test]
async fn the_export_tells_who_did_what() {
    let mut stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let mo = stage.invite("Mo", &[Scope::Hints, Scope::Run]).await;
    let mut seat = Seat::take(&stage, &mo.token).await;
    seat.ordered(3, Order::Start).await;
    let to = Target::Everyone;
    let text = "Look up".to_owned();
    let clue = Order::PushClue {
        to,
        text,
        lasts_ms: None,
    };
    let pushed = seat.ordered(5, clue.clone()).await;
    seat.ordered(5, clue).await;
    let clue = pushed
        .clue
        .clone()
        .expect("the receipt tells the clue's id");
    seat.ordered(7, Order::CancelClue { clue }).await;
    let brief = Order::PushClue {
        to: Target::Everyone,
        text: "Quick".to_owned(),
        lasts_ms: Some(1_000),
    };
    let mut player = Seat::take(&stage, &ana.token).await;
    seat.ordered(8, brief).await;
    player.guess(9, "hoot").await;
    player
        .sees(|event| matches!(event, Event::ClueExpired { .. }))
        .await;
    let restored = stage
        .post(&format!("/players/{}/devices", ana.player), &mo.token, None)
        .await;
    assert_eq!(restored.status, 201);
    assert_eq!(stage.post("/pause", &stage.admin, None).await.status, 200);
    stage
        .revoke(&format!("/game-masters/{}", mo.game_master))
        .await;

    let before = stage.get("/export", &stage.organiser).await.lines();
    stage.crash_and_restart().await;
    let lines = stage.get("/export", &stage.organiser).await.lines();
    assert_eq!(lines, before, "a crash changes nothing of it");
    for (place, line) in (1u64..).zip(&lines) {
        assert_eq!(line["seq"], place);
    }
    let expected = [
        ("session_started", Some(3)),
        ("unlocked", Some(3)),
        ("clue_pushed", Some(5)),
        ("clue_cancelled", Some(7)),
        ("clue_pushed", Some(8)),
        ("device_added", None),
    ];
    assert_eq!(caused_by(&lines, &mo.game_master), expected);
    let organisers = caused_by(&lines, "g1");
    assert_eq!(
        organisers,
        [("game_master_invited", None), ("game_master_revoked", None)]
    );
    let find = |name: &str| {
        let found = lines.iter().find(|line| line["event"]["type"] == name);
        found.unwrap_or_else(|| panic!("{name} is missing"))
    };
    let by = |name: &str| find(name)["by"].as_str().map(str::to_owned);
    for (event, who) in [
        ("player_joined", "desk"),
        ("session_started", "game_master"),
        ("guess_judged", "device"),
        ("session_paused", "admin"),
        ("clue_expired", "timer"),
    ] {
        assert_eq!(by(event).as_deref(), Some(who), "{event}");
    }
    let guess = find("guess_judged");
    assert_eq!(
        (&guess["device"], &guess["command"]),
        (&json!(ana.device), &json!(9))
    );
    let paused = find("session_paused");
    assert!(
        paused.get("game_master").is_none(),
        "an admin's order has no game master's id"
    );
    // Names of people stay out of it.
    let text = serde_json::to_string(&lines).expect("it was JSON");
    for name in ["Owls", "Ana", "\"Mo\"", "Organiser"] {
        assert!(!text.contains(name), "{name}");
    }
}
