//! The state of a session: the result of replaying its journal.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::deadlines::Deadlines;
use crate::definition::Hunt;
use crate::event::{Audience, Scope, Target, Verdict};
use crate::guesses::Guesses;
use crate::ids::{
    AnnouncementId, ClueId, CommandId, DeviceId, DurationMs, GameMasterId, InstanceId, NameId,
    PlayerId, PuzzleId, RoundId, TeamId, Timestamp,
};
use crate::limits;
use crate::receipts::Receipts;

/// The state of a session: its hunt and its progress.
#[derive(Debug, Clone)]
pub struct State {
    pub(crate) hunt: Arc<Hunt>,
    pub(crate) progress: Progress,
    /// Derived from the progress.
    pub(crate) deadlines: Deadlines,
}

/// The changing part of a state, which a stored snapshot contains.
///
/// Clones share teams, players and devices copy-on-write. A session therefore continues while a clone of its
/// progress is encoded elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub(crate) phase: Phase,
    pub(crate) last_at: Timestamp,
    pub(crate) starts_at: Option<Timestamp>,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) paused_at: Option<Timestamp>,
    /// `None` unless the session has started and finished.
    pub(crate) finished: Option<Finished>,
    pub(crate) heads: Heads,
    pub(crate) teams: Vec<Arc<Team>>,
    pub(crate) players: Vec<Arc<Player>>,
    pub(crate) devices: Vec<Arc<Device>>,
    pub(crate) game_masters: Vec<GameMaster>,
    pub(crate) clues: Vec<Clue>,
    pub(crate) announcements: Vec<Announcement>,
    /// The team that solved each puzzle first.
    pub(crate) first_solvers: BTreeMap<PuzzleId, TeamId>,
}

/// The newest numbers of the streams that are not of one team or player.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heads {
    pub(crate) everyone: u64,
    pub(crate) public: u64,
    pub(crate) view: u64,
    pub(crate) hints: u64,
    pub(crate) answers: u64,
}

/// How a session finished, as far as it takes to reopen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finished {
    pub(crate) at: Timestamp,
    /// The session time that was left; `None` if it had no end or the end had come.
    pub(crate) left: Option<DurationMs>,
}

/// The phase of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Teams gather.
    #[default]
    Lobby,
    /// Guesses are accepted.
    Running,
    /// Guesses are not accepted; the session's timer is stopped.
    Paused,
    /// The session is over.
    Finished,
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Reference to its name.
    pub name: NameId,
    /// Its players, in the order of joining.
    pub players: Vec<PlayerId>,
    /// Its score.
    pub score: u32,
    /// When it last gained points.
    pub last_scored: Option<Timestamp>,
    /// When it last made a guess.
    pub last_guess: Option<Timestamp>,
    pub(crate) head: u64,
    pub(crate) rounds: BTreeSet<RoundId>,
    pub(crate) puzzles: BTreeMap<PuzzleId, PuzzleProgress>,
    pub(crate) solved: BTreeSet<PuzzleId>,
}

/// The progress of a team on a puzzle that it sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PuzzleProgress {
    /// When it was unlocked.
    pub unlocked_at: Timestamp,
    /// When it was solved.
    pub solved_at: Option<Timestamp>,
    /// The guesses, in order and distinct.
    pub guesses: Guesses,
}

/// A person in a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Player {
    /// The player's team.
    pub team: TeamId,
    /// Reference to the player's name.
    pub name: NameId,
    /// The player's devices, oldest first.
    pub devices: Vec<DeviceId>,
    pub(crate) head: u64,
    #[serde(default)]
    pub(crate) links_used: VecDeque<u64>,
}

/// A logged-in browser or app of a player.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The player who owns it.
    pub player: PlayerId,
    /// Whether it was revoked.
    #[serde(default)]
    pub revoked: bool,
    pub(crate) receipts: Receipts,
}

