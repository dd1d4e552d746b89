//! `devices` and `replay`: the census and its devices.

use std::io::{self, BufWriter, Write};
use std::mem::ManuallyDrop;

use super::failure::Failure;
use super::source::{Arguments, SurveyInput};
use crate::census::{Device, Survey, Verdict};
use crate::cli::findings;
use crate::cli::table::{self, NONE};
use crate::cli::terminal::print_json;
use crate::wire::Document;

pub(super) fn list(arguments: Arguments) -> Result<(), Failure> {
    // The process ends with this command: to free a million couplings one by one gains nothing.
    let facts = ManuallyDrop::new(SurveyInput::gather(&arguments)?);
    let survey = facts.survey();
    if arguments.json {
        let mut document = Document::streamed(&survey, facts.capture.clone(), facts.frames.as_ref());
        document.as_of = facts.as_of;
        return print_json(&document);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    print(&survey, &facts, &mut out)?;
    Ok(out.flush()?)
}

fn print(survey: &Survey<'_>, facts: &SurveyInput, out: &mut dyn Write) -> io::Result<()> {
    if !survey.devices.is_empty() {
        table::print(out, &HEADER, survey.devices.iter().map(row))?;
        writeln!(out)?;
    }
    if !survey.unaddressed.is_empty() {
        let rows = survey.unaddressed.iter().map(|u| {
            let what = &u.classification;
            let name = what.name.as_deref().unwrap_or(NONE).to_owned();
            [u.mac.to_string(), what.category.title().to_owned(), what.kind.to_string(), name]
        });
        table::print(out, &["WITHOUT AN ADDRESS", "CATEGORY", "TYPE", "NAME"], rows)?;
        writeln!(out)?;
    }
    let (c, capture) = (&survey.census, &facts.capture);
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
    let mut unread: Vec<_> = capture.not_understood.iter().collect();
    unread.sort_by_key(|e| std::cmp::Reverse(e.bytes));
    if !unread.is_empty() {
        let largest: Vec<String> = unread.iter().take(UNREAD).map(ToString::to_string).collect();
        writeln!(out, "not understood: {}", largest.join("; "))?;
    }
    findings::print(out, survey.findings.iter(), survey.findings.total(), "--json")
}

/// How much of what was not understood the text shows; the JSON has all.
const UNREAD: usize = 3;
const HEADER: [&str; 8] =
    ["IP", "MAC", "CATEGORY", "TYPE", "MAKER AND MODEL", "NAME", "VERDICT", "LAST SEEN"];

fn row(d: &Device<'_>) -> [String; 8] {
    let what = d.classification();
    let model = [&what.vendor, &what.model]
        .into_iter()
        .flatten()
        .map(|text| text.as_str())
        .collect::<Vec<_>>()
        .join(" ");
    let or_none = |text: String| if text.is_empty() { NONE.to_owned() } else { text };
    [
        d.ip.to_string(),
        d.mac.to_string(),
        what.category.title().to_owned(),
        what.kind.to_string(),
        or_none(model),
        or_none(what.name.as_deref().unwrap_or_default().to_owned()),
        d.verdict.id().to_owned(),
        d.last_seen.to_string(),
    ]
}
