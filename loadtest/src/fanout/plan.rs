//! Which clue goes to whom, decided before the first one is pushed, so that every client knows
//! exactly what it must get.

use std::time::Duration;

use protocol::Audience;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// To whom a clue goes, by the places of teams and players in the crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    Everyone,
    Team(u32),
    Player(u32),
}

/// A client's place in the crowd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
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
    aims: Vec<Aim>,
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

impl Aim {
    /// As whom a seat gets such a clue; none if it is not meant for it.
    pub(super) fn audience(self, seat: Seat) -> Option<Audience> {
        match self {
            Self::Everyone => Some(Audience::Everyone),
            Self::Team(team) => (team == seat.team).then_some(Audience::Team),
            Self::Player(player) => (player == seat.player).then_some(Audience::Player),
        }
    }
}

impl Plan {
    pub(super) fn draw(draw: Draw) -> Self {
        let mut random = StdRng::seed_from_u64(draw.seed);
        let mut aim = || {
            if random.random::<f64>() < draw.everyone {
                Aim::Everyone
            } else if random.random() {
                Aim::Team(random.random_range(0..draw.teams))
            } else {
                Aim::Player(random.random_range(0..draw.players))
            }
        };
        Self {
            aims: (0..draw.clues).map(|_| aim()).collect(),
            text_chars: draw.text_chars,
        }
    }

    /// To whom each clue goes.
    pub(super) fn aims(&self) -> &[Aim] {
        &self.aims
    }

    /// How many of the first clues are meant for a seat.
    pub(super) fn meant_for(&self, seat: Seat, pushed: usize) -> usize {
        let aims = self.aims[..pushed].iter();
        aims.filter(|aim| aim.audience(seat).is_some()).count()
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

    use super::{Aim, Draw, Label, Plan, Seat};

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
        let seat = Seat { player: 3, team: 1 };
        assert_eq!(Aim::Everyone.audience(seat), Some(Audience::Everyone));
        assert_eq!(Aim::Team(1).audience(seat), Some(Audience::Team));
        assert_eq!(Aim::Player(3).audience(seat), Some(Audience::Player));
        assert_eq!(Aim::Team(0).audience(seat), None);
        assert_eq!(Aim::Player(1).audience(seat), None);
    }

    #[test]
    fn every_kind_of_audience_is_drawn_and_the_seed_decides() {
        let plan = plan(300);
        let count = |kind: fn(&Aim) -> bool| plan.aims().iter().filter(|aim| kind(aim)).count();
        assert!((100..200).contains(&count(|aim| *aim == Aim::Everyone)));
        assert!(count(|aim| matches!(aim, Aim::Team(_))) > 40);
        assert!(count(|aim| matches!(aim, Aim::Player(_))) > 40);
        assert_eq!(plan.aims(), super::tests::plan(300).aims());
        let seat = Seat { player: 3, team: 1 };
        let all = plan.meant_for(seat, 300);
        assert!(all < 300 && plan.meant_for(seat, 100) < all);
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
