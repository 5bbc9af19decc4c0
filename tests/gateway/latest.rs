//! What carries no number: the board, standings, and who is connected.

use protocol::{
    Attendance, Board, ClientMessage, CloseCode, Codec, Command, Hello, Order, Phase, Presence,
    RejectionCode, Resume, ServerMessage, Standing, Watch, Welcome,
};

use crate::device::Device;
use crate::stage::{ANSWER, Stage};
use crate::wire::{Ended, Wire};

/// Windows that are over before a test gets impatient.
const QUICK: &str = "delivery.latest_every_ms=50";

/// Somebody who takes in what carries no number, and checks that changes follow from what is known.
struct Onlooker {
    wire: Wire,
    welcome: Welcome,
    board: Option<Board>,
    attendance: Option<Attendance>,
    standing: Option<Standing>,
    presence: Option<Presence>,
    /// Boards that came as a change.
    changes: usize,
    /// Updates and snapshots, of which a spectator gets none.
    numbered: usize,
}

impl Onlooker {
    async fn begin(stage: &Stage, codec: Codec, first: ClientMessage) -> Result<Self, Ended> {
        let mut wire = Wire::open(stage.address(), &stage.session, codec).await;
        wire.send(&first).await;
        let ServerMessage::Welcome(welcome) = wire.receive().await? else {
            panic!("a welcome comes first");
        };
        Ok(Self {
            wire,
            welcome,
            board: None,
            attendance: None,
            standing: None,
            presence: None,
            changes: 0,
            numbered: 0,
        })
    }

    async fn with_token(stage: &Stage, codec: Codec, token: &str) -> Self {
        let (token, cursor) = (token.to_owned(), None);
        let hello = ClientMessage::Hello(Hello { token, cursor });
        let begun = Self::begin(stage, codec, hello).await;
        begun.expect("the token is good")
    }

    async fn spectator(stage: &Stage, codec: Codec) -> Result<Self, Ended> {
        Self::begin(stage, codec, ClientMessage::Watch(Watch {})).await
    }

    async fn read(&mut self) -> ServerMessage {
        let message = self.wire.receive().await.expect("the connection holds");
        match message.clone() {
            ServerMessage::Board(board) => {
                self.changes += usize::from(board.base.is_some());
                (*board)
                    .apply_to(&mut self.board)
                    .expect("the base is the last version received");
            }
            ServerMessage::Attendance(attendance) => {
                let followed = attendance.apply_to(&mut self.attendance);
                followed.expect("the base is the last version received");
            }
            ServerMessage::Standing(standing) => self.standing = Some(standing),
            ServerMessage::Presence(presence) => self.presence = Some(presence),
            ServerMessage::Update(_) | ServerMessage::Snapshot(_) | ServerMessage::Overview(_) => {
                self.numbered += 1;
            }
            _ => {}
        }
        message
    }

    async fn until(&mut self, fits: impl Fn(&Self) -> bool) {
        while !fits(self) {
            self.read().await;
        }
    }

    /// Reads until the board has these scores, first to last.
    async fn until_scores(&mut self, scores: &[u32]) {
        self.until(|this| this.scores().is_some_and(|shown| shown == scores))
            .await;
    }

    fn scores(&self) -> Option<Vec<u32>> {
        let board = self.board.as_ref()?;
        assert_eq!(board.length as usize, board.rows.len());
        Some(board.rows.iter().map(|row| row.score).collect())
    }

    /// The connected players of the own team, with their devices.
    fn present(&self) -> Vec<(&str, u32)> {
        let players = self.presence.iter().flat_map(|presence| &presence.players);
        players
            .map(|player| (player.player.as_str(), player.devices))
            .collect()
    }
}

async fn solve(device: &mut Device, id: u64, puzzle: &str) {
    let solved = device.guess(id, puzzle, ANSWER).await;
    solved.expect("the answer is accepted");
}

