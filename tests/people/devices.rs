//! Devices of a player: up to five, independent of each other; and the effects of revoking one.

use protocol::rest::{DeviceCreated, Devices, Joined};
use protocol::{CloseCode, Event, Resume};
use serde_json::json;

use crate::{lobby, running};
use testkit::app::TestApp;

const DEVICES_MAX: usize = 5;

async fn listed(app: &TestApp, token: &str) -> Vec<(String, bool)> {
    let devices: Devices = app.get("/devices", token).await.read(200);
    let devices = devices.devices.into_iter();
    devices
        .map(|device| (device.device, device.revoked))
        .collect()
}

fn path_of(device: &str) -> String {
    format!("/devices/{device}")
}

#[tokio::test]
async fn a_player_has_up_to_five_devices() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let mut added = Vec::new();
    for _ in 1..DEVICES_MAX {
        added.push(app.add_device(&ana.token).await);
    }
    let too_many = (409, "too_many_devices".to_owned());
    assert_eq!(
        app.post("/devices", &ana.token, None).await.failure(),
        too_many
    );
    assert_eq!(
        app.post("/devices", &added[0].token, None).await.failure(),
        too_many
    );
    let body = json!({ "team_code": ana.team_code, "player": ana.player });
    let restored = app.post("/restore", "", Some(body)).await;
    assert_eq!(restored.failure(), too_many);

    // One that is revoked makes room for another.
    let revoked = app.delete(&path_of(&added[1].device), &ana.token).await;
    assert_eq!(revoked.status, 204);
    let again = app.add_device(&ana.token).await;
    assert!(added.iter().all(|device| device.device != again.device));
    assert_eq!(
        app.post("/devices", &ana.token, None).await.failure(),
        too_many
    );
}

#[tokio::test]
async fn each_device_has_its_own_token_cursor_and_commands() {
    let app = running().await;
    let ana = app.join("Owls").await;
    let mut devices = vec![(ana.device.clone(), ana.token.clone())];
    for _ in 1..DEVICES_MAX {
        let added = app.add_device(&ana.token).await;
        devices.push((added.device, added.token));
    }
    let mut clients = Vec::new();
    for (device, token) in &devices {
        let client = app.attach(token).await;
        assert_eq!(client.welcome.device.as_ref(), Some(device));
        assert_eq!(client.welcome.player.as_ref(), Some(&ana.player));
        clients.push(client);
    }
    // The same id on each is a different command: each device numbers its own commands.
    let guessed = |guess: &'static str| move |event: &Event| matches!(event, Event::GuessJudged { guess: made, .. } if made.as_deref() == Some(guess));
    let mut fifth = clients.pop().expect("five are attached");
    fifth.updates.clear();
    fifth.disconnect();
    for (client, guess) in clients.iter_mut().zip(["A", "B", "C", "D"]) {
        client.guess_as(1, "p0", guess).await.expect_accepted();
    }
    for client in &mut clients {
        for guess in ["A", "B", "C", "D"] {
            client.expect_update(guessed(guess)).await;
        }
    }
    // The fifth resumes from its old cursor, the first from its current one.
    assert_eq!(fifth.reconnect().await.resume, Resume::Replay);
    assert_eq!(fifth.updates.len(), 4, "{:?}", fifth.updates);
    assert_eq!(fifth.welcome.last_command, 0);
    let first = &mut clients[0];
    first.updates.clear();
    assert_eq!(first.reconnect().await.resume, Resume::Replay);
    assert_eq!(first.updates, []);
    assert_eq!(first.welcome.last_command, 1);
}

