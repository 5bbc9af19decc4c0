//! Snapshots are encoded once for all who need the same.

use protocol::{Codec, Resume};

use crate::device::Device;
use crate::stage::Stage;

/// Snapshots that were encoded, and those that were given again, since it was last asked.
struct Counted<'a> {
    stage: &'a Stage,
    encoded: u64,
    shared: u64,
}

impl Counted<'_> {
    async fn more(&mut self) -> (u64, u64) {
        let encoded = self.stage.metric("cluecast_client_snapshots_encoded_total");
        let encoded = encoded.await;
        let shared = self.stage.metric("cluecast_client_snapshots_shared_total");
        let shared = shared.await;
        let more = (encoded - self.encoded, shared - self.shared);
        (self.encoded, self.shared) = (encoded, shared);
        more
    }
}

/// Heads are rare, because with each of them the snapshots are let go of.
const RARE_HEADS: &str = "delivery.heads_every_ms=5000";

/// How often snapshots are asked for that should be shared.
const ATTEMPTS: u64 = 20;

#[tokio::test]
async fn a_team_shares_one_snapshot_until_something_happens_to_it() {
    let stage = Stage::running(&[RARE_HEADS]).await;
    let ana = stage.join("Owls").await;
    let ben = stage.join_team(&ana).await;
    let other = stage.join("Terns").await;
    let tokens = [&ana.token, &ben.token];
    let mut counted = Counted {
        stage: &stage,
        encoded: 0,
        shared: 0,
    };
    let mut devices = Vec::new();
    for token in tokens {
        let mut device = Device::new(Codec::MessagePack, token);
        assert_eq!(device.connect(&stage).await.resume, Resume::Snapshot);
        devices.push(device);
    }
    let (encoded, shared) = counted.more().await;
    assert_eq!(encoded + shared, 2);
    // The hub lets go of all with each heads; with so many attempts it must share some.
    for _ in 0..ATTEMPTS {
        for device in &mut devices {
            device.resync(None).await;
        }
    }
    let (encoded, shared) = counted.more().await;
    assert_eq!(encoded + shared, 2 * ATTEMPTS);
    assert!(shared > 0, "each of {encoded} snapshots was encoded anew");
    let [first, second] = [0, 1].map(|at: usize| devices[at].snapshot.clone());
    assert_eq!(first, second, "they are the same");

    // What another team does changes nothing here.
    let mut terns = Device::attached(&stage, Codec::MessagePack, &other.token).await;
    counted.more().await;
    for id in 1..=ATTEMPTS {
        terns.guess_wrong(id, "p0", &format!("G{id}")).await;
        devices[0].resync(None).await;
    }
    let (encoded, shared) = counted.more().await;
    assert!(shared > 0, "each of {encoded} snapshots was encoded anew");

    // What the team does itself makes another snapshot each time.
    for id in 1..=20 {
        devices[0].guess_wrong(id, "p0", &format!("G{id}")).await;
        devices[1].resync(None).await;
        let snapshot = devices[1].snapshot.as_ref().expect("it was asked for");
        let puzzle = snapshot.puzzles.iter().find(|puzzle| puzzle.id == "p0");
        assert_eq!(puzzle.map(|puzzle| puzzle.guesses.len() as u64), Some(id));
    }
    assert_eq!(counted.more().await, (20, 0));
}

#[tokio::test]
async fn each_codec_and_each_team_has_its_own() {
    let stage = Stage::running(&[RARE_HEADS]).await;
    let mut teams = Vec::new();
    for team in ["Owls", "Terns"] {
        let joined = stage.join(team).await;
        for codec in Codec::ALL {
            let device = Device::attached(&stage, codec, &joined.token).await;
            let snapshot = device.snapshot.expect("it has attached");
            assert_eq!(snapshot.team.name, team);
            teams.push(snapshot.team.id);
        }
    }
    assert_eq!(teams[0], teams[1]);
    assert_ne!(teams[1], teams[2]);
    assert_eq!(
        stage
            .metric("cluecast_client_snapshots_encoded_total")
            .await,
        4
    );
}
