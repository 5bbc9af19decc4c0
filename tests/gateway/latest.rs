//! Values without a number: the board, standings and presence.

use protocol::{Audience, CloseCode, Codec, Event, Order, Phase, RejectionCode, Resume};
use testkit::app::{ANSWER, TITLE, TestApp, TestClient};

/// Latest values are sent soon after they change.
const QUICK: &str = "delivery.latest_every_ms=50";

/// The connected players of the own team, with their numbers of devices.
fn present(client: &TestClient) -> Vec<(&str, u32)> {
    let players = client
        .presence
        .iter()
        .flat_map(|presence| &presence.players);
    players
        .map(|player| (player.player.as_str(), player.devices))
        .collect()
}

async fn until_rank(client: &mut TestClient, rank: u32) {
    let has_rank = |client: &TestClient| client.standing.is_some_and(|own| own.rank == rank);
    client.until(has_rank).await;
}

#[tokio::test]
async fn the_board_comes_whole_and_then_as_changes() {
    for codec in Codec::ALL {
        let app = TestApp::running(&[QUICK]).await;
        let owls = app.join("Owls").await;
        let mut solver = app.team_with(codec, "Terns").await;
        let mut onlooker = app.attach_with(codec, &owls.token).await;
        onlooker.until_scores(&[0, 0]).await;
        let board = onlooker.board.clone().expect("it has come");
        assert_eq!(board.title.as_deref(), Some(TITLE));
        assert_eq!((board.phase, board.teams), (Phase::Running, 2));
        assert_eq!(onlooker.board_changes, 0, "the first is whole");
        for score in 1..=3 {
            solver
                .guess(&format!("p{score}"), ANSWER)
                .await
                .expect_correct();
            onlooker.until_scores(&[score, 0]).await;
            until_rank(&mut onlooker, 2).await;
        }
        assert!(onlooker.board_changes > 0, "the others are changes");
        let board = onlooker.board.clone().expect("it has come");
        let (first, second) = (&board.rows[0], &board.rows[1]);
        assert_eq!((first.team.as_str(), first.rank), (solver.team_id(), 1));
        assert_eq!((first.name.as_str(), first.solves), ("Terns", 3));
        assert_eq!((second.team.as_str(), second.rank), (onlooker.team_id(), 2));
        assert_eq!(board.title.as_deref(), Some(TITLE), "it stays");
        let own = onlooker.standing.expect("it has come");
        assert_eq!((own.rank, own.score, own.solves), (2, 0, 0));
        // After a resync on the same connection, the first board is complete.
        onlooker.resync(None).await;
        onlooker.until_scores(&[3, 0]).await;
    }
}

#[tokio::test]
async fn a_team_below_the_board_sees_its_rank() {
    let app = TestApp::running(&[QUICK, "delivery.board_rows_max=1"]).await;
    let mut onlooker = app.team_with(Codec::Json, "Owls").await;
    let mut solver = app.team_with(Codec::Json, "Terns").await;
    until_rank(&mut onlooker, 1).await;
    solver.guess("p0", ANSWER).await.expect_correct();
    onlooker.until_scores(&[1]).await;
    until_rank(&mut onlooker, 2).await;
    let board = onlooker.board.expect("it has come");
    assert_eq!(
        (board.teams, board.rows[0].team.as_str()),
        (2, solver.team_id())
    );
}

#[tokio::test]
async fn a_spectator_sees_the_board_and_nothing_else() {
    for codec in Codec::ALL {
        let app = TestApp::lobby(&[QUICK]).await;
        let mut spectator = app.watch(codec).await.expect("welcome");
        let welcome = &spectator.welcome;
        assert_eq!(welcome.resume, Resume::Board);
        let ids = (&welcome.device, &welcome.player, &welcome.team);
        assert_eq!(ids, (&None, &None, &None));
        spectator.until_scores(&[]).await;
        let mut solver = app.team_with(codec, "Owls").await;
        spectator.until_scores(&[0]).await;
        app.order("start").await;
        solver.guess("p0", ANSWER).await.expect_correct();
        solver.guess("p1", "nowhere").await.expect_wrong();
        spectator.until_scores(&[1]).await;
        app.order("pause").await;
        let is_paused = |this: &TestClient| {
            let phase = this.board.as_ref().map(|board| board.phase);
            phase == Some(Phase::Paused)
        };
        spectator.until(is_paused).await;
        // It may send `resync` for a complete board, and nothing else.
        spectator.resync(None).await;
        spectator.until_scores(&[1]).await;
        let answer = spectator.order(Order::Finish { confirm: true }).await;
        answer.expect_rejection(RejectionCode::Forbidden);
        let public = spectator.updates.iter();
        assert!(
            public
                .clone()
                .all(|update| update.audience == Audience::Public)
        );
        let kinds = public.map(|update| match &update.event {
            Event::TeamCreated { .. } => "team",
            Event::SessionStarted { .. } => "started",
            Event::Solved { .. } => "solved",
            Event::SessionPaused { .. } => "paused",
            other => panic!("spectators do not see {other:?}"),
        });
        assert!(kinds.eq(["team", "started", "solved", "paused"]));
        assert!(spectator.snapshot.is_none() && spectator.overview.is_none());
        assert_eq!(spectator.standing, None);
        assert_eq!(spectator.presence, None);
        assert_eq!(spectator.attendance, None);
        app.assert_healthy();
    }
}

