//! The latest of a session: what is to be told next, when, and to whom.
//!
//! Coalescing: the first change is told at once, what follows once the window is over. The board and
//! the standings are of one state and wait for it to be durable; who is connected is nobody's event
//! and is told as it is when it leaves.

use std::sync::Arc;
use std::time::Duration;

use hunt::{Audience, Event, TeamId};
use protocol::ServerMessage;
use tokio::time::Instant;

use super::attendance::{Connected, TeamConnected};
use super::board::{Places, Standings};
use super::versions::Versioned;
use super::{Latest, Shared};
use crate::config::DeliveryConfig;
use crate::delivery::subscribers::{Subscriber, Subscribers};
use crate::delivery::who::Who;
use crate::session::View;

/// The board and the standings as of one state.
#[derive(Debug)]
pub(in crate::delivery) struct Scores {
    board: Arc<Versioned<Places>>,
    standings: Standings,
}

/// What was told last, and what has changed since.
#[derive(Debug)]
pub(in crate::delivery) struct Bulletin {
    window: Duration,
    /// How often a new number of teams alone makes a new board: teams found themselves one by one,
    /// in a crowded lobby without end, and everyone would be told of each.
    teams_window: Duration,
    rows_max: usize,
    /// Nothing is told before this.
    next_at: Instant,
    /// From when on the scores are to be told; none if they have not changed.
    scores_at: Option<Instant>,
    /// The newest board, which may still wait for its state to be durable.
    rendered: Option<Arc<Versioned<Places>>>,
    rendered_at: Instant,
    /// What was let out last.
    told: Option<Scores>,
    attendance: Option<Arc<Versioned<Connected>>>,
}

impl Bulletin {
    pub(in crate::delivery) fn new(config: &DeliveryConfig) -> Self {
        let now = Instant::now();
        Self {
            window: config.latest_every,
            teams_window: config.heads_every.max(config.latest_every),
            rows_max: config.board_rows_max,
            next_at: now,
            scores_at: None,
            rendered: None,
            rendered_at: now,
            told: None,
            attendance: None,
        }
    }

    /// Notes an event, as far as the scores may show it.
    pub(in crate::delivery) fn note(&mut self, event: &Event) {
        let shows = match event {
            Event::SessionStarted { .. }
            | Event::SessionPaused
            | Event::SessionResumed { .. }
            | Event::SessionFinished
            | Event::TeamCreated { .. } => true,
            Event::GuessJudged { verdict, .. } => *verdict == hunt::Verdict::Correct,
            Event::PlayerJoined { .. }
            | Event::DeviceAdded { .. }
            | Event::DeviceRevoked { .. }
            | Event::Unlocked { .. }
            | Event::LinkUsed { .. }
            | Event::GameMasterInvited { .. }
            | Event::GameMasterRevoked { .. }
            | Event::CluePushed { .. }
            | Event::ClueCancelled { .. }
            | Event::ClueExpired { .. }
            | Event::Announced { .. } => false,
        };
        if shows {
            self.scores_change();
        }
    }

    fn scores_change(&mut self) {
        self.scores_at = Some(self.next_at);
    }

    /// When something is to be told next; none while nothing has changed or nobody is here.
    pub(in crate::delivery) fn due(&self, subscribers: &Subscribers) -> Option<Instant> {
        if subscribers.is_empty() {
            return None;
        }
        if subscribers.have_changed() {
            return Some(self.next_at);
        }
        self.scores_at.map(|at| at.max(self.next_at))
    }

    /// Renders the scores, if they are due.
    pub(in crate::delivery) fn render(&mut self, view: View<'_>) -> Option<Scores> {
        let now = Instant::now();
        self.next_at = now + self.window;
        self.scores_at.take_if(|at| *at <= now)?;
        let scoreboard = view.state.scoreboard();
        let places = Places::render(view, &scoreboard, self.rows_max);
        Some(Scores {
            board: self.board_of(places, now),
            standings: Standings::render(view, &scoreboard),
        })
    }

