//! How often somebody may try to sign in: a bounded memory of attempts, by account and by address.
//!
//! The limit holds for unknown names too, and a wrong password takes as long for an unknown name. So neither reveals which
//! names exist.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use sha2::{Digest, Sha256};

use crate::census::Timestamp;
use crate::clock::Clock;

/// Attempts on one account at once; after them one every [`ACCOUNT_PAUSE`].
const ACCOUNT_BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
const ACCOUNT_PAUSE: Duration = Duration::from_secs(30);
/// Attempts from one address (of IPv6, one /64) at once; after them one every [`ADDRESS_PAUSE`].
const ADDRESS_BURST: NonZeroU32 = NonZeroU32::new(50).unwrap();
const ADDRESS_PAUSE: Duration = Duration::from_secs(5);
/// The most accounts, and the most addresses, that are remembered. Beyond it, new ones share one limit.
const REMEMBERED: usize = 65_536;

type Key = [u8; 32];
type Limiter = RateLimiter<Key, HashMapStateStore<Key>, Injected, NoOpMiddleware<Duration>>;

/// A clock for the limiter that never goes back. If somebody sets the service's clock back, nobody gains attempts, and
/// nobody is locked out until the clock has caught up.
#[derive(Clone)]
struct Injected(Arc<Monotonic>);

struct Monotonic {
    clock: Arc<dyn Clock>,
    /// What the clock showed, and how much it has run on in all.
    read: Mutex<(Timestamp, Duration)>,
}

impl Injected {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let read = Mutex::new((clock.now(), Duration::ZERO));
        Self(Arc::new(Monotonic { clock, read }))
    }
}

impl governor::clock::Clock for Injected {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let mut read = self.0.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.clock.now();
        let elapsed = Duration::from_nanos(u64::try_from(now.since(read.0)).unwrap_or_default());
        *read = (now, read.1.saturating_add(elapsed));
        read.1
    }
}

/// The memory of attempts to sign in.
pub struct Attempts {
    clock: Injected,
    accounts: Limiter,
    addresses: Limiter,
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempts")
    }
}

impl Attempts {
    /// An empty memory.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let clock = Injected::new(clock);
        let limiter = |pause: Duration, burst| {
            let quota =
                Quota::with_period(pause).unwrap_or(Quota::per_minute(NonZeroU32::MIN)).allow_burst(burst);
            RateLimiter::hashmap_with_clock(quota, clock.clone())
        };
        Self {
            accounts: limiter(ACCOUNT_PAUSE, ACCOUNT_BURST),
            addresses: limiter(ADDRESS_PAUSE, ADDRESS_BURST),
            clock,
        }
    }

    /// Records an attempt from `address` on `account`, if the attempt names one.
    ///
    /// # Errors
    /// The seconds to wait, if there were too many attempts.
    pub fn take(&self, account: Option<&str>, address: Option<IpAddr>) -> Result<(), u64> {
        let network = address.map(|address| match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().into_iter().take(8).collect(),
        });
        let address = network.map(|network| (&self.addresses, Sha256::digest(network).into()));
        let account = account.map(|name| (&self.accounts, Sha256::digest(name.as_bytes()).into()));
        // The address first: a sender over its limit must not use up the attempts of the account's owner.
        for (limiter, key) in [address, account].into_iter().flatten() {
            self.check(limiter, key)?;
        }
        Ok(())
    }

    fn check(&self, limiter: &Limiter, key: Key) -> Result<(), u64> {
        if limiter.len() >= REMEMBERED {
            limiter.retain_recent();
        }
        let key = if limiter.len() >= REMEMBERED { [0; 32] } else { key };
        limiter
            .check_key(&key)
            .map_err(|until| until.wait_time_from(self.clock.now()).as_secs().saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::SeqCst))
        }
    }

    fn attempts() -> (Attempts, Arc<Hand>) {
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000_000_000_000)));
        (Attempts::new(Arc::<Hand>::clone(&clock)), clock)
    }

    #[test]
    fn an_account_takes_ten_attempts_and_then_one_in_thirty_seconds() {
        let (attempts, clock) = attempts();
        for _ in 0..10 {
            assert_eq!(attempts.take(Some("alice"), None), Ok(()));
        }
        assert_eq!(attempts.take(Some("alice"), None), Err(31));
        assert_eq!(attempts.take(Some("bob"), None), Ok(()), "others are not held back");
        clock.0.fetch_add(30_000_000_000, Ordering::SeqCst);
        assert_eq!(attempts.take(Some("alice"), None), Ok(()));
        assert!(attempts.take(Some("alice"), None).is_err());
        clock.0.fetch_sub(3_600_000_000_000, Ordering::SeqCst);
        assert_eq!(attempts.take(Some("alice"), None), Err(31), "a clock that was set back opens nothing");
        clock.0.fetch_add(30_000_000_000, Ordering::SeqCst);
        assert_eq!(attempts.take(Some("alice"), None), Ok(()), "and locks nobody out");
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_held_back_and_does_not_use_up_theirs() {
        let (attempts, _) = attempts();
        let from = |text: &str| Some(text.parse().unwrap());
        for i in 0..50 {
            assert_eq!(attempts.take(Some(&i.to_string()), from("2001:db8::1")), Ok(()));
        }
        for _ in 0..20 {
            assert!(attempts.take(Some("alice"), from("2001:db8::2")).is_err(), "the same /64");
        }
        assert_eq!(attempts.take(Some("alice"), from("2001:db8:0:1::1")), Ok(()));
    }

    #[test]
    fn the_memory_is_bounded() {
        let (attempts, _) = attempts();
        for i in 0..REMEMBERED + 1_000 {
            assert_eq!(attempts.take(Some(&i.to_string()), None).is_err(), i > REMEMBERED + 9, "{i}");
        }
        assert!(attempts.accounts.len() <= REMEMBERED + 1);
    }
}
