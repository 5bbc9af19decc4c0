use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use protocol::{
    Audience, Clue, Codec, Event, Heads, HeadsFrame, Phase, Reconnect, Resume, ServerMessage,
    Snapshot, Team, Update, Welcome,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{StreamFindings, Witness};
use crate::client::ReconnectBackoff;
use crate::fanout::plan::{ClientIndex, Draw, Label, Plan};
use crate::fanout::script::Kind;
use crate::fanout::shared::{Settings, Shared};

const CODEC: Codec = Codec::MessagePack;
const CLUES: usize = 3;
const RECONNECT: Reconnect = Reconnect {
    min_in_ms: 100,
    max_in_ms: 200,
};

/// A client of a run with three clues to everyone.
struct Stage {
    shared: Arc<Shared>,
    witness: Witness,
}

impl Stage {
    fn new() -> Self {
        let plan = Plan::draw(Draw {
            clues: CLUES,
            everyone: 1.0,
            players: 1,
            teams: 1,
            text_chars: 40,
            seed: 1,
        });
        let shared = Arc::new(Shared::new(Settings {
            plan,
            stalls: "1".parse().expect("it is a range"),
            cuts: None,
            slow_bytes_per_s: 8,
            connecting_max: 1,
        }));
        let client = ClientIndex { player: 0, team: 0 };
        let backoff = ReconnectBackoff::new(StdRng::seed_from_u64(1));
        let witness = Witness::new(shared.clone(), CODEC, client, Kind::Normal, backoff);
        Self { shared, witness }
    }

    /// A client after an empty snapshot.
    fn attached() -> Self {
        let mut stage = Self::new();
        stage.welcome(Resume::Snapshot, 0);
        stage.snapshot(&[]);
        assert!(stage.witness.is_attached());
        stage
    }

    fn say(&mut self, message: &ServerMessage) {
        let taken = self.witness.handle_message(&CODEC.encode(message));
        taken.expect("it is a message");
    }

    fn welcome(&mut self, resume: Resume, head: u64) {
        self.witness.connected();
        self.say(&ServerMessage::Welcome(Welcome {
            device: None,
            player: None,
            team: None,
            game_master: None,
            instance: None,
            scopes: Vec::new(),
            resume,
            generation: 1,
            heads: heads(head),
            server_time_ms: 0,
            last_command: 0,
            reconnect: RECONNECT,
        }));
    }

    fn clue(&self, number: usize) -> Clue {
        let intended = Duration::from_millis(1);
        Clue {
            id: format!("c{number}"),
            text: self.shared.plan.text(Label { number, intended }),
            pushed_at_ms: 0,
            expires_at_ms: None,
        }
    }

    fn snapshot(&mut self, clues: &[usize]) {
        let clues = clues.iter().map(|number| self.clue(*number)).collect();
        self.say(&ServerMessage::Snapshot(Box::new(Snapshot {
            heads: heads(self.witness.cursor().map_or(0, |_| CLUES as u64)),
            title: String::new(),
            phase: Phase::Running,
            starts_at_ms: None,
            paused_at_ms: None,
            ends_at_ms: None,
            left_ms: None,
            team: Team {
                id: "t1".to_owned(),
                name: String::new(),
                code: String::new(),
                score: 0,
                players: Vec::new(),
            },
            rounds: Vec::new(),
            puzzles: Vec::new(),
            clues,
            announcements: Vec::new(),
        })));
    }

    /// Update with a clue, with the right or another number.
    fn update(&mut self, clue: usize, number: u64) {
        let clue = self.clue(clue);
        self.say(&ServerMessage::Update(Update {
            audience: Audience::Everyone,
            number,
            at_ms: 0,
            event: Event::CluePushed { clue, to: None },
        }));
    }

    fn heads(&mut self, head: u64) {
        self.say(&ServerMessage::Heads(HeadsFrame {
            generation: 1,
            heads: heads(head),
            server_time_ms: 0,
            reconnect: RECONNECT,
        }));
    }

    fn is_complete(&self) -> bool {
        self.shared.counts.complete.load(Relaxed) == 1
    }

    /// Findings if all clues were pushed.
    fn conclude(mut self) -> StreamFindings {
        self.witness.settle(CLUES);
        self.witness.conclude()
    }
}

fn heads(everyone: u64) -> Heads {
    Heads {
        everyone,
        ..Heads::default()
    }
}

#[test]
fn a_client_with_all_clues_is_complete_with_the_next_heads() {
    let mut stage = Stage::attached();
    for clue in 0..CLUES {
        stage.update(clue, clue as u64 + 1);
    }
    stage.heads(3);
    assert!(!stage.is_complete(), "more may be pushed");
    stage.witness.settle(CLUES);
    stage.heads(3);
    assert!(stage.is_complete());
    assert_eq!(stage.shared.counts.deliveries.load(Relaxed), 3);
    let findings = stage.conclude();
    assert_eq!(
        (findings.gaps, findings.repeated, findings.missing),
        (0, 0, 0)
    );
}

#[test]
fn a_missing_update_is_a_gap_and_is_asked_for_again() {
    let mut stage = Stage::attached();
    stage.update(0, 1);
    stage.update(2, 3);
    assert!(stage.witness.wants_resync());
    assert!(stage.witness.takes_resync());
    assert!(!stage.witness.wants_resync(), "it is asked for once");
    stage.welcome(Resume::Replay, 3);
    stage.update(1, 2);
    stage.update(2, 3);
    let findings = stage.conclude();
    assert_eq!((findings.gaps, findings.missing), (1, 0));
}

#[test]
fn a_last_update_that_never_came_is_seen_by_the_heads() {
    let mut stage = Stage::attached();
    stage.update(0, 1);
    stage.witness.settle(CLUES);
    stage.heads(3);
    assert!(!stage.is_complete());
    let findings = stage.conclude();
    assert_eq!((findings.gaps, findings.missing), (1, 2));
}

#[test]
fn a_clue_that_comes_twice_is_a_duplicate_under_any_number() {
    let mut stage = Stage::attached();
    stage.update(0, 1);
    stage.update(0, 1);
    stage.update(0, 2);
    let findings = stage.conclude();
    assert_eq!((findings.repeated, findings.violations.duplicates), (1, 1));
    assert_eq!(findings.missing, 2);
}

#[test]
fn a_snapshot_repairs_if_it_holds_the_clues() {
    for (clues, missing) in [(&[0, 1, 2][..], 0), (&[0, 2][..], 1)] {
        let mut stage = Stage::attached();
        stage.update(0, 1);
        stage.witness.disconnected();
        assert!(!stage.witness.is_attached());
        stage.welcome(Resume::Snapshot, 3);
        stage.snapshot(clues);
        let findings = stage.conclude();
        assert_eq!((findings.snapshots, findings.resumes), (1, 0));
        assert_eq!((findings.gaps, findings.missing), (0, missing));
    }
}

#[test]
fn a_replay_that_is_promised_and_does_not_come_is_lost() {
    let mut stage = Stage::attached();
    stage.witness.disconnected();
    stage.welcome(Resume::Replay, 3);
    stage.update(0, 1);
    assert!(!stage.witness.is_attached());
    let findings = stage.conclude();
    assert_eq!((findings.resumes, findings.missing), (1, 2));
}
