//! Whether more than one minute showed something (I15b), in four bytes: a sensor holds a million couplings.

use serde::{Deserialize, Serialize};

use super::time::{MINUTE, Timestamp};

/// The first clock minute in which something was shown, and whether another minute showed it too. A function of the set of
/// times, so merging is a join.
///
/// The lowest bit says whether another minute did; the others are the first minute since 1970. Times before count as 1970.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Repeat(u32);

impl Repeat {
    pub(super) const NEVER: Self = Self(u32::MAX);
    /// Two minutes, of which none is later: so older facts without minutes count when they meet newer ones.
    pub(super) const OF_OLD: Self = Self(1);

    pub(super) fn once(at: Timestamp) -> Self {
        let minute = at.0.div_euclid(MINUTE).clamp(0, i64::from(u32::MAX >> 1) - 1);
        u32::try_from(minute).map_or(Self::NEVER, |minute| Self(minute << 1))
    }

    #[must_use]
    pub(super) fn join(self, other: Self) -> Self {
        if self == Self::NEVER || other == Self::NEVER {
            return Self(self.0.min(other.0));
        }
        let apart = self.0 >> 1 != other.0 >> 1;
        Self((self.0 >> 1).min(other.0 >> 1) << 1 | (self.0 | other.0) & 1 | u32::from(apart))
    }

    /// With minutes after that of `latest` taken as its minute.
    #[must_use]
    pub(super) fn clamp(self, latest: Timestamp) -> Self {
        let latest = Self::once(latest);
        if self == Self::NEVER || self.0 >> 1 < latest.0 >> 1 { self } else { latest }
    }

    /// Whether no minute before that of `at` showed it.
    pub(super) fn is_since(self, at: Timestamp) -> bool {
        self == Self::NEVER || self.0 >> 1 >= Self::once(at).0 >> 1
    }

    /// Whether at most one minute showed it, which is that of `at` or a later one.
    pub(super) fn is_one_since(self, at: Timestamp) -> bool {
        self == Self::NEVER || !self.is_repeated() && self.is_since(at)
    }

    /// Whether two minutes showed it. Facts of older versions, which kept no minutes, count so.
    pub(super) const fn is_repeated(self) -> bool {
        self.0 & 1 == 1
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    pub(super) fn is_never(&self) -> bool {
        *self == Self::NEVER
    }
}

impl Default for Repeat {
    fn default() -> Self {
        Self::NEVER
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn repetition_is_a_function_of_the_set_of_times(
            seconds in prop::collection::vec(-100_i64..400, 1..6), cut in 0_usize..6
        ) {
            let all = |seconds: &[i64]| {
                let times = seconds.iter().map(|s| Repeat::once(Timestamp::from_secs(*s)));
                times.reduce(Repeat::join).unwrap_or_default()
            };
            let whole = all(&seconds);
            let mut backwards = seconds.clone();
            backwards.reverse();
            prop_assert_eq!(all(&backwards), whole);
            let (a, b) = seconds.split_at(cut.min(seconds.len()));
            prop_assert_eq!(all(a).join(all(b)), whole);
            prop_assert_eq!(whole.join(all(b)), whole);
            let minutes: BTreeSet<i64> = seconds.iter().map(|s| s.div_euclid(60).max(0)).collect();
            prop_assert_eq!(whole.is_repeated(), minutes.len() > 1);
        }
    }
}
