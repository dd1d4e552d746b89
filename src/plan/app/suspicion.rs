//! Attempts to impersonate a sensor. The audit trail gets at most one row a minute for each sensor and kind of attempt.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::census::Timestamp;

/// The most pairs of sensor and kind that are remembered. Beyond it, a new one is not recorded until a minute has passed.
const REMEMBERED: usize = 4_096;
const MINUTE: i64 = 60_000_000_000;

/// What is suspicious about a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Suspicion {
    /// Its bearer key is not that of the sensor.
    WrongKey,
    /// The sensor is revoked.
    Revoked,
    /// The sensor is one of another subscription.
    Foreign,
    /// The sensor enrolled before there were key pairs.
    NoKeyPair,
    /// It is not signed by the sensor's own key, or not for this purpose, method and path.
    BadSignature,
    /// Its body is not the one that was signed.
    Tampered,
    /// It is a request that was sent before, to the last byte.
    Replayed,
    /// It uses an upload's name for other content.
    Conflict,
    /// The enrolment token is unknown, used or expired.
    BadToken,
}

impl Suspicion {
    /// The word for it in the trail and in the metrics.
    pub const fn key(self) -> &'static str {
        match self {
            Self::WrongKey => "wrong-key",
            Self::Revoked => "revoked",
            Self::Foreign => "foreign-subscription",
            Self::NoKeyPair => "no-key-pair",
            Self::BadSignature => "bad-signature",
            Self::Tampered => "tampered-body",
            Self::Replayed => "replayed",
            Self::Conflict => "conflict",
            Self::BadToken => "bad-token",
        }
    }

    /// What the trail calls the request.
    pub const fn action(self) -> &'static str {
        match self {
            // The request is not refused: it gets the first answer.
            Self::Replayed => "upload.replayed",
            Self::BadToken => "enrol.refused",
            _ => "upload.refused",
        }
    }

    /// Whether the sender has shown the sensor's bearer key.
    pub const fn is_by_the_sensor(self) -> bool {
        !matches!(self, Self::WrongKey | Self::BadToken)
    }
}

/// The suspicions that were recorded in the last minute.
#[derive(Debug, Default)]
pub struct Suspicions(Mutex<HashMap<(String, String, Suspicion), Noted>>);

#[derive(Debug)]
struct Noted {
    minute: i64,
    unsaid: u64,
}

impl Suspicions {
    /// Counts a suspicion at `now`. If it must be recorded, returns how many there were since the last record, including
    /// this one.
    pub fn take(&self, subscription: &str, sensor: &str, what: Suspicion, now: Timestamp) -> Option<u64> {
        let minute = now.0.div_euclid(MINUTE);
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (subscription.to_owned(), sensor.to_owned(), what);
        if let Some(known) = noted.get_mut(&key) {
            known.unsaid = known.unsaid.saturating_add(1);
            if known.minute == minute {
                return None;
            }
            known.minute = minute;
            return Some(std::mem::take(&mut known.unsaid));
        }
        if noted.len() >= REMEMBERED {
            noted.retain(|_, known| known.minute == minute);
        }
        if noted.len() >= REMEMBERED {
            return None;
        }
        noted.insert(key, Noted { minute, unsaid: 0 });
        Some(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_minute_is_written_down_and_the_others_are_counted_with_the_next() {
        let memory = Suspicions::default();
        let at = |second| Timestamp::from_secs(second);
        let take = |sensor: &str, what, second| memory.take("main", sensor, what, at(second));
        assert_eq!(take("s", Suspicion::WrongKey, 600), Some(1));
        assert_eq!(take("s", Suspicion::WrongKey, 630), None);
        assert_eq!(take("s", Suspicion::WrongKey, 659), None);
        assert_eq!(take("s", Suspicion::Replayed, 630), Some(1), "another kind");
        assert_eq!(take("t", Suspicion::WrongKey, 630), Some(1), "another sensor");
        assert_eq!(take("s", Suspicion::WrongKey, 660), Some(3));
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_over_after_a_minute() {
        let memory = Suspicions::default();
        let take = |n: usize, second| {
            memory.take("main", &n.to_string(), Suspicion::WrongKey, Timestamp::from_secs(second))
        };
        let written = (0..3 * REMEMBERED).filter(|n| take(*n, 0).is_some()).count();
        assert_eq!(written, REMEMBERED);
        assert_eq!(take(usize::MAX, 61), Some(1));
    }
}
