//! Tables: a configuration management database's CSV, or any other list of devices.

use csv::{ByteRecord, ReaderBuilder};

use super::cell::{self, squash};
use super::column::FileColumn;
use super::columns::{self, Columns};
use super::error::FileError;
use super::exclusion::Exclusion;
use super::limits::{COLUMNS, ROWS};
use super::listed::{Addresses, ListedDevice};
use super::mapping::Mapping;
use super::reading::{FileKind, FileRow, Reading};
use crate::census::clean;

/// Characters that separate cells.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The header is searched in the first records, because some exports have a title above it.
const HEADER: usize = 10;

/// A table's header, and how to read on.
struct Head {
    delimiter: u8,
    /// The header's record, from 0.
    record: usize,
    cells: Vec<String>,
    columns: Columns,
}

/// Reads a table.
pub(super) fn read(name: String, text: &str, mapping: &Mapping) -> Result<Reading, FileError> {
    let (text, delimiters) = separator(text);
    let (skipped, text) = text;
    let head = match find(text, &delimiters, mapping) {
        Ok(head) => head,
        Err(Missing::Header(cells)) => return Err(FileError::NoColumns { name, columns: listed(&cells) }),
        Err(Missing::Column { wanted, cells }) => {
            let wanted = cell::text(&wanted).unwrap_or_default();
            return Err(FileError::NoSuchColumn { name, wanted, columns: listed(&cells) });
        }
        Err(Missing::TooMany) => return Err(FileError::TooManyColumns { name }),
    };
    let mut rows = Vec::new();
    let mut reader = reader(text, head.delimiter);
    let mut record = ByteRecord::new();
    let mut place = 0;
    let mut lines = Lines { text, byte: 0, line: 1 + skipped };
    // Reading bytes from memory cannot fail.
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        place += 1;
        if place <= head.record + 1 || record.iter().all(|cell| cell.trim_ascii().is_empty()) {
            continue;
        }
        if rows.len() >= ROWS {
            return Err(FileError::TooManyRows { name });
        }
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        rows.push(FileRow { number: line, listed: row(&record, &head.columns, &name) });
    }
    let mut notes = Vec::new();
    if !head.cells.is_empty() && head.record > 0 {
        notes.push(format!("the header is record {}; the records above it were skipped", head.record + 1));
    }
    Ok(Reading { name, kind: FileKind::Cmdb, rows, columns: Some(head.columns), notes })
}

/// The line of a byte. Ask in ascending order.
struct Lines<'a> {
    text: &'a str,
    byte: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first character at or after `byte` that is not a line end: the reader's position of a record is
    /// still on the line above if that line ends in two characters.
    fn at(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let mut end = usize::try_from(byte).unwrap_or(usize::MAX).max(self.byte);
        while matches!(bytes.get(end), Some(b'\r' | b'\n')) {
            end += 1;
        }
        let passed = bytes.get(self.byte..end).unwrap_or_default();
        let feeds = passed.iter().filter(|b| **b == b'\n').count();
        let breaks = if feeds > 0 { feeds } else { passed.iter().filter(|b| **b == b'\r').count() };
        self.byte = end;
        self.line += breaks as u64;
        self.line
    }
}

/// The signature of the header; `None` if there is none.
pub(super) fn signature(text: &str) -> Option<String> {
    let ((_, text), delimiters) = separator(text);
    match find(text, &delimiters, &Mapping::default()) {
        Ok(head) => Some(head.columns.signature()),
        // A remembered mapping helps most with headers that cannot be guessed.
        Err(Missing::Header(cells)) if !cells.is_empty() => Some(columns::signature(&cells)),
        Err(_) => None,
    }
}

/// Why the header was not found.
enum Missing {
    Header(Vec<String>),
    Column { wanted: String, cells: Vec<String> },
    TooMany,
}

/// The separator that a first line `sep=;` names, as spreadsheets write it, and how many lines to skip.
fn separator(text: &str) -> ((u64, &str), Vec<u8>) {
    let first = text.lines().next().unwrap_or_default();
    let named = first.trim().trim_matches('"').strip_prefix("sep=").map(str::as_bytes);
    match named {
        Some([delimiter]) if DELIMITERS.contains(delimiter) => {
            let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
            ((1, rest), vec![*delimiter])
        }
        _ => ((0, text), DELIMITERS.to_vec()),
    }
}

