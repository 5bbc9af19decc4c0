//! CSV files with a header: encoding, separator, columns and quoting.
//!
//! Never interprets the fields.

use super::mistakes::{Mistake, Mistakes};

/// Number of bytes that are examined for the NULs of UTF-16.
const ENCODING_SAMPLE_BYTES: usize = 256;

/// The content of a file, with its name for messages.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Name of the file.
    pub file: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The rows of a file, in the order of the requested columns.
#[derive(Debug)]
pub(super) struct Table<'a, const N: usize> {
    file: &'a str,
    columns: [&'static str; N],
    pub(super) rows: Vec<Row<N>>,
}

/// A row with the expected number of fields.
#[derive(Debug)]
pub(super) struct Row<const N: usize> {
    pub(super) line: u64,
    fields: [String; N],
}

impl<const N: usize> Row<N> {
    /// A field without outer blanks.
    pub(super) fn field(&self, column: usize) -> &str {
        self.fields[column].trim()
    }

    /// A field as it is.
    pub(super) fn raw(&self, column: usize) -> &str {
        &self.fields[column]
    }
}

impl<'a, const N: usize> Table<'a, N> {
    /// Reads a file that needs these columns, in any order. Adds mistakes for rows that cannot be split
    /// into fields; returns `None` if the file as a whole cannot be read.
    pub(super) fn read(
        source: Source<'a>,
        columns: [&'static str; N],
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let text = decode(source, mistakes)?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        // Only invalid UTF-8 and IO can fail, and `text` has neither.
        if !reader.read_record(&mut record).unwrap_or(false) {
            let columns = columns.join(",");
            let problem = format!("the file is empty; expected a header with {columns}");
            mistakes.add(whole(source, 1, "", problem));
            return None;
        }
        let positions = header(source, &record, columns, mistakes)?;
        let width = record.len();
        let mut table = Self {
            file: source.file,
            columns,
            rows: Vec::new(),
        };
        loop {
            let begin = reader.position().byte();
            if !reader.read_record(&mut record).unwrap_or(false) {
                return Some(table);
            }
            let line = record.position().map_or(0, csv::Position::line);
            let raw = text.get(offset(begin)..offset(reader.position().byte()));
            let raw = raw.unwrap_or_default().trim_matches(['\r', '\n']);
            if let Some(problem) = quoting_problem(raw) {
                mistakes.add(whole(source, line, raw, problem.to_owned()));
            } else if record.len() == width {
                let fields = positions.map(|position| record[position].to_owned());
                table.rows.push(Row { line, fields });
            } else {
                let problem = format!("expected {width} fields, but there are {}", record.len());
                mistakes.add(whole(source, line, raw, problem));
            }
        }
    }

    /// Describes a mistake in one field.
    pub(super) fn mistake(&self, row: &Row<N>, column: usize, problem: String) -> Mistake {
        Mistake {
            file: self.file.to_owned(),
            line: row.line,
            column: Some(self.columns[column].to_owned()),
            found: row.raw(column).to_owned(),
            problem,
        }
    }
}

fn whole(source: Source<'_>, line: u64, found: &str, problem: String) -> Mistake {
    Mistake {
        file: source.file.to_owned(),
        line,
        column: None,
        found: found.to_owned(),
        problem,
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

/// Decodes UTF-8 with or without a byte order mark, and names other encodings.
fn decode<'a>(source: Source<'a>, mistakes: &mut Mistakes) -> Option<&'a str> {
    let bytes = source.bytes;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let begin = &bytes[..bytes.len().min(ENCODING_SAMPLE_BYTES)];
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || begin.contains(&0) {
        let found = String::from_utf8_lossy(begin).replace(['\0', '\u{fffd}'], "");
        let found = found.lines().next().unwrap_or_default().to_owned();
        let problem = "the file is encoded as UTF-16; save it as UTF-8".to_owned();
        mistakes.add(whole(source, 1, &found, problem));
        return None;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text);
    }
    for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if std::str::from_utf8(bytes).is_err() {
            // Windows-1252 agrees with Latin-1 in all letters of western Europe.
            let found: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            let problem = "not UTF-8, probably Windows-1252; save the file as UTF-8".to_owned();
            mistakes.add(whole(source, line, found.trim_end(), problem));
        }
    }
    None
}

/// Finds the position of each column in the header.
fn header<const N: usize>(
    source: Source<'_>,
    record: &csv::StringRecord,
    columns: [&'static str; N],
    mistakes: &mut Mistakes,
) -> Option<[usize; N]> {
    let position = |column: &str| record.iter().position(|field| field.trim() == column);
    let found = record.iter().collect::<Vec<_>>().join(",");
    let positions = columns.map(position);
    let missing: Vec<&str> = columns
        .into_iter()
        .filter(|column| position(column).is_none())
        .collect();
    if missing.is_empty() {
        return Some(positions.map(Option::unwrap_or_default));
    }
    let problem = if record.len() == 1 && found.contains(';') {
        "the fields are separated by semicolons; separate them by commas".to_owned()
    } else if record.len() == 1 && found.contains('\t') {
        "the fields are separated by tabs; separate them by commas".to_owned()
    } else {
        let (missing, all) = (missing.join(","), columns.join(","));
        format!("the header lacks {missing}; expected {all}")
    };
    mistakes.add(whole(source, 1, &found, problem));
    None
}

/// Checks the quotes of a raw record, which the CSV reader accepts in any form (RFC 4180, section 2).
fn quoting_problem(raw: &str) -> Option<&'static str> {
    enum At {
        FieldStart,
        Plain,
        Quoted,
        AfterQuote,
    }
    let mut at = At::FieldStart;
    for c in raw.chars() {
        at = match (at, c) {
            (At::Quoted, '"') => At::AfterQuote,
            (At::FieldStart | At::AfterQuote, '"') | (At::Quoted, _) => At::Quoted,
            (At::FieldStart | At::Plain | At::AfterQuote, ',' | '\r' | '\n') => At::FieldStart,
            (At::FieldStart | At::Plain, _) => At::Plain,
            (At::AfterQuote, _) => return Some("a quote within a quoted field must be doubled"),
        };
    }
    match at {
        At::Quoted => Some("a quoted field is not closed"),
        At::FieldStart | At::Plain | At::AfterQuote => None,
    }
}
