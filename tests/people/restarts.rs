//! What a killed server recovers, and the causes of events in the export.

use protocol::rest::{GameMasters, Joined};
use protocol::{Event, Order, Resume, Scope, Target};
use serde_json::{Value, json};

use crate::{lobby, running};
use testkit::app::{ANSWER, clue};

#[tokio::test]
async fn a_killed_server_recovers_clues_game_masters_and_revocations() {
    let mut app = running().await;
    let ana = app.join("Owls").await;
    let lost = app.add_device(&ana.token).await;
    let (mo, gone) = (
        app.invite("Mo", &[Scope::Hints]).await,
        app.invite("Gone", &[]).await,
    );
    let mut mos_desk = app.attach(&mo.token).await;
    let owls = Target::Team {
        team: ana.team.clone(),
    };
    let clue = clue(owls, "Look up", Some(3_600_000));
    let receipt = mos_desk.order_as(1, clue.clone()).await.expect_accepted();
    let body = Some(json!({ "text": "Dinner" }));
    assert_eq!(
        app.post("/announcements", &app.game_master_token, body)
            .await
            .status,
        201
    );
    let link = app.post("/links", &ana.token, None).await;
    let link: Value = link.read(201);
    let restore = json!({ "link": link["link"] });
    let restored: Joined = app
        .post("/restore", "", Some(restore.clone()))
        .await
        .read(201);
    app.revoke(&format!("/devices/{}", lost.device)).await;
    app.revoke(&format!("/game-masters/{}", gone.game_master))
        .await;
    let mut player = app.attach(&ana.token).await;

    app.crash().await;

    // The same command again, after the crash: the same receipt, and no second clue.
    assert_eq!(mos_desk.reconnect().await.last_command, 1);
    assert_eq!(mos_desk.order_as(1, clue).await.expect_accepted(), receipt);
    player.updates.clear();
    if player.reconnect().await.resume == Resume::Replay {
        assert_eq!(player.updates, []);
    }
    for token in [&ana.token, &restored.token] {
        let snapshot = app.attach(token).await.snapshot.expect("without a cursor");
        assert_eq!(snapshot.clues.len(), 1);
        assert_eq!(Some(&snapshot.clues[0].id), receipt.clue.as_ref());
        assert_eq!(snapshot.announcements.len(), 1);
    }
    for token in [&lost.token, &gone.token] {
        app.expect_unauthorized(token).await;
    }
    let again = app.post("/restore", "", Some(restore)).await;
    again.expect_failure(409, "link_used");
    let listed: GameMasters = app
        .get("/game-masters", &app.game_master_token)
        .await
        .read(200);
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

/// The events and command ids of the export that a game master caused.
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
async fn the_export_names_the_cause_of_each_event() {
    let mut app = lobby().await;
    let ana = app.join("Owls").await;
    let mo = app.invite("Mo", &[Scope::Hints, Scope::Run]).await;
    let mut mos_desk = app.attach(&mo.token).await;
    mos_desk
        .order_as(3, Order::Start { at_ms: None })
        .await
        .expect_accepted();
    let order = clue(Target::Everyone, "Look up", None);
    let pushed = mos_desk.order_as(5, order.clone()).await.expect_accepted();
    mos_desk.order_as(5, order).await.expect_accepted();
    let pushed = pushed.clue.expect("the receipt has the clue's id");
    mos_desk
        .order_as(7, Order::CancelClue { clue: pushed })
        .await
        .expect_accepted();
    let brief = clue(Target::Everyone, "Quick", Some(1_000));
    let mut player = app.attach(&ana.token).await;
    mos_desk.order_as(8, brief).await.expect_accepted();
    player.guess_as(9, "p0", ANSWER).await.expect_accepted();
    player
        .expect_update(|event| matches!(event, Event::ClueExpired { .. }))
        .await;
    let restored = app
        .post(&format!("/players/{}/devices", ana.player), &mo.token, None)
        .await;
    assert_eq!(restored.status, 201);
    assert_eq!(app.post("/pause", &app.admin_token, None).await.status, 200);
    app.revoke(&format!("/game-masters/{}", mo.game_master))
        .await;

    let before = app.get("/export", &app.game_master_token).await.lines();
    app.crash().await;
    let lines = app.get("/export", &app.game_master_token).await.lines();
    assert_eq!(lines, before, "a crash changes nothing of it");
    for (seq, line) in (1u64..).zip(&lines) {
        assert_eq!(line["seq"], seq);
    }
    let expected = [
        ("instance_opened", None),
        ("session_started", Some(3)),
        ("unlocked_for_all", Some(3)),
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
        ("player_joined", "founder"),
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
}
