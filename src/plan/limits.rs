//! Limits the requests of one caller, with a bounded memory of recent callers.

use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Deserialize;

/// Callers that are remembered. Beyond this number, those that have been quiet are forgotten.
const REMEMBERED: usize = 65_536;

/// How many requests one caller may send.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Allowance {
    /// Requests a second in the long run.
    pub per_second: NonZeroU32,
    /// Requests at once.
    pub burst: NonZeroU32,
}

impl Default for Allowance {
    fn default() -> Self {
        let of = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self { per_second: of(100), burst: of(1_000) }
    }
}

/// A caller: SHA-256 of the bearer token, or else of the address.
pub(crate) type CallerKey = [u8; 32];

/// The recent callers.
#[derive(Debug)]
pub struct Limits {
    pub(crate) allowance: Allowance,
    callers: DefaultKeyedRateLimiter<CallerKey>,
    clock: DefaultClock,
}

impl Limits {
    /// No caller is known yet.
    pub fn new(allowance: Allowance) -> Self {
        let quota = Quota::per_second(allowance.per_second).allow_burst(allowance.burst);
        Self { allowance, callers: RateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Records a request. Fails with the seconds to wait if the caller is over its limit.
    pub(crate) fn take(&self, caller: CallerKey) -> Result<(), u64> {
        if self.callers.len() > REMEMBERED {
            self.callers.retain_recent();
        }
        self.callers
            .check_key(&caller)
            .map_err(|until| until.wait_time_from(self.clock.now()).as_secs().saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_who_asks_too_much_does_not_keep_others_out() {
        let limits = Limits::new(Allowance::default());
        let refused = (0..3 * Allowance::default().burst.get()).find_map(|_| limits.take([1; 32]).err());
        assert!(refused.is_some_and(|seconds| seconds >= 1));
        assert_eq!(limits.take([2; 32]), Ok(()));
    }
}
