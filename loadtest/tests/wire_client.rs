//! Tests the protocol client against a scripted server, message by message.

use cluecast_loadtest::client::{Answer, ClientError, Endpoint, Node, StreamFault, WireClient};
use futures_util::{FutureExt, SinkExt, StreamExt};
use protocol::{
    Audience, ClientMessage, CloseCode, Codec, Command, Cursor, Event, Heads, Hello, Order, Phase,
    Receipt, Reconnect, Rejection, RejectionCode, Resume, ServerMessage, Snapshot, Team, Update,
    Verdict, Welcome,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// Plays the server's side of successive connections.
struct Script {
    listener: TcpListener,
}

struct Side {
    socket: WebSocketStream<TcpStream>,
}

/// A script and a client for it.
async fn stage() -> (Script, WireClient) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let script = Script { listener };
    let client = WireClient::new(script.endpoint(), "token".to_owned(), 1);
    (script, client)
}

impl Script {
    fn endpoint(&self) -> Endpoint {
        let address = self.listener.local_addr().expect("it is bound");
        Endpoint {
            authority: address.to_string(),
            session: "KITE42".to_owned(),
        }
    }

    /// Accepts the next connection and reads its `hello`.
    async fn accept(&self) -> (Side, Hello) {
        let (stream, _) = self.listener.accept().await.expect("a client connects");
        #[expect(
            clippy::result_large_err,
            reason = "the handshake's callback is made so"
        )]
        let callback = |request: &Request, mut response: Response| {
            let wanted = request.headers().get("Sec-WebSocket-Protocol").cloned();
            assert_eq!(
                wanted,
                Some(HeaderValue::from_static("cluecast.v1.msgpack"))
            );
            response.headers_mut().extend(wanted.map(|name| {
                let header = "sec-websocket-protocol"
                    .parse()
                    .expect("it is a header's name");
                (Some(header), name)
            }));
            Ok(response)
        };
        let socket = accept_hdr_async(stream, callback)
            .await
            .expect("it upgrades");
        let mut side = Side { socket };
        let ClientMessage::Hello(hello) = side.read().await else {
            panic!("the first message is a hello");
        };
        (side, hello)
    }

    /// Accepts the next connection and sends a snapshot with these team heads.
    async fn attach(&self, team: u64) -> (Side, Hello) {
        let (mut side, hello) = self.accept().await;
        side.welcome(Resume::Snapshot, team).await;
        side.write(ServerMessage::Snapshot(Box::new(snapshot(team))))
            .await;
        (side, hello)
    }
}

impl Side {
    async fn read(&mut self) -> ClientMessage {
        let frame = self
            .socket
            .next()
            .await
            .expect("a frame comes")
            .expect("it is whole");
        Codec::MessagePack
            .decode(&frame.into_data())
            .expect("it is a message")
    }

    async fn read_command(&mut self) -> Command {
        match self.read().await {
            ClientMessage::Command(command) => command,
            other => panic!("{other:?} is no command"),
        }
    }

    async fn write(&mut self, message: ServerMessage) {
        let payload = Codec::MessagePack.encode(&message);
        let frame = Message::Binary(payload.into());
        self.socket.send(frame).await.expect("the client reads");
    }

    async fn welcome(&mut self, resume: Resume, team: u64) {
        self.write(ServerMessage::Welcome(Welcome {
            device: Some("d1".to_owned()),
            player: Some("p1".to_owned()),
            team: Some("t1".to_owned()),
            game_master: None,
            instance: None,
            scopes: Vec::new(),
            resume,
            generation: 3,
            heads: heads(team),
            server_time_ms: 1_000,
            last_command: 0,
            reconnect: Reconnect {
                min_in_ms: 0,
                max_in_ms: 5,
            },
        }))
        .await;
    }

    async fn judged(&mut self, number: u64) {
        self.write(ServerMessage::Update(Update {
            audience: Audience::Team,
            number,
            at_ms: 0,
            event: Event::GuessJudged {
                team: None,
                puzzle: "maze".to_owned(),
                player: "p1".to_owned(),
                guess: Some("EXIT".to_owned()),
                verdict: Verdict::Correct,
                points: 1,
                score: 1,
            },
        }))
        .await;
    }

    async fn receipt(&mut self, id: u64) {
        self.write(ServerMessage::Receipt(Receipt {
            id,
            order: protocol::OrderKind::SubmitGuess,
            verdict: Some(Verdict::Correct),
            points: Some(1),
            clue: None,
            announcement: None,
        }))
        .await;
    }

    async fn close(&mut self, code: CloseCode) {
        let frame = CloseFrame {
            code: code.number().into(),
            reason: code.name().into(),
        };
        self.socket
            .close(Some(frame))
            .await
            .expect("the client reads");
    }
}

