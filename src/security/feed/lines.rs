//! Feeds of lines: plain lists, hosts files, Spamhaus DROP as text, CSV whose first column holds indicators, and MISP's CSV,
//! whose columns have names.

use std::io::{self, BufRead, Read as _};
use std::net::IpAddr;

use super::Sink;

/// The longest line that is looked at, in bytes.
const LINE: u64 = 8 << 10;

/// The columns of MISP's CSV.
struct Columns {
    kind: usize,
    value: usize,
    to_ids: Option<usize>,
}

pub(super) fn read(source: &mut impl BufRead, sink: &mut Sink) -> io::Result<()> {
    sink.report.form = "list of lines";
    let mut columns = None;
    let mut is_first = true;
    let mut line = Vec::new();
    loop {
        line.clear();
        if source.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.len() as u64 == LINE && line.last() != Some(&b'\n') {
            skip_line(source)?;
            sink.name("line that is too long");
            continue;
        }
        let Ok(text) = std::str::from_utf8(&line) else {
            sink.name("line that is not UTF-8");
            continue;
        };
        let text = text.trim();
        if text.is_empty() || text.starts_with(['#', ';', '!']) {
            continue;
        }
        if std::mem::take(&mut is_first) {
            columns = of_misp(text);
            if columns.is_some() {
                sink.report.form = "MISP CSV";
                continue;
            }
        }
        match &columns {
            Some(columns) => attribute(text, columns, sink),
            None => plain(text, sink),
        }
    }
}

/// Reads to the end of a line.
fn skip_line(source: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = source.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|b| *b == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        source.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}

/// A line of a list, a hosts file or DROP.
fn plain(text: &str, sink: &mut Sink) {
    let text = text.split(['#', ';']).next().unwrap_or_default();
    let text = text.split(',').next().unwrap_or_default().trim().trim_matches('"');
    let mut words = text.split_whitespace();
    let Some(first) = words.next() else { return };
    // A hosts file sends names to an address that leads nowhere.
    let is_nowhere = first.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified() || ip.is_loopback());
    let mut names = words.peekable();
    if is_nowhere && names.peek().is_some() {
        names.for_each(|name| sink.take_or_name(name));
    } else {
        sink.take_or_name(first);
    }
}

/// The columns of a header of MISP's CSV.
fn of_misp(header: &str) -> Option<Columns> {
    let cells = cells(header);
    let at = |name: &str| cells.iter().position(|cell| cell == name);
    Some(Columns { kind: at("type")?, value: at("value")?, to_ids: at("to_ids") })
}

fn attribute(text: &str, columns: &Columns, sink: &mut Sink) {
    let cells = cells(text);
    let (Some(kind), Some(value)) = (cells.get(columns.kind), cells.get(columns.value)) else {
        sink.name("line without type and value");
        return;
    };
    let to_ids = columns.to_ids.and_then(|at| cells.get(at));
    let is_for_detection = to_ids.is_none_or(|cell| matches!(&**cell, "1" | "true" | "True" | ""));
    take_attribute(kind, value, is_for_detection, sink);
}

/// The cells of a line of CSV (RFC 4180). A quotation that goes on in the next line ends here.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

/// An attribute of MISP, of a type such as `ip-dst|port`.
pub(super) fn take_attribute(kind: &str, value: &str, is_for_detection: bool, sink: &mut Sink) {
    if !is_for_detection {
        sink.name("not for detection");
        return;
    }
    let first = value.split('|').next().unwrap_or_default();
    match kind {
        "ip-src" | "ip-dst" | "domain" | "hostname" => sink.take_or_name(value),
        "ip-src|port" | "ip-dst|port" | "hostname|port" => sink.take_or_name(first),
        "domain|ip" => value.split('|').take(2).for_each(|part| sink.take_or_name(part)),
        other => sink.name(&format!("MISP {other}")),
    }
}
