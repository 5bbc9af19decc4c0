//! The scoreboard: every team, ranked.

use std::cmp::{Ordering, Reverse};

use crate::definition::TieBreak;
use crate::ids::TeamId;
use crate::state::{State, Team};

/// A team with its rank on the scoreboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankedTeam {
    /// The rank by competition ranking: tied teams share a rank and leave a gap (1, 2, 2, 4).
    pub rank: u32,
    /// The team.
    pub team: TeamId,
}

impl State {
    /// Every team, best first, ranked by the hunt's tie-break criteria. Teams that are equal in all of them
    /// share a rank and are listed oldest first. O(teams × log teams).
    pub fn scoreboard(&self) -> Vec<RankedTeam> {
        let mut teams: Vec<(TeamId, &Team)> = self.teams().collect();
        teams.sort_by(|(_, a), (_, b)| self.compare(a, b));
        let mut ranked: Vec<RankedTeam> = Vec::with_capacity(teams.len());
        for (index, (id, team)) in teams.iter().enumerate() {
            let rank = match index.checked_sub(1) {
                Some(above) if self.compare(teams[above].1, team).is_eq() => ranked[above].rank,
                Some(_) | None => u32::try_from(index + 1).expect("the number of teams is bounded"),
            };
            ranked.push(RankedTeam { rank, team: *id });
        }
        ranked
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
