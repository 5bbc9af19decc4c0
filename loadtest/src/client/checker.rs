//! Checks by stream numbers that a device receives every update exactly once.

use protocol::{Attendance, Audience, Board, Cursor, Heads, HeadsFrame, Resume, Update, Welcome};

/// Follows the numbers of a device's stream across connections.
#[derive(Debug, Clone, Default)]
pub struct StreamChecker {
    seen: Option<Seen>,
    attach: Attach,
    /// Versions of the last board and attendance since the last `welcome`.
    board: Option<u64>,
    attendance: Option<u64>,
}

/// The last number of each audience.
#[derive(Debug, Clone, Copy)]
struct Seen {
    generation: u32,
    heads: Heads,
}

/// What must arrive before the stream is complete.
#[derive(Debug, Clone, Copy, Default)]
enum Attach {
    /// A `welcome`. Other messages are ignored.
    #[default]
    Welcome,
    /// The snapshot that the `welcome` announced.
    Snapshot { generation: u32, heads: Heads },
    /// The missed updates, up to the heads in the `welcome`.
    Replay { heads: Heads },
    /// Nothing.
    Done,
}

/// A violation of the stream's guarantees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamFault {
    /// Updates are missing before this one.
    #[error("gap: update {number} to {audience:?} follows {seen}")]
    Gap {
        /// The stream.
        audience: Audience,
        /// The last number before it.
        seen: u64,
        /// The number that arrived.
        number: u64,
    },
    /// A number arrived a second time.
    #[error("duplicate: update {number} to {audience:?} repeats after {seen}")]
    Repeated {
        /// The stream.
        audience: Audience,
        /// The last number before it.
        seen: u64,
        /// The number that arrived.
        number: u64,
    },
    /// The server claims to have sent more than arrived.
    #[error("missing: the head of {audience:?} is {head}, but only {seen} was received")]
    Missing {
        /// The stream.
        audience: Audience,
        /// The last number that arrived.
        seen: u64,
        /// The head that the server claims.
        head: u64,
    },
    /// The server has lost what it sent before.
    #[error("lost by the server: the head of {audience:?} is {head}, but {seen} was received")]
    Forgotten {
        /// The stream.
        audience: Audience,
        /// The last number that arrived.
        seen: u64,
        /// The head that the server claims.
        head: u64,
    },
    /// A message that is not allowed at this point, for example an update instead of the announced
    /// snapshot, or a replay for a client without a cursor.
    #[error("out of order: {0}")]
    OutOfOrder(&'static str),
}

impl StreamFault {
    /// Whether the client may have missed an update, so that it must resync.
    pub fn asks_for_resync(self) -> bool {
        match self {
            Self::Gap { .. } | Self::Missing { .. } | Self::OutOfOrder(_) => true,
            Self::Repeated { .. } | Self::Forgotten { .. } => false,
        }
    }
}

impl StreamChecker {
    /// The cursor for `hello` or `resync`; `None` before the first snapshot.
    pub fn cursor(&self) -> Option<Cursor> {
        self.seen.map(|Seen { generation, heads }| Cursor {
            generation,
            everyone: heads.everyone,
            team: heads.team,
            player: heads.player,
            public: heads.public,
            view: heads.view,
            hints: heads.hints,
            answers: heads.answers,
        })
    }

    /// Whether everything that the last `welcome` announced has arrived.
    pub fn is_caught_up(&self) -> bool {
        matches!(self.attach, Attach::Done)
    }

    /// Marks the stream as detached, after a disconnect or `resync`: messages are ignored until the next
    /// `welcome`.
    pub fn detach(&mut self) {
        self.attach = Attach::Welcome;
    }

    /// Handles a `welcome`.
    pub fn welcome(&mut self, welcome: &Welcome) -> Result<(), StreamFault> {
        let Welcome {
            generation, heads, ..
        } = *welcome;
        (self.board, self.attendance) = (None, None);
        match (welcome.resume, self.seen) {
            (Resume::Snapshot, before) => {
                self.attach = Attach::Snapshot { generation, heads };
                before.map_or(Ok(()), |seen| seen.ensure_not_behind(generation, heads))
            }
            (Resume::Board, _) => Err(StreamFault::OutOfOrder(
                "a spectator's welcome after a hello",
            )),
            (Resume::Replay, None) => Err(StreamFault::OutOfOrder("a replay without a cursor")),
            (Resume::Replay, Some(seen)) if seen.generation != generation => {
                Err(StreamFault::OutOfOrder("a replay across generations"))
            }
            (Resume::Replay, Some(seen)) => {
                self.attach = Attach::Replay { heads };
                self.finish_replay();
                seen.ensure_not_behind(generation, heads)
            }
        }
    }

    /// Handles the heads of a snapshot or an overview, which must have been announced by a `welcome`.
    pub fn snapshot(&mut self, heads: Heads) -> Result<(), StreamFault> {
        let (generation, promised) = match self.attach {
            Attach::Snapshot { generation, heads } => (generation, heads),
            Attach::Welcome => {
                return Err(StreamFault::OutOfOrder("a snapshot before the welcome"));
            }
            Attach::Replay { .. } | Attach::Done => {
                return Err(StreamFault::OutOfOrder(
                    "a snapshot that no welcome announced",
                ));
            }
        };
        let shown = Seen { generation, heads };
        let before = self.seen.replace(shown);
        self.attach = Attach::Done;
        shown.ensure_received(promised)?;
        before.map_or(Ok(()), |seen| {
            seen.ensure_not_behind(generation, shown.heads)
        })
    }

