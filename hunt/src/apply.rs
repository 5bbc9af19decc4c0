//! Applies events to the state. Never rejects an event: the events of the journal are facts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::deadlines::Deadline;
use crate::event::{Audience, Entry, Event, Origin, Scope, Verdict};
use crate::guesses::Guesses;
use crate::ids::{
    ClueId, DeviceId, DurationMs, GameMasterId, InstanceId, NameId, PlayerId, PuzzleId, RoundId,
    TeamId, Timestamp,
};
use crate::limits;
use crate::receipts::{Receipt, Receipts};
use crate::state::{
    Announcement, Clue, Device, Finished, GameMaster, Phase, Player, PuzzleProgress, State, Team,
};

/// The sequence number of an event in an audience's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateNumber {
    /// The audience of the stream.
    pub audience: Audience,
    /// The sequence number, starting at 1, without gaps.
    pub number: u64,
}

impl State {
    /// Applies a whole entry and records its receipt, for recovery.
    pub fn apply_entry(&mut self, entry: &Entry) {
        for event in &entry.events {
            drop(self.apply(entry.at, event));
        }
        self.record_receipt(entry);
    }

    /// Applies one event of an entry and returns its numbers, one for each audience that sees it.
    /// After the last event of the entry, call [`State::record_receipt`].
    ///
    /// # Panics
    /// If the event contradicts the state, which means that the journal is damaged or the rules have a
    /// defect.
    pub fn apply(
        &mut self,
        at: Timestamp,
        event: &Event,
    ) -> impl Iterator<Item = UpdateNumber> + use<> {
        assert!(at >= self.progress.last_at, "time never decreases");
        self.progress.last_at = at;
        self.apply_change(at, event);
        let mut numbers = [None; Event::AUDIENCES_MAX];
        for (number, audience) in numbers.iter_mut().zip(event.audiences()) {
            *number = Some(self.next_number(audience));
        }
        numbers.into_iter().flatten()
    }

    /// Records the receipt of an entry that a numbered command caused; does nothing for other entries.
    pub fn record_receipt(&mut self, entry: &Entry) {
        let receipt = Receipt::from_events(&entry.events);
        match entry.origin {
            Origin::Device {
                device,
                command: Some(command),
            } => {
                self.device_mut(device).receipts.record(command, receipt);
            }
            Origin::GameMaster {
                game_master,
                command: Some((instance, command)),
            } => {
                let game_master = self.game_master_mut(game_master);
                if game_master.revoked {
                    // The command revoked its own issuer: all further ones are rejected.
                    return;
                }
                let mut instances = game_master.instances.iter_mut();
                let known = instances.find(|(known, _)| *known == instance);
                let (_, receipts) = known.expect("commands name instances that are kept");
                receipts.record(command, receipt);
            }
            Origin::Device { .. }
            | Origin::GameMaster { .. }
            | Origin::TeamCode
            | Origin::Founder
            | Origin::Admin
            | Origin::Timer => {}
        }
    }

