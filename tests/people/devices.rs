//! Devices of a player: five, each on its own; and what is left of one that is revoked.

use protocol::rest::{DeviceCreated, Devices, Joined};
use protocol::{CloseCode, Event, Resume};
use serde_json::json;

use crate::seat::Seat;
use crate::stage::Stage;

const DEVICES_MAX: usize = 5;

async fn listed(stage: &Stage, token: &str) -> Vec<(String, bool)> {
    let devices: Devices = stage.get("/devices", token).await.read(200);
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
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let mut added = Vec::new();
    for _ in 1..DEVICES_MAX {
        added.push(stage.add_device(&ana.token).await);
    }
    let too_many = (409, "too_many_devices".to_owned());
    assert_eq!(
        stage.post("/devices", &ana.token, None).await.failure(),
        too_many
    );
    assert_eq!(
        stage
            .post("/devices", &added[0].token, None)
            .await
            .failure(),
        too_many
    );
    let body =
        json!({ "session": stage.session, "team_code": ana.team_code, "player": ana.player });
    let restored = stage.post_to("/restore", None, Some(body)).await;
    assert_eq!(restored.failure(), too_many);

    // One that is revoked makes room for another.
    let revoked = stage.delete(&path_of(&added[1].device), &ana.token).await;
    assert_eq!(revoked.status, 204);
    let again = stage.add_device(&ana.token).await;
    assert!(added.iter().all(|device| device.device != again.device));
    assert_eq!(
        stage.post("/devices", &ana.token, None).await.failure(),
        too_many
    );
}

#[tokio::test]
async fn each_device_has_its_own_token_cursor_and_commands() {
    let stage = Stage::running().await;
    let ana = stage.found("Owls").await;
    let mut devices = vec![(ana.device.clone(), ana.token.clone())];
    for _ in 1..DEVICES_MAX {
        let added = stage.add_device(&ana.token).await;
        devices.push((added.device, added.token));
    }
    let mut seats = Vec::new();
    for (device, token) in &devices {
        let seat = Seat::take(&stage, token).await;
        assert_eq!(seat.welcome.device.as_ref(), Some(device));
        assert_eq!(seat.welcome.player.as_ref(), Some(&ana.player));
        seats.push(seat);
    }
    // The same number on each is another command: a device counts for itself.
    let guessed = |guess: &'static str| move |event: &Event| matches!(event, Event::GuessJudged { guess: made, .. } if made == guess);
    let behind = seats.pop().expect("five are attached");
    let cursor = behind.cursor;
    drop(behind);
    for (seat, guess) in seats.iter_mut().zip(["A", "B", "C", "D"]) {
        seat.guess(1, guess).await;
    }
    for seat in &mut seats {
        for guess in ["A", "B", "C", "D"] {
            seat.sees(guessed(guess)).await;
        }
    }
    // The fifth goes on from where it was, the first from where it is.
    let fifth = Seat::resume(&stage, &devices[4].1, cursor).await;
    assert_eq!(fifth.welcome.resume, Resume::Replay);
    assert_eq!(fifth.updates.len(), 4, "{:?}", fifth.updates);
    assert_eq!(fifth.welcome.last_command, 0);
    let first = Seat::resume(&stage, &devices[0].1, seats[0].cursor).await;
    assert_eq!(first.welcome.resume, Resume::Replay);
    assert_eq!(first.updates, []);
    assert_eq!(first.welcome.last_command, 1);
}

#[tokio::test]
async fn a_captain_sees_the_teams_devices_and_others_their_own() {
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let ben = stage.join(&ana).await;
    let fox = stage.found("Foxes").await;
    let second = stage.add_device(&ben.token).await;
    let own = |device: &str| (device.to_owned(), false);
    let (a, b, b2, f) = (
        own(&ana.device),
        own(&ben.device),
        own(&second.device),
        own(&fox.device),
    );
    assert_eq!(
        listed(&stage, &ana.token).await,
        [a.clone(), b.clone(), b2.clone()]
    );
    assert_eq!(listed(&stage, &ben.token).await, [b.clone(), b2.clone()]);
    assert_eq!(listed(&stage, &second.token).await, [b.clone(), b2.clone()]);
    assert_eq!(listed(&stage, &fox.token).await, vec![f.clone()]);
    for token in [&stage.organiser, &stage.admin] {
        assert_eq!(
            listed(&stage, token).await,
            [a.clone(), b.clone(), b2.clone(), f.clone()]
        );
    }

    stage.revoke(&path_of(&second.device)).await;
    let revoked = (second.device, true);
    assert_eq!(
        listed(&stage, &ben.token).await,
        [b.clone(), revoked.clone()]
    );
    assert_eq!(listed(&stage, &ana.token).await, [a, b, revoked]);
}

#[tokio::test]
async fn only_a_captain_revokes_what_is_of_others() {
    let stage = Stage::lobby().await;
    let ana = stage.found("Owls").await;
    let (ben, cleo) = (stage.join(&ana).await, stage.join(&ana).await);
    let fox = stage.found("Foxes").await;
    let revoke =
        async |by: &Joined, device: &str| stage.delete(&path_of(device), &by.token).await.failure();
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
    // Ben's own device may not even ask.
    let asked = revoke(&ben, &ben.device).await;
    assert_eq!(asked, (403, "revoked".to_owned()));
    stage.revoke(&path_of(&fox.device)).await;
}

#[tokio::test]
async fn a_revoked_device_is_closed_and_refused_everywhere() {
    let mut stage = Stage::running().await;
    let ana = stage.found("Owls").await;
    let kept = stage.add_device(&ana.token).await;
    let mut lost = Seat::take(&stage, &ana.token).await;
    let mut other = Seat::take(&stage, &kept.token).await;
    lost.guess(1, "before").await;
    let revoked = stage.delete(&path_of(&ana.device), &kept.token).await;
    assert_eq!(revoked.status, 204);
    assert_eq!(lost.closed().await, CloseCode::Unauthorized);

    // The player's other device is told, and goes on.
    let is_it = |event: &Event| matches!(event, Event::DeviceRevoked { device, player: None } if *device == ana.device);
    other.sees(is_it).await;
    other.guess(1, "after").await;

    // The command that it could send again had been accepted; it gets no chance to ask.
    for _ in 0..2 {
        assert_eq!(
            Seat::refused(&stage, &ana.token).await,
            CloseCode::Unauthorized
        );
        let revoked = (403, "revoked".to_owned());
        for (method, path) in [
            ("GET", "/devices".to_owned()),
            ("POST", "/devices".to_owned()),
            ("POST", "/links".to_owned()),
            ("DELETE", path_of(&ana.device)),
            ("DELETE", path_of(&kept.device)),
        ] {
            let answer = stage.ask(method, &path, &ana.token, None).await;
            assert_eq!(answer.failure(), revoked, "{method} {path}");
        }
        stage.crash_and_restart().await;
    }
    let added: DeviceCreated = stage.post("/devices", &kept.token, None).await.read(201);
    assert_ne!(added.device, ana.device);
}
