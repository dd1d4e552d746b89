//! How much one caller may ask: a bounded memory of who asked lately. Who asks more gets 429 and when to ask again.

use std::num::NonZeroU32;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::address::source;
use super::auth::bearer;
use super::problem::{Problem, ProblemType};
use crate::plan::app::service::Service;

/// Callers that are remembered; beyond them those who rest are forgotten.
const REMEMBERED: usize = 65_536;

/// How much one caller may ask.
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

/// Who is counted: a hash of the bearer token, else of the address.
type Caller = [u8; 32];

/// The memory of who asked lately.
#[derive(Debug)]
pub struct Limits {
    allowance: Allowance,
    callers: DefaultKeyedRateLimiter<Caller>,
    clock: DefaultClock,
}

impl Limits {
    /// An empty memory.
    pub fn new(allowance: Allowance) -> Self {
        let quota = Quota::per_second(allowance.per_second).allow_burst(allowance.burst);
        Self { allowance, callers: RateLimiter::keyed(quota), clock: DefaultClock::default() }
    }

    /// Takes one request of `caller`; where it is too many, after how many seconds the next is taken.
    fn take(&self, caller: Caller) -> Result<(), u64> {
        if self.callers.len() > REMEMBERED {
            self.callers.retain_recent();
        }
        self.callers
            .check_key(&caller)
            .map_err(|until| until.wait_time_from(self.clock.now()).as_secs().saturating_add(1))
    }
}

/// Refuses whoever asks too much.
pub async fn limited(State(service): State<Service>, request: Request, next: Next) -> Response {
    let trusted = &service.settings.access.trusted_proxies;
    let name = match bearer(request.headers()) {
        Some(token) => token.to_owned(),
        None => source(request.extensions(), request.headers(), trusted)
            .map_or_else(String::new, |address| address.to_string()),
    };
    match service.limits.take(Sha256::digest(name.as_bytes()).into()) {
        Ok(()) => next.run(request).await,
        Err(seconds) => {
            let often = service.limits.allowance.per_second;
            too_many(seconds, &format!("the service answers {often} requests a second to one caller"))
        }
    }
}

/// The answer to too many requests: when to ask again, and why.
pub fn too_many(seconds: u64, why: &str) -> Response {
    let detail = format!("ask again in {seconds} s; {why}");
    later(seconds, Problem::new(ProblemType::TooManyRequests, detail).into_response())
}

/// The answer to too many attempts to sign in, or to guess a password; `show` makes the answer of the problem.
pub fn too_many_attempts(seconds: u64, show: impl FnOnce(Problem) -> Response) -> Response {
    let detail = format!("too many attempts with this name or from this address; try again in {seconds} s");
    later(seconds, show(Problem::new(ProblemType::TooManyRequests, detail)))
}

fn later(seconds: u64, mut response: Response) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
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