#[tokio::test]
async fn a_captain_sees_the_teams_devices_and_others_their_own() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let ben = app.join_team(&ana.team_code).await;
    let fox = app.join("Foxes").await;
    let second = app.add_device(&ben.token).await;
    let own = |device: &str| (device.to_owned(), false);
    let (a, b, b2, f) = (
        own(&ana.device),
        own(&ben.device),
        own(&second.device),
        own(&fox.device),
    );
    assert_eq!(
        listed(&app, &ana.token).await,
        [a.clone(), b.clone(), b2.clone()]
    );
    assert_eq!(listed(&app, &ben.token).await, [b.clone(), b2.clone()]);
    assert_eq!(listed(&app, &second.token).await, [b.clone(), b2.clone()]);
    assert_eq!(listed(&app, &fox.token).await, vec![f.clone()]);
    for token in [&app.game_master_token, &app.admin_token] {
        assert_eq!(
            listed(&app, token).await,
            [a.clone(), b.clone(), b2.clone(), f.clone()]
        );
    }

    app.revoke(&path_of(&second.device)).await;
    let revoked = (second.device, true);
    assert_eq!(listed(&app, &ben.token).await, [b.clone(), revoked.clone()]);
    assert_eq!(listed(&app, &ana.token).await, [a, b, revoked]);
}

#[tokio::test]
async fn only_a_captain_revokes_the_devices_of_others() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let ben = app.join_team(&ana.team_code).await;
    let cleo = json!({ "team_code": ana.team_code, "name": "Cleo" });
    let cleo: Joined = app.post("/join", "", Some(cleo)).await.read(201);
    let fox = app.join("Foxes").await;
    let revoke =
        async |by: &Joined, device: &str| app.delete(&path_of(device), &by.token).await.failure();
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(revoke(&ben, &ana.device).await, forbidden);
    assert_eq!(revoke(&ben, &cleo.device).await, forbidden);
    assert_eq!(revoke(&ana, &fox.device).await, forbidden);
    assert_eq!(revoke(&fox, &ana.device).await, forbidden);
    assert_eq!(
        revoke(&ana, "d99").await,
        (409, "unknown_device".to_owned())
    );
    assert_eq!(revoke(&ana, "phone").await, (404, "not_found".to_owned()));

    let done = (204, String::new());
    assert_eq!(revoke(&ana, &ben.device).await, done);
    assert_eq!(revoke(&cleo, &cleo.device).await, done);
    let again = revoke(&ana, &ben.device).await;
    assert_eq!(again, (409, "already_revoked".to_owned()));
    // Ben's revoked device is refused first.
    let asked = revoke(&ben, &ben.device).await;
    assert_eq!(asked, (403, "revoked".to_owned()));
    app.revoke(&path_of(&fox.device)).await;
}

#[tokio::test]
async fn a_revoked_device_is_closed_and_refused_everywhere() {
    let mut app = running().await;
    let ana = app.join("Owls").await;
    let kept = app.add_device(&ana.token).await;
    let mut lost = app.attach(&ana.token).await;
    let mut other = app.attach(&kept.token).await;
    lost.guess_as(1, "p0", "before").await.expect_accepted();
    let revoked = app.delete(&path_of(&ana.device), &kept.token).await;
    assert_eq!(revoked.status, 204);
    lost.expect_close(CloseCode::Unauthorized).await;

    // The player's other device receives the update and continues.
    let is_it = |event: &Event| matches!(event, Event::DeviceRevoked { device, player: None } if *device == ana.device);
    other.expect_update(is_it).await;
    other.guess_as(1, "p0", "after").await.expect_accepted();

    // It cannot repeat its accepted command either: the token is refused.
    for _ in 0..2 {
        app.expect_unauthorized(&ana.token).await;
        let revoked = (403, "revoked".to_owned());
        for (method, path) in [
            ("GET", "/devices".to_owned()),
            ("POST", "/devices".to_owned()),
            ("POST", "/links".to_owned()),
            ("DELETE", path_of(&ana.device)),
            ("DELETE", path_of(&kept.device)),
        ] {
            let answer = app.ask(method, &path, &ana.token, None).await;
            assert_eq!(answer.failure(), revoked, "{method} {path}");
        }
        app.crash().await;
    }
    let added: DeviceCreated = app.post("/devices", &kept.token, None).await.read(201);
    assert_ne!(added.device, ana.device);
}
