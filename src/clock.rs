//! The one place that reads the system's clock. The core never does: time is its parameter.

use crate::census::Timestamp;

/// Tells the time. Injected wherever the present matters, so that tests choose it.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// The system's clock. A build with the feature `failpoints`, which no package has, takes the instant of the variable
/// `NETCENSUS_NOW` where there is one, so that a test of a process chooses its time too.
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

/// A clock that stands where it was set.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }
}
