//! The clues that one client has received, checked against the plan.

use protocol::{Audience, Clue, Event, Update};

use super::plan::{ClientIndex, Label, Plan};

/// Violations in what a client received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Violations {
    /// Clues that arrived as an update a second time.
    pub(super) duplicates: u64,
    /// Updates and clues addressed to others.
    pub(super) foreign: u64,
    /// Clues that arrived after a later one to the same audience.
    pub(super) misordered: u64,
    /// Clues that a later snapshot lacks.
    pub(super) forgotten: u64,
}

/// The clues that a client has.
#[derive(Debug)]
pub(super) struct Ledger {
    client: ClientIndex,
    had: Vec<bool>,
    count: usize,
    /// Highest number received for everyone, the team and the player.
    newest: [Option<usize>; 3],
    pub(super) violations: Violations,
}

impl Ledger {
    /// An empty ledger.
    pub(super) fn new(client: ClientIndex, plan: &Plan) -> Self {
        Self {
            client,
            had: vec![false; plan.recipients().len()],
            count: 0,
            newest: [None; 3],
            violations: Violations::default(),
        }
    }

    /// Number of clues addressed to the client that it has.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Records the next update of the stream. Returns the label of its clue, if it is addressed to this
    /// client.
    pub(super) fn update(&mut self, plan: &Plan, update: &Update) -> Option<Label> {
        let Event::CluePushed { clue, to } = &update.event else {
            // Teams and players receive only clues and the results of their own commands; numbers and
            // audiences prove the rest.
            self.violations.foreign += u64::from(update.audience == Audience::GameMasters);
            return None;
        };
        let label = self.addressed_label(plan, clue, Some(update.audience));
        // Only game masters see the target of a clue.
        let Some(label) = label.filter(|_| to.is_none()) else {
            self.violations.foreign += 1;
            return None;
        };
        self.violations.duplicates += u64::from(self.had[label.number]);
        let newest = &mut self.newest[audience_index(update.audience)];
        self.violations.misordered += u64::from(*newest >= Some(label.number));
        *newest = Some(label.number).max(*newest);
        self.count += usize::from(!self.had[label.number]);
        self.had[label.number] = true;
        Some(label)
    }

    /// Replaces the clues by those of a snapshot.
    pub(super) fn snapshot(&mut self, plan: &Plan, clues: &[Clue]) {
        let before = std::mem::replace(&mut self.had, vec![false; plan.recipients().len()]);
        for clue in clues {
            match self.addressed_label(plan, clue, None) {
                Some(label) => self.had[label.number] = true,
                None => self.violations.foreign += 1,
            }
        }
        let forgotten = before
            .iter()
            .zip(&self.had)
            .filter(|had| *had == (&true, &false));
        self.violations.forgotten += forgotten.count() as u64;
        self.count = self.had.iter().filter(|had| **had).count();
    }

    /// Label of a clue that is addressed to this client, through this audience if given.
    fn addressed_label(
        &self,
        plan: &Plan,
        clue: &Clue,
        by_way_of: Option<Audience>,
    ) -> Option<Label> {
        let label = Label::read(&clue.text)?;
        let audience = plan.recipients().get(label.number)?.audience(self.client)?;
        (by_way_of.is_none() || by_way_of == Some(audience)).then_some(label)
    }
}

