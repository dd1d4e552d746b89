//! The only place that reads the system clock. The core takes the time as a parameter.

use crate::census::Timestamp;

/// A source of the present time. It is injected, so that tests can choose the time.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// The system clock. In a build with the feature `failpoints`, which is never packaged, the variable `NETCENSUS_NOW`
/// replaces the time, so that tests can choose it for a process, too.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock module")]
    fn now(&self) -> Timestamp {
        #[cfg(feature = "failpoints")]
        if let Some(now) = std::env::var("NETCENSUS_NOW").ok().and_then(|now| now.parse().ok()) {
            return now;
        }
        Timestamp(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
    }
}

/// A clock that always shows the same time.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}
