//! The plan's timeline (census rules §3, P1 to P7): pure functions of a subscription's plan rows and an instant.
//!
//! Instants are whole seconds in UTC, as statements charge by the second; ranges are half-open. No function here
//! reads a clock, so a stopped scheduler can delay a notice, never a state.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::census::{Timestamp, time::rfc3339};

const SECOND: i64 = 1_000_000_000;
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
pub enum Kind {
    /// 30 days, any number of devices.
    Trial,
    /// A committed number, charged by the month.
    Monthly,
    /// A committed number, bought for a year.
    Annual,
}

impl Kind {
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

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|k| k.key() == text)
            .ok_or_else(|| UnknownKind(text.chars().take(40).collect()))
    }
}

/// A word that is no kind of plan.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("'{0}' is no kind of plan; it is trial, monthly or annual")]
pub struct UnknownKind(String);

/// One plan: a row of the timeline. Rows are only ever added; cancelling and withdrawing set `cancel_requested_at`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Plan {
    /// Counts from 1 within the subscription.
    pub number: i64,
    /// Kind.
    pub kind: Kind,
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
}

/// Where a plan stands at an instant.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
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
}

impl Status {
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
        }
    }
}

impl Plan {
    /// The first instant no longer in effect: an hour after cancelling, and for a trial 30 days after its start at
    /// the latest. None for a plan that runs on.
    pub fn to(&self) -> Option<Timestamp> {
        let trial_end = (self.kind == Kind::Trial).then(|| self.from.plus(TRIAL));
        let notice_end = self.cancel_requested_at.map(|at| at.plus(NOTICE));
        match (trial_end, notice_end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Where the plan stands at `now`.
    pub fn status(&self, now: Timestamp) -> Status {
        if now < self.from {
            Status::Booked
        } else if self.to().is_none_or(|to| now < to) {
            if self.cancel_requested_at.is_some() { Status::Cancelling } else { Status::Active }
        } else if self.cancel_requested_at.is_some_and(|at| self.to() == Some(at.plus(NOTICE))) {
            Status::Cancelled
        } else {
            Status::Expired
        }
    }
}

/// The plan that is in effect at `now`, if any (P1: there is one at most).
pub fn in_effect(plans: &[Plan], now: Timestamp) -> Option<&Plan> {
    plans.iter().find(|p| p.status(now).in_effect())
}

/// What a person asks for when onboarding.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Onboarding {
    /// Kind.
    pub kind: Kind,
    /// The number of devices to commit to: a positive multiple of 100; none for a trial.
    #[serde(default)]
    pub devices: Option<u64>,
    /// Whether the terms are accepted; nothing is onboarded otherwise.
    #[serde(default)]
    pub accept_terms: bool,
}

/// Why an action on the timeline is refused. Each is a problem type of its own.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Terms must be accepted (P1).
    #[error("the terms are not accepted; read them and send \"accept_terms\": true")]
    TermsNotAccepted,
    /// A trial has no number (P1).
    #[error("a trial covers any number of devices; leave the number out")]
    NumberForTrial,
    /// A commitment needs a number (P1).
    #[error(
        "a {0} plan needs the number of devices to commit to, a multiple of 100; the census proposes one"
    )]
    NumberMissing(Kind),
    /// The number is no positive multiple of 100 (P2).
    #[error("{asked} is no positive multiple of 100; commit {next}")]
    NotMultiple {
        /// What was asked.
        asked: u64,
        /// The next multiple.
        next: u64,
    },
    /// The number is beyond [`LARGEST`].
    #[error("{0} devices are more than can be committed; the most is 1000000000")]
    TooMany(u64),
    /// There is one already (P1).
    #[error("a {kind} plan is in effect{}; cancel it first, a new plan can start when it has ended", until(*.to))]
    AlreadyActive {
        /// Its kind.
        kind: Kind,
        /// When it ends, where that is known.
        to: Option<Timestamp>,
    },
    /// No plan is in effect.
    #[error("no plan is in effect; onboard one first")]
    NoPlan,
    /// It is cancelled already (P5).
    #[error("the plan is cancelled already and ends at {0}; withdraw the cancellation to keep it")]
    AlreadyCancelled(Timestamp),
    /// Nothing to withdraw.
    #[error("the plan is not cancelled, so there is nothing to withdraw")]
    NotCancelled,
}

