//! The times in which a zone had frames (I11, I16).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clamp::Clamp;
use super::time::{DAY, HOUR, Timestamp};

/// A span without any frame that is at least this long ends a stretch (I11).
const GAP: i64 = HOUR;
/// A gap at least this long separates times that one clock would not show (I16).
const CLOCK_GAP: i64 = 30 * DAY;
/// The most stretches of a zone.
const KEPT: usize = 4_096;
/// 2000-01-01T00:00:00Z. Earlier times are those of clocks that were never set (I16).
const BELIEVABLE: Timestamp = Timestamp::from_secs(946_684_800);

/// Stretches of time with frames, each without a gap of an hour. Merging is a join: the stretches are those of the union of
/// all frames.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Vec<(Timestamp, Timestamp)>", into = "Vec<(Timestamp, Timestamp)>")]
pub struct Stretches(BTreeMap<Timestamp, Timestamp>);

impl Stretches {
    /// Records frames from `first` to `last`, between which there was no gap of an hour. Returns whether anything changed.
    /// At the bound, no further stretch is recorded.
    pub fn add(&mut self, first: Timestamp, last: Timestamp) -> bool {
        let (mut start, mut end) = (first.min(last), first.max(last));
        let before = self.0.range(..=start).next_back().map(|(a, b)| (*a, *b));
        if let Some((a, b)) = before.filter(|(_, b)| start.since(*b) < GAP) {
            if end <= b {
                return false;
            }
            (start, end) = (a, end.max(b));
        } else if self.0.len() >= KEPT && self.next_from(start).is_none_or(|(a, _)| a.since(end) >= GAP) {
            return false;
        }
        while let Some((a, b)) = self.next_from(start).filter(|(a, _)| a.since(end) < GAP) {
            self.0.remove(&a);
            end = end.max(b);
        }
        self.0.insert(start, end);
        true
    }

    fn next_from(&self, start: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.0.range(start..).next().map(|(a, b)| (*a, *b))
    }

    /// Joins `other`; returns whether anything changed.
    pub fn merge(&mut self, other: &Self) -> bool {
        other.iter().fold(false, |changed, (first, last)| self.add(first, last) || changed)
    }

    /// First and last frame of each stretch, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Timestamp, Timestamp)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the bound was reached, so that a grace may be missing.
    pub fn is_full(&self) -> bool {
        self.0.len() >= KEPT
    }

    /// Takes times later than the latest instant as that instant.
    pub(super) fn clamp(&mut self, clamp: &mut Clamp) {
        let all: Vec<_> = self.iter().map(|(first, last)| (clamp.at(first), clamp.at(last))).collect();
        if self.0.last_key_value().is_some_and(|(_, last)| *last > clamp.latest()) {
            *self = all.into();
        }
    }

    /// The stretches before `as_of`. A stretch that goes on is cut.
    #[must_use]
    pub fn until(&self, as_of: Timestamp) -> Self {
        let last = as_of.plus(-1);
        Self(self.0.range(..as_of).map(|(a, b)| (*a, last.min(*b))).collect())
    }
}

impl From<Vec<(Timestamp, Timestamp)>> for Stretches {
    fn from(list: Vec<(Timestamp, Timestamp)>) -> Self {
        let mut all = Self::default();
        for (first, last) in list {
            all.add(first, last);
        }
        all
    }
}

impl From<Stretches> for Vec<(Timestamp, Timestamp)> {
    fn from(stretches: Stretches) -> Self {
        stretches.0.into_iter().collect()
    }
}

/// Which times of a zone are believed (I16).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Clock {
    /// The zone's first believable time, as which earlier ones count; `None` if all its times are before 2000.
    floor: Option<Timestamp>,
    /// The stretch that the zone's times are believed in; `None` without frames.
    believed: Option<(Timestamp, Timestamp)>,
    /// The beginnings of the stretches without a gap of an hour, as they count.
    starts: Vec<Timestamp>,
    /// Frames outside the believed stretch: the first and the last.
    strayed: Option<(Timestamp, Timestamp)>,
}

impl Clock {
    /// Judges the times of a zone by when its couplings were seen: `seen` has the first and the last time of each.
    pub fn new(stretches: &Stretches, seen: impl Iterator<Item = (Timestamp, Timestamp)> + Clone) -> Self {
        let floor =
            stretches.iter().find(|(_, last)| *last >= BELIEVABLE).map(|(first, _)| first.max(BELIEVABLE));
        let mut starts: Vec<Timestamp> =
            stretches.iter().map(|(first, _)| floor.map_or(first, |f| first.max(f))).collect();
        starts.dedup();
        // Stretches that one clock can show, without a gap of 30 days.
        let mut eras: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (first, last) in stretches.iter().filter(|(_, last)| floor.is_none() || *last >= BELIEVABLE) {
            match eras.last_mut() {
                Some(era) if first.since(era.1) < CLOCK_GAP => era.1 = last,
                _ => eras.push((first, last)),
            }
        }
        let crowded = crowded(&eras, seen.map(|(first, last)| (floor.map_or(first, |f| first.max(f)), last)));
        let chosen = crowded.iter().rposition(|many| *many).or_else(|| eras.len().checked_sub(1));
        let believed = chosen.and_then(|i| eras.get(i)).copied();
        let early = stretches.iter().filter(|(first, _)| floor.is_some() && *first < BELIEVABLE);
        let odd = eras.iter().zip(&crowded).enumerate().filter(|(i, (_, many))| Some(*i) > chosen || !**many);
        let odd = odd.filter(|(i, _)| Some(*i) != chosen).map(|(_, (era, _))| *era);
        let strayed = early.chain(odd).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        Self { floor, believed, starts, strayed }
    }