#[tokio::test]
async fn the_board_comes_whole_and_then_as_what_has_changed() {
    for codec in Codec::ALL {
        let stage = Stage::running(&[QUICK]).await;
        let (owls, terns) = (stage.join("Owls").await, stage.join("Terns").await);
        let mut solver = Device::attached(&stage, codec, &terns.token).await;
        let mut onlooker = Onlooker::with_token(&stage, codec, &owls.token).await;
        onlooker.until_scores(&[0, 0]).await;
        let board = onlooker.board.clone().expect("it has come");
        assert_eq!(board.title.as_deref(), Some("Gateway"));
        assert_eq!((board.phase, board.teams), (Phase::Running, 2));
        assert_eq!(onlooker.changes, 0, "the first is whole");
        for id in 1..=3 {
            solve(&mut solver, id, &format!("p{id}")).await;
            let score = u32::try_from(id).expect("it is small");
            onlooker.until_scores(&[score, 0]).await;
            onlooker
                .until(|this| this.standing.is_some_and(|own| own.rank == 2))
                .await;
        }
        assert!(onlooker.changes > 0, "the others are changes");
        let board = onlooker.board.clone().expect("it has come");
        let (first, second) = (&board.rows[0], &board.rows[1]);
        assert_eq!((first.team.as_str(), first.rank), (terns.team.as_str(), 1));
        assert_eq!((first.name.as_str(), first.solves), ("Terns", 3));
        assert_eq!((second.team.as_str(), second.rank), (owls.team.as_str(), 2));
        assert_eq!(board.title.as_deref(), Some("Gateway"), "it stays");
        let own = onlooker.standing.expect("it has come");
        assert_eq!((own.rank, own.score, own.solves), (2, 0, 0));
        // A resync on the same connection begins anew with a whole one.
        let resync = ClientMessage::Resync(protocol::Resync { cursor: None });
        onlooker.board = None;
        onlooker.wire.send(&resync).await;
        onlooker.until_scores(&[3, 0]).await;
    }
}

#[tokio::test]
async fn a_team_below_the_board_is_told_its_rank() {
    let stage = Stage::running(&[QUICK, "delivery.board_rows_max=1"]).await;
    let (owls, terns) = (stage.join("Owls").await, stage.join("Terns").await);
    let mut solver = Device::attached(&stage, Codec::Json, &terns.token).await;
    let mut onlooker = Onlooker::with_token(&stage, Codec::Json, &owls.token).await;
    onlooker
        .until(|this| this.standing.is_some_and(|own| own.rank == 1))
        .await;
    solve(&mut solver, 1, "p0").await;
    onlooker.until_scores(&[1]).await;
    onlooker
        .until(|this| this.standing.is_some_and(|own| own.rank == 2))
        .await;
    let board = onlooker.board.expect("it has come");
    assert_eq!(
        (board.teams, board.rows[0].team.as_str()),
        (2, terns.team.as_str())
    );
}

#[tokio::test]
async fn a_spectator_sees_the_board_and_nothing_else() {
    for codec in Codec::ALL {
        let stage = Stage::lobby(&[QUICK]).await;
        let mut spectator = Onlooker::spectator(&stage, codec).await.expect("welcome");
        let welcome = &spectator.welcome;
        assert_eq!(welcome.resume, Resume::Board);
        let nobody = (&welcome.device, &welcome.player, &welcome.team);
        assert_eq!(nobody, (&None, &None, &None));
        spectator.until_scores(&[]).await;
        let joined = stage.join("Owls").await;
        let mut solver = Device::attached(&stage, codec, &joined.token).await;
        spectator.until_scores(&[0]).await;
        stage.order("start").await;
        solve(&mut solver, 1, "p0").await;
        solver.guess_wrong(2, "p1", "nowhere").await;
        spectator.until_scores(&[1]).await;
        stage.order("pause").await;
        let is_paused = |this: &Onlooker| {
            let phase = this.board.as_ref().map(|board| board.phase);
            phase == Some(Phase::Paused)
        };
        spectator.until(is_paused).await;
        // It may ask for a whole board, and for nothing else.
        spectator.board = None;
        let resync = ClientMessage::Resync(protocol::Resync { cursor: None });
        spectator.wire.send(&resync).await;
        spectator.until_scores(&[1]).await;
        let order = Order::Finish;
        let command = ClientMessage::Command(Command { id: 1, order });
        spectator.wire.send(&command).await;
        let rejected = loop {
            if let ServerMessage::Rejection(rejection) = spectator.read().await {
                break rejection.code;
            }
        };
        assert_eq!(rejected, RejectionCode::Forbidden);
        assert_eq!(spectator.numbered, 0, "nothing that is numbered");
        assert_eq!(spectator.standing, None);
        assert_eq!(spectator.presence, None);
        assert_eq!(spectator.attendance, None);
        stage.assert_unharmed();
    }
}