fn until(to: Option<Timestamp>) -> String {
    to.map_or_else(String::new, |to| format!(" until {to}"))
}

/// The row that onboarding adds to `plans` at `now` (P1, P2).
///
/// # Errors
/// [`Refusal`], for the first rule that is broken.
pub fn onboard(plans: &[Plan], asked: &Onboarding, now: Timestamp) -> Result<Plan, Refusal> {
    let now = whole_second(now);
    if !asked.accept_terms {
        return Err(Refusal::TermsNotAccepted);
    }
    match (asked.kind, asked.devices) {
        (Kind::Trial, Some(_)) => return Err(Refusal::NumberForTrial),
        (Kind::Monthly | Kind::Annual, None) => return Err(Refusal::NumberMissing(asked.kind)),
        (_, Some(n)) if n > LARGEST => return Err(Refusal::TooMany(n)),
        (_, Some(n)) if n == 0 || n % STEP != 0 => {
            return Err(Refusal::NotMultiple { asked: n, next: n.max(1).next_multiple_of(STEP) });
        }
        _ => {}
    }
    if let Some(plan) = plans.iter().find(|p| p.to().is_none_or(|to| now < to)) {
        return Err(Refusal::AlreadyActive { kind: plan.kind, to: plan.to() });
    }
    Ok(Plan {
        number: plans.iter().map(|p| p.number).max().unwrap_or(0).saturating_add(1),
        kind: asked.kind,
        committed: asked.devices,
        accepted_terms_at: now,
        from: now,
        cancel_requested_at: None,
    })
}

/// The plan in effect, with its cancellation confirmed at `now` (P5).
///
/// # Errors
/// [`Refusal::NoPlan`] or [`Refusal::AlreadyCancelled`].
pub fn cancel(plans: &[Plan], now: Timestamp) -> Result<Plan, Refusal> {
    let now = whole_second(now);
    let plan = in_effect(plans, now).ok_or(Refusal::NoPlan)?;
    match (plan.cancel_requested_at, plan.to()) {
        (Some(_), Some(to)) => Err(Refusal::AlreadyCancelled(to)),
        _ => Ok(Plan { cancel_requested_at: Some(now), ..plan.clone() }),
    }
}

/// The plan in effect, with its cancellation withdrawn at `now`, which lies before its end (P5).
///
/// # Errors
/// [`Refusal::NoPlan`] or [`Refusal::NotCancelled`].
pub fn withdraw(plans: &[Plan], now: Timestamp) -> Result<Plan, Refusal> {
    let plan = in_effect(plans, whole_second(now)).ok_or(Refusal::NoPlan)?;
    if plan.cancel_requested_at.is_none() {
        return Err(Refusal::NotCancelled);
    }
    Ok(Plan { cancel_requested_at: None, ..plan.clone() })
}

