//! `devices` and `replay`: the census, and the devices behind it.

use std::io::{self, BufWriter, Write};

use super::Failure;
use super::source::{Arguments, Facts};
use super::text::{NONE, Table};
use crate::census::{Decisions, Survey, Verdict};
use crate::sensor::replay;
use crate::wire::{DeviceEntry, Document};

pub(super) fn list(arguments: Arguments) -> Result<(), Failure> {
    let facts = Facts::gather(&arguments)?;
    let document = document(&facts);
    let mut out = io::stdout().lock();
    if arguments.json {
        return Ok(replay::write_json(&document, &mut out)?);
    }
    let mut out = BufWriter::new(out);
    print(&document, facts.refused, &mut out)?;
    Ok(out.flush()?)
}

fn document(facts: &Facts) -> Document {
    let decisions = Decisions::default();
    let as_of = facts.as_of.unwrap_or_default();
    let survey = Survey::new(&facts.inventory, &facts.policy, &decisions, &facts.rules, as_of);
    let mut document = Document::new(&survey, facts.capture.clone(), facts.frames.as_ref());
    document.as_of = facts.as_of;
    document
}

fn print(document: &Document, refused: u64, out: &mut dyn Write) -> io::Result<()> {
    if !document.devices.is_empty() {
        let mut table =
            Table::new(&["IP", "MAC", "CATEGORY", "TYPE", "MAKER AND MODEL", "NAME", "VERDICT", "LAST SEEN"]);
        for d in &document.devices {
            table.row(row(d));
        }
        table.write(out)?;
        writeln!(out)?;
    }
    if !document.unaddressed.is_empty() {
        let mut table = Table::new(&["WITHOUT AN ADDRESS", "CATEGORY", "TYPE", "NAME"]);
        for u in &document.unaddressed {
            let name = u.name.clone().unwrap_or_else(|| NONE.to_owned());
            table.row([u.mac.to_string(), u.category.title().to_owned(), u.kind.clone(), name]);
        }
        table.write(out)?;
        writeln!(out)?;
    }
    let (c, capture) = (&document.census, &document.capture);
    writeln!(
        out,
        "network {} + IoT {} = {} billable, commitment {}",
        c.network, c.iot, c.billable, c.commitment
    )?;
    for verdict in Verdict::ALL {
        if let Some(n) = c.excluded.get(verdict.id()) {
            let unit = match (verdict.is_line(), n) {
                (true, 1) => "address",
                (true, _) => "addresses",
                (false, 1) => "device",
                (false, _) => "devices",
            };
            writeln!(out, "  {:9} {n:>7} {unit}: {}", verdict.id(), verdict.title())?;
        }
    }
    writeln!(
        out,
        "{} frames, {} bytes, {} malformed, {} duplicates, {} dropped",
        capture.frames, capture.bytes, capture.malformed, capture.duplicates, capture.dropped
    )?;
    if refused > 0 {
        writeln!(
            out,
            "The bound of couplings was hit {refused} times: this census is a lower bound; raise limits.couplings."
        )?;
    }
    Ok(())
}

fn row(d: &DeviceEntry) -> [String; 8] {
    let model = [&d.vendor, &d.model].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
    let or_none = |text: String| if text.is_empty() { NONE.to_owned() } else { text };
    [
        d.ip.to_string(),
        d.mac.to_string(),
        d.category.title().to_owned(),
        d.kind.clone(),
        or_none(model),
        or_none(d.name.clone().unwrap_or_default()),
        d.verdict.id().to_owned(),
        d.last_seen.to_string(),
    ]
}
