//! Compares the players' records of a session with its journal.

use std::collections::{HashMap, HashSet};

use protocol::{Audience, Verdict};

use super::export::{Export, Journaled};
use super::hunt::{TEAM_SIZE, planned};
use super::log::{PlayerLog, UpdateGuess};

/// Maximum number of problems described in words.
const PROBLEMS_MAX: usize = 10;

/// Differences between records and journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Acknowledged commands that the journal lacks or has with other content, and gaps in its sequence
    /// numbers.
    pub(super) lost: u64,
    /// Commands, or guesses of a team, that the journal has more than once.
    pub(super) applied_twice: u64,
    /// Guesses in the journal that no player sent.
    pub(super) never_sent: u64,
    /// Guesses that a client received but that the journal lacks or has in another order, and updates
    /// that team mates received under another number.
    pub(super) not_in_journal: u64,
    /// Guesses in the journal that a client of the team lacks at the end.
    pub(super) not_shown: u64,
    /// The first problems in words.
    pub(super) problems: Vec<String>,
}

/// A player of the session, with its device and team.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlayerRecord<'a> {
    pub(super) device: &'a str,
    pub(super) team: &'a str,
    pub(super) log: &'a PlayerLog,
}

type GuessKey<'a> = (&'a str, &'a str);

/// Guesses by device and command id.
type ByCommand<'a> = HashMap<(&'a str, u64), &'a Journaled>;

/// Guesses of a team, with their position in the journal.
type TeamGuesses<'a> = HashMap<GuessKey<'a>, (usize, Verdict)>;

/// Compares one session.
pub(super) fn compare(players: &[PlayerRecord<'_>], export: &Export) -> Findings {
    let mut findings = Findings::default();
    if export.holes > 0 {
        findings.lost += export.holes;
        findings.add_problem(|| format!("{} gaps in the export's sequence numbers", export.holes));
    }
    let teams: HashMap<&str, &str> = players.iter().map(|p| (p.device, p.team)).collect();
    let (by_command, by_team) = index(&teams, export, &mut findings);
    let mut sent = HashSet::new();
    for player in players {
        for (number, command) in player.log.commands.iter().enumerate() {
            sent.insert((player.device, command.id));
            let Some(acked) = command.acked else { continue };
            let found = by_command.get(&(player.device, command.id));
            if !found.is_some_and(|kept| is_kept(player, number, kept, acked.verdict)) {
                findings.lost += 1;
                let player = player.log.player;
                findings.add_problem(|| {
                    format!("player {player}: acknowledged {command:?} is exported as {found:?}")
                });
            }
        }
        let none = TeamGuesses::new();
        let team = by_team.get(player.team).unwrap_or(&none);
        compare_shown(player, team, &mut findings);
        compare_view(player, team, &mut findings);
    }
    for (command, kept) in by_command {
        if !sent.contains(&command) {
            findings.never_sent += 1;
            findings.add_problem(|| format!("{kept:?} was never sent"));
        }
    }
    compare_numbers(players, &mut findings);
    findings
}

/// Indexes the journal's guesses by command and by team.
fn index<'a>(
    teams: &HashMap<&str, &'a str>,
    export: &'a Export,
    findings: &mut Findings,
) -> (ByCommand<'a>, HashMap<&'a str, TeamGuesses<'a>>) {
    let mut by_command = ByCommand::new();
    let mut by_team: HashMap<&str, TeamGuesses<'_>> = HashMap::new();
    for (index, kept) in export.guesses.iter().enumerate() {
        let is_second = by_command
            .insert((kept.device.as_str(), kept.command), kept)
            .is_some();
        let team = teams.get(kept.device.as_str()).copied().unwrap_or_default();
        let guesses = by_team.entry(team).or_default();
        let key = (kept.puzzle.as_str(), kept.guess.as_str());
        let is_repeated = guesses.insert(key, (index, kept.verdict)).is_some();
        if is_second || is_repeated {
            findings.applied_twice += 1;
            findings.add_problem(|| format!("{kept:?} is exported twice"));
        }
    }
    (by_command, by_team)
}

fn is_kept(
    player: &PlayerRecord<'_>,
    number: usize,
    kept: &Journaled,
    verdict: Option<Verdict>,
) -> bool {
    let number = u32::try_from(number).expect("a plan has fewer guesses than that");
    let number_of_player = player.log.player;
    let planned = planned(number_of_player, number_of_player % TEAM_SIZE, number);
    Some(kept.verdict) == verdict && kept.puzzle == planned.puzzle && kept.guess == planned.guess
}

/// Checks that every guess of an update is in the journal, in the same order.
fn compare_shown(player: &PlayerRecord<'_>, team: &TeamGuesses<'_>, findings: &mut Findings) {
    let mut last = None;
    for applied in &player.log.updates {
        let Some(guess) = &applied.guess else {
            continue;
        };
        let kept = team.get(&(guess.puzzle.as_str(), guess.guess.as_str()));
        let index = kept.map(|(index, _)| *index);
        let is_kept = kept.is_some_and(|(_, verdict)| *verdict == guess.verdict);
        if !is_kept || last > index {
            findings.not_in_journal += 1;
            let player = player.log.player;
            findings.add_problem(|| {
                format!("player {player} received {applied:?}; the journal has {kept:?}")
            });
        }
        last = last.max(index);
    }
}

/// Checks that a client's final view equals the journal of its team.
fn compare_view(player: &PlayerRecord<'_>, team: &TeamGuesses<'_>, findings: &mut Findings) {
    let Some(view) = &player.log.view else { return };
    let number = player.log.player;
    for ((puzzle, guess), (_, verdict)) in team {
        if view.verdict(puzzle, guess) != Some(*verdict) {
            findings.not_shown += 1;
            findings.add_problem(|| format!("player {number} did not receive {guess} on {puzzle}"));
        }
    }
    for (puzzle, guess, verdict) in view.guesses() {
        let kept = team.get(&(puzzle, guess));
        if kept.is_none_or(|(_, kept)| *kept != verdict) {
            findings.not_in_journal += 1;
            findings.add_problem(|| {
                format!("player {number} has {guess} on {puzzle}: not in the journal")
            });
        }
    }
}

/// Checks that a number of a team's stream carries the same update for all of the team.
fn compare_numbers(players: &[PlayerRecord<'_>], findings: &mut Findings) {
    let mut notices: HashMap<(&str, u64), &Option<UpdateGuess>> = HashMap::new();
    for player in players {
        let of_team = player.log.updates.iter();
        let of_team = of_team.filter(|applied| applied.audience == Audience::Team);
        for applied in of_team {
            let first = notices
                .entry((player.team, applied.number))
                .or_insert(&applied.guess);
            if **first != applied.guess {
                findings.not_in_journal += 1;
                findings
                    .add_problem(|| format!("{applied:?} was sent as {first:?} to another player"));
            }
        }
    }
}

impl Findings {
    /// Adds the findings of another session.
    pub(super) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.applied_twice += other.applied_twice;
        self.never_sent += other.never_sent;
        self.not_in_journal += other.not_in_journal;
        self.not_shown += other.not_shown;
        for problem in other.problems {
            self.add_problem(|| problem);
        }
    }

    fn add_problem(&mut self, problem: impl FnOnce() -> String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem());
        }
    }
}

#[cfg(test)]
mod tests;
