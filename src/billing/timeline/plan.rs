//! One plan, and its status at an instant (P1 to P6).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::census::Timestamp;
use crate::census::time::{DAY, HOUR, SECOND, rfc3339};

/// How long a cancelled plan stays in effect (P5): one hour, in nanoseconds.
pub const NOTICE: i64 = HOUR;
/// How long a trial lasts (P1): 30 days, in nanoseconds.
pub const TRIAL: i64 = 30 * DAY;
/// A committed number is a multiple of this (P2).
pub const STEP: u64 = 100;
/// The largest number that can be committed.
pub const LARGEST: u64 = 1_000_000_000;

/// The kinds of plan (P1).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = Kind)]
pub enum PlanKind {
    /// 30 days, any number of devices.
    Trial,
    /// A committed number, charged by the month.
    Monthly,
    /// A committed number, bought for a year.
    Annual,
}

impl PlanKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Trial, Self::Monthly, Self::Annual];

    /// The word in the API and the store.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Monthly => "monthly",
            Self::Annual => "annual",
        }
    }
}

impl fmt::Display for PlanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for PlanKind {
    type Err = UnknownPlanKind;

    fn from_str(text: &str) -> Result<Self, UnknownPlanKind> {
        Self::ALL
            .into_iter()
            .find(|k| k.key() == text)
            .ok_or_else(|| UnknownPlanKind(text.chars().take(40).collect()))
    }
}

/// An unknown kind of plan.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("unknown kind of plan '{0}': use trial, monthly or annual")]
pub struct UnknownPlanKind(String);

/// One plan: a row of the timeline. Rows are only ever added. Cancelling sets `cancel_requested_at` of an existing row,
/// withdrawing clears it, and withdrawing a booking sets `withdrawn_at`. Kind, number and start never change (P4).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Plan {
    /// Counts from 1 within the subscription.
    pub number: i64,
    pub kind: PlanKind,
    /// The committed number of devices; none for a trial.
    pub committed: Option<u64>,
    /// When the terms were accepted.
    #[serde(with = "rfc3339")]
    pub accepted_terms_at: Timestamp,
    /// The first instant in effect.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// When the cancellation was confirmed; none if the plan is not cancelled.
    #[serde(with = "rfc3339::option")]
    pub cancel_requested_at: Option<Timestamp>,
    /// When the booking was withdrawn. A withdrawn plan is never in effect.
    #[serde(with = "rfc3339::option")]
    pub withdrawn_at: Option<Timestamp>,
    /// When the row was last changed.
    #[serde(with = "rfc3339")]
    pub changed_at: Timestamp,
}

/// A year of an annual plan: from an anniversary of its start to the next (P1).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub struct Term {
    /// The first instant.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The anniversary at which it ends, and at which the plan renews unless it was cancelled.
    #[serde(with = "rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
}

/// The same date and time `years` later, in UTC; 28 February for a 29th that the year does not have.
fn anniversary(from: Timestamp, years: i64) -> Timestamp {
    let utc = jiff::tz::Offset::UTC;
    let later = || {
        let began = utc.to_datetime(jiff::Timestamp::from_second(from.0.div_euclid(SECOND)).ok()?);
        let date = began.checked_add(jiff::Span::new().try_years(years).ok()?).ok()?;
        Some(utc.to_timestamp(date).ok()?.as_second())
    };
    later().map_or(Timestamp::MAX, Timestamp::from_secs)
}

/// The status of a plan at an instant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Status)]
pub enum PlanStatus {
    /// Not yet in effect.
    Booked,
    /// In effect.
    Active,
    /// In effect and cancelled: it ends within the hour.
    Cancelling,
    /// Over, because it was cancelled.
    Cancelled,
    /// A trial that ran out (P6).
    Expired,
    /// Booked, then withdrawn before its start: never in effect.
    Withdrawn,
}

impl PlanStatus {
    /// Whether the plan is in effect.
    pub const fn in_effect(self) -> bool {
        matches!(self, Self::Active | Self::Cancelling)
    }

    /// What a person reads.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::Active => "active",
            Self::Cancelling => "active, cancellation confirmed",
            Self::Cancelled => "cancelled",
            Self::Expired => "trial ended",
            Self::Withdrawn => "booking withdrawn",
        }
    }
}

