//! The reference model: the meaning of committed events, implemented a second time and far more simply than
//! in the rules. It supports only the simulation's own hunt.

use std::collections::{BTreeMap, BTreeSet};

use hunt::text::Forms;
use hunt::{Audience, Entry, Event, Origin, PuzzleId, Receipt, Target, Verdict};

/// The simulation's hunt: puzzle, answer, points, and the puzzles that unlock it.
pub const PUZZLES: [(&str, &str, u32, &[&str]); 4] = [
    ("anchor", "YES", 1, &[]),
    ("bell", "NO", 2, &[]),
    ("chart", "MAYBE", 3, &["anchor"]),
    ("deck", "YES", 5, &["bell", "chart"]),
];

pub const HUNT_FILE: &str = r#"
[hunt]
title = "Simulated"
duration = "20s"
[round.one]
[puzzle.anchor]
round = "one"
answer = "yes"
points = 1
[puzzle.bell]
round = "one"
answer = "no"
points = 2
[puzzle.chart]
round = "one"
answer = "maybe"
points = 3
unlock = "anchor"
[puzzle.deck]
round = "one"
answer = "yes"
points = 5
unlock = "bell and chart"
"#;

/// A team in the model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamModel {
    pub open: BTreeSet<String>,
    pub solved: BTreeSet<String>,
    pub guesses: BTreeMap<String, Vec<(String, bool)>>,
    pub score: u32,
    pub members: usize,
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    pub phase: hunt::Phase,
    pub was_paused: bool,
    pub teams: Vec<TeamModel>,
    /// Team of each player, player of each device.
    pub players: Vec<usize>,
    pub devices: Vec<usize>,
    pub accepted: BTreeMap<(u32, u64), Receipt>,
    pub heads: BTreeMap<Audience, u64>,
    /// Every clue that was pushed: its target, its text, and whether it is live.
    pub clues: Vec<(Target, String, bool)>,
    pub events: u64,
    last_at: u64,
}

impl Model {
    /// Folds a committed entry. Panics if a correct node never commits it.
    pub fn fold(&mut self, entry: &Entry) {
        assert!(entry.at.0 >= self.last_at, "time decreases: {entry:?}");
        self.last_at = entry.at.0;
        for event in &entry.events {
            self.events += 1;
            self.fold_event(event);
        }
        if let Origin::Device {
            device,
            command: Some(command),
        } = entry.origin
        {
            let key = (device.number(), command.id.0);
            let before = self
                .accepted
                .insert(key, Receipt::from_events(&entry.events));
            assert_eq!(before, None, "command {key:?} is applied twice");
        }
    }

    fn fold_event(&mut self, event: &Event) {
        use hunt::Audience::{Answers, Everyone, Hints, Player, Public, Team, View};
        use hunt::Phase::{Finished, Lobby, Paused, Running};
        let audiences = match event {
            Event::SessionStarted { .. } => self.turn(&[Lobby], Running),
            Event::SessionPaused => self.turn(&[Running], Paused),
            Event::SessionResumed { .. } => self.turn(&[Paused], Running),
            Event::SessionFinished => self.turn(&[Lobby, Running, Paused], Finished),
            Event::TeamCreated { team, .. } => {
                self.teams.push(TeamModel::default());
                assert_eq!(team.number() as usize, self.teams.len());
                vec![Public, View]
            }
            Event::PlayerJoined { team, player, .. } => {
                self.players.push(team.number() as usize - 1);
                assert_eq!(player.number() as usize, self.players.len());
                self.team(team.number()).members += 1;
                vec![Team(*team), View]
            }
            Event::DeviceAdded { player, device } => {
                self.devices.push(player.number() as usize - 1);
                assert_eq!(device.number() as usize, self.devices.len());
                vec![Player(*player)]
            }
            Event::Unlocked { team, puzzles, .. } => {
                self.unlock(team.number(), puzzles);
                vec![Team(*team), View]
            }
            Event::GuessJudged {
                team,
                puzzle,
                guess,
                verdict,
                points,
                ..
            } => {
                assert_eq!(
                    self.phase, Running,
                    "a guess is judged outside of the running phase"
                );
                self.judge(team.number(), puzzle.as_str(), guess, *verdict, *points);
                match verdict {
                    Verdict::Correct => vec![Team(*team), Public, View, Answers],
                    Verdict::Wrong => vec![Team(*team), View],
                }
            }
            Event::CluePushed { clue, to, text, .. } => {
                self.clues.push((*to, text.clone(), true));
                assert_eq!(clue.number() as usize, self.clues.len());
                vec![(*to).into(), View, Hints]
            }
            Event::ClueCancelled { clue, to } | Event::ClueExpired { clue, to } => {
                let (pushed_to, _, live) = &mut self.clues[clue.number() as usize - 1];
                assert!(std::mem::take(live), "{clue} ends twice");
                assert_eq!(pushed_to, to);
                vec![(*to).into(), View, Hints]
            }
            Event::UnlockedForAll { puzzles, .. } => {
                for team in 1..=self.teams.len() {
                    self.unlock(u32::try_from(team).expect("few teams"), puzzles);
                }
                vec![Everyone, View]
            }
            Event::LinkUsed { .. }
            | Event::StartScheduled { .. }
            | Event::StartCancelled
            | Event::EndMoved { .. }
            | Event::SessionReopened { .. }
            | Event::TeamRenamed { .. }
            | Event::PlayerRenamed { .. }
            | Event::TeamCodeRotated { .. }
            | Event::InstanceOpened { .. }
            | Event::DeviceRevoked { .. }
            | Event::GameMasterInvited { .. }
            | Event::GameMasterRevoked { .. }
            | Event::Announced { .. } => panic!("the simulation never causes {event:?}"),
        };
        for audience in audiences {
            *self.heads.entry(audience).or_default() += 1;
        }
    }

