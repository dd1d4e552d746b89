//! The dates of one list. The order of day and month is decided by all dates of the list together, never by one row.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::cell::squash;
use super::moment::{self, Moment};
use super::unread::Unread;
use crate::census::time::DAY;
use crate::census::{Timestamp, clean};

/// How far ahead of the estimate's instant a date may be: zones differ by at most 26 hours.
const AHEAD: i64 = 2 * DAY;

/// The order of day and month where numbers alone name both.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// As in `25/11/2026`.
    DayFirst,
    /// As in `11/25/2026`.
    MonthFirst,
    /// No date of the list tells. The later of the two days is taken.
    Unknown,
    /// Some dates tell one order, and some the other. Where a date tells neither, the later of the two days is taken.
    Mixed,
}

/// How a list's dates were read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct DateReport {
    /// The column, or the member in JSON.
    pub column: String,
    /// Dates that were read.
    pub read: u64,
    /// The order of day and month; null if no date needs one.
    pub order: Option<DateOrder>,
    /// A date that decided the order; null if none did.
    pub decided_by: Option<String>,
    /// Dates that could be two days, of which the later was taken.
    pub either: u64,
}

impl DateReport {
    /// How the dates were read, for people.
    pub fn sentence(&self) -> String {
        let decided =
            self.decided_by.as_deref().map(|text| format!(", decided by '{text}'")).unwrap_or_default();
        let order = match self.order {
            None => String::new(),
            Some(DateOrder::DayFirst) => format!(", the day before the month{decided}"),
            Some(DateOrder::MonthFirst) => format!(", the month before the day{decided}"),
            Some(DateOrder::Unknown) => ", and nothing tells the order of day and month".to_owned(),
            Some(DateOrder::Mixed) => ", and they mix both orders of day and month".to_owned(),
        };
        let either = match self.either {
            0 => String::new(),
            n => format!("; {n} could be two days, of which the later was taken"),
        };
        format!("{}: {} read{order}{either}", self.column, self.read)
    }
}

/// Reads the dates of a list.
#[derive(Clone, Debug)]
pub(super) struct Dates {
    as_of: Option<Timestamp>,
    order: Option<DateOrder>,
    decided_by: Option<String>,
    /// Whether the header says that numbers are days before the list was made.
    is_age: bool,
    read: u64,
    either: u64,
    unread: BTreeMap<(String, &'static str), u64>,
}

impl Dates {
    /// Decides the order by all `texts`. `header` names the column; `as_of` is the instant of the estimate, after which
    /// nothing was seen; `None` if dates may be later, as ends of leases are.
    pub(super) fn of<'a>(
        texts: impl Iterator<Item = &'a str>,
        header: Option<&str>,
        as_of: Option<Timestamp>,
    ) -> Self {
        // (texts that only the one order makes a day, of which one; the same for the other order; texts that need one)
        let (mut day, mut month, mut needs) = ((0_u64, None), (0_u64, None), false);
        let possible =
            |at: Option<Timestamp>| at.filter(|at| moment::is_possible(*at) && !is_ahead(*at, as_of));
        for text in texts {
            let Moment::Slashed { day_first, month_first } = moment::read(text) else { continue };
            needs = true;
            let which = match (possible(day_first), possible(month_first)) {
                (Some(_), None) => &mut day,
                (None, Some(_)) => &mut month,
                _ => continue,
            };
            which.0 += 1;
            // The smallest text, so that the order of rows does not matter.
            let text = clean(text.as_bytes()).unwrap_or_default();
            if which.1.as_deref().is_none_or(|known: &str| text.as_str() < known) {
                which.1 = Some(text);
            }
        }
        let (order, decided_by) = match ((day.0, month.0), needs) {
            (_, false) => (None, None),
            ((0, 0), true) => (Some(DateOrder::Unknown), None),
            ((_, 0), true) => (Some(DateOrder::DayFirst), day.1),
            ((0, _), true) => (Some(DateOrder::MonthFirst), month.1),
            _ => (Some(DateOrder::Mixed), None),
        };
        let is_age = header.map(squash).is_some_and(|h| {
            ["days", "tage", "jours", "dias", "giorni"].iter().any(|unit| h.contains(unit))
                || h.ends_with("age")
        });
        Self { as_of, order, decided_by, is_age, read: 0, either: 0, unread: BTreeMap::new() }
    }

    /// The instant of a text; `None` if it is not understood, which is counted.
    pub(super) fn read(&mut self, text: &str) -> Option<Timestamp> {
        let found = self.instant(text);
        match found {
            Ok((at, is_either)) => {
                self.read += 1;
                self.either += u64::from(is_either);
                Some(at)
            }
            Err(because) => {
                let text = clean(text.as_bytes()).unwrap_or_default().chars().take(60).collect();
                *self.unread.entry((text, because)).or_default() += 1;
                None
            }
        }
    }

