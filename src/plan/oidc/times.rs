//! The times of an identity token: issued, not before, expires; and what they say about the two clocks.

use std::fmt;

use serde_json::{Map, Value};

use crate::census::Timestamp;

/// By how many seconds the provider's clock may differ from this host's.
pub(super) const LEEWAY: i64 = 60;

/// Why a token is not valid now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadTime {
    /// It expired. The provider issued it for this sign-in, so if the time of issue differs from now, so do the clocks: by
    /// so many seconds the provider's is behind.
    Expired {
        /// Seconds.
        behind: i64,
    },
    /// It is of the future: by so many seconds the provider's clock is ahead.
    TooEarly {
        /// Seconds.
        ahead: i64,
    },
}

impl fmt::Display for BadTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clocks = |f: &mut fmt::Formatter<'_>, what: &str, seconds: i64, side: &str| {
            write!(
                f,
                "{what}: the identity provider's clock is {seconds} s {side} this service's clock, and at most {LEEWAY} s are accepted; synchronise both clocks (timedatectl set-ntp true), then sign in again"
            )
        };
        match *self {
            Self::Expired { behind } if behind > LEEWAY => clocks(f, "it has expired", behind, "behind"),
            Self::Expired { .. } => f.write_str("it has expired; sign in again"),
            Self::TooEarly { ahead } => clocks(f, "it is not valid yet", ahead, "ahead of"),
        }
    }
}

impl BadTime {
    /// Judges the claims of a token whose signature holds. A missing time is not judged here.
    pub(super) fn of(claims: &Map<String, Value>, now: Timestamp) -> Option<Self> {
        let now = now.0.div_euclid(1_000_000_000);
        let at = |name: &str| claims.get(name).and_then(seconds);
        let from = at("iat").max(at("nbf")).map_or(0, |from| from.saturating_sub(now));
        if from > LEEWAY {
            return Some(Self::TooEarly { ahead: from });
        }
        let expired = at("exp").is_some_and(|exp| exp.saturating_add(LEEWAY) <= now);
        let behind = at("iat").map_or(0, |iat| now.saturating_sub(iat));
        expired.then_some(Self::Expired { behind })
    }
}

/// Seconds after 1970. They may have a fraction (RFC 7519), which does not matter here.
fn seconds(time: &Value) -> Option<i64> {
    if let Some(seconds) = time.as_i64() {
        return Some(seconds);
    }
    let text = time.as_f64().filter(|seconds| seconds.is_finite())?.trunc().to_string();
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_795_000_000;

    fn of(issued: i64, expires: i64) -> Option<BadTime> {
        let claims = json!({"iat": NOW + issued, "nbf": NOW + issued, "exp": NOW + expires});
        BadTime::of(claims.as_object().unwrap(), Timestamp::from_secs(NOW))
    }

    #[test]
    fn a_minute_between_the_clocks_is_accepted_and_more_is_told() {
        assert_eq!(of(0, 120), None);
        assert_eq!(of(60, 180), None, "the provider is a minute ahead");
        assert_eq!(of(-180, -59), None, "the provider is behind");
        assert_eq!(of(61, 181), Some(BadTime::TooEarly { ahead: 61 }));
        assert_eq!(of(-240, -120), Some(BadTime::Expired { behind: 240 }));
        let text = BadTime::Expired { behind: 240 }.to_string();
        assert!(text.contains("has expired: the identity provider's clock is 240 s behind"), "{text}");
        let text = BadTime::TooEarly { ahead: 61 }.to_string();
        assert!(text.contains("61 s ahead of this service's clock"), "{text}");
        assert_eq!(BadTime::Expired { behind: 60 }.to_string(), "it has expired; sign in again");
    }

    #[test]
    fn not_before_counts_as_the_time_of_issue_does() {
        let claims = json!({"iat": NOW as f64 + 0.5, "nbf": NOW + 61, "exp": NOW + 600});
        let judged = BadTime::of(claims.as_object().unwrap(), Timestamp::from_secs(NOW));
        assert_eq!(judged, Some(BadTime::TooEarly { ahead: 61 }));
        assert_eq!(BadTime::of(&Map::new(), Timestamp::from_secs(NOW)), None);
    }
}
