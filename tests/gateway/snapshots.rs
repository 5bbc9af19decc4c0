//! Client snapshots are encoded once for all clients that need the same.

use protocol::{Codec, Resume};
use testkit::app::TestApp;

/// Numbers of encoded snapshots and of cache hits.
struct Counts<'a> {
    app: &'a TestApp,
    encoded: u64,
    shared: u64,
}

impl Counts<'_> {
    async fn since_last(&mut self) -> (u64, u64) {
        let encoded = self.app.metric("cluecast_client_snapshots_encoded_total");
        let encoded = encoded.await;
        let shared = self.app.metric("cluecast_client_snapshots_shared_total");
        let shared = shared.await;
        let more = (encoded - self.encoded, shared - self.shared);
        (self.encoded, self.shared) = (encoded, shared);
        more
    }
}

/// Heads are rare, because each of them evicts the snapshots.
const RARE_HEADS: &str = "delivery.heads_every_ms=5000";

/// How many times each client asks for a snapshot that should be cached.
const ATTEMPTS: u64 = 20;

#[tokio::test]
async fn a_team_shares_one_snapshot_until_its_next_event() {
    let app = TestApp::running(&[RARE_HEADS]).await;
    let ana = app.join("Owls").await;
    let ben = app.join_team(&ana.team_code).await;
    let other = app.join("Terns").await;
    let mut counts = Counts {
        app: &app,
        encoded: 0,
        shared: 0,
    };
    let mut devices = Vec::new();
    for token in [&ana.token, &ben.token] {
        let device = app.attach(token).await;
        assert_eq!(device.welcome.resume, Resume::Snapshot);
        devices.push(device);
    }
    let (encoded, shared) = counts.since_last().await;
    assert_eq!(encoded + shared, 2);
    // Each heads frame evicts all; with so many attempts some must be cached.
    for _ in 0..ATTEMPTS {
        for device in &mut devices {
            device.resync(None).await;
        }
    }
    let (encoded, shared) = counts.since_last().await;
    assert_eq!(encoded + shared, 2 * ATTEMPTS);
    assert!(shared > 0, "each of {encoded} snapshots was encoded again");
    let [first, second] = [0, 1].map(|at: usize| devices[at].snapshot.clone());
    assert_eq!(first, second, "they are the same");

    // Another team's activity does not evict the snapshot.
    let mut terns = app.attach(&other.token).await;
    counts.since_last().await;
    for id in 1..=ATTEMPTS {
        terns.guess("p0", &format!("G{id}")).await.expect_wrong();
        devices[0].resync(None).await;
    }
    let (encoded, shared) = counts.since_last().await;
    assert!(shared > 0, "each of {encoded} snapshots was encoded again");

    // Each event of the team evicts the snapshot.
    for id in 1..=20 {
        devices[0]
            .guess("p0", &format!("G{id}"))
            .await
            .expect_wrong();
        devices[1].resync(None).await;
        let snapshot = devices[1].snapshot.as_ref().expect("it was asked for");
        let puzzle = snapshot.puzzles.iter().find(|puzzle| puzzle.id == "p0");
        assert_eq!(puzzle.map(|puzzle| puzzle.guesses.len() as u64), Some(id));
    }
    assert_eq!(counts.since_last().await, (20, 0));
}

#[tokio::test]
async fn each_codec_and_each_team_has_its_own() {
    let app = TestApp::running(&[RARE_HEADS]).await;
    let mut teams = Vec::new();
    for team in ["Owls", "Terns"] {
        let joined = app.join(team).await;
        for codec in Codec::ALL {
            let device = app.attach_with(codec, &joined.token).await;
            let snapshot = device.snapshot.expect("it has attached");
            assert_eq!(snapshot.team.name, team);
            teams.push(snapshot.team.id);
        }
    }
    assert_eq!(teams[0], teams[1]);
    assert_ne!(teams[1], teams[2]);
    assert_eq!(
        app.metric("cluecast_client_snapshots_encoded_total").await,
        4
    );
}