#[tokio::test]
async fn spectators_are_bounded_and_need_a_code_that_exists() {
    let mut stage = Stage::running(&[QUICK, "delivery.spectators_max=1"]).await;
    let mut first = Onlooker::spectator(&stage, Codec::Json)
        .await
        .expect("welcome");
    let second = Onlooker::spectator(&stage, Codec::Json).await;
    let second = second.err().expect("one is enough");
    assert_eq!(second.code(), Some(CloseCode::Overloaded.number()));
    first.until_scores(&[]).await;
    stage.session = "NOWHERE".to_owned();
    let lost = Onlooker::spectator(&stage, Codec::Json).await;
    let lost = lost.err().expect("there is no such session");
    assert_eq!(lost.code(), Some(CloseCode::UnknownSession.number()));
    stage.assert_unharmed();
}

#[tokio::test]
async fn a_team_and_its_game_masters_are_told_who_is_connected() {
    for codec in Codec::ALL {
        let stage = Stage::running(&[QUICK]).await;
        let ana = stage.join("Owls").await;
        let ben = stage.join_team(&ana).await;
        let other = stage.join("Terns").await;
        let tablet = stage.add_device(&ana.token).await;
        let (ana_id, ben_id) = (ana.player.as_str(), ben.player.as_str());
        let mut game_master = Onlooker::with_token(&stage, codec, &stage.game_master).await;
        let mut on_phone = Onlooker::with_token(&stage, codec, &ana.token).await;
        on_phone.until(|this| this.present() == [(ana_id, 1)]).await;
        let on_tablet = Onlooker::with_token(&stage, codec, &tablet.token).await;
        let bens = Onlooker::with_token(&stage, codec, &ben.token).await;
        let elsewhere = Onlooker::with_token(&stage, codec, &other.token).await;
        let spectator = Onlooker::spectator(&stage, codec).await.expect("welcome");
        on_phone
            .until(|this| this.present() == [(ana_id, 2), (ben_id, 1)])
            .await;
        let counts = |this: &Onlooker| {
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
        on_phone.until(|this| this.present() == [(ana_id, 1)]).await;
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
    let stage = Stage::running(&settings).await;
    let ana = stage.join("Owls").await;
    let ben = stage.join_team(&ana).await;
    let mut slow = Device::attached(&stage, Codec::Json, &ana.token).await;
    let mut quick = Device::attached(&stage, Codec::MessagePack, &ben.token).await;
    for id in 1..=FILLING {
        let puzzle = format!("p{}", 4 + id % 4);
        let guess = format!("{id}{}", "漢".repeat(980));
        quick.guess_wrong(id, &puzzle, &guess).await;
    }
    // Each solve changes the board; from the second on they replace each other.
    for solved in 0..4 {
        let id = FILLING + 1 + solved;
        solve(&mut quick, id, &format!("p{solved}")).await;
        let score = u32::try_from(solved + 1).expect("it is small");
        quick.read_until_board(score).await;
    }
    assert!(stage.metric("cluecast_latest_replaced_total").await > 0);
    slow.read_until_board(4).await;
    assert!(slow.boards < 4, "{} boards came", slow.boards);
    assert_eq!(stage.metric("cluecast_outboxes_overflowed_total").await, 0);
    stage.assert_unharmed();
}
