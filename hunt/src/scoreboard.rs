//! The scoreboard: every team, ranked.

use std::cmp::{Ordering, Reverse};

use crate::definition::TieBreak;
use crate::ids::TeamId;
use crate::state::{State, Team};

/// A team's place on the scoreboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Competition rank: equals share a rank and leave a gap (1, 2, 2, 4).
    pub rank: u32,
    /// The team.
    pub team: TeamId,
}

impl State {
    /// Every team, best first, ranked by the hunt's tie-break; teams that are equal in all of it
    /// share a rank and stand in the order of being created. O(teams × log teams).
    pub fn scoreboard(&self) -> Vec<Place> {
        let mut teams: Vec<(TeamId, &Team)> = self.teams().collect();
        teams.sort_by(|(_, a), (_, b)| self.compare(a, b));
        let mut places: Vec<Place> = Vec::with_capacity(teams.len());
        for (index, (id, team)) in teams.iter().enumerate() {
            let rank = match index.checked_sub(1) {
                Some(above) if self.compare(teams[above].1, team).is_eq() => places[above].rank,
                Some(_) | None => u32::try_from(index + 1).expect("teams are bounded"),
            };
            places.push(Place { rank, team: *id });
        }
        places
    }

    fn compare(&self, a: &Team, b: &Team) -> Ordering {
        let criteria = self.hunt.tie_break.iter();
        criteria.fold(Ordering::Equal, |so_far, criterion| {
            so_far.then_with(|| match criterion {
                TieBreak::Score => Reverse(a.score).cmp(&Reverse(b.score)),
                TieBreak::LastScored => {
                    let key = |team: &Team| (team.last_scored.is_none(), team.last_scored);
                    key(a).cmp(&key(b))
                }
            })
        })
    }
}