    fn instant(&self, text: &str) -> Result<(Timestamp, bool), &'static str> {
        let ago = |ago: i64| match self.as_of {
            Some(as_of) => Ok((as_of.plus(-ago), false)),
            None => Err("names an age, and nothing tells when the list was made"),
        };
        let (at, is_either) = match moment::read(text) {
            Moment::At(at) => (at, false),
            Moment::Slashed { day_first, month_first } => {
                let later = day_first.max(month_first);
                let (found, is_either) = match (self.order, day_first, month_first) {
                    (Some(DateOrder::DayFirst), Some(at), _) => (Some(at), false),
                    (Some(DateOrder::MonthFirst), _, Some(at)) => (Some(at), false),
                    (_, Some(at), None) | (_, None, Some(at)) => (Some(at), false),
                    _ => (later, true),
                };
                (found.ok_or("is not a date")?, is_either)
            }
            Moment::Ago(length) => ago(length)?,
            Moment::Number(days) if self.is_age && (0.0..100_000.0).contains(&days) => {
                ago(moment::span(days * 86_400.0).ok_or("is not an age")?)?
            }
            Moment::Number(_) => return Err("is a number that is not a date in any usual unit"),
            Moment::Unknown => return Err("is not understood as a date"),
        };
        if !moment::is_possible(at) {
            return Err("would be before 1990");
        }
        if is_ahead(at, self.as_of) {
            return Err("would be in the future");
        }
        Ok((at, is_either))
    }

    /// How the dates were read, and what was not understood; `None` if there was no date.
    pub(super) fn report(self, column: &str) -> (Option<DateReport>, Vec<Unread>) {
        let unread: Vec<Unread> = self
            .unread
            .into_iter()
            .map(|((text, why), rows)| Unread {
                column: column.to_owned(),
                text,
                rows,
                why: why.to_owned(),
                effect: "counts as active, unless another date tells".to_owned(),
            })
            .collect();
        if self.read == 0 && unread.is_empty() {
            return (None, unread);
        }
        let Self { read, order, decided_by, either, .. } = self;
        (Some(DateReport { column: column.to_owned(), read, order, decided_by, either }), unread)
    }
}

fn is_ahead(at: Timestamp, as_of: Option<Timestamp>) -> bool {
    as_of.is_some_and(|as_of| at.since(as_of) > AHEAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &[&str], header: &str) -> (Vec<Option<String>>, Option<DateReport>, usize) {
        let as_of = "2026-11-29T00:00:00Z".parse().ok();
        let mut dates = Dates::of(texts.iter().copied(), Some(header), as_of);
        let found =
            texts.iter().map(|t| dates.read(t).map(|at| at.to_string().chars().take(10).collect())).collect();
        let (report, unread) = dates.report(header);
        (found, report, unread.len())
    }

    fn some(days: &[&str]) -> Vec<Option<String>> {
        days.iter().map(|d| Some((*d).to_owned())).collect()
    }

    #[test]
    fn one_date_decides_the_order_of_a_whole_column() {
        let (found, report, _) = all(&["11/25/2026", "02/03/2024"], "Last seen");
        assert_eq!(found, some(&["2026-11-25", "2024-02-03"]));
        assert_eq!(report.unwrap().order, Some(DateOrder::MonthFirst));
        let (found, report, _) = all(&["02/03/2024", "25/11/2026"], "Last seen");
        assert_eq!(found, some(&["2024-03-02", "2026-11-25"]));
        assert_eq!(report.unwrap().decided_by.as_deref(), Some("25/11/2026"));
        // Only one order keeps every date in the past.
        assert_eq!(all(&["10/12/2026"], "Last seen").0, some(&["2026-10-12"]));
    }

    #[test]
    fn a_date_that_could_be_two_days_is_the_later_one_and_told() {
        let (found, report, _) = all(&["02/03/2024"], "Last seen");
        assert_eq!(found, some(&["2024-03-02"]));
        let report = report.unwrap();
        assert_eq!((report.order, report.either), (Some(DateOrder::Unknown), 1));
        let (_, report, _) = all(&["25/11/2026", "11/25/2026"], "Last seen");
        assert_eq!(report.unwrap().order, Some(DateOrder::Mixed));
    }

    #[test]
    fn small_numbers_are_ages_only_if_the_header_says_so() {
        assert_eq!(all(&["0", "12"], "Last seen (days ago)").0, some(&["2026-11-29", "2026-11-17"]));
        let (found, _, unread) = all(&["0", "12"], "Last seen");
        assert_eq!((found, unread), (vec![None, None], 2));
    }

    #[test]
    fn a_date_that_cannot_be_true_is_told_and_not_taken() {
        for text in ["2035-01-01", "1970-01-01", "never", "12"] {
            let (found, _, unread) = all(&[text], "Last seen");
            assert_eq!((found, unread), (vec![None], 1), "{text}");
        }
    }
}
