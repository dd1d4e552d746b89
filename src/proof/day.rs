//! UTC days, and which of them are due for sealing.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::billing::statement::Month;
use crate::billing::timeline::Plan;
use crate::census::Timestamp;
use crate::census::time::{DAY, MINUTE, SECOND};

/// How long after its end a day is sealed, in nanoseconds: sensors have uploaded the rest of the day by then.
pub(crate) const SETTLED_AFTER: i64 = 10 * MINUTE;
/// How many days back a missed day is still sealed.
pub(crate) const CAUGHT_UP: i64 = 31;
/// How many days back late uploads still cause a new revision.
pub(crate) const REVISED: i64 = 62;

/// A UTC day. Prints as `2026-11-21`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Day(Date);

impl Day {
    /// The day of an instant.
    pub fn of(at: Timestamp) -> Self {
        let seconds = at.0.div_euclid(SECOND);
        let instant = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(jiff::tz::Offset::UTC.to_datetime(instant).date())
    }

    pub fn start(self) -> Timestamp {
        let epoch = Date::constant(1970, 1, 1);
        let days = epoch.until(self.0).map_or(0, |span| i64::from(span.get_days()));
        Timestamp(days.saturating_mul(DAY))
    }

    /// The first instant after it.
    pub fn end(self) -> Timestamp {
        self.start().plus(DAY)
    }

    /// The day that lies `days` after it.
    #[must_use]
    pub fn plus(self, days: i64) -> Self {
        Self::of(self.start().plus(days.saturating_mul(DAY)))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Day {
    type Err = BadDay;

    fn from_str(text: &str) -> Result<Self, BadDay> {
        let bad = || BadDay(text.chars().take(40).collect());
        let day = Self(text.parse().map_err(|_| bad())?);
        // A day has one spelling, and its instants must fit a timestamp.
        let known = (1970..2262).contains(&day.0.year()) && day.to_string() == text;
        known.then_some(day).ok_or_else(bad)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that cannot be read as a day.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("invalid day '{0}': write it as 2026-11-21")]
pub struct BadDay(String);

/// Consecutive days, half-open.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    pub from: Day,
    /// The first day after it.
    pub to: Day,
}

impl Span {
    pub fn contains(&self, day: Day) -> bool {
        self.from <= day && day < self.to
    }
}

impl From<Month> for Span {
    fn from(month: Month) -> Self {
        Self { from: Day::of(month.from()), to: Day::of(month.to()) }
    }
}

/// The newest revision of a sealed day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sealed {
    pub day: Day,
    /// When that revision was sealed.
    pub sealed_at: Timestamp,
    /// Whether later uploads contain frames of the day.
    pub late: bool,
}

/// A day to seal.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Due {
    pub day: Day,
    /// Whether it is sealed already and late uploads cause a new revision.
    pub revision: bool,
}

/// The days that are due at `now`, the earliest first.
///
/// A day is due `SETTLED_AFTER` its end if a plan was in effect during it. Without a plan nothing needs proof, but a
/// person may still ask for a snapshot. Missed days are sealed up to `CAUGHT_UP` days later. Late uploads cause a new
/// revision up to `REVISED` days later, at most one per day.
pub fn due(now: Timestamp, plans: &[Plan], sealed: &[Sealed]) -> Vec<Due> {
    let settled = Day::of(now.plus(-SETTLED_AFTER));
    let missed = (1..=CAUGHT_UP)
        .map(|back| settled.plus(-back))
        .filter(|day| plan_of(plans, *day).is_some() && sealed.iter().all(|s| s.day != *day));
    let missed = missed.map(|day| Due { day, revision: false });
    let changed = sealed.iter().filter(|s| {
        s.late && s.day < settled && s.day >= settled.plus(-REVISED) && Day::of(s.sealed_at) < settled
    });
    let changed = changed.map(|s| Due { day: s.day, revision: true });
    let mut out: Vec<Due> = missed.chain(changed).collect();
    out.sort_unstable();
    out
}

