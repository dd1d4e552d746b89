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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Limit;

    #[test]
    fn the_first_findings_are_printed_with_their_advice_and_the_others_are_counted() {
        let findings: Vec<Finding> =
            (0..12).map(|n| Finding::lower_bound(&format!("z{n}"), Limit::Learned)).collect();
        let mut out = Vec::new();
        print(&mut out, &findings, 4_000, "--json").unwrap();
        let text = String::from_utf8(out).unwrap();
        let first = format!("Check: {}\n    -> {}\n", findings[0], findings[0].advice);
        assert!(text.starts_with(&first), "{text}");
        assert_eq!(text.matches("Check: ").count(), SHOWN);
        assert!(text.ends_with("… and 3990 more findings; --json lists them\n"), "{text}");
    }
}
