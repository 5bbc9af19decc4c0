//! A client's state as `protocol/README.md` says to keep it: a snapshot or an overview, changed by the
//! updates that follow.
//!
//! Written from the specification alone: what it cannot keep up to date, no client can.

use protocol::{
    Announcement, Audience, Cells, Clue, Event, Guess, Heads, Overview, Phase, PlayerSummary,
    Snapshot, TargetedClue, Update, Verdict,
};

/// A snapshot or an overview shows at most this many announcements, the last ones.
const ANNOUNCEMENTS_SHOWN_MAX: usize = 100;
/// A snapshot shows at most this many guesses on a puzzle, the last ones.
const GUESSES_SHOWN_MAX: usize = 200;

const SOLVED: u8 = 14;
const SOLVED_FIRST: u8 = 15;

/// Applies an update to the overview of a game master with the scope `view`.
pub fn apply_to_overview(overview: &mut Overview, update: &Update) {
    advance(&mut overview.heads, update);
    if update.audience == Audience::Answers {
        return;
    }
    let clock = Clock {
        phase: &mut overview.phase,
        starts_at_ms: &mut overview.starts_at_ms,
        ends_at_ms: &mut overview.ends_at_ms,
        left_ms: &mut overview.left_ms,
        paused_at_ms: &mut overview.paused_at_ms,
    };
    let shift_ms = clock.apply(update);
    let clues = overview.clues.iter_mut().map(|targeted| &mut targeted.clue);
    postpone(clues, shift_ms);
    match &update.event {
        Event::TeamCreated { team } => {
            overview.teams.push(team.clone());
            let cells = overview.cells.0.len() + overview.puzzles.len();
            overview.cells.0.resize(cells, 0);
        }
        Event::TeamRenamed { team, name } => {
            let team = team.as_deref().expect("game masters see the team");
            let position = team_position(overview, team);
            overview.teams[position].name.clone_from(name);
        }
        Event::PlayerJoined { player, team } => {
            let team = team.clone().expect("game masters see the team");
            let position = team_position(overview, &team);
            overview.teams[position].players += 1;
            overview.players.push(PlayerSummary {
                id: player.id.clone(),
                name: player.name.clone(),
                team,
            });
        }
        Event::PlayerRenamed { player, .. } => {
            let mut players = overview.players.iter_mut();
            let known = players.find(|known| known.id == player.id);
            let known = known.expect("players join before they are renamed");
            known.name.clone_from(&player.name);
        }
        Event::Unlocked { team, puzzles, .. } => {
            let teams: Vec<usize> = match team {
                Some(team) => vec![team_position(overview, team)],
                None => (0..overview.teams.len()).collect(),
            };
            for team in teams {
                for puzzle in puzzles {
                    *cell(overview, team, &puzzle.id) = 1;
                }
            }
        }
        Event::GuessJudged { .. } => judge(overview, update),
        Event::CluePushed { clue, to } => overview.clues.push(TargetedClue {
            clue: clue.clone(),
            to: to.clone().expect("game masters see the target"),
        }),
        Event::ClueCancelled { clue } | Event::ClueExpired { clue } => {
            overview.clues.retain(|known| known.clue.id != *clue);
        }
        Event::Announced { announcement } => {
            announce(&mut overview.announcements, announcement);
        }
        Event::GameMasterInvited { game_master } => {
            overview.game_masters.push(game_master.clone());
        }
        Event::GameMasterRevoked { game_master } => {
            let mut known = overview.game_masters.iter_mut();
            let known = known.find(|known| known.id == *game_master);
            known.expect("they were invited before").revoked = true;
        }
        Event::StartScheduled { .. }
        | Event::StartCancelled
        | Event::SessionStarted { .. }
        | Event::SessionPaused { .. }
        | Event::SessionResumed { .. }
        | Event::EndMoved { .. }
        | Event::SessionReopened { .. }
        | Event::SessionFinished
        | Event::TeamCodeRotated { .. }
        | Event::DeviceAdded { .. }
        | Event::DeviceRevoked { .. }
        | Event::Solved { .. }
        | Event::Unknown => {}
    }
}

