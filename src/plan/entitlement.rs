//! What a plan buys (P7): the one function that routes, pages, exports and commands ask before they show alerts,
//! recommendations or vulnerabilities. What explains the count is never withheld.

use crate::billing::timeline::{Plan, in_effect, present};
use crate::census::Timestamp;

/// Whether what a plan buys is shown at an instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entitlement {
    /// A plan is in effect, also if it is cancelled and has not ended yet.
    Granted,
    /// No plan is in effect: nothing is shown, not even numbers.
    Withheld {
        /// When the last plan ended; `None` if there was none.
        since: Option<Timestamp>,
    },
}

/// What the plans of a subscription grant at `now`.
pub fn entitlement(plans: &[Plan], now: Timestamp) -> Entitlement {
    let now = present(plans, now);
    if in_effect(plans, now).is_some() {
        return Entitlement::Granted;
    }
    // A plan that was withdrawn before it began never ended.
    let ended = plans.iter().filter(|plan| plan.withdrawn_at.is_none()).filter_map(Plan::to);
    Entitlement::Withheld { since: ended.filter(|end| *end <= now).max() }
}