fn heads(team: u64) -> Heads {
    Heads {
        everyone: 1,
        team,
        player: 1,
        public: 0,
        view: 0,
        hints: 0,
        answers: 0,
    }
}

fn cursor(team: u64) -> Cursor {
    Cursor {
        generation: 3,
        everyone: 1,
        team,
        player: 1,
        public: 0,
        view: 0,
        hints: 0,
        answers: 0,
    }
}

fn snapshot(team: u64) -> Snapshot {
    Snapshot {
        heads: heads(team),
        title: "Harbour".to_owned(),
        phase: Phase::Running,
        starts_at_ms: None,
        paused_at_ms: None,
        ends_at_ms: None,
        left_ms: None,
        team: Team {
            id: "t1".to_owned(),
            name: "Owls".to_owned(),
            code: "R7QM".to_owned(),
            score: 0,
            players: Vec::new(),
        },
        rounds: Vec::new(),
        puzzles: Vec::new(),
        clues: Vec::new(),
        announcements: Vec::new(),
    }
}

fn guess(client: &mut WireClient) -> Command {
    client.next_command(Order::SubmitGuess {
        puzzle: "maze".to_owned(),
        guess: "exit".to_owned(),
    })
}

#[tokio::test]
async fn after_a_cut_the_command_is_sent_again_with_its_id_and_cursor() {
    let (script, mut client) = stage().await;
    let command = guess(&mut client);
    let server = async {
        let (mut side, hello) = script.attach(4).await;
        assert_eq!(hello.cursor, None);
        let first = side.read_command().await;
        side.judged(5).await;
        drop(side);
        let (mut side, hello) = script.accept().await;
        assert!([cursor(4), cursor(5)].map(Some).contains(&hello.cursor));
        let seen = hello.cursor.map_or(0, |cursor| cursor.team);
        side.welcome(Resume::Replay, 5).await;
        if seen == 4 {
            side.judged(5).await;
        }
        assert_eq!(side.read_command().await, first);
        side.receipt(first.id).await;
        side
    };
    let (outcome, _side) = tokio::join!(client.send(command), server);
    let outcome = outcome.expect("the client goes on");
    assert!(matches!(outcome.answer, Answer::Accepted(receipt) if receipt.id == 1));
    assert_eq!(
        client.view().verdict("maze", "EXIT"),
        Some(Verdict::Correct)
    );
    let tally = client.tally();
    assert_eq!(
        (tally.reconnects, tally.replays, tally.snapshots),
        (1, 1, 0)
    );
    assert_eq!(
        (tally.gaps, tally.repeated, tally.forgotten_commands),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn a_gap_is_counted_and_asked_for_again() {
    let (script, mut client) = stage().await;
    let server = async {
        let (mut side, _) = script.attach(4).await;
        side.judged(6).await;
        let ClientMessage::Resync(resync) = side.read().await else {
            panic!("a gap asks for a resync");
        };
        assert_eq!(resync.cursor, Some(cursor(4)));
        side.judged(7).await;
        side.welcome(Resume::Replay, 7).await;
        for number in 5..=7 {
            side.judged(number).await;
        }
        side
    };
    let client_side = client.wait_until(|view| view.score() == 1);
    let (settled, _side) = tokio::join!(client_side, server);
    settled.expect("the client goes on");
    assert_eq!(client.cursor(), Some(cursor(7)));
    assert_eq!((client.tally().gaps, client.tally().repeated), (1, 0));
    assert!(matches!(
        client.tally().first_fault,
        Some(StreamFault::Gap { .. })
    ));
}

#[tokio::test]
async fn a_replaced_device_does_not_come_back() {
    let (script, mut client) = stage().await;
    let server = async {
        let (mut side, _) = script.attach(4).await;
        side.close(CloseCode::Replaced).await;
        side
    };
    let (error, _side) = tokio::join!(client.listen(), server);
    let replaced = CloseCode::Replaced;
    assert!(
        matches!(error, ClientError::Closed { code, .. } if code == replaced),
        "{error}"
    );
}

#[tokio::test]
async fn a_slow_reader_resumes_at_once() {
    let (script, mut client) = stage().await;
    let server = async {
        let (mut side, _) = script.attach(4).await;
        side.close(CloseCode::SlowReader).await;
        let (mut side, hello) = script.accept().await;
        assert_eq!(hello.cursor, Some(cursor(4)));
        side.welcome(Resume::Replay, 5).await;
        side.judged(5).await;
        side
    };
    let client_side = client.wait_until(|view| view.score() == 1);
    let (resumed, _side) = tokio::join!(client_side, server);
    resumed.expect("the client comes back");
    assert_eq!(client.tally().replays, 1);
}

#[tokio::test]
async fn a_refusal_is_handed_over_with_the_time_to_try_again() {
    let (script, mut client) = stage().await;
    let command = guess(&mut client);
    let server = async {
        let (mut side, _) = script.attach(4).await;
        let id = side.read_command().await.id;
        side.write(ServerMessage::Rejection(Rejection {
            id,
            code: RejectionCode::RateLimited,
            message: "slower".to_owned(),
            retry_at_ms: Some(2_000),
            last_command: None,
        }))
        .await;
        side
    };
    let (outcome, _side) = tokio::join!(client.send(command), server);
    let outcome = outcome.expect("it is answered");
    let Answer::Refused(rejection) = outcome.answer else {
        panic!("it is a refusal");
    };
    let retry_at = client.retry_at(rejection.retry_at_ms, 0);
    let wait_ms = (retry_at - outcome.sent_at).as_millis();
    assert!(
        (900..=1_100).contains(&wait_ms),
        "{wait_ms} by the server's clock of 1000"
    );
}

#[tokio::test]
async fn a_server_that_lost_an_acknowledged_command_is_reported() {
    let (script, mut client) = stage().await;
    let command = guess(&mut client);
    let server = async {
        let (mut side, _) = script.attach(4).await;
        let id = side.read_command().await.id;
        side.receipt(id).await;
        side
    };
    let (outcome, side) = tokio::join!(client.send(command), server);
    outcome.expect("it is answered");
    drop(side);
    client.cut();
    let server = async {
        let (mut side, _) = script.accept().await;
        side.welcome(Resume::Replay, 4).await;
        side
    };
    let (attached, _side) = tokio::join!(client.attach(), server);
    attached.expect("the client comes back");
    assert_eq!(client.tally().forgotten_commands, 1);
}

#[tokio::test]
async fn a_client_whose_node_is_gone_turns_to_the_next() {
    let (first, client) = stage().await;
    let (second, _) = stage().await;
    let mut client = client
        .with_other_nodes([second.endpoint()])
        .with_updates_kept();
    let nodes = async {
        let (side, _) = first.attach(0).await;
        drop((side, first));
        let (mut side, hello) = second.accept().await;
        side.welcome(Resume::Replay, 1).await;
        side.judged(1).await;
        (side, hello.cursor)
    };
    let playing = client.wait_until(|view| view.score() == 1);
    let ((_side, resumed), played) = tokio::join!(nodes, playing);
    played.expect("the other node takes it");
    assert_eq!(resumed, Some(cursor(0)));
    assert_eq!(client.authority(), second.endpoint().authority);
    assert!(client.interrupted_at() <= client.connected_at());
    let kept: Vec<u64> = client
        .take_updates()
        .iter()
        .map(|update| update.number)
        .collect();
    assert_eq!((kept, client.take_updates().len()), (vec![1], 0));
}

#[tokio::test]
async fn a_node_that_opens_no_connection_for_too_long_is_left() {
    let (silent, client) = stage().await;
    let (second, _) = stage().await;
    let opening_max = std::time::Duration::from_millis(100);
    let mut client = client
        .with_other_nodes([second.endpoint()])
        .with_opening_max(opening_max);
    let nodes = async {
        // The kernel accepts the connection, as for a stopped process, and nothing is sent.
        second.attach(0).await
    };
    let (_side, attached) = tokio::join!(nodes, client.attach());
    attached.expect("the other node takes it");
    assert_eq!(
        client.turned_away_at(),
        None,
        "no server closed or refused it"
    );
    drop(silent);
}

#[tokio::test]
async fn a_node_that_a_check_finds_down_is_left_and_not_asked_again() {
    let (stopped, _) = stage().await;
    let (second, _) = stage().await;
    let (is_up, checked) = watch::channel(true);
    let first = Node::checked(stopped.endpoint(), checked);
    let mut client = WireClient::new(first, "token".to_owned(), 1)
        .with_other_nodes([second.endpoint()])
        .with_reconnect_max(std::time::Duration::from_millis(1));
    let nodes = async {
        let (_connection, _) = stopped.listener.accept().await.expect("it is tried first");
        is_up.send_replace(false);
        for _ in 0..3 {
            let (mut side, _) = second.attach(0).await;
            side.close(CloseCode::SessionRestarting).await;
        }
    };
    tokio::select! {
        () = nodes => {}
        error = client.listen() => panic!("{error}"),
    }
    let again = stopped.listener.accept().now_or_never();
    assert!(again.is_none(), "it was asked while it was down");
}