    /// Handles an update; returns whether it is the next one, so that its event is to be applied. After
    /// a fault that requires a resync, updates are ignored until the next `welcome`.
    pub fn update(&mut self, update: &Update) -> Result<bool, StreamFault> {
        match self.attach {
            Attach::Welcome => return Ok(false),
            Attach::Snapshot { .. } => {
                return Err(StreamFault::OutOfOrder(
                    "an update before the announced snapshot",
                ));
            }
            Attach::Replay { .. } | Attach::Done => {}
        }
        let Some(seen) = &mut self.seen else {
            return Err(StreamFault::OutOfOrder("an update before any snapshot"));
        };
        let Update {
            audience, number, ..
        } = *update;
        let last = number_of(&mut seen.heads, audience);
        if number <= *last {
            let seen = *last;
            return Err(StreamFault::Repeated {
                audience,
                seen,
                number,
            });
        }
        if number > *last + 1 {
            let seen = *last;
            return Err(StreamFault::Gap {
                audience,
                seen,
                number,
            });
        }
        *last = number;
        self.finish_replay();
        Ok(true)
    }

    /// Handles a `heads` frame: everything up to its numbers was sent before it.
    pub fn heads(&mut self, frame: &HeadsFrame) -> Result<(), StreamFault> {
        match (self.attach, self.seen) {
            (Attach::Welcome, _) => Ok(()),
            (Attach::Snapshot { .. } | Attach::Replay { .. } | Attach::Done, None)
            | (Attach::Snapshot { .. }, Some(_)) => Err(StreamFault::OutOfOrder(
                "heads before the announced snapshot",
            )),
            (Attach::Replay { .. } | Attach::Done, Some(seen)) => {
                if seen.generation != frame.generation {
                    return Err(StreamFault::OutOfOrder(
                        "a new generation without a welcome",
                    ));
                }
                seen.ensure_received(frame.heads)?;
                seen.ensure_not_behind(frame.generation, frame.heads)
            }
        }
    }

    /// Handles a board, which is complete or a delta to the previous one.
    pub fn board(&mut self, board: &Board) -> Result<(), StreamFault> {
        if let Attach::Welcome = self.attach {
            return Ok(());
        }
        check_version(&mut self.board, board.version, board.base)
    }

    /// Handles an attendance, which is complete or a delta to the previous one.
    pub fn attendance(&mut self, attendance: &Attendance) -> Result<(), StreamFault> {
        if let Attach::Welcome = self.attach {
            return Ok(());
        }
        check_version(&mut self.attendance, attendance.version, attendance.base)
    }

    fn finish_replay(&mut self) {
        if let (Attach::Replay { heads }, Some(seen)) = (self.attach, self.seen)
            && seen.ensure_received(heads).is_ok()
        {
            self.attach = Attach::Done;
        }
    }
}

impl Seen {
    /// Checks that everything up to `heads` has arrived.
    fn ensure_received(self, heads: Heads) -> Result<(), StreamFault> {
        for (audience, seen, head) in self.pair_with(heads) {
            if seen < head {
                return Err(StreamFault::Missing {
                    audience,
                    seen,
                    head,
                });
            }
        }
        Ok(())
    }

    /// Checks that the server's `heads` are not behind the received numbers. A new generation starts
    /// afresh.
    fn ensure_not_behind(self, generation: u32, heads: Heads) -> Result<(), StreamFault> {
        if self.generation != generation {
            return Ok(());
        }
        for (audience, seen, head) in self.pair_with(heads) {
            if head < seen {
                return Err(StreamFault::Forgotten {
                    audience,
                    seen,
                    head,
                });
            }
        }
        Ok(())
    }

    fn pair_with(self, heads: Heads) -> [(Audience, u64, u64); 7] {
        [
            (Audience::Everyone, self.heads.everyone, heads.everyone),
            (Audience::Team, self.heads.team, heads.team),
            (Audience::Player, self.heads.player, heads.player),
            (Audience::Public, self.heads.public, heads.public),
            (Audience::View, self.heads.view, heads.view),
            (Audience::Hints, self.heads.hints, heads.hints),
            (Audience::Answers, self.heads.answers, heads.answers),
        ]
    }
}

/// Checks that a delta applies to the last received version and that versions increase.
fn check_version(
    last: &mut Option<u64>,
    version: u64,
    base: Option<u64>,
) -> Result<(), StreamFault> {
    let known = *last;
    if base.is_some() && base != known {
        return Err(StreamFault::OutOfOrder(
            "a delta to a version that was not received",
        ));
    }
    *last = Some(version);
    if known.is_some_and(|known| version <= known) {
        return Err(StreamFault::OutOfOrder(
            "a version that is not newer than the last",
        ));
    }
    Ok(())
}

fn number_of(heads: &mut Heads, audience: Audience) -> &mut u64 {
    match audience {
        Audience::Everyone => &mut heads.everyone,
        Audience::Team => &mut heads.team,
        Audience::Player => &mut heads.player,
        Audience::Public => &mut heads.public,
        Audience::View => &mut heads.view,
        Audience::Hints => &mut heads.hints,
        Audience::Answers => &mut heads.answers,
    }
}

#[cfg(test)]
mod tests;
