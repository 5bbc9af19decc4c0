//! Pages of a session's journal, newest first.
//!
//! Guess times and the causes of entries are in the journal only, and it has no index by team or puzzle. A page
//! is therefore found by scanning back from `before`, and one request scans a bounded part: a page can be
//! short although there are more, and says where the next one begins.

use hunt::Entry;
use protocol::limits::PAGE_ROWS_MAX;
use serde::Deserialize;

use super::failure::Failed;
use crate::ids::SessionId;
use crate::journal::{BatchesMax, History, records};

/// Rows of a page, unless the request says otherwise.
const ROWS_DEFAULT: usize = 50;
/// Bounds of one read. Decoding this much takes about a millisecond of CPU.
const READ_MAX: BatchesMax = BatchesMax {
    batches: 256,
    bytes: 128 * 1024,
};
/// Reads of one request, which scans at most 4 MiB and 8,192 batches.
const READS_MAX: usize = 32;

/// The query of a page.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    before: Option<u64>,
    limit: Option<usize>,
}

/// The page that a request asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageAsked {
    before: u64,
    limit: usize,
}

/// Rows of a page, newest first.
pub(super) struct Page<T> {
    pub(super) rows: Vec<T>,
    /// Where the next page begins; none if nothing is older.
    pub(super) before: Option<u64>,
    /// Whether older events are only in the archive.
    pub(super) archived: bool,
}

/// What a scan does with an entry.
pub(super) enum Scanned<T> {
    /// The row, and its sequence number.
    Row(u64, T),
    /// It is no row.
    Other,
    /// It is older than every row.
    Done,
}

impl PageAsked {
    /// The page with these bounds.
    pub(super) fn new(before: Option<u64>, limit: Option<usize>) -> Result<Self, Failed> {
        Ok(Self {
            before: before.unwrap_or(u64::MAX),
            limit: rows_asked(limit)?,
        })
    }
}

impl TryFrom<PageQuery> for PageAsked {
    type Error = Failed;

    fn try_from(query: PageQuery) -> Result<Self, Failed> {
        Self::new(query.before, query.limit)
    }
}

/// The number of rows that a request asks for.
pub(super) fn rows_asked(limit: Option<usize>) -> Result<usize, Failed> {
    let limit = limit.unwrap_or(ROWS_DEFAULT);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        let message = format!("`limit` must be from 1 to {PAGE_ROWS_MAX}.");
        return Err(Failed::bad_request(message));
    }
    Ok(limit)
}

/// Scans committed entries back from the page's begin. `scan` gets each entry with the sequence number of its
/// first event.
pub(super) async fn newest<T>(
    journal: &dyn History,
    session: SessionId,
    asked: PageAsked,
    scan: impl Fn(u64, Entry) -> Scanned<T>,
) -> Result<Page<T>, Failed> {
    let mut rows = Vec::new();
    let mut before = asked.before;
    for _ in 0..READS_MAX {
        let batches = journal.read_newest(session, before, READ_MAX).await?;
        for batch in &batches {
            let entries = records::decode_entries(&batch.events).map_err(Failed::internal)?;
            for (seq, entry) in numbered(batch.first_seq, entries).into_iter().rev() {
                match scan(seq, entry) {
                    Scanned::Row(seq, row) if seq < asked.before => {
                        rows.push(row);
                        if rows.len() == asked.limit {
                            return Ok(Page::more(rows, seq));
                        }
                    }
                    Scanned::Row(..) | Scanned::Other => {}
                    Scanned::Done => return Ok(Page::last(rows, false)),
                }
            }
        }
        match batches.last() {
            Some(oldest) => before = oldest.first_seq,
            None => return Ok(Page::last(rows, before > 1 && before < u64::MAX)),
        }
        if before <= 1 {
            return Ok(Page::last(rows, false));
        }
    }
    Ok(Page::more(rows, before))
}

/// Entries with the sequence numbers of their first events.
fn numbered(first_seq: u64, entries: Vec<Entry>) -> Vec<(u64, Entry)> {
    let mut seq = first_seq;
    let numbered = entries.into_iter().map(|entry| {
        let first = seq;
        seq += entry.events.len() as u64;
        (first, entry)
    });
    numbered.collect()
}

impl<T> Page<T> {
    fn more(rows: Vec<T>, before: u64) -> Self {
        Self {
            rows,
            before: Some(before),
            archived: false,
        }
    }

