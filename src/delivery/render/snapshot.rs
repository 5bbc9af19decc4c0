//! What a player's device sees of the whole state.

use hunt::{Audience, PlayerId, State, TeamId};
use protocol as wire;

use super::{announcements, clue, member, phase, verdict};
use crate::session::View;

/// Guesses on one puzzle that a snapshot shows: the last ones.
const GUESSES_SHOWN_MAX: usize = 200;

/// Everything that a player may see.
pub(in crate::delivery) fn snapshot(
    view: View<'_>,
    heads: wire::Heads,
    player: PlayerId,
    team: TeamId,
) -> Option<wire::Snapshot> {
    let state = view.state;
    let hunt = state.hunt();
    let own = state.team(team)?;
    let rounds = hunt.rounds.iter().filter(|round| own.sees_round(&round.id));
    let puzzles = hunt.puzzles.iter();
    let own_clues = state.live_clues().filter(|(_, clue)| {
        let audience = Audience::from(clue.to);
        audience == Audience::Everyone
            || audience == Audience::Team(team)
            || audience == Audience::Player(player)
    });
    Some(wire::Snapshot {
        heads,
        title: hunt.title.clone(),
        phase: phase(state.phase()),
        ends_at_ms: state.ends_at().map(|at| at.0),
        team: wire::Team {
            id: team.to_string(),
            name: view.name(own.name),
            code: own.code.to_string(),
            score: own.score,
            players: own.players.iter().map(|id| member(view, *id)).collect(),
        },
        rounds: rounds.map(round).collect(),
        puzzles: puzzles
            .filter_map(|definition| puzzle(state, team, definition))
            .collect(),
        clues: own_clues.map(|(id, known)| clue(id, known)).collect(),
        announcements: announcements(view),
    })
}

pub(super) fn round(round: &hunt::Round) -> wire::Round {
    wire::Round {
        id: round.id.to_string(),
        title: round.title.clone(),
    }
}

/// A puzzle with the team's progress, if the team sees it.
pub(super) fn puzzle(
    state: &State,
    team: TeamId,
    definition: &hunt::Puzzle,
) -> Option<wire::Puzzle> {
    let progress = state.team(team)?.puzzle(definition.id.as_str())?;
    let hidden = progress.guesses.len().saturating_sub(GUESSES_SHOWN_MAX);
    let guesses = progress
        .guesses
        .iter()
        .skip(hidden)
        .map(|made| wire::Guess {
            player: made.player.to_string(),
            guess: made.guess.into_owned(),
            verdict: verdict(made.verdict),
        });
    Some(wire::Puzzle {
        id: definition.id.to_string(),
        round: definition.round.to_string(),
        title: definition.title.clone(),
        body: definition.body.clone(),
        points: definition.points,
        unlocked_at_ms: progress.unlocked_at.0,
        solved_at_ms: progress.solved_at.map(|at| at.0),
        guesses: guesses.collect(),
    })
}