    /// The instant as which `at` counts.
    pub fn at(&self, at: Timestamp) -> Timestamp {
        self.floor.map_or(at, |floor| at.max(floor))
    }

    /// Whether `at` lies behind the believed stretch, so that it confirms nothing.
    pub fn is_beyond(&self, at: Timestamp) -> bool {
        self.believed.is_some_and(|(_, end)| at > end)
    }

    /// The stretch of believed times, without a gap of 30 days.
    pub fn believed(&self) -> Option<(Timestamp, Timestamp)> {
        self.believed
    }

    /// The end of the believed stretch: the instant at which a replay counts.
    pub fn end(&self) -> Option<Timestamp> {
        self.believed.map(|(_, end)| end)
    }

    /// The beginnings of the zone's stretches, each followed by a grace (I11).
    pub fn starts(&self) -> &[Timestamp] {
        &self.starts
    }

    /// The first and the last frame whose times are not believed; `None` if all are.
    pub fn strayed(&self) -> Option<(Timestamp, Timestamp)> {
        self.strayed
    }
}

/// Whether at least one in twenty of the couplings was seen in each of the eras, which are sorted. One era is enough.
fn crowded(eras: &[(Timestamp, Timestamp)], seen: impl Iterator<Item = (Timestamp, Timestamp)>) -> Vec<bool> {
    if eras.len() < 2 {
        return vec![true; eras.len()];
    }
    let era_of = |at: Timestamp| {
        let place = eras.partition_point(|(first, _)| *first <= at).checked_sub(1)?;
        eras.get(place).filter(|(_, last)| at <= *last).map(|_| place)
    };
    let (mut here, mut all) = (vec![0_usize; eras.len()], 0_usize);
    for (first, last) in seen {
        all += 1;
        let (a, b) = (era_of(first), era_of(last));
        for place in [a, b.filter(|b| Some(*b) != a)].into_iter().flatten() {
            if let Some(count) = here.get_mut(place) {
                *count += 1;
            }
        }
    }
    here.into_iter().map(|count| count > 0 && count.saturating_mul(20) >= all).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(spans: &[(i64, i64)]) -> Stretches {
        spans.iter().map(|(a, b)| (Timestamp(a * HOUR), Timestamp(b * HOUR))).collect::<Vec<_>>().into()
    }

    #[test]
    fn i11_a_gap_of_an_hour_ends_a_stretch_and_a_shorter_one_does_not() {
        let mut s = Stretches::default();
        for minute in [0, 59, 118, 178] {
            s.add(Timestamp::from_secs(60 * minute), Timestamp::from_secs(60 * minute));
        }
        assert_eq!(s.iter().count(), 2);
        assert_eq!(hours(&[(5, 6), (0, 2), (2, 5)]), hours(&[(0, 6)]));
    }

    proptest! {
        #[test]
        fn stretches_are_those_of_all_frames_in_any_order_and_partition(
            times in prop::collection::vec(0_i64..400, 1..60), cut in 0_usize..60
        ) {
            let at = |m: &i64| Timestamp::from_secs(60 * 7 * m);
            let mut all = Stretches::default();
            for t in &times {
                all.add(at(t), at(t));
            }
            let (mut a, mut b) = (Stretches::default(), Stretches::default());
            for (i, t) in times.iter().enumerate().rev() {
                if i < cut { a.add(at(t), at(t)) } else { b.add(at(t), at(t)) };
            }
            prop_assert!(a.merge(&b) || a == all || b.is_empty());
            prop_assert_eq!(&a, &all);
            prop_assert!(!a.merge(&b));
            let mut sorted = times;
            sorted.sort_unstable();
            let gaps = sorted.windows(2).filter(|w| 7 * (w[1] - w[0]) >= 60).count();
            prop_assert_eq!(all.iter().count(), gaps + 1);
        }
    }

    #[test]
    fn i16_times_before_2000_count_as_the_first_believable_one_and_a_far_future_is_not_believed() {
        let y = |year: i64| Timestamp(year * 365 * DAY);
        let mut s = Stretches::default();
        for (a, b) in [(y(0), y(0).plus(90)), (y(56), y(56).plus(HOUR)), (y(68), y(68))] {
            s.add(a, b);
        }
        let seen = (0..40).map(|_| (y(56), y(56).plus(5))).chain([(y(0), y(56)), (y(56), y(68))]);
        let clock = Clock::new(&s, seen);
        assert_eq!((clock.at(y(0)), clock.end()), (y(56), Some(y(56).plus(HOUR))));
        assert!(clock.is_beyond(y(68)));
        assert_eq!(clock.strayed(), Some((y(0), y(68))));
        assert_eq!(clock.starts(), [y(56), y(68)]);
    }

    #[test]
    fn i16_old_times_alone_are_taken_as_they_are() {
        let s = hours(&[(0, 1)]);
        let clock = Clock::new(&s, [(Timestamp(0), Timestamp(HOUR))].into_iter());
        assert_eq!(
            (clock.at(Timestamp(5)), clock.end(), clock.strayed()),
            (Timestamp(5), Some(Timestamp(HOUR)), None)
        );
    }
}
