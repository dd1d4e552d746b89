//! How often somebody may try to sign in: a bounded memory of attempts, by address, by account and address together, and
//! by account. Wrong passwords from one address do not lock the account's owner out elsewhere.
//!
//! A browser in which the person signed in before (see [`super::browser`]) has attempts of its own: whatever strangers try,
//! from one address or from many, it is never held back for it.
//!
//! The limits hold for unknown names too, and a wrong password takes as long for an unknown name. So neither reveals which
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
use crate::plan::limits::network;

/// Attempts on one account at once, from one address or from one known browser; after them one every [`PAIR_PAUSE`].
const PAIR_BURST: NonZeroU32 = NonZeroU32::new(10).unwrap();
const PAIR_PAUSE: Duration = Duration::from_secs(30);
/// Attempts on one account at once, from all unknown browsers; after them one every [`ACCOUNT_PAUSE`]. Only somebody with
/// a hundred addresses reaches it.
const ACCOUNT_BURST: NonZeroU32 = NonZeroU32::new(1_000).unwrap();
const ACCOUNT_PAUSE: Duration = Duration::from_secs(10);
/// Attempts from one address (of IPv6, one /64) at once; after them one every [`ADDRESS_PAUSE`].
const ADDRESS_BURST: NonZeroU32 = NonZeroU32::new(50).unwrap();
const ADDRESS_PAUSE: Duration = Duration::from_secs(5);
/// The most keys of each kind that are remembered. Beyond it, new ones share one limit.
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
    addresses: Limiter,
    pairs: Limiter,
    accounts: Limiter,
    browsers: Limiter,
}

/// Who tries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trier<'a> {
    /// The account, if the attempt names one.
    pub account: Option<&'a str>,
    /// Where the attempt comes from.
    pub address: Option<IpAddr>,
    /// The id of a browser or session that is known to be the account's.
    pub known: Option<&'a str>,
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
            addresses: limiter(ADDRESS_PAUSE, ADDRESS_BURST),
            pairs: limiter(PAIR_PAUSE, PAIR_BURST),
            accounts: limiter(ACCOUNT_PAUSE, ACCOUNT_BURST),
            browsers: limiter(PAIR_PAUSE, PAIR_BURST),
            clock,
        }
    }

    /// Records an attempt.
    ///
    /// # Errors
    /// The seconds to wait, if there were too many attempts.
    pub fn take(&self, trier: Trier<'_>) -> Result<(), u64> {
        let account = trier.account.map(str::as_bytes);
        if let (Some(account), Some(known)) = (account, trier.known) {
            return self.check(&self.browsers, key(&[account, known.as_bytes()]));
        }
        let network = trier.address.map(|address| network(address).to_string().into_bytes());
        // The narrowest first: a sender over its limit must not use up what is left for others.
        let by_address = network.as_ref().map(|network| (&self.addresses, key(&[network])));
        let by_pair =
            account.map(|account| (&self.pairs, key(&[account, network.as_deref().unwrap_or(&[])])));
        let by_account = account.map(|account| (&self.accounts, key(&[account])));
        for (limiter, key) in [by_address, by_pair, by_account].into_iter().flatten() {
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

/// One key of several parts, none of which reaches into another.
fn key(parts: &[&[u8]]) -> Key {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
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

    fn from<'a>(account: &'a str, address: &str) -> Trier<'a> {
        Trier { account: Some(account), address: Some(address.parse().unwrap()), known: None }
    }

    #[test]
    fn an_address_has_ten_attempts_on_an_account_and_then_one_in_thirty_seconds() {
        let (attempts, clock) = attempts();
        let alice = from("alice", "192.0.2.1");
        for _ in 0..10 {
            assert_eq!(attempts.take(alice), Ok(()));
        }
        assert_eq!(attempts.take(alice), Err(31));
        assert_eq!(attempts.take(from("bob", "192.0.2.1")), Ok(()), "others are not held back");
        assert_eq!(attempts.take(from("alice", "192.0.2.2")), Ok(()), "nor is the owner elsewhere");
        clock.0.fetch_add(30_000_000_000, Ordering::SeqCst);
        assert_eq!(attempts.take(alice), Ok(()));
        assert!(attempts.take(alice).is_err());
        clock.0.fetch_sub(3_600_000_000_000, Ordering::SeqCst);
        assert_eq!(attempts.take(alice), Err(31), "a clock that was set back opens nothing");
        clock.0.fetch_add(30_000_000_000, Ordering::SeqCst);
        assert_eq!(attempts.take(alice), Ok(()), "and locks nobody out");
    }

    #[test]
    fn an_address_that_tries_many_accounts_is_held_back_and_does_not_use_up_theirs() {
        let (attempts, _) = attempts();
        for i in 0..50 {
            assert_eq!(attempts.take(from(&i.to_string(), "2001:db8::1")), Ok(()));
        }
        for _ in 0..20 {
            assert!(attempts.take(from("alice", "2001:db8::2")).is_err(), "the same /64");
        }
        assert_eq!(attempts.take(from("alice", "2001:db8:0:1::1")), Ok(()));
    }

    #[test]
    fn many_addresses_together_are_held_back_but_no_known_browser_is() {
        let (attempts, _) = attempts();
        let known = |browser| Trier { known: Some(browser), ..from("alice", "10.0.0.1") };
        let taken = (0..2_000).filter(|i| {
            let address = format!("10.{}.{}.1", i / 200, i % 200);
            attempts.take(from("alice", &address)).is_ok()
        });
        assert_eq!(taken.count(), 1_000);
        for _ in 0..10 {
            assert_eq!(attempts.take(known("a")), Ok(()));
        }
        assert_eq!(attempts.take(known("a")), Err(31), "a known browser does not guess without end");
        assert_eq!(attempts.take(known("b")), Ok(()));
    }

    #[test]
    fn the_memory_is_bounded() {
        let (attempts, _) = attempts();
        for i in 0..REMEMBERED + 1_000 {
            let name = i.to_string();
            let trier = Trier { account: Some(&name), ..Trier::default() };
            assert_eq!(attempts.take(trier).is_err(), i > REMEMBERED + 9, "{i}");
        }
        assert!(attempts.accounts.len() <= REMEMBERED + 1 && attempts.pairs.len() <= REMEMBERED + 1);
    }
}