/// Index of an audience in `newest`.
fn audience_index(audience: Audience) -> usize {
    match audience {
        Audience::Everyone | Audience::GameMasters => 0,
        Audience::Team => 1,
        Audience::Player => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::{Audience, Clue, Event, Target, Update};

    use super::{Ledger, Violations};
    use crate::fanout::plan::{ClientIndex, Draw, Label, Plan};

    const ME: ClientIndex = ClientIndex { player: 0, team: 0 };

    /// Clues to one of two players in two teams.
    fn plan() -> Plan {
        Plan::draw(Draw {
            clues: 60,
            everyone: 0.4,
            players: 2,
            teams: 2,
            text_chars: 40,
            seed: 1,
        })
    }

    fn clue(plan: &Plan, number: usize) -> Clue {
        let intended = Duration::from_millis(number as u64);
        Clue {
            id: format!("c{number}"),
            text: plan.text(Label { number, intended }),
            pushed_at_ms: 0,
            expires_at_ms: None,
        }
    }

    fn update(plan: &Plan, number: usize, audience: Audience) -> Update {
        Update {
            audience,
            number: 1,
            at_ms: 0,
            event: Event::CluePushed {
                clue: clue(plan, number),
                to: None,
            },
        }
    }

    /// Numbers of clues that are addressed to this client through an audience.
    fn mine(plan: &Plan, audience: Audience) -> Vec<usize> {
        let recipients = plan.recipients().iter().enumerate();
        let mine = recipients.filter(|(_, recipient)| recipient.audience(ME) == Some(audience));
        mine.map(|(number, _)| number).collect()
    }

    #[test]
    fn whoever_gets_all_of_its_own_has_no_wrongs() {
        let plan = plan();
        let mut ledger = Ledger::new(ME, &plan);
        for (number, recipient) in plan.recipients().iter().enumerate() {
            if let Some(audience) = recipient.audience(ME) {
                let label = ledger.update(&plan, &update(&plan, number, audience));
                assert_eq!(label.map(|label| label.number), Some(number));
            }
        }
        assert_eq!(ledger.violations, Violations::default());
        assert_eq!(ledger.count(), plan.meant_for(ME, 60));
        assert!(ledger.count() < 60, "some are meant for the others");
    }

    #[test]
    fn each_kind_of_wrong_is_counted_apart() {
        let plan = plan();
        let everyone = mine(&plan, Audience::Everyone);
        let all: Vec<usize> = (0..60).collect();
        let not_mine = all
            .iter()
            .find(|n| plan.recipients()[**n].audience(ME).is_none());
        let not_mine = *not_mine.expect("some are meant for the others");

        let mut ledger = Ledger::new(ME, &plan);
        ledger.update(&plan, &update(&plan, everyone[1], Audience::Everyone));
        ledger.update(&plan, &update(&plan, everyone[0], Audience::Everyone));
        assert_eq!(ledger.violations.misordered, 1);
        ledger.update(&plan, &update(&plan, everyone[1], Audience::Everyone));
        assert_eq!(ledger.violations.duplicates, 1);
        ledger.update(&plan, &update(&plan, not_mine, Audience::Team));
        ledger.update(&plan, &update(&plan, everyone[2], Audience::Team));
        assert_eq!(ledger.violations.foreign, 2);
        let mut to_game_masters = update(&plan, everyone[2], Audience::Everyone);
        if let Event::CluePushed { to, .. } = &mut to_game_masters.event {
            *to = Some(Target::Everyone);
        }
        ledger.update(&plan, &to_game_masters);
        assert_eq!(ledger.violations.foreign, 3);
        assert_eq!(ledger.count(), 2);
    }

    #[test]
    fn a_snapshot_fills_a_gap_and_must_hold_what_was_there() {
        let plan = plan();
        let everyone = mine(&plan, Audience::Everyone);
        let clues = |numbers: &[usize]| -> Vec<Clue> {
            numbers.iter().map(|number| clue(&plan, *number)).collect()
        };
        let mut ledger = Ledger::new(ME, &plan);
        ledger.update(&plan, &update(&plan, everyone[0], Audience::Everyone));
        ledger.snapshot(&plan, &clues(&everyone[..3]));
        assert_eq!(
            (ledger.count(), ledger.violations),
            (3, Violations::default())
        );
        ledger.snapshot(&plan, &clues(&everyone[1..3]));
        assert_eq!((ledger.count(), ledger.violations.forgotten), (2, 1));
    }
}
