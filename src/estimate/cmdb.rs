//! Tables: a configuration management database's CSV, or any other list of devices.

use std::collections::BTreeSet;

use csv::{ReaderBuilder, StringRecord};

use super::cell;
use super::columns::{self, Columns};
use super::error::FileError;
use super::limits::{COLUMNS, ROWS};
use super::mapping::Mapping;
use super::quotes;
use super::spelling;
use super::table::{Row, RowCells, SAMPLE, Section, Table, sample};
use crate::census::clean;

/// Characters that separate cells.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// The header is searched in the first records, because some exports have a title above it.
const HEADER: usize = 25;
/// A second header within a table has at least so many known columns.
const SECOND_HEADER: usize = 3;

/// A table's header, and how to read on.
struct Head {
    delimiter: u8,
    /// Whether quotation marks join cells, or are text.
    quoting: bool,
    /// The first record of a device, from 0.
    first: usize,
    cells: Vec<String>,
    columns: Columns,
}

/// Reads a table.
pub(super) fn read(name: &str, text: &str, mapping: &Mapping) -> Result<Table, FileError> {
    let ((skipped, text), delimiters) = separator(text);
    let mut head = find(text, &delimiters, mapping, true).map_err(|missing| missing.named(name))?;
    let mut notes = Vec::new();
    if let Some(line) = quotes::open_quotation(text, head.delimiter, head.cells.len()) {
        let line = line + skipped;
        // Read as text, the marks must leave every row in its place.
        head = find(text, &delimiters, mapping, false)
            .ok()
            .filter(|plain| is_even(text, plain))
            .ok_or_else(|| FileError::OpenQuotation { name: name.to_owned(), line })?;
        notes.push(format!(
            "line {line} opens a quotation that never closes: quotation marks were read as text"
        ));
    }
    let Head { first, cells: header, .. } = &head;
    match first {
        0 => notes.push("has no header; its columns were recognised by their cells".to_owned()),
        1 => {}
        n => notes.push(format!("the header is record {n}; the records above it were skipped")),
    }
    let mut table = Table { notes, ..Table::default() };
    let mut section = (header.clone(), Vec::new());
    let (mut short, mut repeated, mut total) = ((0_u64, 0), 0_u64, 0_usize);
    let mut last_is_short = false;
    // Rows with more cells than the header, of which the surplus ones are empty.
    let mut long = BTreeSet::new();
    let mut reader = reader(text, head.delimiter, head.quoting);
    let mut record = StringRecord::new();
    let mut place = 0;
    let mut lines = Lines { text, byte: 0, line: 1 + skipped };
    // Reading text from memory cannot fail.
    while reader.read_record(&mut record).unwrap_or(false) {
        place += 1;
        if place <= *first || record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        total += 1;
        if total > ROWS {
            return Err(FileError::TooManyRows { name: name.to_owned() });
        }
        let line = lines.at(record.position().map_or(0, csv::Position::byte));
        if let Some(header) = header_of(&record, &section.0) {
            total -= 1;
            if header == section.0 {
                repeated += 1;
            } else {
                table.notes.push(format!("line {line} is another header; the rows below it were read by it"));
                table.add(std::mem::replace(&mut section, (header, Vec::new())), mapping, name)?;
            }
            continue;
        }
        let width = section.0.len();
        if record.iter().skip(width).any(|cell| !cell.trim().is_empty()) {
            let why = format!(
                "it has {} cells where the header has {width}, so that they may stand in wrong columns; put quotation marks around cells that contain the separator",
                record.len()
            );
            table.broken.push((line, why));
            continue;
        }
        if record.len() > width {
            long.insert(line);
        }
        last_is_short = record.len() < width;
        if last_is_short {
            short = (short.0 + 1, if short.0 == 0 { line } else { short.1 });
        }
        section.1.push(Row { number: line, cells: RowCells::All(record.clone()) });
    }
    table.add(section, mapping, name)?;
    table.part_long(&long, total);
    match text.ends_with(['\n', '\r']) {
        true => {}
        false if last_is_short => {
            table
                .doubts
                .push("the last row breaks off: rows may be missing; export the list again".to_owned());
        }
        false => table.notes.push("the last line has no line end: look whether the list is whole".to_owned()),
    }
    let (rows, line) = short;
    if rows > 0 {
        let says = format!(
            "{rows} rows have fewer cells than the header (the first is line {line}), so that some may stand in wrong columns"
        );
        // Some exports leave out empty cells at the end of every row.
        let is_usual = rows * 2 > total as u64;
        if is_usual { table.notes.push(says) } else { table.doubts.push(says) }
    }
    if repeated > 0 {
        table.notes.push(format!("the header stands {repeated} more times among the rows; it was skipped"));
    }
    Ok(table)
}

impl Table {
    fn add(
        &mut self,
        (header, rows): (Vec<String>, Vec<Row>),
        mapping: &Mapping,
        name: &str,
    ) -> Result<(), FileError> {
        let wanted = |wanted: String| Missing::Column { wanted, cells: header.clone() }.named(name);
        self.sections.push(Section::of(&header, rows, mapping).map_err(wanted)?);
        Ok(())
    }
}

