//! Events of a session, and their audiences.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ids::{
    AnnouncementId, ClueId, DeviceId, DurationMs, GameMasterId, InstanceId, NameId,
    NumberedCommand, PlayerId, PuzzleId, RoundId, TeamId, Timestamp,
};

/// All events of one accepted command or deadline. The journal stores an entry atomically.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When it happened; never earlier than the previous entry.
    pub at: Timestamp,
    /// The cause.
    pub origin: Origin,
    /// Why, in the words of who caused it: a reference into the erasable table, like a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<NameId>,
    /// The events, in order; never empty.
    pub events: Vec<Event>,
}

/// The cause of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Origin {
    /// A player's device.
    Device {
        /// The device.
        device: DeviceId,
        /// The command; none for a request over REST.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<NumberedCommand>,
    },
    /// A person without a device yet, who knows the code of a team.
    TeamCode,
    /// A person without a device yet, who founds a team.
    Founder,
    /// A game master.
    GameMaster {
        /// The game master.
        game_master: GameMasterId,
        /// The client instance and its command; none for a request over REST.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        command: Option<(InstanceId, NumberedCommand)>,
    },
    /// An admin.
    Admin,
    /// A deadline.
    Timer,
}

/// Something that happened in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The session started; guesses are accepted.
    SessionStarted {
        /// When the session finishes automatically.
        ends_at: Option<Timestamp>,
    },
    /// The session will start by itself.
    StartScheduled {
        /// When.
        starts_at: Timestamp,
    },
    /// The session will not start by itself any more.
    StartCancelled,
    /// The session was paused; guesses are not accepted and the session's time stands still.
    SessionPaused,
    /// The session was resumed.
    SessionResumed {
        /// The length of the pause, by which every deadline moves.
        paused_ms: u64,
        /// When the session finishes automatically.
        ends_at: Option<Timestamp>,
    },
    /// The session has finished.
    SessionFinished,
    /// The end was moved.
    EndMoved {
        /// When the session finishes by itself; in a pause, when it would if it were resumed at once.
        ends_at: Option<Timestamp>,
    },
    /// A finish was undone; the session is paused.
    SessionReopened {
        /// The session time left; without it, the session does not finish by itself.
        left: Option<DurationMs>,
    },
    /// A team was created.
    TeamCreated {
        /// Its id.
        team: TeamId,
        /// Reference to its name.
        name: NameId,
    },
    /// A player joined a team.
    PlayerJoined {
        /// The team.
        team: TeamId,
        /// The player's id.
        player: PlayerId,
        /// Reference to the player's name.
        name: NameId,
    },
    /// A device of a player was registered.
    DeviceAdded {
        /// The player.
        player: PlayerId,
        /// The device's id.
        device: DeviceId,
    },
    /// Rounds and puzzles became visible to every team at once.
    UnlockedForAll {
        /// The rounds, in the hunt's order.
        rounds: Vec<RoundId>,
        /// The puzzles, in the hunt's order.
        puzzles: Vec<PuzzleId>,
    },
    /// Rounds and puzzles became visible to a team.
    Unlocked {
        /// The team.
        team: TeamId,
        /// The rounds, in the hunt's order.
        rounds: Vec<RoundId>,
        /// The puzzles, in the hunt's order.
        puzzles: Vec<PuzzleId>,
    },
    /// A guess was judged: compared with the answers.
    GuessJudged {
        /// The team.
        team: TeamId,
        /// The player who made it.
        player: PlayerId,
        /// The puzzle.
        puzzle: PuzzleId,
        /// The guess as typed.
        guess: String,
        /// The version of the rules that compared it, [`NORMALISER_VERSION`](crate::text::NORMALISER_VERSION).
        normaliser: u32,
        /// The verdict.
        verdict: Verdict,
        /// The points gained.
        points: u32,
    },
    /// A one-time link was used.
    LinkUsed {
        /// The player who created it.
        player: PlayerId,
        /// The link's number.
        link: u64,
    },
    /// A device was revoked.
    DeviceRevoked {
        /// The player who owns it.
        player: PlayerId,
        /// The device.
        device: DeviceId,
    },
    /// A team has a new name.
    TeamRenamed {
        /// The team.
        team: TeamId,
        /// Reference to the name.
        name: NameId,
    },
    /// A player has a new name.
    PlayerRenamed {
        /// The player's team.
        team: TeamId,
        /// The player.
        player: PlayerId,
        /// Reference to the name.
        name: NameId,
    },
    /// A team has a new code; the old one is void. The code itself is a private record, not part of the event.
    TeamCodeRotated {
        /// The team.
        team: TeamId,
    },
    /// A client instance of a game master was opened.
    InstanceOpened {
        /// The game master.
        game_master: GameMasterId,
        /// Its number, one more than the one before.
        instance: InstanceId,
    },
    /// A game master was added.
    GameMasterInvited {
        /// The id.
        game_master: GameMasterId,
        /// Reference to the name.
        name: NameId,
        /// The granted scopes.
        scopes: BTreeSet<Scope>,
    },
    /// A game master was revoked.
    GameMasterRevoked {
        /// The game master.
        game_master: GameMasterId,
    },
    /// A clue was pushed.
    CluePushed {
        /// Its id.
        clue: ClueId,
        /// The recipients.
        to: Target,
        /// The text.
        text: String,
        /// When the clue expires.
        expires_at: Option<Timestamp>,
    },
    /// A clue was cancelled.
    ClueCancelled {
        /// The clue.
        clue: ClueId,
        /// The recipients of the clue.
        to: Target,
    },
    /// A clue expired.
    ClueExpired {
        /// The clue.
        clue: ClueId,
        /// The recipients of the clue.
        to: Target,
    },
    /// A game master made an announcement.
    Announced {
        /// Its id.
        announcement: AnnouncementId,
        /// The text.
        text: String,
    },
}