/// The second in which an instant lies.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_secs(at.0.div_euclid(SECOND))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn asked(kind: Kind, devices: Option<u64>) -> Onboarding {
        Onboarding { kind, devices, accept_terms: true }
    }

    const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

    #[test]
    fn a_number_that_is_no_multiple_of_a_hundred_is_refused_with_the_next_one() {
        for (n, next) in [(0, 100), (1, 100), (99, 100), (101, 200), (1650, 1700), (1679, 1700)] {
            let refusal = onboard(&[], &asked(Kind::Monthly, Some(n)), NOW).unwrap_err();
            assert_eq!(refusal, Refusal::NotMultiple { asked: n, next });
            assert!(refusal.to_string().contains(&format!("commit {next}")));
        }
        assert_eq!(onboard(&[], &asked(Kind::Annual, Some(1700)), NOW).unwrap().committed, Some(1700));
        let huge = onboard(&[], &asked(Kind::Annual, Some(u64::MAX)), NOW);
        assert_eq!(huge, Err(Refusal::TooMany(u64::MAX)));
    }

    #[test]
    fn every_other_refusal_is_its_own() {
        let silent = Onboarding { accept_terms: false, ..asked(Kind::Trial, None) };
        assert_eq!(onboard(&[], &silent, NOW), Err(Refusal::TermsNotAccepted));
        assert_eq!(onboard(&[], &asked(Kind::Trial, Some(100)), NOW), Err(Refusal::NumberForTrial));
        assert_eq!(
            onboard(&[], &asked(Kind::Monthly, None), NOW),
            Err(Refusal::NumberMissing(Kind::Monthly))
        );
        let plan = onboard(&[], &asked(Kind::Monthly, Some(100)), NOW).unwrap();
        assert_eq!(
            onboard(std::slice::from_ref(&plan), &asked(Kind::Trial, None), NOW),
            Err(Refusal::AlreadyActive { kind: Kind::Monthly, to: None })
        );
        assert_eq!(withdraw(&[plan], NOW), Err(Refusal::NotCancelled));
        assert_eq!(cancel(&[], NOW), Err(Refusal::NoPlan));
        assert_eq!(withdraw(&[], NOW), Err(Refusal::NoPlan));
    }

    #[test]
    fn a_cancelled_plan_stays_in_effect_for_exactly_one_hour() {
        let plan = onboard(&[], &asked(Kind::Monthly, Some(1700)), at("2026-11-01T00:00:00Z")).unwrap();
        let plan = cancel(&[plan], at("2026-11-22T10:00:00Z")).unwrap();
        assert_eq!(plan.to(), Some(at("2026-11-22T11:00:00Z")));
        assert_eq!(plan.status(at("2026-11-22T10:59:59.999999999Z")), Status::Cancelling);
        assert_eq!(plan.status(at("2026-11-22T11:00:00Z")), Status::Cancelled);
        let again = cancel(std::slice::from_ref(&plan), at("2026-11-22T10:30:00Z"));
        assert_eq!(again, Err(Refusal::AlreadyCancelled(at("2026-11-22T11:00:00Z"))));
        let kept = withdraw(std::slice::from_ref(&plan), at("2026-11-22T10:59:59Z")).unwrap();
        assert_eq!(kept.to(), None);
        assert_eq!(withdraw(std::slice::from_ref(&plan), at("2026-11-22T11:00:00Z")), Err(Refusal::NoPlan));
        let next = onboard(&[plan], &asked(Kind::Annual, Some(2100)), at("2026-11-22T11:00:00Z")).unwrap();
        assert_eq!((next.number, next.from), (2, at("2026-11-22T11:00:00Z")));
    }

    #[test]
    fn a_trial_ends_after_thirty_days_by_itself() {
        let plan = onboard(&[], &asked(Kind::Trial, None), at("2026-11-01T08:00:00Z")).unwrap();
        assert_eq!(plan.status(at("2026-12-01T07:59:59Z")), Status::Active);
        assert_eq!(plan.status(at("2026-12-01T08:00:00Z")), Status::Expired);
        let late = cancel(std::slice::from_ref(&plan), at("2026-12-01T07:30:00Z")).unwrap();
        assert_eq!(late.to(), Some(at("2026-12-01T08:00:00Z")), "notice never prolongs a trial");
        assert!(onboard(&[plan], &asked(Kind::Monthly, Some(100)), at("2026-12-01T08:00:00Z")).is_ok());
    }

    proptest! {
        #[test]
        fn plans_never_overlap_and_states_never_run_backwards(
            steps in proptest::collection::vec((0..4_u8, 0..4_000_000_000_i64, 0..3_usize), 1..60)
        ) {
            let mut plans: Vec<Plan> = Vec::new();
            let mut now = NOW;
            for (action, passes, kind) in steps {
                now = now.plus(passes * 1_000);
                let kind = Kind::ALL[kind];
                let number = (kind != Kind::Trial).then_some(200);
                match action {
                    0 => if let Ok(plan) = onboard(&plans, &asked(kind, number), now) { plans.push(plan) },
                    1 => if let Ok(plan) = cancel(&plans, now) { *plans.last_mut().unwrap() = plan },
                    2 => if let Ok(plan) = withdraw(&plans, now) { *plans.last_mut().unwrap() = plan },
                    _ => {}
                }
                for pair in plans.windows(2) {
                    prop_assert!(pair[0].to().is_some_and(|to| to <= pair[1].from));
                }
                prop_assert!(plans.iter().filter(|p| p.status(now).in_effect()).count() <= 1);
                for plan in &plans {
                    if let Some(to) = plan.to() {
                        prop_assert!(plan.from <= to);
                        prop_assert!(!plan.status(to).in_effect() && plan.status(to.plus(-1)) != Status::Booked);
                    }
                }
            }
        }
    }
}
