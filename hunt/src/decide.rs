//! From a command to what would happen. Nothing here changes the state.

use crate::command::{Command, DeskOrder, GameMasterOrder, PlayerOrder};
use crate::definition::Puzzle;
use crate::event::{Entry, Event, Origin, Verdict};
use crate::ids::{CommandId, DeviceId, NameId, PlayerId, PuzzleId, TeamCode, TeamId, Timestamp};
use crate::limits;
use crate::normalise::normalise;
use crate::receipts::{Known, Receipt};
use crate::rejection::Rejection;
use crate::state::{Phase, State, Team};
use crate::unlock::Achievements;

/// What comes of a command that is not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is accepted: append this entry.
    Accepted(Entry),
    /// It had been accepted before, with this receipt. Nothing is to be appended.
    Repeated(Receipt),
}

impl State {
    /// Judges a command. `now` counts as the time of the last event if it is earlier.
    pub fn decide(&self, command: &Command, now: Timestamp) -> Result<Decision, Rejection> {
        let at = now.max(self.progress.last_at);
        let (origin, events) = match command {
            Command::Player { device, id, order } => {
                if let Some(receipt) = self.receipt_of(*device, *id)? {
                    return Ok(Decision::Repeated(receipt));
                }
                let origin = Origin::Device {
                    device: *device,
                    command: *id,
                };
                (origin, self.decide_player(*device, order)?)
            }
            Command::Desk(order) => (Origin::Desk, self.decide_desk(order)?),
            Command::GameMaster(order) => {
                (Origin::GameMaster, self.decide_game_master(*order, at)?)
            }
        };
        assert!(!events.is_empty(), "an accepted command causes an event");
        Ok(Decision::Accepted(Entry { at, origin, events }))
    }

