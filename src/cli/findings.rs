//! Findings of the census, as commands print them.

use std::io::{self, Write};

use crate::census::Finding;

/// The most findings in the text.
const SHOWN: usize = 10;

/// Writes the first findings of `total`, each with its advice. `option` prints all of them.
///
/// # Errors
/// If `out` cannot be written.
pub(crate) fn print<'f>(
    out: &mut dyn Write,
    findings: impl IntoIterator<Item = &'f Finding>,
    total: u64,
    option: &str,
) -> io::Result<()> {
    for finding in findings.into_iter().take(SHOWN) {
        writeln!(out, "Check: {finding}\n    -> {}", finding.advice)?;
    }
    match total.saturating_sub(SHOWN as u64) {
        0 => Ok(()),
        more => writeln!(out, "… and {more} more findings; {option} lists them"),
    }
}
