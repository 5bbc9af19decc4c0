//! Sessions on a store that stops answering: nothing is acknowledged, new orders are refused, and
//! everything resumes with the store.

use std::collections::BTreeMap;

use cluecast::cli::Server;
use cluecast::config::{Config, Layers};
use cluecast::delivery::Hub;
use cluecast::ids::SessionId;
use cluecast::journal::{PostgresJournal, PostgresOptions};
use cluecast::session::{SessionHandle, StoredHunt, Unavailable};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hunt::{GameMasterOrder, Issuer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{NODE, parse, start};

const HUNT_FILE: &str = "[hunt]\ntitle = \"Pause\"\n\n[round.only]\ntitle = \"Only\"\n\n\
                         [puzzle.owl]\nround = \"only\"\ntitle = \"Owl\"\npoints = 1\nanswer = \"HOOT\"\n";

async fn session(server: &Server) -> SessionHandle<Hub> {
    let files: BTreeMap<String, String> = [("hunt.toml".to_owned(), HUNT_FILE.to_owned())].into();
    let stored = StoredHunt::new(&files).expect("the hunt has no mistakes");
    let sessions = server.gateway().sessions();
    sessions.put_hunt(&stored).await.expect("stores");
    let id = SessionId::new(1);
    let created = sessions
        .create(id, "AAAA".to_owned(), stored.revision)
        .await;
    created.expect("creates")
}

/// Submits an order and expects the rules to accept it.
async fn order(session: &SessionHandle<Hub>, order: GameMasterOrder) -> Result<(), Unavailable> {
    let outcome = session
        .submit_order(Issuer::Admin, order, Vec::new())
        .await?;
    outcome.expect("the rules allow it");
    Ok(())
}

/// The gauge, read from the metrics endpoint.
async fn oldest_wait_seconds(server: &Server) -> f64 {
    let mut stream = TcpStream::connect(server.address())
        .await
        .expect("it listens");
    let request = b"GET /metrics HTTP/1.0\r\nhost: test\r\n\r\n";
    stream.write_all(request).await.expect("it takes it");
    let mut printed = String::new();
    let read = stream.read_to_string(&mut printed).await;
    read.expect("it answers and closes");
    let mut lines = printed.lines();
    let value = lines.find_map(|line| line.strip_prefix("cluecast_journal_oldest_wait_seconds "));
    let value = value.expect("it is among the metrics");
    value.parse().expect("it is a number")
}

#[tokio::test]
async fn a_frozen_store_stops_acknowledgements_and_new_orders_until_it_resumes() {
    let postgres = start().await;
    let options = PostgresOptions::new(parse(&postgres.url()), NODE);
    PostgresJournal::migrate(&options).await.expect("migrates");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut layers = Layers::built_in();
    for setting in [
        "server.listen=127.0.0.1:0".to_owned(),
        format!("server.data_dir={}", folder.path().display()),
        "journal.backend=postgres".to_owned(),
        format!("journal.postgres_url={}", postgres.url()),
        "session.wait_ms_max=100".to_owned(),
    ] {
        layers.add_flag(&setting);
    }
    let config = Config::read(layers).expect("the settings are right");
    let server = Server::start(&config).await.expect("it starts");
    let session = session(&server).await;
    order(&session, GameMasterOrder::Start)
        .await
        .expect("it is open");

    postgres.freeze().await.expect("it freezes");
    let mut waiting = FuturesUnordered::new();
    let mut turns = [GameMasterOrder::Pause, GameMasterOrder::Resume]
        .into_iter()
        .cycle();
    // Orders are accepted until the oldest has waited too long; none is answered.
    loop {
        let next = turns.next().expect("the iterator is endless");
        waiting.push(order(&session, next));
        tokio::select! {
            biased;
            Some(outcome) = waiting.next() => {
                outcome.expect_err("nothing is acknowledged by a frozen store");
                break;
            }
            () = tokio::time::sleep(std::time::Duration::from_millis(5)) => {}
        }
    }
    let oldest_wait = oldest_wait_seconds(&server).await;
    assert!(oldest_wait > 0.1, "{oldest_wait} s");
    postgres.thaw().expect("it thaws");
    assert!(!waiting.is_empty());
    while let Some(outcome) = waiting.next().await {
        outcome.expect("accepted orders are executed");
    }
    let announcement = GameMasterOrder::Announce {
        text: "We go on.".to_owned(),
    };
    order(&session, announcement).await.expect("it resumes");
    assert!(oldest_wait_seconds(&server).await < oldest_wait);
    server.stop().await.expect("it stops");
}
