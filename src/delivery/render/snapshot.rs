//! Client snapshots: the complete view of a player's device or of a game master.

use hunt::{Audience, PlayerId, State, TeamId, Timestamp};
use protocol as wire;
use protocol::ServerMessage;

use super::count;
use super::outcome::verdict;
use super::overview::overview;
use super::people::members;
use super::session::phase;
use super::texts::{announcements, clue};
use crate::content::ContentPaths;
use crate::delivery::viewer::Viewer;
use crate::session::View;

/// A snapshot shows the last guesses on each puzzle, at most this many.
const GUESSES_SHOWN_MAX: usize = 200;

/// The viewers who see the same: for equal heads, their client snapshots are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::delivery) enum SharedBy {
    /// The players of a team without live clues of their own.
    Team(TeamId),
    /// A player with live clues of their own.
    Player(PlayerId),
    /// The game masters who read the same.
    GameMasters {
        /// Whether they have the scope `view`.
        view: bool,
        /// Whether they have the scope `hints`.
        hints: bool,
    },
}

impl SharedBy {
    /// The group of a viewer; none for spectators, who get no snapshot.
    pub(in crate::delivery) fn group_of(view: View<'_>, viewer: Viewer) -> Option<Self> {
        match viewer {
            Viewer::Player { player, team, .. } => {
                let mut clues = view.state.live_clues();
                let own = Audience::Player(player);
                let has_own = clues.any(|(_, clue)| Audience::from(clue.to) == own);
                Some(if has_own {
                    Self::Player(player)
                } else {
                    Self::Team(team)
                })
            }
            Viewer::GameMaster { reads, .. } => Some(Self::GameMasters {
                view: reads.view,
                hints: reads.hints,
            }),
            Viewer::Spectator => None,
        }
    }
}

/// Everything that a viewer sees, as of `heads`; none for spectators.
pub(in crate::delivery) fn client_snapshot(
    view: View<'_>,
    content: &ContentPaths,
    viewer: Viewer,
    heads: wire::Heads,
) -> Option<ServerMessage> {
    match viewer {
        Viewer::Player { player, team, .. } => {
            let snapshot = snapshot(view, content, heads, (player, team))?;
            Some(ServerMessage::Snapshot(Box::new(snapshot)))
        }
        Viewer::GameMaster { reads, .. } => {
            let overview = overview(view, heads, reads);
            Some(ServerMessage::Overview(Box::new(overview)))
        }
        Viewer::Spectator => None,
    }
}

/// Everything that a player may see; none if there is no such team.
fn snapshot(
    view: View<'_>,
    content: &ContentPaths,
    heads: wire::Heads,
    (player, team): (PlayerId, TeamId),
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
        starts_at_ms: state.starts_at().map(|at| at.0),
        ends_at_ms: state.ends_at().map(|at| at.0),
        left_ms: state.time_left().map(|left| left.0),
        paused_at_ms: state.paused_at().map(|at| at.0),
        team: wire::Team {
            id: team.to_string(),
            name: view.name(own.name),
            code: view.private.team_code(team).to_owned(),
            score: own.score,
            players: members(view, &own.players),
        },
        rounds: rounds.map(|definition| round(state, definition)).collect(),
        puzzles: puzzles
            .filter_map(|definition| puzzle(state, content, team, definition))
            .collect(),
        clues: own_clues.map(|(id, known)| clue(id, known)).collect(),
        announcements: announcements(view),
    })
}

pub(super) fn round(state: &State, round: &hunt::Round) -> wire::Round {
    let mut rounds = state.hunt().rounds.iter();
    wire::Round {
        id: round.id.to_string(),
        index: count(rounds.position(|other| other.id == round.id).unwrap_or(0)),
        title: round.title.clone(),
    }
}

/// A puzzle with the team's progress, if the team sees it.
pub(super) fn puzzle(
    state: &State,
    content: &ContentPaths,
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
        solved_at_ms: progress.solved_at.map(|at| at.0),
        guesses: guesses.collect(),
        ..unlocked_puzzle(state, content, definition, progress.unlocked_at)
    })
}

/// A puzzle at the moment of its unlock: without guesses.
pub(super) fn unlocked_puzzle(
    state: &State,
    content: &ContentPaths,
    definition: &hunt::Puzzle,
    unlocked_at: Timestamp,
) -> wire::Puzzle {
    wire::Puzzle {
        id: definition.id.to_string(),
        index: count(
            state
                .hunt()
                .puzzle_position(definition.id.as_str())
                .unwrap_or(0),
        ),
        round: definition.round.to_string(),
        title: definition.title.clone(),
        content: definition.content.map(|hash| content.html(hash)),
        points: definition.points,
        unlocked_at_ms: unlocked_at.0,
        solved_at_ms: None,
        guesses: Vec::new(),
    }
}