/// Applies an update to the snapshot of a player's device.
pub fn apply_to_snapshot(snapshot: &mut Snapshot, update: &Update) {
    advance(&mut snapshot.heads, update);
    let clock = Clock {
        phase: &mut snapshot.phase,
        starts_at_ms: &mut snapshot.starts_at_ms,
        ends_at_ms: &mut snapshot.ends_at_ms,
        left_ms: &mut snapshot.left_ms,
        paused_at_ms: &mut snapshot.paused_at_ms,
    };
    let shift_ms = clock.apply(update);
    postpone(snapshot.clues.iter_mut(), shift_ms);
    match &update.event {
        Event::PlayerJoined { player, .. } => snapshot.team.players.push(player.clone()),
        Event::PlayerRenamed { player, .. } => {
            let mut players = snapshot.team.players.iter_mut();
            let known = players.find(|known| known.id == player.id);
            *known.expect("players join before they are renamed") = player.clone();
        }
        Event::TeamRenamed { name, .. } => snapshot.team.name.clone_from(name),
        Event::TeamCodeRotated { code } => snapshot.team.code.clone_from(code),
        Event::Unlocked {
            rounds, puzzles, ..
        } => {
            snapshot.rounds.extend(rounds.iter().cloned());
            snapshot.rounds.sort_by_key(|round| round.index);
            snapshot.puzzles.extend(puzzles.iter().cloned());
            snapshot.puzzles.sort_by_key(|puzzle| puzzle.index);
        }
        Event::GuessJudged {
            puzzle,
            player,
            guess,
            verdict,
            score,
            ..
        } => {
            snapshot.team.score = *score;
            let mut puzzles = snapshot.puzzles.iter_mut();
            let puzzle = puzzles.find(|known| known.id == *puzzle);
            let puzzle = puzzle.expect("puzzles are unlocked before guesses are made");
            puzzle.guesses.push(Guess {
                player: player.clone(),
                guess: guess.clone().expect("a team sees its guesses"),
                verdict: *verdict,
            });
            let hidden = puzzle.guesses.len().saturating_sub(GUESSES_SHOWN_MAX);
            puzzle.guesses.drain(..hidden);
            if *verdict == Verdict::Correct {
                puzzle.solved_at_ms = Some(update.at_ms);
            }
        }
        Event::CluePushed { clue, .. } => snapshot.clues.push(clue.clone()),
        Event::ClueCancelled { clue } | Event::ClueExpired { clue } => {
            snapshot.clues.retain(|known| known.id != *clue);
        }
        Event::Announced { announcement } => {
            announce(&mut snapshot.announcements, announcement);
        }
        Event::StartScheduled { .. }
        | Event::StartCancelled
        | Event::SessionStarted { .. }
        | Event::SessionPaused { .. }
        | Event::SessionResumed { .. }
        | Event::EndMoved { .. }
        | Event::SessionReopened { .. }
        | Event::SessionFinished
        | Event::TeamCreated { .. }
        | Event::DeviceAdded { .. }
        | Event::DeviceRevoked { .. }
        | Event::Solved { .. }
        | Event::GameMasterInvited { .. }
        | Event::GameMasterRevoked { .. }
        | Event::Unknown => {}
    }
}

/// The phase and the times of a session.
struct Clock<'a> {
    phase: &'a mut Phase,
    starts_at_ms: &'a mut Option<u64>,
    ends_at_ms: &'a mut Option<u64>,
    left_ms: &'a mut Option<u64>,
    paused_at_ms: &'a mut Option<u64>,
}