    fn unlock(&mut self, team: u32, puzzles: &[PuzzleId]) {
        for puzzle in puzzles {
            let needs = PUZZLES.iter().find(|known| known.0 == puzzle.as_str());
            let needs = needs.expect("the hunt has the puzzle").3;
            let team = self.team(team);
            assert!(needs.iter().all(|needed| team.solved.contains(*needed)));
            let new = team.open.insert(puzzle.to_string());
            assert!(new, "{puzzle} is open already");
        }
    }

    fn turn(&mut self, from: &[hunt::Phase], to: hunt::Phase) -> Vec<Audience> {
        assert!(from.contains(&self.phase), "{:?} to {to:?}", self.phase);
        self.phase = to;
        self.was_paused |= to == hunt::Phase::Paused;
        vec![Audience::Everyone, Audience::Public, Audience::View]
    }

    fn judge(&mut self, team: u32, puzzle: &str, guess: &str, verdict: Verdict, points: u32) {
        let known = PUZZLES.iter().find(|known| known.0 == puzzle);
        let (_, answer, worth, _) = known.expect("the hunt has the puzzle");
        let team = self.team(team);
        assert!(team.open.contains(puzzle), "{puzzle} is not open");
        assert!(!team.solved.contains(puzzle), "{puzzle} is solved twice");
        let forms = Forms::new(guess);
        let right = forms.matches(&Forms::new(answer));
        assert_eq!(verdict == Verdict::Correct, right, "{puzzle}: {guess}");
        assert_eq!(points, if right { *worth } else { 0 });
        let guesses = team.guesses.entry(puzzle.to_owned()).or_default();
        assert!(
            guesses.iter().all(|(made, _)| Forms::new(made) != forms),
            "{guess} is counted twice"
        );
        guesses.push((guess.to_owned(), right));
        team.score += points;
        if right {
            team.solved.insert(puzzle.to_owned());
        }
    }

    fn team(&mut self, number: u32) -> &mut TeamModel {
        &mut self.teams[number as usize - 1]
    }

    pub fn head(&self, audience: Audience) -> u64 {
        self.heads.get(&audience).copied().unwrap_or(0)
    }

    /// Text of the live clues that a device sees, by id.
    pub fn clues_of(&self, device: u32) -> BTreeMap<String, String> {
        let player = self.devices[device as usize - 1];
        let team = self.players[player];
        let clues = self.clues.iter().enumerate();
        let seen = clues.filter(|(_, (to, _, live))| {
            let for_device = match to {
                Target::Everyone => true,
                Target::Team { team: of } => of.number() as usize - 1 == team,
                Target::Player { player: of } => of.number() as usize - 1 == player,
            };
            *live && for_device
        });
        seen.map(|(index, (_, text, _))| (format!("c{}", index + 1), text.clone()))
            .collect()
    }

    /// The team of a device.
    pub fn team_of(&self, device: u32) -> &TeamModel {
        &self.teams[self.players[self.devices[device as usize - 1]]]
    }
}