#[tokio::test]
async fn spectators_are_bounded_and_need_a_code_that_exists() {
    let app = TestApp::running(&[QUICK, "delivery.spectators_max=1"]).await;
    let mut first = app.watch(Codec::Json).await.expect("welcome");
    let second = app.watch(Codec::Json).await;
    let second = second.err().expect("one is enough");
    second.expect_code(CloseCode::Overloaded);
    first.until_scores(&[]).await;
    let lost = app.with_code("NOWHERE").watch(Codec::Json).await;
    let lost = lost.err().expect("there is no such session");
    lost.expect_code(CloseCode::UnknownSession);
    app.assert_healthy();
}

#[tokio::test]
async fn a_team_and_its_game_masters_see_who_is_connected() {
    for codec in Codec::ALL {
        let app = TestApp::running(&[QUICK]).await;
        let ana = app.join("Owls").await;
        let ben = app.join_team(&ana.team_code).await;
        let other = app.join("Terns").await;
        let tablet = app.add_device(&ana.token).await;
        let (ana_id, ben_id) = (ana.player.as_str(), ben.player.as_str());
        let mut game_master = app.attach_with(codec, &app.game_master_token).await;
        let mut on_phone = app.attach_with(codec, &ana.token).await;
        on_phone.until(|this| present(this) == [(ana_id, 1)]).await;
        let on_tablet = app.attach_with(codec, &tablet.token).await;
        let bens = app.attach_with(codec, &ben.token).await;
        let elsewhere = app.attach_with(codec, &other.token).await;
        let spectator = app.watch(codec).await.expect("welcome");
        on_phone
            .until(|this| present(this) == [(ana_id, 2), (ben_id, 1)])
            .await;
        let counts = |this: &TestClient| {
            let attendance = this.attendance.as_ref()?;
            let teams = attendance.teams.iter();
            let teams: Vec<_> = teams
                .map(|team| (team.team.clone(), team.players, team.devices))
                .collect();
            Some((
                attendance.players,
                attendance.devices,
                attendance.spectators,
                teams,
            ))
        };
        let all = vec![(ana.team.clone(), 2, 3), (other.team.clone(), 1, 1)];
        let expected = Some((3, 4, 1, all));
        game_master.until(|this| counts(this) == expected).await;
        drop((on_tablet, bens, elsewhere, spectator));
        on_phone.until(|this| present(this) == [(ana_id, 1)]).await;
        let alone = Some((1, 1, 0, vec![(ana.team.clone(), 1, 1)]));
        game_master.until(|this| counts(this) == alone).await;
        assert_eq!(
            on_phone.attendance, None,
            "only game masters see other teams"
        );
        assert_eq!(game_master.presence, None);
    }
}

#[tokio::test]
async fn a_slow_reader_gets_the_latest_board_without_those_in_between() {
    /// More than the sockets' buffers on both sides take.
    const FILLING: u64 = 3_000;
    let settings = [
        QUICK,
        "delivery.outbound_bytes_max=67108864",
        "delivery.outbound_frames_max=100000",
        "gateway.write_ms_max=120000",
        "server.stop_ms_max=130000",
    ];
    let app = TestApp::running(&settings).await;
    let mut slow = app.team_with(Codec::Json, "Owls").await;
    let mut quick = app.teammate(&slow).await;
    for id in 1..=FILLING {
        let puzzle = format!("p{}", 4 + id % 4);
        let guess = format!("{id}{}", "漢".repeat(980));
        quick.guess(&puzzle, &guess).await.expect_wrong();
    }
    // Each solve changes the board; from the second on they replace each other.
    for solved in 0..4 {
        quick
            .guess(&format!("p{solved}"), ANSWER)
            .await
            .expect_correct();
        quick.until_scores(&[solved + 1]).await;
    }
    assert!(app.metric("cluecast_latest_replaced_total").await > 0);
    slow.until_scores(&[4]).await;
    assert!(slow.boards < 4, "{} boards came", slow.boards);
    assert_eq!(app.metric("cluecast_outboxes_overflowed_total").await, 0);
    app.assert_healthy();
}