    fn last(rows: Vec<T>, archived: bool) -> Self {
        Self {
            rows,
            before: None,
            archived,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use hunt::{Entry, Event, Origin, Timestamp};

    use super::{Page, PageAsked, READ_MAX, READS_MAX, Scanned, newest};
    use crate::ids::{Claim, Epoch, Incarnation, Ownership, SessionId};
    use crate::journal::{Batch, Catalogue, Ledger, MemoryJournal, SessionRecord, records};

    const SESSION: SessionId = SessionId::new(1);
    const OWNER: Incarnation = Incarnation(1);

    fn entry(seq: u64, events: usize) -> Entry {
        Entry {
            at: Timestamp(seq),
            origin: Origin::Admin,
            reason: None,
            events: vec![Event::SessionPaused; events],
        }
    }

    /// A journal with batches of these numbers of entries, each of two events.
    fn journal(batches: &[usize]) -> MemoryJournal {
        let journal = MemoryJournal::default();
        let record = SessionRecord {
            id: SESSION,
            code: "KITE42".to_owned(),
            hunt_revision: String::new(),
            created_at_ms: 0,
        };
        let stored = journal.put_hunt(String::new(), Vec::new()).now_or_never();
        stored.expect("memory answers at once").expect("it stores");
        journal
            .create_session(record)
            .now_or_never()
            .expect("memory answers at once")
            .expect("the code is free");
        let claim = Claim {
            expected: Ownership {
                session: SESSION,
                owner: None,
                epoch: Epoch(0),
            },
            to: OWNER,
        };
        let claimed = journal.claim(claim).now_or_never();
        let epoch = claimed
            .expect("memory answers at once")
            .expect("it is free");
        let mut seq = 1;
        for entries in batches {
            let entries: Vec<_> = (0..*entries as u64)
                .map(|n| entry(seq + 2 * n, 2))
                .collect();
            let last_seq = seq + 2 * entries.len() as u64 - 1;
            let batch = Batch {
                session: SESSION,
                owner: OWNER,
                epoch,
                first_seq: seq,
                last_seq,
                at_ms: seq,
                events: records::encode_entries(&entries),
                private: Vec::new(),
            };
            let appended = journal.append(batch).now_or_never();
            appended
                .expect("memory answers at once")
                .expect("it follows");
            seq = last_seq + 1;
        }
        journal
    }

    fn page(journal: &MemoryJournal, before: Option<u64>, limit: usize) -> Page<u64> {
        let asked = PageAsked::new(before, Some(limit)).expect("it is within the limits");
        let every = |seq, _| Scanned::Row(seq, seq);
        let page = newest(journal, SESSION, asked, every).now_or_never();
        page.expect("memory answers at once")
            .expect("it is readable")
    }

    #[test]
    fn pages_follow_each_other_within_and_across_batches() {
        let journal = journal(&[2, 3, 1]);
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = page(&journal, before, 4);
            all.extend(page.rows);
            before = page.before;
            if before.is_none() {
                assert!(!page.archived);
                break;
            }
        }
        assert_eq!(all, [11, 9, 7, 5, 3, 1]);
        assert_eq!(page(&journal, Some(10), 2).rows, [9, 7]);
        assert_eq!(page(&journal, Some(9), 2).rows, [7, 5]);
        assert_eq!(page(&journal, Some(1), 2).before, None);
    }

    #[test]
    fn a_request_scans_a_bounded_part_and_says_where_the_next_one_begins() {
        let batches = READS_MAX * READ_MAX.batches + 1;
        let journal = journal(&vec![1; batches]);
        let scan = |seq, _| match seq {
            1 => Scanned::Row(1, ()),
            _ => Scanned::Other,
        };
        let asked = PageAsked::new(None, None).expect("it is within the limits");
        let first = newest(&journal, SESSION, asked, scan).now_or_never();
        let first = first.expect("at once").expect("it is readable");
        assert_eq!((first.rows.len(), first.before), (0, Some(3)));
        let asked = PageAsked::new(first.before, None).expect("it is within the limits");
        let second = newest(&journal, SESSION, asked, scan).now_or_never();
        let second = second.expect("at once").expect("it is readable");
        assert_eq!((second.rows.len(), second.before), (1, None));
    }

    #[test]
    fn a_page_has_a_bounded_number_of_rows() {
        for limit in [0, 201] {
            assert!(PageAsked::new(None, Some(limit)).is_err(), "{limit}");
        }
    }
}
