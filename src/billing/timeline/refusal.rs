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
    #[error(
        "a {kind} plan is in effect{}; replace it, or cancel it first: a new plan can start when it has ended",
        until(*.to)
    )]
    AlreadyActive {
        /// Its kind.
        kind: PlanKind,
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
    /// A successor is booked already.
    #[error("plan {number} is booked to start at {from}; withdraw it, then replace the plan anew")]
    SuccessorBooked {
        /// Its number.
        number: i64,
        /// When it starts.
        from: Timestamp,
    },
    /// There were [`HISTORY`] plans.
    #[error("the subscription has had 10000 plans, which is all it may; create another subscription")]
    HistoryFull,
}

fn until(to: Option<Timestamp>) -> String {
    to.map_or_else(String::new, |to| format!(" until {to}"))
}
