//! From states and events to the messages that show them.

use hunt::{Audience, Event, PlayerId, Stamp, State, TeamId, Timestamp, Verdict};
use protocol as wire;

use crate::session::View;

/// Guesses on one puzzle that a snapshot shows: the last ones.
const GUESSES_SHOWN_MAX: usize = 200;
/// The bounds of the random delay after a connection that died silently. A node's clients come
/// back spread over this time.
const RECONNECT: wire::Reconnect = wire::Reconnect {
    min_in_ms: 100,
    max_in_ms: 2_000,
};

/// The standing advice on reconnecting.
pub fn reconnect_advice() -> wire::Reconnect {
    RECONNECT
}

/// A session's phase on the wire.
pub fn phase(phase: hunt::Phase) -> wire::Phase {
    match phase {
        hunt::Phase::Lobby => wire::Phase::Lobby,
        hunt::Phase::Running => wire::Phase::Running,
        hunt::Phase::Paused => wire::Phase::Paused,
        hunt::Phase::Finished => wire::Phase::Finished,
    }
}

pub(super) fn heads(heads: hunt::Heads) -> wire::Heads {
    wire::Heads {
        everyone: heads.everyone,
        team: heads.team,
        player: heads.player,
    }
}

/// The update that shows an event to its audience.
pub(super) fn update(view: View<'_>, at: Timestamp, event: &Event, stamp: Stamp) -> wire::Update {
    wire::Update {
        audience: match stamp.audience {
            Audience::Everyone => wire::Audience::Everyone,
            Audience::Team(_) => wire::Audience::Team,
            Audience::Player(_) => wire::Audience::Player,
        },
        number: stamp.number,
        at_ms: at.0,
        event: wire_event(view, event),
    }
}

fn wire_event(view: View<'_>, event: &Event) -> wire::Event {
    match event {
        Event::SessionStarted { ends_at } => wire::Event::SessionStarted {
            ends_at_ms: ends_at.map(|at| at.0),
        },
        Event::SessionPaused => wire::Event::SessionPaused,
        Event::SessionResumed { ends_at } => wire::Event::SessionResumed {
            ends_at_ms: ends_at.map(|at| at.0),
        },
        Event::SessionFinished => wire::Event::SessionFinished,
        Event::PlayerJoined { player, .. } => wire::Event::PlayerJoined {
            player: member(view, *player),
        },
        Event::DeviceAdded { device, .. } => wire::Event::DeviceAdded {
            device: device.to_string(),
        },
        Event::Unlocked {
            team,
            rounds,
            puzzles,
        } => {
            let hunt = view.state.hunt();
            let new_rounds = hunt
                .rounds
                .iter()
                .filter(|round| rounds.contains(&round.id));
            let new_puzzles = puzzles.iter().filter_map(|id| hunt.puzzle(id.as_str()));
            wire::Event::Unlocked {
                rounds: new_rounds.map(round).collect(),
                puzzles: new_puzzles
                    .filter_map(|definition| puzzle(view.state, *team, definition))
                    .collect(),
            }
        }
        Event::GuessJudged {
            team,
            player,
            puzzle,
            guess,
            verdict: judged,
            points,
        } => wire::Event::GuessJudged {
            puzzle: puzzle.to_string(),
            player: player.to_string(),
            guess: guess.clone(),
            verdict: verdict(*judged),
            points: *points,
            score: view.state.team(*team).map_or(0, |team| team.score),
        },
        Event::TeamCreated { .. } => unreachable!("a new team is nobody's update"),
    }
}

pub(super) fn verdict(verdict: Verdict) -> wire::Verdict {
    match verdict {
        Verdict::Correct => wire::Verdict::Correct,
        Verdict::Wrong => wire::Verdict::Wrong,
    }
}

/// Everything that a player may see.
pub(super) fn snapshot(view: View<'_>, player: PlayerId, team: TeamId) -> Option<wire::Snapshot> {
    let state = view.state;
    let hunt = state.hunt();
    let own = state.team(team)?;
    let rounds = hunt.rounds.iter().filter(|round| own.sees_round(&round.id));
    let puzzles = hunt.puzzles.iter();
    Some(wire::Snapshot {
        heads: heads(state.heads(player)?),
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
    })
}

fn round(round: &hunt::Round) -> wire::Round {
    wire::Round {
        id: round.id.to_string(),
        title: round.title.clone(),
    }
}

/// A puzzle with the team's progress, if the team sees it.
fn puzzle(state: &State, team: TeamId, definition: &hunt::Puzzle) -> Option<wire::Puzzle> {
    let progress = state.team(team)?.puzzle(definition.id.as_str())?;
    let hidden = progress.guesses.len().saturating_sub(GUESSES_SHOWN_MAX);
    let guesses = progress.guesses[hidden..].iter().map(|made| wire::Guess {
        player: made.player.to_string(),
        guess: made.guess.clone(),
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

fn member(view: View<'_>, id: PlayerId) -> wire::Member {
    let player = view.state.player(id).expect("members of a team exist");
    wire::Member {
        id: id.to_string(),
        name: view.name(player.name),
    }
}
