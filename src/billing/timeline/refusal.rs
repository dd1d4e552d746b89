//! Why an action on the timeline is refused.

use super::plan::PlanKind;
use crate::census::Timestamp;

/// Why an action on the timeline is refused. Each is a problem type of its own.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PlanRefusal {
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
    NumberMissing(PlanKind),
    /// The number is not a positive multiple of 100 (P2).
    #[error("{asked} is not a positive multiple of 100; commit {next}")]
    NotMultiple { asked: u64, next: u64 },
    /// The number is beyond `LARGEST`.
    #[error("cannot commit {0} devices; the maximum is 1000000000")]
    TooMany(u64),
    /// A plan is in effect already (P1).
    #[error(
        "a {kind} plan is in effect{}; replace it, or cancel it first: a new plan can start when it has ended",
        until(*.to)
    )]
    AlreadyActive {
        kind: PlanKind,
        /// When it ends, if that is known.
        to: Option<Timestamp>,
    },
    /// No plan is in effect.
    #[error("no plan is in effect; onboard one first")]
    NoPlan,
    /// The plan is cancelled already (P5).
    #[error("the plan is already cancelled and ends at {0}; withdraw the cancellation to keep it")]
    AlreadyCancelled(Timestamp),
    /// The plan is not cancelled.
    #[error("the plan is not cancelled, so there is nothing to withdraw")]
    NotCancelled,
    /// A successor is booked already.
    #[error("plan {number} is already booked to start at {from}; withdraw it first, then replace the plan")]
    SuccessorBooked { number: i64, from: Timestamp },
    /// The subscription had 10,000 plans.
    #[error("the subscription has reached the limit of 10000 plans; create another subscription")]
    HistoryFull,
}

fn until(to: Option<Timestamp>) -> String {
    to.map_or_else(String::new, |to| format!(" until {to}"))
}