impl Table {
    /// Takes out rows that are longer than the others, because a separator within a cell has shifted theirs. If most rows are
    /// longer, they only end with a separator.
    fn part_long(&mut self, long: &BTreeSet<u64>, total: usize) {
        if long.is_empty() || long.len() * 2 >= total {
            return;
        }
        for section in &mut self.sections {
            let (out, rest): (Vec<Row>, Vec<Row>) =
                std::mem::take(&mut section.rows).into_iter().partition(|row| long.contains(&row.number));
            section.rows = rest;
            let why = "it has more cells than the header, so that they may stand in wrong columns; put quotation marks around cells that contain the separator";
            self.broken.extend(out.into_iter().map(|row| (row.number, why.to_owned())));
        }
    }
}

/// The cells of a row that is a header: the same as that of its section, or another one.
fn header_of(record: &StringRecord, header: &[String]) -> Option<Vec<String>> {
    if is_data(record) {
        return None;
    }
    let cells = cleaned(record);
    if cells == header {
        return Some(cells);
    }
    // Cheaper than a look at all columns: a header names a MAC or an address.
    if !cells.iter().any(|c| c.len() < 40 && names_an_address(c)) {
        return None;
    }
    let columns = Columns::of(&cells, &[], &Mapping::default()).ok()?;
    (columns.is_useful() && columns.known() >= SECOND_HEADER).then_some(cells)
}

fn names_an_address(cell: &str) -> bool {
    use super::column::FileColumn::{Ip, Mac};
    [Mac, Ip].into_iter().any(|column| super::headers::rank(column, cell).is_some())
}

fn cleaned(record: &StringRecord) -> Vec<String> {
    record.iter().map(|c| clean(c.as_bytes()).unwrap_or_default()).collect()
}

/// Whether a record describes a device: a cell of it is a MAC or an address and nothing else.
fn is_data(record: &StringRecord) -> bool {
    record.iter().filter(|cell| !cell.trim().contains(' ')).any(|cell| {
        let is_number = cell.bytes().all(|b| b.is_ascii_digit());
        !is_number && (spelling::macs(cell).next().is_some() || !spelling::ips(cell).ips.is_empty())
    })
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
    match find(text, &delimiters, &Mapping::default(), true) {
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

impl Missing {
    fn named(self, name: &str) -> FileError {
        let name = name.to_owned();
        match self {
            Self::Header(cells) => FileError::NoColumns { name, columns: listed(&cells) },
            Self::Column { wanted, cells } => {
                let wanted = cell::text(&wanted).unwrap_or_default();
                FileError::NoSuchColumn { name, wanted, columns: listed(&cells) }
            }
            Self::TooMany => FileError::TooManyColumns { name },
        }
    }
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
fn find(text: &str, delimiters: &[u8], mapping: &Mapping, quoting: bool) -> Result<Head, Missing> {
    let mut best: Option<Head> = None;
    let mut first: Vec<String> = Vec::new();
    let mut wanted: Option<(String, Vec<String>)> = None;
    for delimiter in delimiters {
        let mut reader = reader(text, *delimiter, quoting);
        let mut record = StringRecord::new();
        let mut rows = Vec::new();
        while rows.len() < HEADER + SAMPLE && reader.read_record(&mut record).unwrap_or(false) {
            if rows.len() < HEADER && record.len() > COLUMNS {
                return Err(Missing::TooMany);
            }
            rows.push(Row { number: 0, cells: RowCells::All(record.clone()) });
        }
        // A line such as `Server,10.0.0.2` above the header is not a device.
        let filled = |row: &Row| match &row.cells {
            RowCells::All(record) => record.iter().filter(|cell| !cell.trim().is_empty()).count(),
            RowCells::Some(cells) => cells.len(),
        };
        let most = rows.iter().take(HEADER * 2).map(filled).max().unwrap_or(0);
        for place in 0..rows.len().min(HEADER) {
            let Some(RowCells::All(record)) = rows.get(place).map(|r| &r.cells) else { break };
            // What is below the first device is not a header.
            let is_device = is_data(record) && rows.get(place).is_some_and(|row| filled(row) * 2 > most);
            if is_device && place > 0 {
                break;
            }
            let cells = match is_device {
                true => (1..=record.len()).map(|n| format!("column {n}")).collect(),
                false => cleaned(record),
            };
            let below = place + usize::from(!is_device);
            let found = sample(cells.len(), rows.iter().skip(below));
            match Columns::of(&cells, &found, mapping) {
                Ok(columns) if columns.is_useful() => {
                    let more = |known: &Head| {
                        (columns.known(), cells.len()) > (known.columns.known(), known.cells.len())
                    };
                    if best.as_ref().is_none_or(more) {
                        best = Some(Head { delimiter: *delimiter, quoting, first: below, cells, columns });
                    }
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

/// Whether every row has as many cells as the header.
fn is_even(text: &str, head: &Head) -> bool {
    let mut reader = reader(text, head.delimiter, head.quoting);
    let mut record = StringRecord::new();
    let mut place = 0;
    while reader.read_record(&mut record).unwrap_or(false) {
        place += 1;
        let is_empty = record.iter().all(|cell| cell.trim().is_empty());
        if place > head.first && !is_empty && record.len() != head.cells.len() {
            return false;
        }
    }
    true
}

fn reader(text: &str, delimiter: u8, quoting: bool) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(quoting)
        .from_reader(text.as_bytes())
}

/// A header in an error message.
pub(super) fn listed(cells: &[String]) -> String {
    let shown: Vec<&str> = cells.iter().map(String::as_str).filter(|c| !c.is_empty()).take(20).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
}
