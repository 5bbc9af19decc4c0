//! Random sessions: whatever is asked in whatever order, the promises hold.

use std::collections::{BTreeMap, BTreeSet};

use cluecast_hunt::GameMasterOrder::{self, Finish, Pause, Resume, Start};
use cluecast_hunt::{DeviceId, Entry, Event, Receipt, Verdict};
use proptest::prelude::*;
use proptest::sample::select;

use crate::story::{MINUTE, Story, create_team, replayed, restored};

/// Something that is asked, or some time that goes by.
#[derive(Debug, Clone)]
enum Step {
    CreateTeam(&'static str),
    JoinTeam(&'static str),
    AddDevice(u32),
    Guess {
        device: u32,
        id: u64,
        puzzle: &'static str,
        guess: &'static str,
    },
    Order(GameMasterOrder),
    Wait(u64),
    Restart,
}

const CODES: [&str; 4] = ["OWLS", "FOXES", "BEES", "ANTS"];
const PUZZLES: [&str; 6] = ["flags", "knots", "bell", "gull", "plaque", "unicorn"];
const GUESSES: [&str; 8] = [
    "Spinnaker",
    "spinaker",
    "BOWLINE",
    "ding, dong",
    "Lighthouse",
    "1887",
    "sail",
    "?",
];

fn step() -> impl Strategy<Value = Step> {
    let guess = (1..8_u32, 0..60_u64, select(&PUZZLES), select(&GUESSES)).prop_map(
        |(device, id, puzzle, guess)| Step::Guess {
            device,
            id,
            puzzle,
            guess,
        },
    );
    prop_oneof![
        2 => select(&CODES).prop_map(Step::CreateTeam),
        2 => select(&CODES).prop_map(Step::JoinTeam),
        2 => (0..8_u32).prop_map(Step::AddDevice),
        40 => guess,
        3 => select(&[Pause, Resume, Resume]).prop_map(Step::Order),
        1 => select(&[Start, Finish]).prop_map(Step::Order),
        4 => (0..4 * MINUTE).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn take(story: &mut Story, receipts: &mut BTreeMap<(u32, u64), Receipt>, step: &Step) {
    match step {
        Step::CreateTeam(code) => drop(story.send(&create_team((*code).into()))),
        Step::JoinTeam(code) => drop(story.joins(code)),
        Step::AddDevice(by) => drop(story.adds_device(DeviceId::from(*by))),
        Step::Guess {
            device,
            id,
            puzzle,
            guess,
        } => {
            let entries = story.journal.len();
            let judged = story.guess_as(DeviceId::from(*device), *id, puzzle, guess);
            match receipts.get(&(*device, *id)) {
                Some(first) => {
                    assert_eq!(judged.as_ref(), Ok(first), "the receipt stays the same");
                    let came = &story.journal[entries..];
                    assert!(
                        came.iter().all(|entry| !is_guess(entry)),
                        "it is not applied again"
                    );
                }
                None => {
                    if let Ok(receipt) = judged {
                        receipts.insert((*device, *id), receipt);
                    }
                }
            }
        }
        Step::Order(order) => drop(story.order(*order)),
        Step::Wait(ms) => story.wait(*ms),
        Step::Restart => story.restarts(),
    }
}

fn is_guess(entry: &Entry) -> bool {
    matches!(entry.events[0], Event::GuessJudged { .. })
}

/// Every team's points, counted from the journal, each solve once.
fn points_of(journal: &[Entry]) -> BTreeMap<u32, u32> {
    let mut solves = BTreeSet::new();
    let mut scores = BTreeMap::new();
    for event in journal.iter().flat_map(|entry| &entry.events) {
        if let Event::GuessJudged {
            team,
            puzzle,
            verdict: Verdict::Correct,
            points,
            ..
        } = event
        {
            assert!(
                solves.insert((*team, puzzle)),
                "{team} solves {puzzle} once"
            );
            *scores.entry(team.number()).or_default() += points;
        }
    }
    scores
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_sessions_keep_their_promises(steps in prop::collection::vec(step(), 1..150)) {
        let mut story = Story::in_lobby();
        let mut receipts = BTreeMap::new();
        story.team("WASPS");
        story.order(Start).expect("it is in the lobby");
        for step in &steps {
            take(&mut story, &mut receipts, step);
        }

        let scores = points_of(&story.journal);
        for (id, team) in story.state.teams() {
            let counted = scores.get(&id.number()).copied().unwrap_or_default();
            prop_assert_eq!(team.score, counted);
        }
        let hunt = story.state.hunt();
        prop_assert_eq!(replayed(hunt, &story.journal).hash(), story.state.hash());
        prop_assert_eq!(restored(&story.state).hash(), story.state.hash());
    }

    #[test]
    fn a_snapshot_and_the_tail_give_the_same_state(
        steps in prop::collection::vec(step(), 1..80),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut story = Story::running();
        let mut receipts = BTreeMap::new();
        for step in &steps {
            take(&mut story, &mut receipts, step);
        }
        let bytes = rmp_serde::to_vec_named(&story.journal).expect("entries can be written");
        let journal: Vec<Entry> = rmp_serde::from_slice(&bytes).expect("entries can be read");
        prop_assert_eq!(&journal, &story.journal);

        let (head, tail) = journal.split_at(cut.index(journal.len()));
        let mut state = restored(&replayed(story.state.hunt(), head));
        for entry in tail {
            state.apply_entry(entry);
        }
        prop_assert_eq!(state.hash(), story.state.hash());
    }
}
