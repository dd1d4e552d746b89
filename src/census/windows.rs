//! The times at which something was heard, compactly: one frame is weaker than many over a long time (I15).

use serde::{Deserialize, Serialize};

use super::time::{MINUTE, Timestamp};

/// The span of a window in nanoseconds.
pub const WINDOW: i64 = 10 * MINUTE;
/// The windows after the first that are told apart; all later ones count as one.
const LAST: i64 = 31;

/// The ten-minute windows of the clock in which something was heard, relative to the first time at which it was heard,
/// which is kept beside it. Together they are a function of the set of times, so merging is a join.
///
/// Bit 0: in the first window, it was heard in another clock minute than at first. Bit `i`: in the `i`th window after the
/// first. The last bit: in that window or any later one.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Windows(u32);

impl Windows {
    /// Heard at one instant.
    pub const ONCE: Self = Self(0);
    /// Heard in two minutes at least. Facts of older versions, which kept no windows, count so.
    pub const TWICE: Self = Self(1);

    /// Joins two such sets of times; `a` and `b` are their first times.
    #[must_use]
    pub fn join(a: (Timestamp, Self), b: (Timestamp, Self)) -> (Timestamp, Self) {
        let ((first, early), (then, late)) = if a.0 <= b.0 { (a, b) } else { (b, a) };
        let apart = window(then).saturating_sub(window(first)).min(LAST);
        let shifted = match u32::try_from(apart) {
            Ok(0) => late.0 | u32::from(minute(first) != minute(then)),
            Ok(by) => {
                let late = u64::from(late.0 | 1) << by;
                let beyond = u32::from(late >> LAST != 0) << LAST;
                // The cast keeps the windows that are told apart.
                #[expect(clippy::cast_possible_truncation, reason = "what is lost is in `beyond`")]
                let near = late as u32;
                near & !1 | beyond
            }
            Err(_) => 0,
        };
        (first, Self(early.0 | shifted))
    }

    /// Whether it was heard in two different clock minutes (I15b).
    pub const fn is_repeated(self) -> bool {
        self.0 != 0
    }

    /// In how many windows it was heard: 1 to 32.
    pub const fn count(self) -> u32 {
        1 + (self.0 >> 1).count_ones()
    }

    /// As heard in two minutes: something else confirms what was heard.
    #[must_use]
    pub const fn confirmed(self) -> Self {
        Self(self.0 | 1)
    }

    /// Only what is known of the first window.
    pub(super) const fn first_only(self) -> Self {
        Self(self.0 & 1)
    }

    /// The windows before `as_of`, which should be a multiple of ten minutes. `first` is the first time.
    #[must_use]
    pub(super) fn until(self, first: Timestamp, as_of: Timestamp) -> Self {
        let left = as_of.plus(-1).0.div_euclid(WINDOW).saturating_sub(window(first));
        match u32::try_from(left) {
            Ok(left @ 0..31) => Self(self.0 & ((1 << (left + 1)) - 1)),
            Ok(_) => self,
            Err(_) => Self::ONCE,
        }
    }

    /// With times after `latest` taken as `latest`. `first` is the first time, as it was.
    #[must_use]
    pub(super) fn clamp(self, first: Timestamp, latest: Timestamp) -> Self {
        if first >= latest {
            return Self::ONCE;
        }
        match u32::try_from(window(latest).saturating_sub(window(first))) {
            Ok(left @ 0..31) => {
                let within = (1 << (left + 1)) - 1;
                let beyond = match left {
                    _ if self.0 & !within == 0 => 0,
                    0 => u32::from(minute(first) != minute(latest)),
                    left => 1 << left,
                };
                // Within the first window, which minutes were heard is not known: only whether there were two.
                let kept = self.0 & within;
                let is_one_minute = left == 0 && minute(first) == minute(latest);
                Self(if is_one_minute { 0 } else { kept | beyond })
            }
            _ => self,
        }
    }

    /// The start of the first window in which it was heard, unlike `before`. `first` is the first time of both.
    pub(super) fn news(self, before: Self, first: Timestamp) -> Option<Timestamp> {
        match self.0 & !before.0 {
            0 => None,
            new if new & 1 == 1 => Some(first),
            new => Some(Timestamp(
                window(first).saturating_add(new.trailing_zeros().into()).saturating_mul(WINDOW),
            )),
        }
    }
}

