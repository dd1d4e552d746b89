//! The plan's timeline (P1 to P10): pure functions of a subscription's plan rows and an instant.
//!
//! Instants are whole seconds in UTC, as statements charge by the second; ranges are half-open. No function here
//! reads a clock, so a stopped scheduler can delay a notice, never a state. What may be done to a timeline, and what
//! a clock that goes back means to it, is told by [`History`].

mod history;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use self::history::committable;
pub use self::history::{HISTORY, History, PlanChange, PlanRefusal};
use crate::census::{Timestamp, time::rfc3339};

/// A second, in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;
/// How long a cancelled plan stays in effect (P5): one hour, in nanoseconds.
pub const NOTICE: i64 = 3_600 * SECOND;
/// How long a trial lasts (P1): 30 days, in nanoseconds.
pub const TRIAL: i64 = 30 * 86_400 * SECOND;
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

/// A word that is no kind of plan.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is no kind of plan; it is trial, monthly or annual")]
pub struct UnknownPlanKind(String);

/// One plan: a row of the timeline. Rows are only ever added. Of a row that is there, cancelling sets
/// `cancel_requested_at`, withdrawing clears it, and a booking that is withdrawn gets its `withdrawn_at`: kind, number
/// and start never change (P4).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Plan {
    /// Counts from 1 within the subscription.
    pub number: i64,
    /// Kind.
    pub kind: PlanKind,
    /// The number of devices committed to; none for a trial.
    pub committed: Option<u64>,
    /// When the terms were accepted.
    #[serde(with = "rfc3339")]
    pub accepted_terms_at: Timestamp,
    /// The first instant in effect.
    #[serde(with = "rfc3339")]
    pub from: Timestamp,
    /// When the cancellation was confirmed, where one stands.
    #[serde(with = "rfc3339::option")]
    pub cancel_requested_at: Option<Timestamp>,
    /// When the booking was withdrawn, where it was: such a plan is never in effect.
    #[serde(with = "rfc3339::option")]
    pub withdrawn_at: Option<Timestamp>,
    /// When the row was last changed.
    #[serde(with = "rfc3339")]
    pub changed_at: Timestamp,
}

/// Where a plan stands at an instant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = Status)]
pub enum PlanStatus {
    /// Not yet in effect.
    Booked,
    /// In effect.
    Active,
    /// In effect, and cancelled: it ends within the hour.
    Cancelling,
    /// Over, because it was cancelled.
    Cancelled,
    /// A trial that ran out (P6).
    Expired,
    /// Booked once, withdrawn before its start: never in effect.
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
    /// The first instant no longer in effect: an hour after cancelling, and for a trial 30 days after its start at
    /// the latest. A booking that was withdrawn ends where it starts. None for a plan that runs on.
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

    /// Where the plan stands at `now`.
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

/// The present of a timeline: `now` to the second, but never before what was last changed in it. So a clock that is
/// put back can make no plan that has ended run again, once anybody acted on its end.
pub fn present(plans: &[Plan], now: Timestamp) -> Timestamp {
    plans.iter().map(|p| p.changed_at).fold(whole_second(now), Timestamp::max)
}

/// The plan that is in effect at `now`, if any (P1: there is one at most).
pub fn in_effect(plans: &[Plan], now: Timestamp) -> Option<&Plan> {
    let now = present(plans, now);
    plans.iter().find(|p| p.status(now).in_effect())
}

/// What a person asks for when onboarding.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Onboarding {
    /// Kind.
    pub kind: PlanKind,
    /// The number of devices to commit to: a positive multiple of 100; none for a trial.
    #[serde(default)]
    pub devices: Option<u64>,
    /// Whether the terms are accepted; nothing is onboarded otherwise.
    #[serde(default)]
    pub accept_terms: bool,
}

/// The second in which an instant lies.
pub fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.0.div_euclid(SECOND))
}
