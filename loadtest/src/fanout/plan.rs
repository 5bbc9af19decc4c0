//! Which clue goes to whom, decided before the first one is pushed, so that every client knows
//! exactly what it must get.

use std::time::Duration;

use protocol::Audience;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// To whom a clue goes, by the places of teams and players in the crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recipient {
    Everyone,
    Team(u32),
    Player(u32),
}

/// A client's place in the crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientIndex {
    pub(super) player: u32,
    pub(super) team: u32,
}

/// What is drawn from when a plan is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub(super) clues: usize,
    /// The share of the clues that goes to everyone.
    pub(super) everyone: f64,
    pub(super) players: u32,
    pub(super) teams: u32,
    pub(super) text_chars: usize,
    pub(super) seed: u64,
}

/// All clues of a session, in the order of being pushed.
#[derive(Debug)]
pub(super) struct Plan {
    recipients: Vec<Recipient>,
    text_chars: usize,
}

/// What a clue's text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    /// Its place in the plan.
    pub(super) number: usize,
    /// When it was to be sent, counted from the begin of the run.
    pub(super) intended: Duration,
}

impl Recipient {
    /// As whom a seat gets such a clue; none if it is not meant for it.
    pub(super) fn audience(self, client: ClientIndex) -> Option<Audience> {
        match self {
            Self::Everyone => Some(Audience::Everyone),
            Self::Team(team) => (team == client.team).then_some(Audience::Team),
            Self::Player(player) => (player == client.player).then_some(Audience::Player),
        }
    }
}

impl Plan {
    pub(super) fn draw(draw: Draw) -> Self {
        let mut random = StdRng::seed_from_u64(draw.seed);
        let mut recipient = || {
            if random.random::<f64>() < draw.everyone {
                Recipient::Everyone
            } else if random.random() {
                Recipient::Team(random.random_range(0..draw.teams))
            } else {
                Recipient::Player(random.random_range(0..draw.players))
            }
        };
        Self {
            recipients: (0..draw.clues).map(|_| recipient()).collect(),
            text_chars: draw.text_chars,
        }
    }

    /// To whom each clue goes.
    pub(super) fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// How many of the first clues are meant for a seat.
    pub(super) fn meant_for(&self, client: ClientIndex, pushed: usize) -> usize {
        let recipients = self.recipients[..pushed].iter();
        recipients
            .filter(|recipient| recipient.audience(client).is_some())
            .count()
    }

    /// The text of a clue: what its label says, filled up to its length.
    pub(super) fn text(&self, label: Label) -> String {
        let Label { number, intended } = label;
        let mut text = format!("clue {number} {} ", intended.as_micros());
        let missing = self.text_chars.saturating_sub(text.len());
        text.extend(std::iter::repeat_n('.', missing));
        text
    }
}

impl Label {
    /// Reads a text; none if it is not one of a plan's.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.strip_prefix("clue ")?.split(' ');
        Some(Self {
            number: words.next()?.parse().ok()?,
            intended: Duration::from_micros(words.next()?.parse().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::Audience;

    use super::{ClientIndex, Draw, Label, Plan, Recipient};

    fn plan(clues: usize) -> Plan {
        Plan::draw(Draw {
            clues,
            everyone: 0.5,
            players: 8,
            teams: 2,
            text_chars: 64,
            seed: 7,
        })
    }

    #[test]
    fn a_seat_is_meant_only_with_its_own() {
        let client = ClientIndex { player: 3, team: 1 };
        assert_eq!(
            Recipient::Everyone.audience(client),
            Some(Audience::Everyone)
        );
        assert_eq!(Recipient::Team(1).audience(client), Some(Audience::Team));
        assert_eq!(
            Recipient::Player(3).audience(client),
            Some(Audience::Player)
        );
        assert_eq!(Recipient::Team(0).audience(client), None);
        assert_eq!(Recipient::Player(1).audience(client), None);
    }

    #[test]
    fn every_kind_of_audience_is_drawn_and_the_seed_decides() {
        let plan = plan(300);
        let count = |kind: fn(&Recipient) -> bool| {
            plan.recipients()
                .iter()
                .filter(|recipient| kind(recipient))
                .count()
        };
        assert!((100..200).contains(&count(|recipient| *recipient == Recipient::Everyone)));
        assert!(count(|recipient| matches!(recipient, Recipient::Team(_))) > 40);
        assert!(count(|recipient| matches!(recipient, Recipient::Player(_))) > 40);
        assert_eq!(plan.recipients(), super::tests::plan(300).recipients());
        let client = ClientIndex { player: 3, team: 1 };
        let all = plan.meant_for(client, 300);
        assert!(all < 300 && plan.meant_for(client, 100) < all);
    }

    #[test]
    fn texts_have_their_length_and_are_read_again() {
        let plan = plan(1);
        let label = Label {
            number: 999,
            intended: Duration::from_micros(123_456_789),
        };
        let text = plan.text(label);
        assert_eq!(text.chars().count(), 64);
        assert_eq!(Label::read(&text), Some(label));
        assert_eq!(Label::read("clue x"), None);
        assert_eq!(Label::read("a real clue"), None);
    }
}