/// The recipients of a clue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Target {
    /// Everyone in the session.
    Everyone,
    /// The players of a team.
    Team {
        /// The team.
        team: TeamId,
    },
    /// One player.
    Player {
        /// The player.
        player: PlayerId,
    },
}

/// A permission of a game master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See every team, its guesses and its score.
    View,
    /// Push and cancel clues.
    Hints,
    /// Start, pause, resume and finish; announce; manage players, devices and game masters.
    Run,
    /// Export the journal, which contains the correct answers that teams submitted.
    Answers,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::View, Self::Hints, Self::Run, Self::Answers];
}

/// The verdict on a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It solves the puzzle.
    Correct,
    /// It does not solve the puzzle.
    Wrong,
}

/// Who may see an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Every player of the session.
    Everyone,
    /// The players of a team.
    Team(TeamId),
    /// One player, on all devices.
    Player(PlayerId),
    /// Spectators. Nothing in it spoils.
    Public,
    /// The game masters with the scope `view`.
    View,
    /// The game masters with the scope `hints`.
    Hints,
    /// The game masters with the scope `answers`: correct guesses with their text.
    Answers,
}

impl From<Target> for Audience {
    fn from(target: Target) -> Self {
        match target {
            Target::Everyone => Self::Everyone,
            Target::Team { team } => Self::Team(team),
            Target::Player { player } => Self::Player(player),
        }
    }
}

impl Event {
    /// The audiences that receive the event as a numbered update, at most [`AUDIENCES_MAX`](Self::AUDIENCES_MAX).
    /// Players of other teams learn of a team from the scoreboard only.
    pub fn audiences(&self) -> impl Iterator<Item = Audience> + use<> {
        use Audience::{Answers, Everyone, Hints, Player, Public, Team, View};
        let audiences = match self {
            Self::SessionStarted { .. }
            | Self::StartScheduled { .. }
            | Self::StartCancelled
            | Self::SessionPaused
            | Self::SessionResumed { .. }
            | Self::SessionFinished
            | Self::SessionReopened { .. }
            | Self::EndMoved { .. }
            | Self::Announced { .. } => [Some(Everyone), Some(Public), Some(View)],
            Self::UnlockedForAll { .. } => [Some(Everyone), Some(View), None],
            Self::Unlocked { team, .. }
            | Self::PlayerJoined { team, .. }
            | Self::PlayerRenamed { team, .. } => [Some(Team(*team)), Some(View), None],
            Self::TeamRenamed { team, .. } => [Some(Team(*team)), Some(Public), Some(View)],
            Self::TeamCodeRotated { team } => [Some(Team(*team)), None, None],
            Self::GuessJudged { team, verdict, .. } => match verdict {
                Verdict::Correct => {
                    return Self::listed([
                        Some(Team(*team)),
                        Some(Public),
                        Some(View),
                        Some(Answers),
                    ]);
                }
                Verdict::Wrong => [Some(Team(*team)), Some(View), None],
            },
            Self::DeviceAdded { player, .. } => [Some(Player(*player)), None, None],
            Self::DeviceRevoked { player, .. } => [Some(Player(*player)), Some(View), None],
            Self::CluePushed { to, .. }
            | Self::ClueCancelled { to, .. }
            | Self::ClueExpired { to, .. } => [Some((*to).into()), Some(View), Some(Hints)],
            Self::TeamCreated { .. } => [Some(Public), Some(View), None],
            Self::GameMasterInvited { .. } | Self::GameMasterRevoked { .. } => {
                [Some(View), None, None]
            }
            Self::LinkUsed { .. } | Self::InstanceOpened { .. } => [None, None, None],
        };
        let [first, second, third] = audiences;
        Self::listed([first, second, third, None])
    }

    fn listed(
        audiences: [Option<Audience>; Self::AUDIENCES_MAX],
    ) -> impl Iterator<Item = Audience> + use<> {
        audiences.into_iter().flatten()
    }

    /// The largest number of audiences of one event.
    pub const AUDIENCES_MAX: usize = 4;
}
