//! An estimate for people.

use std::io::{self, Write};

use crate::cli::table;
use crate::estimate::{Estimate, Exclusion, FileReport, RowOutcome};

/// Texts of a kind that a report in words names; `--json` has all.
const NAMED: usize = 12;

/// The estimate for people: first the arithmetic, then the devices that do not count, then the unreadable rows.
pub(super) fn write_estimate(out: &mut dyn Write, e: &Estimate, report: bool) -> io::Result<()> {
    writeln!(out, "{}", e.arithmetic)?;
    match e.committed {
        Some(committed) if e.over > 0 => writeln!(
            out,
            "The plan in effect commits {committed}: {} fewer than that. Nothing is blocked (P3). {}",
            e.over,
            e.advice()
        )?,
        Some(committed) if e.at_least => {
            writeln!(out, "The plan in effect commits {committed}, which covers at least that.")?;
        }
        Some(committed) => writeln!(out, "The plan in effect commits {committed}, which covers that.")?,
        None => writeln!(out, "{}", e.advice())?,
    }
    for why in &e.because {
        writeln!(out, "A lower bound: {why}.")?;
    }
    let mut rows = Vec::new();
    if let Some(i) = e.inventory {
        let counted = i.billable - i.no_longer + i.besides;
        let numbers = [i.devices, counted, 0, i.devices - counted, 0];
        rows.push(line("the inventory", "sensors", numbers));
    }
    for file in &e.files {
        let l = file.ledger;
        rows.push(line(&file.name, file.kind.key(), [l.rows, l.taken, l.merged, l.excluded, l.unreadable]));
    }
    writeln!(out)?;
    table::print(
        out,
        &["SOURCE", "KIND", ">ROWS", ">COUNTED", ">SAME AS", ">NOT COUNTED", ">UNREADABLE"],
        &rows,
    )?;
    for file in &e.files {
        write_reading(out, file)?;
    }
    if !e.ties.is_empty() {
        writeln!(out)?;
        let rows: Vec<Vec<String>> =
            e.ties.iter().map(|t| vec![t.by.to_owned(), t.rows.to_string(), t.examples.join("; ")]).collect();
        table::print(out, &["SAME DEVICE BY", ">ROWS", "FOR EXAMPLE"], &rows)?;
    }
    if !e.untied.is_empty() {
        writeln!(out)?;
        let rows: Vec<Vec<String>> =
            e.untied.iter().map(|u| vec![u.value.clone(), u.rows.to_string(), u.why.clone()]).collect();
        table::print(out, &["TIES NOTHING", ">ROWS", "WHY"], &rows)?;
    }
    let titles = Exclusion::ALL.map(|x| (x.id(), x.title()));
    let rows: Vec<Vec<String>> = titles
        .iter()
        .filter_map(|(id, title)| {
            Some(vec![(*id).to_owned(), e.excluded.get(id)?.to_string(), (*title).to_owned()])
        })
        .collect();
    if !rows.is_empty() {
        writeln!(out)?;
        table::print(out, &["NOT COUNTED", ">DEVICES", "WHY"], &rows)?;
    }
    let rows: Vec<Vec<String>> = e
        .rows
        .iter()
        .filter(|r| report || r.outcome == RowOutcome::Unreadable)
        .map(|r| {
            let outcome = match r.outcome {
                RowOutcome::Taken => "counted",
                RowOutcome::Merged => "same",
                RowOutcome::Excluded => "not counted",
                RowOutcome::Unreadable => "unreadable",
            };
            let of = |text: Option<String>| text.unwrap_or_default();
            vec![
                format!("{}:{}", r.file, r.row),
                outcome.to_owned(),
                of(r.name.clone()),
                of(r.mac.map(|m| m.to_string())),
                of(r.ip.map(|i| i.to_string())),
                r.why.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        writeln!(out)?;
        table::print(out, &["ROW", "OUTCOME", "NAME", "MAC", "IP", "WHY"], &rows)?;
    }
    Ok(())
}

fn line(name: &str, kind: &str, numbers: [u64; 5]) -> Vec<String> {
    [name.to_owned(), kind.to_owned()].into_iter().chain(numbers.map(|n| n.to_string())).collect()
}

/// How a file was read: its columns, dates, states, and what was not understood.
fn write_reading(out: &mut dyn Write, file: &FileReport) -> io::Result<()> {
    writeln!(out)?;
    match file.product {
        Some(product) => writeln!(out, "{}: an export of {product}", file.name)?,
        None => writeln!(out, "{}:", file.name)?,
    }
    for (label, text) in file.read_as() {
        writeln!(out, "  {label}: {text}")?;
    }
    for unread in file.not_understood.iter().take(NAMED) {
        writeln!(out, "  {}", unread.sentence())?;
    }
    if let Some(more) = file.not_understood.len().checked_sub(NAMED).filter(|n| *n > 0) {
        writeln!(out, "  {more} more texts were not understood; --json names all")?;
    }
    for note in &file.notes {
        writeln!(out, "  {note}")?;
    }
    Ok(())
}