/// The instants of one window. To ask whether it holds an instant needs no division.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    first: Timestamp,
    last: Timestamp,
}

impl Span {
    /// The window in which an instant lies.
    pub fn of(at: Timestamp) -> Self {
        let start = i128::from(window(at)) * i128::from(WINDOW);
        let clamp =
            |at: i128| Timestamp(i64::try_from(at).unwrap_or(if at < 0 { i64::MIN } else { i64::MAX }));
        Self { first: clamp(start), last: clamp(start + i128::from(WINDOW) - 1) }
    }

    #[inline]
    pub fn holds(self, at: Timestamp) -> bool {
        self.first <= at && at <= self.last
    }
}

/// Whether two instants lie in one window.
#[inline]
pub fn same_window(a: Timestamp, b: Timestamp) -> bool {
    window(a) == window(b)
}

/// Whether two instants lie in one clock minute.
pub fn same_minute(a: Timestamp, b: Timestamp) -> bool {
    minute(a) == minute(b)
}

/// The window in which an instant lies, as a number.
pub(super) const fn window(at: Timestamp) -> i64 {
    at.0.div_euclid(WINDOW)
}

const fn minute(at: Timestamp) -> i64 {
    at.0.div_euclid(MINUTE)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn all(times: &[i64]) -> (Timestamp, Windows) {
        let single = |t: &i64| (Timestamp(*t), Windows::ONCE);
        times.iter().map(single).reduce(Windows::join).unwrap()
    }

    proptest! {
        #[test]
        fn windows_are_a_function_of_the_set_of_times(
            seconds in prop::collection::vec(0_i64..40_000, 1..12), cut in 0_usize..12
        ) {
            let times: Vec<i64> = seconds.iter().map(|s| s * 1_000_000_000).collect();
            let (a, b) = times.split_at(cut.min(times.len() - 1));
            let whole = all(&times);
            let mut backwards = times.clone();
            backwards.reverse();
            prop_assert_eq!(all(&backwards), whole);
            if !a.is_empty() {
                prop_assert_eq!(Windows::join(all(a), all(b)), whole);
            }
            prop_assert_eq!(Windows::join(whole, all(b)), whole);
            let minutes: BTreeSet<i64> = times.iter().map(|t| t.div_euclid(MINUTE)).collect();
            prop_assert_eq!(whole.1.is_repeated(), minutes.len() > 1);
            let first = window(whole.0);
            let windows: BTreeSet<i64> =
                times.iter().map(|t| (window(Timestamp(*t)) - first).min(LAST)).collect();
            prop_assert_eq!(whole.1.count() as usize, windows.len());
        }
    }

    proptest! {
        #[test]
        fn a_window_holds_the_instants_that_lie_in_it(a in any::<i64>(), by in -2 * WINDOW..2 * WINDOW) {
            for (a, b) in [(a, a.saturating_add(by)), (i64::MIN, i64::MAX), (i64::MAX, i64::MIN + by.abs())] {
                let (a, b) = (Timestamp(a), Timestamp(b));
                prop_assert_eq!(Span::of(a).holds(b), same_window(a, b));
                prop_assert!(Span::of(a).holds(a));
            }
        }
    }

    #[test]
    fn the_windows_before_an_instant_are_those_of_the_times_before_it() {
        let minutes = |m: i64| m * MINUTE;
        let times = [minutes(3), minutes(12), minutes(47), minutes(100), minutes(500)];
        let (first, windows) = all(&times);
        for as_of in [10, 40, 50, 110] {
            let before: Vec<i64> = times.iter().copied().filter(|t| *t < minutes(as_of)).collect();
            assert_eq!(windows.until(first, Timestamp(minutes(as_of))), all(&before).1, "{as_of}");
        }
    }

    #[test]
    fn news_begins_in_the_first_window_that_is_new() {
        let (first, long) = all(&[3 * MINUTE, 4 * MINUTE, 25 * MINUTE]);
        assert_eq!(long.news(long, first), None);
        assert_eq!(long.news(Windows::ONCE, first), Some(first));
        assert_eq!(long.news(Windows::TWICE, first), Some(Timestamp(20 * MINUTE)));
    }
}