/// A game master of the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameMaster {
    /// Reference to the name.
    pub name: NameId,
    /// The granted scopes.
    pub scopes: BTreeSet<Scope>,
    /// Whether the game master was revoked.
    pub revoked: bool,
    /// The newest client instances, oldest first, with the receipts of their commands.
    pub(crate) instances: VecDeque<(InstanceId, Receipts)>,
}

impl GameMaster {
    /// Whether the game master has a scope and is not revoked.
    pub fn may(&self, scope: Scope) -> bool {
        !self.revoked && self.scopes.contains(&scope)
    }

    /// The newest client instance.
    pub fn newest_instance(&self) -> Option<InstanceId> {
        self.instances.back().map(|(instance, _)| *instance)
    }

    /// Whether the commands of a client instance are still accepted.
    pub fn has_instance(&self, instance: InstanceId) -> bool {
        self.receipts(instance).is_some()
    }

    /// The highest id of an accepted command of a client instance.
    pub fn last_command(&self, instance: InstanceId) -> Option<CommandId> {
        self.receipts(instance)?.last()
    }

    pub(crate) fn receipts(&self, instance: InstanceId) -> Option<&Receipts> {
        let mut instances = self.instances.iter();
        let found = instances.find(|(known, _)| *known == instance);
        found.map(|(_, receipts)| receipts)
    }
}

/// A clue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clue {
    /// The recipients.
    pub to: Target,
    /// The text.
    pub text: String,
    /// When it was pushed.
    pub pushed_at: Timestamp,
    /// When the clue expires.
    pub expires_at: Option<Timestamp>,
    /// Whether it is live: neither cancelled nor expired.
    pub live: bool,
}

/// A message to everyone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The text.
    pub text: String,
    /// When it was made.
    pub at: Timestamp,
}

impl Device {
    /// The highest id of an accepted command.
    pub fn last_command(&self) -> Option<CommandId> {
        self.receipts.last()
    }
}

impl State {
    /// A new session of a hunt, in the lobby and without teams.
    pub fn new(hunt: Arc<Hunt>) -> Self {
        Self::from_progress(hunt, Progress::default())
    }

    /// The state from a stored snapshot. The hunt must be the revision with which the session was created.
    pub fn from_progress(hunt: Arc<Hunt>, progress: Progress) -> Self {
        let deadlines = Deadlines::from_progress(&progress);
        Self {
            hunt,
            progress,
            deadlines,
        }
    }

    /// The hunt.
    pub fn hunt(&self) -> &Arc<Hunt> {
        &self.hunt
    }

    /// The changing part, for a snapshot.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The phase.
    pub fn phase(&self) -> Phase {
        self.progress.phase
    }