    /// When [`State::due`] will have something, as far as is known now.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.ends_at()
    }

    /// The entry of the earliest deadline that has come by `now`. It bears the deadline's time,
    /// however late it is asked for.
    pub fn due(&self, now: Timestamp) -> Option<Entry> {
        let deadline = self.next_deadline().filter(|deadline| *deadline <= now)?;
        Some(Entry {
            at: deadline.max(self.progress.last_at),
            origin: Origin::Timer,
            events: vec![Event::SessionFinished],
        })
    }

    fn receipt_of(&self, device: DeviceId, id: CommandId) -> Result<Option<Receipt>, Rejection> {
        let device = self.device(device).ok_or(Rejection::UnknownDevice)?;
        match device.receipts.known(id) {
            Known::New => Ok(None),
            Known::Accepted(receipt) => Ok(Some(receipt.clone())),
            Known::Forgotten => Err(Rejection::StaleCommand),
        }
    }

    fn decide_player(
        &self,
        device: DeviceId,
        order: &PlayerOrder,
    ) -> Result<Vec<Event>, Rejection> {
        let device = self.device(device).ok_or(Rejection::UnknownDevice)?;
        match order {
            PlayerOrder::SubmitGuess { puzzle, guess } => {
                self.decide_guess(device.player, puzzle, guess)
            }
        }
    }

    fn decide_guess(
        &self,
        player: PlayerId,
        puzzle: &PuzzleId,
        typed: &str,
    ) -> Result<Vec<Event>, Rejection> {
        match self.progress.phase {
            Phase::Lobby => return Err(Rejection::NotStarted),
            Phase::Paused => return Err(Rejection::Paused),
            Phase::Finished => return Err(Rejection::Finished),
            Phase::Running => {}
        }
        let team_id = self.player(player).ok_or(Rejection::UnknownDevice)?.team;
        let team = self.team(team_id).ok_or(Rejection::UnknownTeam)?;
        let guess = acceptable_guess(typed)?;
        let definition = self.open_puzzle(team, puzzle, &guess)?;
        let (verdict, points) = if definition.answers.contains(&guess) {
            (Verdict::Correct, definition.points)
        } else {
            (Verdict::Wrong, 0)
        };
        let mut events = vec![Event::GuessJudged {
            team: team_id,
            player,
            puzzle: puzzle.clone(),
            guess,
            verdict,
            points,
        }];
        if verdict == Verdict::Correct {
            events.extend(self.unlocked_by_solve(team_id, team, definition));
        }
        Ok(events)
    }

    /// The puzzle's definition, if the team may make this guess on it.
    fn open_puzzle(&self, team: &Team, id: &PuzzleId, guess: &str) -> Result<&Puzzle, Rejection> {
        let progress = team.puzzle(id.as_str()).ok_or(Rejection::UnknownPuzzle)?;
        let definition = self
            .hunt
            .puzzle(id.as_str())
            .ok_or(Rejection::UnknownPuzzle)?;
        if progress.solved_at.is_some() {
            return Err(Rejection::AlreadySolved);
        }
        if progress.guesses.iter().any(|made| made.guess == guess) {
            return Err(Rejection::AlreadyGuessed);
        }
        if progress.guesses.len() >= limits::GUESSES_PER_PUZZLE_MAX {
            return Err(Rejection::TooManyGuesses);
        }
        Ok(definition)
    }

    fn unlocked_by_solve(&self, id: TeamId, team: &Team, solved: &Puzzle) -> Option<Event> {
        let mut all_solved = team.solved.clone();
        all_solved.insert(solved.id.clone());
        let after = Achievements {
            score: team.score + solved.points,
            solved: &all_solved,
        };
        self.unlocked(id, Some(team), &after)
    }

    /// What a team with these achievements sees beyond what it saw before.
    fn unlocked(
        &self,
        id: TeamId,
        before: Option<&Team>,
        achievements: &Achievements<'_>,
    ) -> Option<Event> {
        let sees_round = |round| before.is_some_and(|team| team.sees_round(round));
        let sees_puzzle =
            |puzzle: &PuzzleId| before.is_some_and(|team| team.puzzle(puzzle.as_str()).is_some());
        let mut rounds = Vec::new();
        let mut puzzles = Vec::new();
        for round in &self.hunt.rounds {
            if !sees_round(&round.id) && round.unlock.holds(achievements) {
                rounds.push(round.id.clone());
            }
        }
        for puzzle in &self.hunt.puzzles {
            let round_seen = sees_round(&puzzle.round) || rounds.contains(&puzzle.round);
            if round_seen && !sees_puzzle(&puzzle.id) && puzzle.unlock.holds(achievements) {
                puzzles.push(puzzle.id.clone());
            }
        }
        if rounds.is_empty() && puzzles.is_empty() {
            return None;
        }
        Some(Event::Unlocked {
            team: id,
            rounds,
            puzzles,
        })
    }

    fn decide_desk(&self, order: &DeskOrder) -> Result<Vec<Event>, Rejection> {
        match order {
            DeskOrder::CreateTeam {
                code,
                team_name,
                player_name,
            } => self.decide_create_team(code, *team_name, *player_name),
            DeskOrder::JoinTeam { code, player_name } => self.decide_join_team(code, *player_name),
            DeskOrder::AddDevice { by } => {
                let player = self.device(*by).ok_or(Rejection::UnknownDevice)?.player;
                let owner = self.player(player).ok_or(Rejection::UnknownDevice)?;
                if owner.devices.len() >= limits::DEVICES_PER_PLAYER_MAX {
                    return Err(Rejection::TooManyDevices);
                }
                Ok(vec![self.next_device(player)])
            }
        }
    }

    fn decide_create_team(
        &self,
        code: &TeamCode,
        team_name: NameId,
        player_name: NameId,
    ) -> Result<Vec<Event>, Rejection> {
        if self.progress.phase == Phase::Finished {
            return Err(Rejection::Finished);
        }
        if self.progress.teams.len() >= limits::TEAMS_MAX {
            return Err(Rejection::SessionFull);
        }
        if self.team_by_code(code).is_some() {
            return Err(Rejection::TeamCodeTaken);
        }
        let team = TeamId::at(self.progress.teams.len());
        let mut events = vec![Event::TeamCreated {
            team,
            code: code.clone(),
            name: team_name,
        }];
        events.extend(self.next_player(team, player_name));
        if matches!(self.progress.phase, Phase::Running | Phase::Paused) {
            let nothing = Achievements {
                score: 0,
                solved: &std::collections::BTreeSet::new(),
            };
            events.extend(self.unlocked(team, None, &nothing));
        }
        Ok(events)
    }

    fn decide_join_team(
        &self,
        code: &TeamCode,
        player_name: NameId,
    ) -> Result<Vec<Event>, Rejection> {
        if self.progress.phase == Phase::Finished {
            return Err(Rejection::Finished);
        }
        let id = self.team_by_code(code).ok_or(Rejection::UnknownTeam)?;
        let team = self.team(id).ok_or(Rejection::UnknownTeam)?;
        if team.players.len() >= limits::PLAYERS_PER_TEAM_MAX {
            return Err(Rejection::TeamFull);
        }
        Ok(self.next_player(id, player_name).into())
    }

    /// The next player of the session, with a first device.
    fn next_player(&self, team: TeamId, name: NameId) -> [Event; 2] {
        let player = PlayerId::at(self.progress.players.len());
        let joined = Event::PlayerJoined { team, player, name };
        [joined, self.next_device(player)]
    }

    fn next_device(&self, player: PlayerId) -> Event {
        Event::DeviceAdded {
            player,
            device: DeviceId::at(self.progress.devices.len()),
        }
    }

    fn decide_game_master(
        &self,
        order: GameMasterOrder,
        at: Timestamp,
    ) -> Result<Vec<Event>, Rejection> {
        match (order, self.progress.phase) {
            (GameMasterOrder::Start, Phase::Lobby) => Ok(self.start(at)),
            (GameMasterOrder::Pause, Phase::Running) => Ok(vec![Event::SessionPaused]),
            (GameMasterOrder::Resume, Phase::Paused) => Ok(vec![Event::SessionResumed {
                ends_at: self.end_after_pause(at),
            }]),
            (GameMasterOrder::Finish, Phase::Running | Phase::Paused | Phase::Lobby) => {
                Ok(vec![Event::SessionFinished])
            }
            (_, Phase::Finished) => Err(Rejection::Finished),
            (
                GameMasterOrder::Start | GameMasterOrder::Pause | GameMasterOrder::Resume,
                Phase::Lobby | Phase::Running | Phase::Paused,
            ) => Err(Rejection::WrongPhase),
        }
    }

    fn start(&self, at: Timestamp) -> Vec<Event> {
        let duration = self.hunt.duration;
        let mut events = vec![Event::SessionStarted {
            ends_at: duration.map(|duration| at.plus_ms(duration.0)),
        }];
        let unlocked =
            |(id, team): (TeamId, &Team)| self.unlocked(id, Some(team), &team.achievements());
        events.extend(self.teams().filter_map(unlocked));
        events
    }

    /// The end, moved by as long as the pause lasted.
    fn end_after_pause(&self, at: Timestamp) -> Option<Timestamp> {
        let paused_at = self.progress.paused_at?;
        let ends_at = self.progress.ends_at?;
        Some(ends_at.plus_ms(at.ms_since(paused_at)))
    }
}

fn acceptable_guess(typed: &str) -> Result<String, Rejection> {
    if typed.chars().count() > limits::GUESS_CHARS_MAX {
        return Err(Rejection::GuessTooLong);
    }
    let guess = normalise(typed);
    if guess.is_empty() {
        return Err(Rejection::EmptyGuess);
    }
    if guess.chars().count() > limits::GUESS_CHARS_MAX {
        return Err(Rejection::GuessTooLong);
    }
    Ok(guess)
}
