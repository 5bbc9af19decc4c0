//! From an event to the next state. Nothing here judges: what the journal holds has happened.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Audience, Entry, Event, Origin, Verdict};
use crate::ids::{DeviceId, NameId, PlayerId, PuzzleId, RoundId, TeamCode, TeamId, Timestamp};
use crate::receipts::{Receipt, Receipts};
use crate::state::{Device, GuessMade, Phase, Player, PuzzleProgress, State, Team};

/// The place of an event in an audience's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Whose stream.
    pub audience: Audience,
    /// Its number there, from 1 on, without holes.
    pub number: u64,
}

impl State {
    /// Applies a whole entry, as a recovery does.
    pub fn apply_entry(&mut self, entry: &Entry) {
        for event in &entry.events {
            self.apply(entry.at, event);
        }
        self.keep_receipt(entry);
    }

    /// Applies one event of an entry and gives its number, if anyone sees it. After the last event
    /// of the entry comes [`State::keep_receipt`].
    ///
    /// # Panics
    /// If the event does not fit the state: the journal or the rules are damaged.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Option<Stamp> {
        assert!(at >= self.progress.last_at, "time never goes back");
        self.progress.last_at = at;
        self.change(at, event);
        event.audience().map(|audience| self.number(audience))
    }

    /// Keeps the receipt of an entry that came from a device.
    pub fn keep_receipt(&mut self, entry: &Entry) {
        if let Origin::Device { device, command } = entry.origin {
            let receipts = &mut self.device_mut(device).receipts;
            receipts.keep(command, Receipt::of(&entry.events));
        }
    }

    fn change(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::SessionStarted { ends_at } => {
                self.progress.phase = Phase::Running;
                self.progress.ends_at = *ends_at;
            }
            Event::SessionPaused => {
                self.progress.phase = Phase::Paused;
                self.progress.paused_at = Some(at);
            }
            Event::SessionResumed { ends_at } => {
                self.progress.phase = Phase::Running;
                self.progress.paused_at = None;
                self.progress.ends_at = *ends_at;
            }
            Event::SessionFinished => {
                self.progress.phase = Phase::Finished;
                self.progress.paused_at = None;
                self.progress.ends_at = None;
            }
            Event::TeamCreated { team, code, name } => self.add_team(*team, code, *name),
            Event::PlayerJoined { team, player, name } => self.add_player(*team, *player, *name),
            Event::DeviceAdded { player, device } => self.add_device(*player, *device),
            Event::Unlocked {
                team,
                rounds,
                puzzles,
            } => self.unlock(at, *team, rounds, puzzles),
            Event::GuessJudged {
                team,
                player,
                puzzle,
                guess,
                verdict,
                points,
            } => {
                let made = GuessMade {
                    player: *player,
                    guess: guess.clone(),
                    verdict: *verdict,
                };
                self.record_guess(at, *team, puzzle, made);
                if *points > 0 {
                    let team = self.team_mut(*team);
                    team.score += points;
                    team.last_scored = Some(at);
                }
            }
        }
    }

    fn add_team(&mut self, id: TeamId, code: &TeamCode, name: NameId) {
        assert_eq!(id, TeamId::at(self.progress.teams.len()));
        let before = self.progress.team_codes.insert(code.clone(), id);
        assert!(before.is_none(), "team codes are distinct");
        self.progress.teams.push(Team {
            name,
            code: code.clone(),
            players: Vec::new(),
            score: 0,
            last_scored: None,
            head: 0,
            rounds: BTreeSet::new(),
            puzzles: BTreeMap::new(),
            solved: BTreeSet::new(),
        });
    }

    fn add_player(&mut self, team: TeamId, id: PlayerId, name: NameId) {
        assert_eq!(id, PlayerId::at(self.progress.players.len()));
        self.team_mut(team).players.push(id);
        self.progress.players.push(Player {
            team,
            name,
            devices: Vec::new(),
            head: 0,
        });
    }

    fn add_device(&mut self, player: PlayerId, id: DeviceId) {
        assert_eq!(id, DeviceId::at(self.progress.devices.len()));
        self.player_mut(player).devices.push(id);
        self.progress.devices.push(Device {
            player,
            receipts: Receipts::default(),
        });
    }

    fn unlock(&mut self, at: Timestamp, team: TeamId, rounds: &[RoundId], puzzles: &[PuzzleId]) {
        let team = self.team_mut(team);
        team.rounds.extend(rounds.iter().cloned());
        for puzzle in puzzles {
            let fresh = PuzzleProgress {
                unlocked_at: at,
                solved_at: None,
                guesses: Vec::new(),
            };
            let before = team.puzzles.insert(puzzle.clone(), fresh);
            assert!(before.is_none(), "{puzzle} is unlocked once");
        }
    }

    fn record_guess(&mut self, at: Timestamp, team: TeamId, puzzle: &PuzzleId, made: GuessMade) {
        let team = self.team_mut(team);
        let progress = team.puzzles.get_mut(puzzle);
        let progress = progress.expect("guesses are made on puzzles that the team sees");
        if made.verdict == Verdict::Correct {
            assert!(progress.solved_at.is_none(), "{puzzle} is solved once");
            progress.solved_at = Some(at);
            team.solved.insert(puzzle.clone());
        }
        progress.guesses.push(made);
    }

    fn number(&mut self, audience: Audience) -> Stamp {
        let head = match audience {
            Audience::Everyone => &mut self.progress.everyone_head,
            Audience::Team(team) => &mut self.team_mut(team).head,
            Audience::Player(player) => &mut self.player_mut(player).head,
        };
        *head += 1;
        Stamp {
            audience,
            number: *head,
        }
    }

    fn team_mut(&mut self, id: TeamId) -> &mut Team {
        let team = self.progress.teams.get_mut(id.index());
        team.expect("events name teams that exist")
    }

    fn player_mut(&mut self, id: PlayerId) -> &mut Player {
        let player = self.progress.players.get_mut(id.index());
        player.expect("events name players that exist")
    }

    fn device_mut(&mut self, id: DeviceId) -> &mut Device {
        let device = self.progress.devices.get_mut(id.index());
        device.expect("events name devices that exist")
    }
}
