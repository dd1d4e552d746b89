//! The rows of an estimate as CSV (RFC 4180, UTF-8).

use crate::estimate::{Estimate, RowOutcome};
use crate::listing::harmless;

/// The columns.
const HEADER: [&str; 11] =
    ["file", "row", "outcome", "rule", "same_as", "category", "type", "name", "mac", "ip", "why"];

/// All rows, in the order of the lists.
pub fn csv(estimate: &Estimate) -> Vec<u8> {
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    // Writing to memory does not fail.
    out.write_record(HEADER).ok();
    for row in &estimate.rows {
        let cells = [
            row.file.clone(),
            row.row.to_string(),
            outcome(row.outcome).to_owned(),
            row.rule.unwrap_or_default().to_owned(),
            row.same_as.clone().unwrap_or_default(),
            row.category.key().to_owned(),
            row.kind.clone(),
            row.name.clone().unwrap_or_default(),
            row.mac.map(|mac| mac.to_string()).unwrap_or_default(),
            row.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            row.why.clone(),
        ];
        out.write_record(cells.map(|cell| harmless(&cell).into_owned())).ok();
    }
    out.into_inner().unwrap_or_default()
}

/// An outcome in words.
pub const fn outcome(outcome: RowOutcome) -> &'static str {
    match outcome {
        RowOutcome::Taken => "counted",
        RowOutcome::Merged => "same",
        RowOutcome::Excluded => "not counted",
        RowOutcome::Unreadable => "unreadable",
    }
}
