//! Checks the journal's rows: no gap, no overlap, and no row of a replaced owner.

use std::collections::HashMap;

/// A row of the journal: a batch of events of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: i64,
    pub(super) last_seq: i64,
    /// The epoch of the owner that wrote it.
    pub(super) epoch: i64,
}

/// A claim of a session: everything that earlier owners wrote is in the journal by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// The new epoch.
    pub(super) epoch: i64,
    /// The session's last event as seen by the claim's transaction under its lock.
    pub(super) head: i64,
}

/// Receives all claims first, then the rows session by session.
#[derive(Debug, Default)]
pub(super) struct RowChecker {
    claims: HashMap<String, Vec<Claim>>,
    session: String,
    last: Option<Row>,
    /// Number of claims.
    pub(super) claim_count: u64,
    /// Number of checked rows.
    pub(super) rows: u64,
    /// Rows of a replaced owner.
    pub(super) stale: u64,
    /// Rows that do not start where the previous one ended.
    pub(super) holes: u64,
    /// The first problems in words.
    pub(super) problems: Vec<String>,
}

/// Maximum number of problems described in words.
const PROBLEMS_MAX: usize = 10;

impl RowChecker {
    /// Adds a claim.
    pub(super) fn claim_count(&mut self, session: &str, claim_count: Claim) {
        self.claim_count += 1;
        let claims = self.claims.entry(session.to_owned()).or_default();
        claims.push(claim_count);
    }

    /// Number of sessions with a claim.
    pub(super) fn sessions_claimed(&self) -> usize {
        self.claims.len()
    }

    /// Checks the next row. The rows of a session must come together and in order.
    pub(super) fn take(&mut self, session: &str, row: Row) {
        self.rows += 1;
        if self.session != session {
            session.clone_into(&mut self.session);
            self.last = None;
        }
        let expected = self.last.map_or(1, |last| last.last_seq + 1);
        if row.seq != expected {
            self.holes += 1;
            self.add_problem(format!("{session}: {row:?} should start at {expected}"));
        }
        let follows_newer = self.last.is_some_and(|last| last.epoch > row.epoch);
        let claims = self.claims.get(session).map_or(&[][..], Vec::as_slice);
        let claim = claims
            .iter()
            .find(|claim| row.epoch < claim.epoch && row.last_seq > claim.head);
        if follows_newer || claim.is_some() {
            self.stale += 1;
            let last = self.last;
            self.add_problem(format!(
                "{session}: {row:?} has a replaced epoch, after {last:?}, {claim:?}"
            ));
        }
        // A stale row does not make the rows of the right owner stale.
        let epoch = self
            .last
            .map_or(row.epoch, |last| last.epoch.max(row.epoch));
        self.last = Some(Row { epoch, ..row });
    }

    fn add_problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Row, RowChecker};

    fn row(seq: i64, last_seq: i64, epoch: i64) -> Row {
        Row {
            seq,
            last_seq,
            epoch,
        }
    }

    /// Counts of stale rows and gaps.
    fn checked(claims: &[Claim], rows: &[Row]) -> (u64, u64) {
        let mut checker = RowChecker::default();
        for claim in claims {
            checker.claim_count("A", *claim);
        }
        for session in ["A", "B"] {
            for row in rows {
                checker.take(session, *row);
            }
        }
        assert_eq!(checker.rows, 2 * rows.len() as u64);
        // Session B has the same rows and no claims, so that the findings of A count once.
        (checker.stale, checker.holes)
    }

    #[test]
    fn owners_that_follow_each_other_are_right() {
        let rows = [row(1, 3, 1), row(4, 4, 1), row(5, 9, 2), row(10, 10, 7)];
        let claims = [Claim { epoch: 1, head: 0 }, Claim { epoch: 2, head: 4 }];
        assert_eq!(checked(&claims, &rows), (0, 0));
    }

    #[test]
    fn a_row_after_one_of_a_later_epoch_is_stale() {
        let rows = [row(1, 1, 1), row(2, 2, 2), row(3, 3, 1), row(4, 4, 2)];
        assert_eq!(checked(&[], &rows), (2, 0));
    }

    #[test]
    fn a_row_of_an_old_epoch_after_a_claim_is_stale() {
        let rows = [row(1, 1, 1), row(2, 2, 1), row(3, 3, 2)];
        assert_eq!(checked(&[Claim { epoch: 2, head: 1 }], &rows), (1, 0));
        assert_eq!(checked(&[Claim { epoch: 2, head: 2 }], &rows), (0, 0));
    }

    #[test]
    fn holes_and_overlaps_are_found() {
        assert_eq!(checked(&[], &[row(2, 2, 1)]), (0, 2));
        assert_eq!(checked(&[], &[row(1, 2, 1), row(4, 4, 1)]), (0, 2));
        assert_eq!(checked(&[], &[row(1, 2, 1), row(2, 3, 1)]), (0, 2));
    }
}