/// Finds the header: over all separators and the first records, the one with the most known columns.
fn find(text: &str, delimiters: &[u8], mapping: &Mapping) -> Result<Head, Missing> {
    let mut best: Option<Head> = None;
    let mut first: Vec<String> = Vec::new();
    let mut wanted: Option<(String, Vec<String>)> = None;
    for delimiter in delimiters {
        let mut reader = reader(text, *delimiter);
        let mut record = ByteRecord::new();
        for place in 0..HEADER {
            if !reader.read_byte_record(&mut record).unwrap_or(false) {
                break;
            }
            if record.len() > COLUMNS {
                return Err(Missing::TooMany);
            }
            let cells: Vec<String> = record.iter().map(|c| clean(c).unwrap_or_default()).collect();
            match Columns::of(&cells, mapping) {
                Ok(columns) if columns.is_useful() => {
                    let more = |known: &Head| {
                        (columns.known(), cells.len()) > (known.columns.known(), known.cells.len())
                    };
                    if best.as_ref().is_none_or(more) {
                        best = Some(Head { delimiter: *delimiter, record: place, cells, columns });
                    }
                    // Rows below the header may look like another one.
                    break;
                }
                Ok(_) => {
                    if cells.len() > first.len() {
                        first = cells;
                    }
                }
                Err(name) => {
                    if wanted.as_ref().is_none_or(|(_, known)| cells.len() > known.len()) {
                        wanted = Some((name, cells));
                    }
                }
            }
        }
    }
    match (best, wanted) {
        (Some(head), _) => Ok(head),
        (None, Some((wanted, cells))) => Err(Missing::Column { wanted, cells }),
        (None, None) => Err(Missing::Header(first)),
    }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text.as_bytes())
}

/// A header in an error message.
fn listed(cells: &[String]) -> String {
    let shown: Vec<&str> = cells.iter().map(String::as_str).filter(|c| !c.is_empty()).take(20).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
}

/// One row.
fn row(record: &ByteRecord, columns: &Columns, file: &str) -> Result<ListedDevice, String> {
    let raw = |place: &usize| String::from_utf8_lossy(record.get(*place).unwrap_or_default());
    let all = |column: FileColumn| columns.at(column).iter().map(raw);
    let one = |column: FileColumn| all(column).find_map(|cell| cell::text(&cell));
    let mut addresses = Addresses::default();
    all(FileColumn::Mac).for_each(|cell| addresses.add_macs(&cell));
    all(FileColumn::Ip).for_each(|cell| addresses.add_ips(&cell));
    let mut listed = ListedDevice {
        name: one(FileColumn::Name),
        kinds: all(FileColumn::Type).filter_map(|cell| cell::text(&cell)).collect(),
        os: one(FileColumn::Os),
        vendor: one(FileColumn::Vendor),
        model: one(FileColumn::Model),
        last_seen: one(FileColumn::LastSeen).as_deref().and_then(cell::instant),
        managed: one(FileColumn::Managed).as_deref().is_some_and(cell::is_yes),
        id: one(FileColumn::Id),
        ids: one(FileColumn::Id).map(|id| scoped(id, file)).into_iter().collect(),
        ..ListedDevice::default()
    };
    if let Some(status) = one(FileColumn::Status).filter(|s| is_retired(s)) {
        listed.excluded = Some(Exclusion::Retired);
        listed.because = Some(status);
    }
    addresses.into_device(listed)
}

/// Only a long hexadecimal id can be shared by several lists; a short one is specific to its file.
fn scoped(id: String, file: &str) -> String {
    let bare = squash(&id);
    let is_wide = bare.len() >= 32 && bare.bytes().all(|b| b.is_ascii_hexdigit());
    if is_wide { bare } else { format!("{file}#{id}") }
}

/// Whether a status says that the device is not in use.
fn is_retired(status: &str) -> bool {
    let word = squash(status);
    let gone = [
        "retired",
        "disposed",
        "decommissioned",
        "scrapped",
        "stolen",
        "lost",
        "absent",
        "instock",
        "sold",
        "donated",
        "stock",
        "endoflife",
        "nonactive",
        "archived",
        "deleted",
        "ausgemustert",
        "verschrottet",
        "entsorgt",
        "imlager",
        "miseaurebut",
        "horsservice",
        "enstock",
        "retirado",
        "dadodebaja",
    ];
    gone.iter().any(|g| word == *g || (g.len() > 6 && word.starts_with(g)))
}
