//! EPSS: how likely a vulnerability is exploited within 30 days. A table `cve,epss,percentile`, after a line with the
//! model's version and the date of the scores.

use std::io::{BufRead, Read as _};

use super::error::ReadError;
use super::id::CveId;
use super::limits::day;

/// The longest line.
const LINE: u64 = 1_024;

/// A score, in hundred-thousandths, because scores have five digits after the point.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Epss {
    pub cve: CveId,
    /// 0 to 100,000.
    pub score: u32,
    /// 0 to 100,000.
    pub percentile: u32,
}

/// Reads the table; calls `each` with the line of a score. Answers the date of the scores.
pub(super) fn table(
    input: &mut dyn BufRead,
    each: &mut dyn FnMut(u64, Result<Epss, String>) -> Result<(), ReadError>,
) -> Result<Option<String>, ReadError> {
    let (mut line, mut number, mut dated) = (Vec::new(), 0, None);
    loop {
        line.clear();
        if input.take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(dated);
        }
        number += 1;
        if !line.ends_with(b"\n") && line.len() as u64 == LINE {
            return Err(ReadError::Syntax { at: number, why: "a line is too long" });
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if let Some(comment) = text.strip_prefix('#') {
            dated = comment.split("score_date:").nth(1).and_then(day).or(dated);
        } else if !text.is_empty() && !text.to_lowercase().starts_with("cve,") {
            each(number, score(text).ok_or_else(|| "not cve,epss,percentile".to_owned()))?;
        }
    }
}

fn score(line: &str) -> Option<Epss> {
    let mut cells = line.split(',').map(str::trim);
    let cve = cells.next()?.parse().ok()?;
    let (score, percentile) = (part(cells.next()?)?, part(cells.next()?)?);
    cells.next().is_none().then_some(Epss { cve, score, percentile })
}

fn part(text: &str) -> Option<u32> {
    let number: f64 = text.parse().ok().filter(|n| (0.0..=1.0).contains(n))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 100,000")]
    Some((number * 100_000.0).round() as u32)
}
