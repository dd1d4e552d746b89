//! What a plan buys beside the count: alerts, recommendations and vulnerabilities (P7). One function decides, and every route,
//! page, export and command asks it.

use crate::billing::timeline::{Plan, in_effect};
use crate::census::Timestamp;

/// Why nothing is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "alerts, recommendations and vulnerabilities are withheld{}; onboard a plan to see them",
    match since { Some(at) => format!(" since {at}, when the last plan ended"), None => " until the first plan".to_owned() }
)]
pub struct Withheld {
    /// When the last plan ended; `None` if there was none.
    pub since: Option<Timestamp>,
}

/// Whether alerts, recommendations and vulnerabilities are shown at `now` under these plans: as long as one is in effect, also
/// while a cancelled one still is.
///
/// # Errors
/// [`Withheld`].
pub fn entitlement(plans: &[Plan], now: Timestamp) -> Result<(), Withheld> {
    match in_effect(plans, now) {
        Some(_) => Ok(()),
        None => {
            let ended = plans.iter().filter(|p| p.withdrawn_at.is_none()).filter_map(Plan::to);
            Err(Withheld { since: ended.filter(|to| *to <= now).max() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::timeline::{NOTICE, PlanKind, TRIAL};

    fn plan(kind: PlanKind, from: i64, cancelled: Option<i64>) -> Plan {
        Plan {
            number: 1,
            kind,
            committed: (kind != PlanKind::Trial).then_some(100),
            accepted_terms_at: Timestamp(from),
            from: Timestamp(from),
            cancel_requested_at: cancelled.map(Timestamp),
            withdrawn_at: None,
            changed_at: Timestamp(from),
        }
    }

    #[test]
    fn p7_alerts_are_shown_as_long_as_a_plan_is_in_effect() {
        assert_eq!(entitlement(&[], Timestamp(5)), Err(Withheld { since: None }));
        let trial = [plan(PlanKind::Trial, 0, None)];
        assert_eq!(entitlement(&trial, Timestamp(TRIAL - 1)), Ok(()));
        assert_eq!(entitlement(&trial, Timestamp(TRIAL)), Err(Withheld { since: Some(Timestamp(TRIAL)) }));
        let cancelled = [plan(PlanKind::Monthly, 0, Some(1_000_000_000))];
        assert_eq!(entitlement(&cancelled, Timestamp(NOTICE)), Ok(()));
        let end = cancelled[0].to().unwrap();
        assert_eq!(entitlement(&cancelled, end), Err(Withheld { since: Some(end) }));
        let booked = [Plan { changed_at: Timestamp(0), ..plan(PlanKind::Annual, TRIAL, None) }];
        assert!(entitlement(&booked, Timestamp(0)).is_err());
    }
}
