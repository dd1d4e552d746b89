//! Limits the requests of one address and of one caller, with a bounded memory of recent callers.
//!
//! A caller is a token or session that was valid lately. Whoever presents another one counts as their address, so a made-up
//! token gains nothing. All callers of an address together have a limit too.

use std::collections::HashSet;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Deserialize;

/// Callers, and addresses, that are remembered. Beyond this number, those that have been quiet are forgotten; if that is
/// not enough, new ones share one limit.
const REMEMBERED: usize = 65_536;
/// How often the quiet ones are forgotten beyond the bound: once in so many requests.
const FORGET_EVERY: usize = 4_096;
/// How many times the requests of one caller all callers of an address may send: many sensors share a router's address.
const CALLERS: NonZeroU32 = NonZeroU32::new(10).unwrap();

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

/// SHA-256 of a token or session.
pub(crate) type Credential = [u8; 32];

/// Who sends a request.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Caller {
    Known(Credential),
    Address(Option<IpAddr>),
    /// All for whom there is no room.
    Rest,
}

/// The network that counts as one address: of IPv6 a /64, which one host can have alone.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The recent callers.
#[derive(Debug)]
pub struct Limits {
    pub(crate) allowance: Allowance,
    callers: Remembered,
    addresses: Remembered,
    valid: Mutex<Valid>,
    clock: DefaultClock,
}

/// Credentials that were valid lately: those of a younger and an older half.
#[derive(Debug, Default)]
struct Valid {
    young: HashSet<Credential>,
    old: HashSet<Credential>,
}

#[derive(Debug)]
struct Remembered {
    recent: DefaultKeyedRateLimiter<Caller>,
    requests: AtomicUsize,
}

impl Remembered {
    fn new(quota: Quota) -> Self {
        Self { recent: RateLimiter::keyed(quota), requests: AtomicUsize::new(0) }
    }

    fn take(&self, caller: Caller, clock: &DefaultClock) -> Result<(), u64> {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        if self.recent.len() > REMEMBERED && number.is_multiple_of(FORGET_EVERY) {
            self.recent.retain_recent();
        }
        let caller = if self.recent.len() > REMEMBERED { Caller::Rest } else { caller };
        self.recent
            .check_key(&caller)
            .map_err(|until| until.wait_time_from(clock.now()).as_secs().saturating_add(1))
    }
}

impl Limits {
    /// No caller is known yet.
    pub fn new(allowance: Allowance) -> Self {
        let quota = Quota::per_second(allowance.per_second).allow_burst(allowance.burst);
        let many = |n: NonZeroU32| n.saturating_mul(CALLERS);
        let of_address = Quota::per_second(many(allowance.per_second)).allow_burst(many(allowance.burst));
        Self {
            allowance,
            callers: Remembered::new(quota),
            addresses: Remembered::new(of_address),
            valid: Mutex::default(),
            clock: DefaultClock::default(),
        }
    }

    /// Records a request from `address` that presents `credential`. Fails with the seconds to wait if the address or the
    /// caller is over its limit.
    pub(crate) fn take(&self, address: Option<IpAddr>, credential: Option<Credential>) -> Result<(), u64> {
        let address = Caller::Address(address.map(network));
        self.addresses.take(address.clone(), &self.clock)?;
        let known = credential.filter(|credential| self.is_valid(credential)).map(Caller::Known);
        self.callers.take(known.unwrap_or(address), &self.clock)
    }

    /// Notes that a credential is valid: from now on, it is a caller of its own.
    pub(crate) fn note_valid(&self, credential: Credential) {
        let mut valid = self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        if valid.young.len() >= REMEMBERED / 2 {
            valid.old = std::mem::take(&mut valid.young);
        }
        valid.young.insert(credential);
    }

    fn is_valid(&self, credential: &Credential) -> bool {
        let valid = self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        valid.young.contains(credential) || valid.old.contains(credential)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(limits: &Limits, address: &str, credential: impl Fn(u32) -> Option<Credential>) -> u32 {
        let address = address.parse().ok();
        (0..).take_while(|n| limits.take(address, credential(*n)).is_ok()).last().map_or(0, |n| n + 1)
    }

    fn token(n: u32) -> Credential {
        crate::plan::secret::hash(&n.to_string())
    }

    /// A hundred requests at once, and then one a second, which no test waits for.
    fn limits() -> Limits {
        Limits::new(Allowance { per_second: NonZeroU32::MIN, burst: NonZeroU32::new(100).unwrap() })
    }

    #[test]
    fn one_caller_who_asks_too_much_does_not_keep_others_out() {
        let limits = limits();
        assert!((100..110).contains(&taken(&limits, "192.0.2.1", |_| None)));
        assert!(limits.take("192.0.2.1".parse().ok(), None).unwrap_err() >= 1);
        assert_eq!(limits.take("192.0.2.2".parse().ok(), None), Ok(()));
        limits.note_valid(token(1));
        assert_eq!(limits.take("192.0.2.1".parse().ok(), Some(token(1))), Ok(()), "a known token");
    }

    #[test]
    fn made_up_tokens_gain_nothing() {
        let limits = limits();
        assert!((100..110).contains(&taken(&limits, "2001:db8::1", |n| Some(token(n)))));
        assert!(limits.take("2001:db8::2".parse().ok(), Some(token(9_999))).is_err(), "the same /64");
    }

    #[test]
    fn many_known_tokens_of_one_address_have_a_limit_too() {
        let limits = limits();
        (0..50).for_each(|n| limits.note_valid(token(n)));
        assert!((1_000..1_100).contains(&taken(&limits, "192.0.2.1", |n| Some(token(n % 50)))));
        assert_eq!(limits.take("192.0.2.2".parse().ok(), Some(token(1))), Ok(()), "from another address");
    }
}