impl Plan {
    /// The first instant at which it is no longer in effect: an hour after cancelling; for a trial at the latest 30 days
    /// after its start. A withdrawn booking ends when it starts. None if no end is known.
    pub fn to(&self) -> Option<Timestamp> {
        if self.withdrawn_at.is_some() {
            return Some(self.from);
        }
        let trial_end = (self.kind == PlanKind::Trial).then(|| self.from.plus(TRIAL));
        let notice_end = self.cancel_requested_at.map(|at| at.plus(NOTICE));
        match (trial_end, notice_end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The term of an annual plan at an instant, or its first one before it starts; none for other kinds. Terms follow from
    /// the start alone, also after the plan's end.
    pub fn term(&self, at: Timestamp) -> Option<Term> {
        if self.kind != PlanKind::Annual {
            return None;
        }
        let year = |at: Timestamp| {
            let second = jiff::Timestamp::from_second(at.0.div_euclid(SECOND)).unwrap_or_default();
            i64::from(jiff::tz::Offset::UTC.to_datetime(second).year())
        };
        let years = year(at).saturating_sub(year(self.from)).max(0);
        let passed = if anniversary(self.from, years) <= at { years } else { (years - 1).max(0) };
        Some(Term { from: anniversary(self.from, passed), to: anniversary(self.from, passed + 1) })
    }

    /// The status at `now`.
    pub fn status(&self, now: Timestamp) -> PlanStatus {
        if self.withdrawn_at.is_some() {
            PlanStatus::Withdrawn
        } else if now < self.from {
            PlanStatus::Booked
        } else if self.to().is_none_or(|to| now < to) {
            if self.cancel_requested_at.is_some() { PlanStatus::Cancelling } else { PlanStatus::Active }
        } else if self.cancel_requested_at.is_some_and(|at| self.to() == Some(at.plus(NOTICE))) {
            PlanStatus::Cancelled
        } else {
            PlanStatus::Expired
        }
    }
}

/// The present of a timeline: `now`, rounded down to the second, but never before the last change. So a clock that is set
/// back cannot restart a plan that has ended, once somebody acted on its end.
pub fn present(plans: &[Plan], now: Timestamp) -> Timestamp {
    plans.iter().map(|p| p.changed_at).fold(whole_second(now), Timestamp::max)
}

/// The plan in effect at `now`, if any (P1: at most one is).
pub fn in_effect(plans: &[Plan], now: Timestamp) -> Option<&Plan> {
    let now = present(plans, now);
    plans.iter().find(|p| p.status(now).in_effect())
}

/// The plan that was in effect at an earlier instant, if any. Unlike [`in_effect`], later changes do not matter.
pub fn was_in_effect(plans: &[Plan], at: Timestamp) -> Option<&Plan> {
    plans.iter().find(|p| p.status(at).in_effect())
}

/// The start of the second in which an instant lies.
pub fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.0.div_euclid(SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn plan(kind: PlanKind, from: &str) -> Plan {
        let from = at(from);
        Plan {
            number: 1,
            kind,
            committed: Some(100),
            accepted_terms_at: from,
            from,
            cancel_requested_at: None,
            withdrawn_at: None,
            changed_at: from,
        }
    }

    #[test]
    fn an_annual_plan_renews_at_the_anniversaries_of_its_start() {
        let plan = plan(PlanKind::Annual, "2026-11-22T10:00:00Z");
        let term = |now: &str| plan.term(at(now)).map(|term| (term.from.to_string(), term.to.to_string()));
        let years = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        let first = years("2026-11-22T10:00:00Z", "2027-11-22T10:00:00Z");
        assert_eq!(term("2026-11-01T00:00:00Z"), first, "before it starts");
        assert_eq!(term("2026-11-22T10:00:00Z"), first);
        assert_eq!(term("2027-11-22T09:59:59Z"), first);
        assert_eq!(term("2027-11-22T10:00:00Z"), years("2027-11-22T10:00:00Z", "2028-11-22T10:00:00Z"));
        assert_eq!(term("2030-01-01T00:00:00Z"), years("2029-11-22T10:00:00Z", "2030-11-22T10:00:00Z"));
    }

    #[test]
    fn a_plan_of_a_leap_day_renews_on_the_28th_and_on_the_next_leap_day() {
        let plan = plan(PlanKind::Annual, "2028-02-29T00:00:00Z");
        let end = |now: &str| plan.term(at(now)).unwrap().to.to_string();
        assert_eq!(end("2028-03-01T00:00:00Z"), "2029-02-28T00:00:00Z");
        assert_eq!(end("2031-12-31T00:00:00Z"), "2032-02-29T00:00:00Z");
    }

    #[test]
    fn other_kinds_have_no_terms() {
        for kind in [PlanKind::Trial, PlanKind::Monthly] {
            assert_eq!(plan(kind, "2026-11-22T10:00:00Z").term(at("2027-01-01T00:00:00Z")), None);
        }
    }
}