    fn apply_change(&mut self, at: Timestamp, event: &Event) {
        match event {
            Event::StartScheduled { starts_at } => self.set_start(Some(*starts_at)),
            Event::StartCancelled => self.set_start(None),
            Event::SessionStarted { ends_at } => {
                self.set_start(None);
                self.progress.phase = Phase::Running;
                self.set_end(*ends_at);
            }
            Event::SessionPaused => {
                self.progress.phase = Phase::Paused;
                self.progress.paused_at = Some(at);
            }
            Event::SessionResumed {
                ends_at,
                paused_ms: _,
            } => {
                self.end_pause(at);
                self.progress.phase = Phase::Running;
                self.set_end(*ends_at);
            }
            Event::EndMoved { ends_at } => self.set_end(*ends_at),
            Event::SessionFinished => self.finish(at),
            Event::SessionReopened { left } => self.reopen(at, *left),
            Event::TeamCreated { team, name } => self.add_team(*team, *name),
            Event::TeamRenamed { team, name } => self.team_mut(*team).name = *name,
            Event::PlayerRenamed { player, name, .. } => self.player_mut(*player).name = *name,
            // The code is a private record, not part of the state.
            Event::TeamCodeRotated { .. } => {}
            Event::UnlockedForAll { rounds, puzzles } => self.unlock_for_all(at, rounds, puzzles),
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
                normaliser: _,
            } => {
                if *verdict == Verdict::Correct {
                    let first_solvers = &mut self.progress.first_solvers;
                    first_solvers.entry(puzzle.clone()).or_insert(*team);
                }
                let team = self.team_mut(*team);
                team.record_guess(at, *player, puzzle, guess, *verdict);
                team.add_points(at, *points);
            }
            Event::LinkUsed { player, link } => self.use_link(*player, *link),
            Event::DeviceRevoked { device, .. } => {
                let device = self.device_mut(*device);
                device.revoked = true;
                // Every command of a revoked device is rejected, so its receipts are no longer needed.
                device.receipts = Receipts::default();
            }
            Event::GameMasterInvited {
                game_master,
                name,
                scopes,
            } => self.add_game_master(*game_master, *name, scopes),
            Event::GameMasterRevoked { game_master } => {
                let game_master = self.game_master_mut(*game_master);
                game_master.revoked = true;
                // Every command of a revoked game master is rejected.
                game_master.instances.clear();
            }
            Event::InstanceOpened {
                game_master,
                instance,
            } => self.open_instance(*game_master, *instance),
            Event::CluePushed {
                clue,
                to,
                text,
                expires_at,
            } => {
                let pushed = Clue {
                    to: *to,
                    text: text.clone(),
                    pushed_at: at,
                    expires_at: *expires_at,
                    live: true,
                };
                self.add_clue(*clue, pushed);
            }
            Event::ClueCancelled { clue, .. } | Event::ClueExpired { clue, .. } => {
                self.end_clue(*clue);
            }
            Event::Announced { announcement, text } => {
                let announcements = &mut self.progress.announcements;
                assert_eq!(announcement.index(), announcements.len());
                let text = text.clone();
                announcements.push(Announcement { text, at });
            }
        }
    }

    fn add_game_master(&mut self, id: GameMasterId, name: NameId, scopes: &BTreeSet<Scope>) {
        assert_eq!(
            id,
            GameMasterId::from_index(self.progress.game_masters.len())
        );
        self.progress.game_masters.push(GameMaster {
            name,
            scopes: scopes.clone(),
            revoked: false,
            instances: VecDeque::new(),
        });
    }

    fn set_start(&mut self, starts_at: Option<Timestamp>) {
        self.deadlines
            .set(Deadline::Start, self.progress.starts_at, starts_at);
        self.progress.starts_at = starts_at;
    }

    fn set_end(&mut self, ends_at: Option<Timestamp>) {
        self.deadlines
            .set(Deadline::Finish, self.progress.ends_at, ends_at);
        self.progress.ends_at = ends_at;
    }

    /// Shifts the times that were suspended during the pause.
    fn end_pause(&mut self, at: Timestamp) {
        let Some(paused_at) = self.progress.paused_at.take() else {
            return;
        };
        let pause_ms = at.ms_since(paused_at);
        for clue in self.progress.clues.iter_mut().filter(|clue| clue.live) {
            clue.expires_at = clue
                .expires_at
                .map(|expires_at| expires_at.plus_ms(pause_ms));
        }
        self.deadlines.shift_ms(pause_ms);
        self.progress.ends_at = self
            .progress
            .ends_at
            .map(|ends_at| ends_at.plus_ms(pause_ms));
    }

    fn finish(&mut self, at: Timestamp) {
        self.end_pause(at);
        let left = self.progress.ends_at.map(|ends_at| ends_at.ms_since(at));
        let left = left.filter(|left| *left > 0).map(DurationMs);
        let was_started = self.progress.phase != Phase::Lobby;
        self.set_start(None);
        self.set_end(None);
        self.progress.phase = Phase::Finished;
        self.progress.finished = was_started.then_some(Finished { at, left });
    }

    fn reopen(&mut self, at: Timestamp, left: Option<DurationMs>) {
        self.progress.phase = Phase::Paused;
        self.progress.paused_at = Some(at);
        self.progress.finished = None;
        self.set_end(left.map(|left| at.plus_ms(left.0)));
    }

    fn add_clue(&mut self, id: ClueId, clue: Clue) {
        assert_eq!(id, ClueId::from_index(self.progress.clues.len()));
        self.deadlines
            .set(Deadline::ClueExpiry(id), None, clue.expires_at);
        self.progress.clues.push(clue);
    }

    fn end_clue(&mut self, id: ClueId) {
        let clue = self.progress.clues.get_mut(id.index());
        let clue = clue.expect("events name clues that exist");
        clue.live = false;
        self.deadlines
            .set(Deadline::ClueExpiry(id), clue.expires_at, None);
    }

    fn open_instance(&mut self, game_master: GameMasterId, instance: InstanceId) {
        let instances = &mut self.game_master_mut(game_master).instances;
        instances.push_back((instance, Receipts::default()));
        if instances.len() > limits::INSTANCES_PER_GAME_MASTER_MAX {
            instances.pop_front();
        }
    }

    fn use_link(&mut self, player: PlayerId, link: u64) {
        let links_used = &mut self.player_mut(player).links_used;
        links_used.push_back(link);
        if links_used.len() > limits::LINKS_REMEMBERED_MAX {
            links_used.pop_front();
        }
    }

    fn add_team(&mut self, id: TeamId, name: NameId) {
        assert_eq!(id, TeamId::from_index(self.progress.teams.len()));
        self.progress.teams.push(Arc::new(Team {
            name,
            players: Vec::new(),
            score: 0,
            last_scored: None,
            last_guess: None,
            head: 0,
            rounds: BTreeSet::new(),
            puzzles: BTreeMap::new(),
            solved: BTreeSet::new(),
        }));
    }

    fn add_player(&mut self, team: TeamId, id: PlayerId, name: NameId) {
        assert_eq!(id, PlayerId::from_index(self.progress.players.len()));
        self.team_mut(team).players.push(id);
        self.progress.players.push(Arc::new(Player {
            team,
            name,
            devices: Vec::new(),
            head: 0,
            links_used: VecDeque::new(),
        }));
    }

    fn add_device(&mut self, player: PlayerId, id: DeviceId) {
        assert_eq!(id, DeviceId::from_index(self.progress.devices.len()));
        self.player_mut(player).devices.push(id);
        self.progress.devices.push(Arc::new(Device {
            player,
            revoked: false,
            receipts: Receipts::default(),
        }));
    }

    fn unlock_for_all(&mut self, at: Timestamp, rounds: &[RoundId], puzzles: &[PuzzleId]) {
        for index in 0..self.progress.teams.len() {
            self.unlock(at, TeamId::from_index(index), rounds, puzzles);
        }
    }

    fn unlock(&mut self, at: Timestamp, team: TeamId, rounds: &[RoundId], puzzles: &[PuzzleId]) {
        let team = self.team_mut(team);
        team.rounds.extend(rounds.iter().cloned());
        for puzzle in puzzles {
            let fresh = PuzzleProgress {
                unlocked_at: at,
                solved_at: None,
                guesses: Guesses::default(),
            };
            let before = team.puzzles.insert(puzzle.clone(), fresh);
            assert!(before.is_none(), "{puzzle} is unlocked once");
        }
    }

    fn next_number(&mut self, audience: Audience) -> UpdateNumber {
        let head = match audience {
            Audience::Everyone => &mut self.progress.heads.everyone,
            Audience::Team(team) => &mut self.team_mut(team).head,
            Audience::Player(player) => &mut self.player_mut(player).head,
            Audience::Public => &mut self.progress.heads.public,
            Audience::View => &mut self.progress.heads.view,
            Audience::Hints => &mut self.progress.heads.hints,
            Audience::Answers => &mut self.progress.heads.answers,
        };
        *head += 1;
        UpdateNumber {
            audience,
            number: *head,
        }
    }

    fn team_mut(&mut self, id: TeamId) -> &mut Team {
        let team = self.progress.teams.get_mut(id.index());
        Arc::make_mut(team.expect("events name teams that exist"))
    }

    fn player_mut(&mut self, id: PlayerId) -> &mut Player {
        let player = self.progress.players.get_mut(id.index());
        Arc::make_mut(player.expect("events name players that exist"))
    }

    fn device_mut(&mut self, id: DeviceId) -> &mut Device {
        let device = self.progress.devices.get_mut(id.index());
        Arc::make_mut(device.expect("events name devices that exist"))
    }

    fn game_master_mut(&mut self, id: GameMasterId) -> &mut GameMaster {
        let game_master = self.progress.game_masters.get_mut(id.index());
        game_master.expect("events name game masters that exist")
    }
}

impl Team {
    fn add_points(&mut self, at: Timestamp, points: u32) {
        if points > 0 {
            self.score += points;
            self.last_scored = Some(at);
        }
    }

    fn record_guess(
        &mut self,
        at: Timestamp,
        player: PlayerId,
        puzzle: &PuzzleId,
        guess: &str,
        verdict: Verdict,
    ) {
        self.last_guess = Some(at);
        let progress = self.puzzles.get_mut(puzzle);
        let progress = progress.expect("guesses are made on puzzles that the team sees");
        if verdict == Verdict::Correct {
            assert!(progress.solved_at.is_none(), "{puzzle} is solved once");
            progress.solved_at = Some(at);
            self.solved.insert(puzzle.clone());
        }
        progress.guesses.push(player, guess, verdict);
    }
}
