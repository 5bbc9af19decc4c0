//! What a game master's console reads over REST: players, guesses, and what game masters did.

use protocol::rest::{Audit, AuditedKind, Cause, GuessPage, Players};
use protocol::{Scope, Verdict};
use serde_json::json;
use testkit::app::{ANSWER, TestApp};

use crate::{lobby, running};

/// Reads every page of guesses below a path with `limit` rows each.
async fn all_guesses(app: &TestApp, path: &str, limit: usize, token: &str) -> GuessPage {
    let mut all = GuessPage {
        guesses: Vec::new(),
        before: None,
        archived: false,
    };
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let before = all.before.map(|seq| format!("&before={seq}"));
        let before = before.unwrap_or_default();
        let path = format!("{path}{joint}limit={limit}{before}");
        let page: GuessPage = app.get(&path, token).await.read(200);
        assert!(page.guesses.len() <= limit);
        all.guesses.extend(page.guesses);
        all.before = page.before;
        if page.before.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn guesses_are_paged_newest_first() {
    let app = running().await;
    let mut owls = app.team("Owls").await;
    let mut foxes = app.team("Foxes").await;
    let first = owls.catch_up().await.server_time_ms;
    for count in 0..5 {
        let text = format!("Wrong {count}");
        owls.guess("p0", &text).await.expect_wrong();
        foxes.guess("p1", &text).await.expect_wrong();
    }
    owls.guess("p0", ANSWER).await.expect_correct();
    let token = &app.game_master_token;
    for limit in [1, 3, 11, 200] {
        let all = all_guesses(&app, "/guesses", limit, token).await.guesses;
        assert_eq!(all.len(), 11, "with {limit} a page");
        assert!(all.is_sorted_by(|newer, older| newer.seq > older.seq));
        assert!(all.iter().all(|guess| guess.at_ms >= first));
        let of_owls = format!("/teams/{}/guesses?puzzle=p0", owls.team_id());
        let of_owls = all_guesses(&app, &of_owls, limit, token).await.guesses;
        let texts: Vec<_> = of_owls.iter().map(|guess| guess.guess.as_deref()).collect();
        let expected = [
            ANSWER, "Wrong 4", "Wrong 3", "Wrong 2", "Wrong 1", "Wrong 0",
        ];
        assert_eq!(texts, expected.map(Some));
        let solve = &of_owls[0];
        assert_eq!((solve.verdict, solve.points), (Verdict::Correct, 1));
        assert_eq!(solve.player, owls.player_id());
        assert_eq!((&*solve.team, &*solve.puzzle), (owls.team_id(), "p0"));
    }
}

#[tokio::test]
async fn the_text_of_a_correct_guess_takes_the_scope_answers() {
    let app = running().await;
    let mut owls = app.team("Owls").await;
    owls.guess("p0", "Wrong").await.expect_wrong();
    owls.guess("p0", ANSWER).await.expect_correct();
    let viewer = app.invite("Viewer", &[Scope::View]).await;
    let reader = app.invite("Reader", &[Scope::View, Scope::Answers]).await;
    let of_owls = format!("/teams/{}/guesses?puzzle=p0", owls.team_id());
    for path in ["/guesses", &of_owls] {
        for (token, solve) in [
            (&viewer.token, None),
            (&reader.token, Some(ANSWER)),
            (&app.admin_token, Some(ANSWER)),
        ] {
            let read: GuessPage = app.get(path, token).await.read(200);
            let texts: Vec<_> = read
                .guesses
                .iter()
                .map(|made| made.guess.as_deref())
                .collect();
            assert_eq!(texts, [solve, Some("Wrong")], "{path}");
        }
    }
}

#[tokio::test]
async fn malformed_pages_are_refused() {
    let app = lobby().await;
    let ana = app.join("Owls").await;
    let token = &app.game_master_token;
    let of_team = format!("/teams/{}/guesses", ana.team);
    let refused = [
        "/guesses?limit=0".to_owned(),
        "/guesses?limit=201".to_owned(),
        "/guesses?before=x".to_owned(),
        "/guesses?puzzle=p0".to_owned(),
        "/audit?limit=0".to_owned(),
        "/players?limit=201".to_owned(),
        of_team.clone(),
        format!("{of_team}?puzzle=p0&limit=0"),
    ];
    for path in refused {
        app.get(&path, token)
            .await
            .expect_failure(400, "bad_request");
    }
    let unknown = [
        format!("{of_team}?puzzle=none"),
        "/teams/t9/guesses?puzzle=p0".to_owned(),
        "/teams/owls/guesses?puzzle=p0".to_owned(),
        "/players?after=ana".to_owned(),
    ];
    for path in unknown {
        app.get(&path, token).await.expect_failure(404, "not_found");
    }
    let locked: GuessPage = app
        .get(&format!("{of_team}?puzzle=p0"), token)
        .await
        .read(200);
    assert!(locked.guesses.is_empty() && locked.before.is_none());
}

#[tokio::test]
async fn players_are_listed_in_the_order_of_joining() {
    let app = lobby().await;
    let owls = app.join("Owls").await;
    let foxes = app.join("Foxes").await;
    let ben = app.join_team(&owls.team_code).await;
    let token = &app.game_master_token;
    let first: Players = app.get("/players?limit=2", token).await.read(200);
    assert_eq!(first.after.as_deref(), Some(&*foxes.player));
    let rest = format!("/players?limit=2&after={}", foxes.player);
    let rest: Players = app.get(&rest, token).await.read(200);
    assert_eq!(rest.after, None);
    let listed = first.players.iter().chain(&rest.players);
    let listed: Vec<_> = listed
        .map(|player| (&*player.id, &player.name[..3], &*player.team))
        .collect();
    assert_eq!(
        listed,
        [
            (&*owls.player, "Ana", &*owls.team),
            (&*foxes.player, "Ana", &*foxes.team),
            (&*ben.player, "Ben", &*owls.team),
        ]
    );
    let clues = app.invite("Clues", &[Scope::Hints]).await;
    let refused = app.get("/players", &clues.token).await;
    refused.expect_failure(403, "forbidden");
    let to = json!({ "type": "player", "player": ben.player });
    let body = json!({ "to": to, "text": "Look up" });
    let pushed = app.post("/clues", &clues.token, Some(body)).await;
    assert_eq!(pushed.status, 201, "{pushed:?}");
}

#[tokio::test]
async fn the_audit_lists_what_game_masters_and_admins_did() {
    let app = lobby().await;
    let owls = app.join("Owls").await;
    let mo = app
        .invite("Mo", &[Scope::View, Scope::Hints, Scope::Run])
        .await;
    app.order("start").await;
    let mut player = app.attach(&owls.token).await;
    player.guess("p0", ANSWER).await.expect_correct();
    let to = json!({ "type": "team", "team": owls.team });
    let body = json!({ "to": to, "text": "Look up" });
    app.post("/clues", &mo.token, Some(body)).await;
    let device = app.add_device(&owls.token).await.device;
    app.delete(&format!("/devices/{device}"), &app.admin_token)
        .await;
    let body = json!({ "name": "Eagles", "reason": "They asked" });
    let path = format!("/teams/{}", owls.team);
    let renamed = app.ask("PATCH", &path, &mo.token, Some(body)).await;
    assert_eq!(renamed.status, 204, "{renamed:?}");
    let mut desk = app.attach(&mo.token).await;
    let order = testkit::app::announcement("Lunch");
    desk.order(order).await.expect_accepted();

    let (mut orders, mut before) = (Vec::new(), None);
    loop {
        let before_seq = before.map(|seq: u64| format!("&before={seq}"));
        let path = format!("/audit?limit=2{}", before_seq.unwrap_or_default());
        let page: Audit = app.get(&path, &mo.token).await.read(200);
        orders.extend(page.orders);
        before = page.before;
        if before.is_none() {
            break;
        }
    }
    assert!(orders.is_sorted_by(|newer, older| newer.seq > older.seq));
    let shown: Vec<_> = orders
        .iter()
        .map(|order| (order.by, order.name.as_deref(), order.order))
        .collect();
    let (game_master, admin) = (Cause::GameMaster, Cause::Admin);
    assert_eq!(
        shown,
        [
            (game_master, Some("Mo"), AuditedKind::Announce),
            (game_master, Some("Mo"), AuditedKind::RenameTeam),
            (admin, None, AuditedKind::RevokeDevice),
            (game_master, Some("Mo"), AuditedKind::PushClue),
            (game_master, Some("Organiser"), AuditedKind::Start),
            (
                game_master,
                Some("Organiser"),
                AuditedKind::InviteGameMaster
            ),
            (admin, None, AuditedKind::InviteGameMaster),
        ]
    );
    assert_eq!(orders[0].target.announcement.as_deref(), Some("a1"));
    assert_eq!(orders[1].reason.as_deref(), Some("They asked"));
    assert_eq!(orders[1].target.team, Some(owls.team.clone()));
    assert_eq!(orders[2].target.device, Some(device));
    assert_eq!(orders[2].target.player, Some(owls.player));
    assert_eq!(orders[2].reason, None);
    let pushed = &orders[3];
    assert_eq!(pushed.game_master, Some(mo.game_master.clone()));
    assert_eq!(pushed.target.clue.as_deref(), Some("c1"));
    assert_eq!(pushed.target.team, Some(owls.team));
    assert!(orders[4].target.is_empty());
    assert_eq!(orders[5].target.game_master, Some(mo.game_master));

    let viewer = app.invite("Viewer", &[Scope::View]).await;
    let refused = app.get("/audit", &viewer.token).await;
    refused.expect_failure(403, "forbidden");
}
