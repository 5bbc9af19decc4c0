//! The recipients of all clues, decided before the first one is pushed, so that every client knows what
//! it must receive.

use std::time::Duration;

use protocol::Audience;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Recipients of a clue, by index of team or player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recipient {
    Everyone,
    Team(u32),
    Player(u32),
}

/// Indices of a client's player and team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClientIndex {
    pub(super) player: u32,
    pub(super) team: u32,
}

/// Parameters of a plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    pub(super) clues: usize,
    /// Fraction of clues to everyone.
    pub(super) everyone: f64,
    pub(super) players: u32,
    pub(super) teams: u32,
    pub(super) text_chars: usize,
    pub(super) seed: u64,
}

/// All clues of a session in the order of pushing.
#[derive(Debug)]
pub(super) struct Plan {
    recipients: Vec<Recipient>,
    text_chars: usize,
}

/// Content of a clue's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    /// Index in the plan.
    pub(super) number: usize,
    /// Scheduled send time, from the start of the run.
    pub(super) intended: Duration,
}

impl Recipient {
    /// The audience through which a client receives such a clue; `None` if it is not addressed to it.
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

    /// Recipients of each clue.
    pub(super) fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// Number of clues among the first `pushed` that are addressed to a client.
    pub(super) fn meant_for(&self, client: ClientIndex, pushed: usize) -> usize {
        let recipients = self.recipients[..pushed].iter();
        recipients
            .filter(|recipient| recipient.audience(client).is_some())
            .count()
    }

    /// Text of a clue: its label, padded to the configured length.
    pub(super) fn text(&self, label: Label) -> String {
        let Label { number, intended } = label;
        let mut text = format!("clue {number} {} ", intended.as_micros());
        let missing = self.text_chars.saturating_sub(text.len());
        text.extend(std::iter::repeat_n('.', missing));
        text
    }
}

impl Label {
    /// Parses a text; `None` if it is not a clue of a plan.
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