    /// When the session finishes automatically; `None` unless it is running.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match self.progress.phase {
            Phase::Running => self.progress.ends_at,
            Phase::Lobby | Phase::Paused | Phase::Finished => None,
        }
    }

    /// Whether the session is finished and its finish can no longer be undone, which is possible within
    /// `reopen_within`, at most [`REOPEN_WITHIN_MS`](crate::limits::REOPEN_WITHIN_MS).
    pub fn is_final(&self, now: Timestamp, reopen_within: DurationMs) -> bool {
        let within_ms = reopen_within.0.min(limits::REOPEN_WITHIN_MS);
        let can_reopen = self
            .progress
            .finished
            .is_some_and(|finished| now.ms_since(finished.at) < within_ms);
        self.progress.phase == Phase::Finished && !can_reopen
    }

    /// When the session starts by itself; `None` unless it is in the lobby.
    pub fn starts_at(&self) -> Option<Timestamp> {
        let is_in_lobby = self.progress.phase == Phase::Lobby;
        self.progress.starts_at.filter(|_| is_in_lobby)
    }

    /// The session time left until the end; `None` unless it is paused and has an end.
    pub fn time_left(&self) -> Option<DurationMs> {
        let paused_at = self.progress.paused_at?;
        let ends_at = self.progress.ends_at?;
        Some(DurationMs(ends_at.ms_since(paused_at)))
    }

    /// When the session was paused; `None` unless it is paused.
    pub fn paused_at(&self) -> Option<Timestamp> {
        self.progress.paused_at
    }

    /// The time of the last event. No later event has an earlier time.
    pub fn last_at(&self) -> Timestamp {
        self.progress.last_at
    }

    /// The teams with their ids, oldest first.
    pub fn teams(&self) -> impl ExactSizeIterator<Item = (TeamId, &Team)> {
        let teams = self.progress.teams.iter().enumerate();
        teams.map(|(index, team)| (TeamId::from_index(index), &**team))
    }

    /// The players with their ids, in the order of joining the session.
    pub fn players(&self) -> impl ExactSizeIterator<Item = (PlayerId, &Player)> {
        let players = self.progress.players.iter().enumerate();
        players.map(|(index, player)| (PlayerId::from_index(index), &**player))
    }

    /// The team that solved a puzzle before all others; `None` while no team has.
    pub fn first_solver(&self, puzzle: &str) -> Option<TeamId> {
        self.progress.first_solvers.get(puzzle).copied()
    }

    /// The number of players.
    pub fn player_count(&self) -> usize {
        self.progress.players.len()
    }

    /// A team.
    pub fn team(&self, id: TeamId) -> Option<&Team> {
        self.progress.teams.get(id.index()).map(Arc::as_ref)
    }

    /// A player.
    pub fn player(&self, id: PlayerId) -> Option<&Player> {
        self.progress.players.get(id.index()).map(Arc::as_ref)
    }

    /// A device.
    pub fn device(&self, id: DeviceId) -> Option<&Device> {
        self.progress.devices.get(id.index()).map(Arc::as_ref)
    }

    /// A game master.
    pub fn game_master(&self, id: GameMasterId) -> Option<&GameMaster> {
        self.progress.game_masters.get(id.index())
    }

    /// The game masters with their ids, in the order of invitation.
    pub fn game_masters(&self) -> impl ExactSizeIterator<Item = (GameMasterId, &GameMaster)> {
        let game_masters = self.progress.game_masters.iter().enumerate();
        game_masters.map(|(index, game_master)| (GameMasterId::from_index(index), game_master))
    }

    /// The live clues with their ids, oldest first.
    pub fn live_clues(&self) -> impl Iterator<Item = (ClueId, &Clue)> {
        let clues = self.progress.clues.iter().enumerate();
        let live = clues.filter(|(_, clue)| clue.live);
        live.map(|(index, clue)| (ClueId::from_index(index), clue))
    }

    /// The announcements with their ids, oldest first.
    pub fn announcements(&self) -> impl ExactSizeIterator<Item = (AnnouncementId, &Announcement)> {
        let announcements = self.progress.announcements.iter().enumerate();
        announcements.map(|(index, announcement)| (AnnouncementId::from_index(index), announcement))
    }

    /// The number of a player's devices that are not revoked.
    pub(crate) fn active_device_count(&self, player: &Player) -> usize {
        let devices = player.devices.iter().filter_map(|id| self.device(*id));
        devices.filter(|device| !device.revoked).count()
    }

    /// The newest number of an audience's stream; 0 before its first update.
    pub fn head(&self, audience: Audience) -> u64 {
        let heads = &self.progress.heads;
        match audience {
            Audience::Everyone => heads.everyone,
            Audience::Team(team) => self.team(team).map_or(0, |team| team.head),
            Audience::Player(player) => self.player(player).map_or(0, |player| player.head),
            Audience::Public => heads.public,
            Audience::View => heads.view,
            Audience::Hints => heads.hints,
            Audience::Answers => heads.answers,
        }
    }

    /// SHA-256 of the encoded progress. Equal states have equal hashes. O(state).
    pub fn hash(&self) -> [u8; 32] {
        let bytes = rmp_serde::to_vec_named(&self.progress)
            .expect("progress consists of numbers, strings, lists and maps");
        Sha256::digest(bytes).into()
    }

    /// Checks the invariants of the state. O(state).
    ///
    /// # Panics
    /// If an invariant is violated, because the rules have a defect or a snapshot is damaged.
    pub fn assert_invariants(&self) {
        let progress = &self.progress;
        assert!(progress.teams.len() <= limits::TEAMS_MAX);
        assert_eq!(self.deadlines, Deadlines::from_progress(progress));
        assert_eq!(
            progress.paused_at.is_some(),
            progress.phase == Phase::Paused
        );
        for (id, team) in self.teams() {
            self.assert_team_invariants(id, team);
        }
        for (puzzle, first) in &progress.first_solvers {
            let team = self.team(*first);
            assert!(team.is_some_and(|team| team.solved.contains(puzzle)));
        }
        assert!(progress.game_masters.len() <= limits::GAME_MASTERS_MAX);
        assert!(progress.clues.len() <= limits::CLUES_MAX);
        assert!(progress.announcements.len() <= limits::ANNOUNCEMENTS_MAX);
        for player in &progress.players {
            assert!(self.active_device_count(player) <= limits::DEVICES_PER_PLAYER_MAX);
            assert!(player.devices.len() <= limits::DEVICES_PER_PLAYER_EVER_MAX);
            assert!(player.links_used.len() <= limits::LINKS_REMEMBERED_MAX);
        }
        for device in &progress.devices {
            assert!(self.player(device.player).is_some());
            assert!(device.receipts.len() <= limits::RECEIPTS_PER_DEVICE_MAX);
        }
        for game_master in &progress.game_masters {
            assert!(game_master.instances.len() <= limits::INSTANCES_PER_GAME_MASTER_MAX);
            let mut receipts = game_master.instances.iter().map(|(_, receipts)| receipts);
            assert!(receipts.all(|receipts| receipts.len() <= limits::RECEIPTS_PER_DEVICE_MAX));
        }
    }

    fn assert_team_invariants(&self, id: TeamId, team: &Team) {
        assert!(team.players.len() <= limits::PLAYERS_PER_TEAM_MAX);
        let mut score = 0;
        for (puzzle, progress) in &team.puzzles {
            let is_solved = progress.solved_at.is_some();
            assert_eq!(is_solved, team.solved.contains(puzzle));
            assert!(progress.guesses.len() <= limits::GUESSES_PER_PUZZLE_MAX);
            let made = progress.guesses.iter();
            let solves = made.filter(|made| made.verdict == Verdict::Correct).count();
            assert_eq!(solves, usize::from(is_solved), "{puzzle} is counted once");
            if is_solved {
                assert!(self.first_solver(puzzle.as_str()).is_some());
                let points = self.hunt.puzzle(puzzle.as_str()).map(|p| p.points);
                score += points.expect("the hunt has every puzzle that a team sees");
            }
        }
        assert_eq!(
            team.score, score,
            "the score of {id} is the sum of its solves"
        );
    }
}

impl Team {
    /// The progress on a puzzle that the team sees.
    pub fn puzzle(&self, id: &str) -> Option<&PuzzleProgress> {
        self.puzzles.get(id)
    }

    /// The puzzles that the team sees with its progress on them, in the order of their ids.
    pub fn puzzles(&self) -> impl ExactSizeIterator<Item = (&PuzzleId, &PuzzleProgress)> {
        self.puzzles.iter()
    }

    /// Whether the team sees a round.
    pub fn sees_round(&self, id: &RoundId) -> bool {
        self.rounds.contains(id)
    }

    /// The captain: the player who founded the team and may revoke its devices.
    pub fn captain(&self) -> Option<PlayerId> {
        self.players.first().copied()
    }

    /// The number of puzzles that the team has solved.
    pub fn solves(&self) -> usize {
        self.solved.len()
    }
}
