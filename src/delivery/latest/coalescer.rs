//! Publishes the latest values of a session: which, when, and to which subscribers.
//!
//! Coalescing: the first change is published at once, later changes together at the end of the window.
//! The board and the standings are rendered from one state and wait until it is durable. Presence and
//! attendance come from no event; they are rendered at release.

use std::sync::Arc;
use std::time::Duration;

use hunt::{Audience, TeamId};
use protocol::ServerMessage;
use tokio::time::Instant;

use super::Latest;
use super::attendance::{AttendanceContent, TeamPresence};
use super::board::{TeamStandings, differ_in_teams_only};
use super::encoded::LazyMessage;
use super::versions::Versioned;
use crate::config::DeliveryConfig;
use crate::delivery::render::{BoardContent, Scoreboard};
use crate::delivery::subscribers::{Subscriber, Subscribers};
use crate::delivery::viewer::Viewer;
use crate::session::View;

/// The board and the standings as of one state.
#[derive(Debug)]
pub(in crate::delivery) struct Scores {
    board: Arc<Versioned<BoardContent>>,
    standings: TeamStandings,
}

/// The values published last, and the pending changes.
#[derive(Debug)]
pub(in crate::delivery) struct Coalescer {
    window: Duration,
    /// The window of boards that differ in the number of teams only. In a crowded lobby, teams are
    /// created continuously, and each would otherwise cause a board to every connection.
    teams_window: Duration,
    rows_max: usize,
    /// The end of the current window: nothing is published before.
    next_at: Instant,
    /// When changed scores may be published; none if they have not changed.
    scores_due_at: Option<Instant>,
    /// The newest board, which may still wait for its state to be durable.
    rendered: Option<Arc<Versioned<BoardContent>>>,
    rendered_at: Instant,
    /// The scores that were published last.
    published: Option<Scores>,
    attendance: Option<Arc<Versioned<AttendanceContent>>>,
}

impl Coalescer {
    pub(in crate::delivery) fn new(config: &DeliveryConfig) -> Self {
        let now = Instant::now();
        Self {
            window: config.latest_every,
            teams_window: config.heads_every.max(config.latest_every),
            rows_max: config.board_rows_max,
            next_at: now,
            scores_due_at: None,
            rendered: None,
            rendered_at: now,
            published: None,
            attendance: None,
        }
    }

    /// Records that the board or a standing may have changed.
    pub(in crate::delivery) fn scores_changed(&mut self) {
        self.scores_due_at = Some(self.next_at);
    }

    /// When to publish next; none while nothing has changed or no subscriber is attached.
    pub(in crate::delivery) fn due_at(&self, subscribers: &Subscribers) -> Option<Instant> {
        if subscribers.is_empty() {
            return None;
        }
        if subscribers.have_changed() {
            return Some(self.next_at);
        }
        self.scores_due_at.map(|at| at.max(self.next_at))
    }

    /// Renders the scores if they are due, and starts a new window.
    pub(in crate::delivery) fn render(&mut self, view: View<'_>) -> Option<Scores> {
        let now = Instant::now();
        self.next_at = now + self.window;
        self.scores_due_at.take_if(|at| *at <= now)?;
        let scoreboard = Scoreboard::new(view);
        Some(Scores {
            board: self.next_board(scoreboard.board(self.rows_max), now),
            standings: scoreboard.team_standings().collect(),
        })
    }

    /// The last board if it has this content or must not change yet, otherwise the next version.
    fn next_board(&mut self, content: BoardContent, now: Instant) -> Arc<Versioned<BoardContent>> {
        let board = match &self.rendered {
            Some(last) if *last.content() == content => last.clone(),
            Some(last)
                if differ_in_teams_only(&content, last.content())
                    && now < self.rendered_at + self.teams_window =>
            {
                self.scores_due_at = Some(self.rendered_at + self.teams_window);
                last.clone()
            }
            last => {
                self.rendered_at = now;
                Versioned::after(last.as_deref(), content)
            }
        };
        self.rendered = Some(board.clone());
        board
    }

    /// Publishes what has changed to the subscribers that receive it. The scores are durable.
    pub(in crate::delivery) fn release(
        &mut self,
        scores: Option<Scores>,
        subscribers: &mut Subscribers,
    ) {
        if let Some(scores) = scores {
            self.publish_scores(scores, subscribers);
        }
        let (teams, any) = subscribers.take_changes();
        for team in teams {
            let presence = LazyMessage::new(team_presence(team, subscribers).message());
            for member in subscribers.members_of(Audience::Team(team)) {
                let presence = Latest::Presence(presence.clone());
                member.outbox.push_latest(presence);
            }
        }
        if any {
            self.publish_attendance(subscribers);
        }
    }

    fn publish_scores(&mut self, scores: Scores, subscribers: &Subscribers) {
        let published = self.published.as_ref();
        let board = &scores.board;
        if published.map(|scores| scores.board.version()) != Some(board.version()) {
            for subscriber in subscribers.iter() {
                subscriber.outbox.push_latest(Latest::Board(board.clone()));
            }
        }
        for team in subscribers.teams() {
            let before = published.and_then(|scores| scores.standings.get(team));
            let Some(standing) = scores
                .standings
                .get(team)
                .filter(|now| Some(*now) != before)
            else {
                continue;
            };
            let standing = LazyMessage::new(ServerMessage::Standing(standing));
            for member in subscribers.members_of(Audience::Team(team)) {
                let standing = Latest::Standing(standing.clone());
                member.outbox.push_latest(standing);
            }
        }
        self.published = Some(scores);
    }

    fn publish_attendance(&mut self, subscribers: &Subscribers) {
        let teams = subscribers.teams();
        let teams = teams.map(|team| (team, team_presence(team, subscribers)));
        let now = AttendanceContent::new(teams, subscribers.spectators());
        let attendance = match &self.attendance {
            Some(last) if *last.content() == now => last.clone(),
            last => Versioned::after(last.as_deref(), now),
        };
        self.attendance = Some(attendance.clone());
        // A connection that was sent this version already gets no frame.
        for game_master in subscribers.members_of(Audience::GameMasters) {
            let attendance = Latest::Attendance(attendance.clone());
            game_master.outbox.push_latest(attendance);
        }
    }

    /// Sends the current values to a new subscriber. Presence and attendance follow, because the attachment
    /// changes them.
    pub(in crate::delivery) fn send_current(&mut self, subscriber: &Subscriber) {
        let board = self.published.as_ref().map(|scores| scores.board.clone());
        let mut is_up_to_date = board.is_some();
        if let Some(board) = board {
            subscriber.outbox.push_latest(Latest::Board(board));
        }
        match subscriber.viewer {
            Viewer::Player { team, .. } => {
                let published = self.published.as_ref();
                if let Some(standing) = published.and_then(|scores| scores.standings.get(team)) {
                    let standing = LazyMessage::new(ServerMessage::Standing(standing));
                    subscriber.outbox.push_latest(Latest::Standing(standing));
                } else {
                    is_up_to_date = false;
                }
            }
            Viewer::GameMaster { .. } | Viewer::Spectator => {}
        }
        if !is_up_to_date {
            self.scores_changed();
        }
    }
}

/// The connected players of a team.
fn team_presence(team: TeamId, subscribers: &Subscribers) -> TeamPresence {
    let members = subscribers.members_of(Audience::Team(team));
    members
        .filter_map(|member| match member.viewer {
            Viewer::Player { player, .. } => Some(player),
            Viewer::GameMaster { .. } | Viewer::Spectator => None,
        })
        .collect()
}