/// The last plan that was in effect during a day.
pub(crate) fn plan_of(plans: &[Plan], day: Day) -> Option<&Plan> {
    let in_effect = |p: &&Plan| {
        let to = p.to().unwrap_or(Timestamp(i64::MAX));
        p.from < to && p.from < day.end() && to > day.start()
    };
    plans.iter().filter(in_effect).max_by_key(|p| p.from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::timeline::PlanKind;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn plan(number: i64, from: &str, cancelled: Option<&str>) -> Plan {
        Plan {
            number,
            kind: PlanKind::Monthly,
            committed: Some(100),
            accepted_terms_at: at(from),
            from: at(from),
            cancel_requested_at: cancelled.map(at),
            withdrawn_at: None,
            changed_at: cancelled.map_or_else(|| at(from), at),
        }
    }

    fn days(due: &[Due]) -> Vec<String> {
        due.iter().map(|d| format!("{}{}", d.day, if d.revision { "+" } else { "" })).collect()
    }

    #[test]
    fn a_day_has_one_spelling_and_its_instants() {
        let d = day("2026-11-21");
        assert_eq!(d.start(), at("2026-11-21T00:00:00Z"));
        assert_eq!(d.end(), at("2026-11-22T00:00:00Z"));
        assert_eq!((Day::of(d.start()), Day::of(d.end().plus(-1))), (d, d));
        assert_eq!(day("2026-12-31").plus(1).to_string(), "2027-01-01");
        assert_eq!(day("2024-02-29").plus(-1).to_string(), "2024-02-28");
        for text in ["2026-11-31", "2026-1-1", "20261121", "2026-11-21T00:00:00Z", "1200-01-01", ""] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_month_reaches_to_the_next() {
        let month = Span::from("2026-12".parse::<Month>().unwrap());
        assert_eq!(
            (month.from.to_string(), month.to.to_string()),
            ("2026-12-01".into(), "2027-01-01".into())
        );
        assert!(month.contains(day("2026-12-31")) && !month.contains(day("2027-01-01")));
    }

    #[test]
    fn a_day_is_due_ten_minutes_after_its_end() {
        let plans = [plan(1, "2026-11-20T15:00:00Z", None)];
        assert!(days(&due(at("2026-11-21T00:09:59.999999999Z"), &plans, &[])).is_empty());
        assert_eq!(days(&due(at("2026-11-21T00:10:00Z"), &plans, &[])), ["2026-11-20"]);
        assert_eq!(days(&due(at("2026-11-22T00:10:00Z"), &plans, &[])), ["2026-11-20", "2026-11-21"]);
    }

    #[test]
    fn days_without_a_plan_are_not_due_and_missed_ones_are_caught_up_within_bounds() {
        let plans = [
            plan(1, "2026-11-01T00:00:00Z", Some("2026-11-02T22:59:59Z")),
            plan(2, "2026-11-05T23:59:59Z", Some("2026-11-06T12:00:00Z")),
        ];
        assert_eq!(
            days(&due(at("2026-11-10T12:00:00Z"), &plans, &[])),
            ["2026-11-01", "2026-11-02", "2026-11-05", "2026-11-06"]
        );
        let long = [plan(1, "2025-01-01T00:00:00Z", None)];
        let missed = due(at("2026-11-10T12:00:00Z"), &long, &[]);
        assert_eq!(missed.len(), 31);
        assert_eq!(missed.first().unwrap().day, day("2026-10-10"));
    }

    #[test]
    fn a_plan_that_ended_at_midnight_was_not_in_effect_on_that_day() {
        let plans = [plan(1, "2026-11-01T00:00:00Z", Some("2026-11-02T23:00:00Z"))];
        assert!(plan_of(&plans, day("2026-11-02")).is_some());
        assert!(plan_of(&plans, day("2026-11-03")).is_none());
        let both = [plans[0].clone(), plan(2, "2026-11-03T00:00:00Z", None)];
        assert_eq!(plan_of(&both, day("2026-11-03")).unwrap().number, 2);
    }

    #[test]
    fn late_uploads_make_one_revision_of_a_day_each_day() {
        let sealed =
            |day_: &str, sealed_at: &str, late| Sealed { day: day(day_), sealed_at: at(sealed_at), late };
        let now = at("2026-11-22T15:00:00Z");
        let plans = [];
        let due = |sealed: &[Sealed]| days(&due(now, &plans, sealed));
        assert!(due(&[sealed("2026-11-20", "2026-11-21T00:10:00Z", false)]).is_empty());
        assert_eq!(due(&[sealed("2026-11-20", "2026-11-21T00:10:00Z", true)]), ["2026-11-20+"]);
        assert!(due(&[sealed("2026-11-21", "2026-11-22T00:10:00Z", true)]).is_empty(), "tomorrow");
        assert!(due(&[sealed("2026-09-20", "2026-09-21T00:10:00Z", true)]).is_empty(), "too long ago");
        assert!(
            due(&[sealed("2026-11-22", "2026-11-21T00:10:00Z", true)]).is_empty(),
            "a clock that went back"
        );
    }
}