    /// The newest board, if it shows these places, or a next one.
    fn board_of(&mut self, places: Places, now: Instant) -> Arc<Versioned<Places>> {
        let board = match &self.rendered {
            Some(last) if *last.content() == places => last.clone(),
            Some(last)
                if places.differs_in_teams_only(last.content())
                    && now < self.rendered_at + self.teams_window =>
            {
                self.scores_at = Some(self.rendered_at + self.teams_window);
                last.clone()
            }
            last => {
                self.rendered_at = now;
                Versioned::after(last.as_deref(), places)
            }
        };
        self.rendered = Some(board.clone());
        board
    }

    /// Tells what has changed to those whom it concerns. The scores are durable.
    pub(in crate::delivery) fn release(
        &mut self,
        scores: Option<Scores>,
        subscribers: &mut Subscribers,
    ) {
        if let Some(scores) = scores {
            self.tell_scores(scores, subscribers);
        }
        let (teams, anyone) = subscribers.take_changes();
        for team in teams {
            let presence = Shared::new(connected(team, subscribers).message());
            for member in subscribers.of(Audience::Team(team)) {
                let presence = Latest::Presence(presence.clone());
                member.outbox.push_latest(presence);
            }
        }
        if anyone {
            self.tell_game_masters(subscribers);
        }
    }

    fn tell_scores(&mut self, scores: Scores, subscribers: &Subscribers) {
        let told = self.told.as_ref();
        let board = &scores.board;
        if told.map(|told| told.board.version()) != Some(board.version()) {
            for subscriber in subscribers.iter() {
                subscriber.outbox.push_latest(Latest::Board(board.clone()));
            }
        }
        for team in subscribers.teams() {
            let before = told.and_then(|told| told.standings.of(team));
            let Some(standing) = scores.standings.of(team).filter(|now| Some(*now) != before)
            else {
                continue;
            };
            let standing = Shared::new(ServerMessage::Standing(standing));
            for member in subscribers.of(Audience::Team(team)) {
                let standing = Latest::Standing(standing.clone());
                member.outbox.push_latest(standing);
            }
        }
        self.told = Some(scores);
    }

    fn tell_game_masters(&mut self, subscribers: &Subscribers) {
        let teams = subscribers.teams();
        let teams = teams.map(|team| (team, connected(team, subscribers)));
        let now = Connected::new(teams, subscribers.spectators());
        let attendance = match &self.attendance {
            Some(last) if *last.content() == now => last.clone(),
            last => Versioned::after(last.as_deref(), now),
        };
        self.attendance = Some(attendance.clone());
        // Whoever has this very version is not sent it again.
        for game_master in subscribers.of(Audience::GameMasters) {
            let attendance = Latest::Attendance(attendance.clone());
            game_master.outbox.push_latest(attendance);
        }
    }

    /// Tells a newcomer what the others know. Who is connected has changed by it and follows.
    pub(in crate::delivery) fn greet(&mut self, newcomer: &Subscriber) {
        let board = self.told.as_ref().map(|told| told.board.clone());
        let mut is_up_to_date = board.is_some();
        if let Some(board) = board {
            newcomer.outbox.push_latest(Latest::Board(board));
        }
        match newcomer.who {
            Who::Player { team, .. } => {
                let told = self.told.as_ref();
                if let Some(standing) = told.and_then(|told| told.standings.of(team)) {
                    let standing = Shared::new(ServerMessage::Standing(standing));
                    newcomer.outbox.push_latest(Latest::Standing(standing));
                } else {
                    is_up_to_date = false;
                }
            }
            Who::GameMaster { .. } | Who::Spectator => {}
        }
        if !is_up_to_date {
            self.scores_change();
        }
    }
}

/// The players of a team who are connected.
fn connected(team: TeamId, subscribers: &Subscribers) -> TeamConnected {
    let members = subscribers.of(Audience::Team(team));
    members
        .filter_map(|member| match member.who {
            Who::Player { player, .. } => Some(player),
            Who::GameMaster { .. } | Who::Spectator => None,
        })
        .collect()
}