impl Clock<'_> {
    /// Applies an update; returns by how much the live clues are postponed.
    fn apply(self, update: &Update) -> u64 {
        match update.event {
            Event::StartScheduled { starts_at_ms } => *self.starts_at_ms = Some(starts_at_ms),
            Event::StartCancelled => *self.starts_at_ms = None,
            Event::SessionStarted { ends_at_ms } => {
                *self.phase = Phase::Running;
                *self.starts_at_ms = None;
                *self.ends_at_ms = ends_at_ms;
            }
            Event::SessionPaused { left_ms } | Event::SessionReopened { left_ms } => {
                *self.phase = Phase::Paused;
                *self.ends_at_ms = None;
                *self.left_ms = left_ms;
                *self.paused_at_ms = Some(update.at_ms);
            }
            Event::SessionResumed {
                ends_at_ms,
                paused_ms,
            } => {
                *self.phase = Phase::Running;
                *self.ends_at_ms = ends_at_ms;
                *self.left_ms = None;
                *self.paused_at_ms = None;
                return paused_ms;
            }
            Event::EndMoved {
                ends_at_ms,
                left_ms,
            } => {
                *self.ends_at_ms = ends_at_ms;
                *self.left_ms = left_ms;
            }
            Event::SessionFinished => {
                *self.phase = Phase::Finished;
                *self.starts_at_ms = None;
                *self.ends_at_ms = None;
                *self.left_ms = None;
                let paused_at_ms = self.paused_at_ms.take();
                return paused_at_ms.map_or(0, |at_ms| update.at_ms - at_ms);
            }
            _ => {}
        }
        0
    }
}

fn postpone<'a>(clues: impl Iterator<Item = &'a mut Clue>, shift_ms: u64) {
    for clue in clues {
        clue.expires_at_ms = clue.expires_at_ms.map(|at_ms| at_ms + shift_ms);
    }
}

fn announce(announcements: &mut Vec<Announcement>, announcement: &Announcement) {
    announcements.push(announcement.clone());
    let hidden = announcements.len().saturating_sub(ANNOUNCEMENTS_SHOWN_MAX);
    announcements.drain(..hidden);
}

fn judge(overview: &mut Overview, update: &Update) {
    let Event::GuessJudged {
        team,
        puzzle,
        verdict,
        score,
        ..
    } = &update.event
    else {
        unreachable!("the caller looked");
    };
    let position = team_position(
        overview,
        team.as_deref().expect("game masters see the team"),
    );
    let is_solved = (0..overview.teams.len())
        .map(|team| *cell(overview, team, puzzle) & Cells::PROGRESS_BITS)
        .any(|progress| progress == SOLVED || progress == SOLVED_FIRST);
    let team = &mut overview.teams[position];
    team.score = *score;
    team.last_guess_at_ms = Some(update.at_ms);
    team.solves += u32::from(*verdict == Verdict::Correct);
    let cell = cell(overview, position, puzzle);
    let kept = *cell & !Cells::PROGRESS_BITS;
    let progress = match verdict {
        Verdict::Correct if is_solved => SOLVED,
        Verdict::Correct => SOLVED_FIRST,
        Verdict::Wrong => (*cell & Cells::PROGRESS_BITS).saturating_add(1).min(9),
    };
    *cell = kept | progress;
}

fn team_position(overview: &Overview, id: &str) -> usize {
    let position = overview.teams.iter().position(|team| team.id == id);
    position.expect("teams are created before anything happens to them")
}

fn cell<'a>(overview: &'a mut Overview, team: usize, puzzle: &str) -> &'a mut u8 {
    let column = overview.puzzles.iter().position(|known| known.id == puzzle);
    let column = column.expect("an overview has every puzzle of the hunt");
    let row = team * overview.puzzles.len();
    &mut overview.cells.0[row + column]
}

fn advance(heads: &mut Heads, update: &Update) {
    let head = match update.audience {
        Audience::Everyone => &mut heads.everyone,
        Audience::Team => &mut heads.team,
        Audience::Player => &mut heads.player,
        Audience::Public => &mut heads.public,
        Audience::View => &mut heads.view,
        Audience::Hints => &mut heads.hints,
        Audience::Answers => &mut heads.answers,
    };
    assert_eq!(update.number, *head + 1, "updates have no gap: {update:?}");
    *head = update.number;
}
