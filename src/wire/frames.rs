//! The numbers of the frames of a replayed capture.

use std::cmp::Ordering;

use crate::census::Timestamp;

/// Numbers the frames of a capture, from 1. The number of a frame is the rank of its instant among the distinct (time,
/// digest) pairs of the capture, so shuffling or duplicating the frames does not change it. If the frames of a file are
/// in order of time and all different, it is the frame's number in the file.
#[derive(Clone, Debug, Default)]
pub struct FrameNumbers {
    /// The earliest frames, in order, `CHUNK` in each list: one list of all would be copied each time that it grows.
    settled: Vec<Vec<Numbered>>,
    /// The newest frames: at least `LATE` if others are settled.
    frames: Vec<Numbered>,
    /// Whether a frame came so late that all must be sorted in the end.
    is_shuffled: bool,
    overflow: bool,
}

/// A frame's instant and digest in 12 bytes. Orders like (instant, digest).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Numbered([u32; 3]);

impl Ord for Numbered {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.whole().cmp(&other.whole())
    }
}

impl PartialOrd for Numbered {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Numbered {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of a word")]
    fn new(at: Timestamp, digest: u32) -> Self {
        let ordered = at.0.cast_unsigned() ^ (1 << 63);
        Self([(ordered >> 32) as u32, ordered as u32, digest])
    }

    /// As one number: processors compare one sooner than three.
    #[inline]
    fn whole(&self) -> u128 {
        let [high, low, digest] = self.0;
        u128::from(high) << 64 | u128::from(low) << 32 | u128::from(digest)
    }

    fn instant(&self) -> [u32; 2] {
        let [high, low, _] = self.0;
        [high, low]
    }
}

/// The most frames that are numbered. A longer capture has no frame numbers.
const NUMBERED: usize = 1 << 25;
/// A frame that comes later than at most that many others finds its place at once.
const LATE: usize = 64;
/// Frames of a list that is settled, and of the list of the newest.
const CHUNK: usize = NEWEST - LATE;
const NEWEST: usize = 1 << 17;

impl FrameNumbers {
    /// Records a frame at `at`; `digest` tells it from others of the same instant.
    #[inline]
    pub fn record(&mut self, at: Timestamp, digest: u32) {
        let new = Numbered::new(at, digest);
        if self.frames.len() >= NEWEST {
            self.settle();
        }
        if self.settled.len() * CHUNK + self.frames.len() >= NUMBERED {
            self.overflow = true;
        } else if self.frames.last().is_none_or(|last| *last < new) {
            self.frames.push(new);
        } else {
            self.insert(new);
        }
    }

    /// Makes room for new frames beside the latest ones.
    #[cold]
    fn settle(&mut self) {
        let mut next = Vec::with_capacity(NEWEST);
        next.extend(self.frames.drain(CHUNK..));
        self.settled.push(std::mem::replace(&mut self.frames, next));
    }

    /// All in one list.
    fn into_list(self) -> Vec<Numbered> {
        let mut all = self.settled;
        all.push(self.frames);
        if all.len() == 1 { all.pop().unwrap_or_default() } else { all.concat() }
    }

    /// Frames of one instant are in the order of their digests, not in that of their coming.
    #[inline(never)]
    fn insert(&mut self, new: Numbered) {
        let start = self.frames.len().saturating_sub(LATE);
        let tail = self.frames.get(start..).unwrap_or_default();
        let later = tail.iter().rev().take_while(|known| **known >= new).count();
        let place = tail.len() - later;
        if later == LATE {
            self.is_shuffled = true;
            self.frames.push(new);
        } else if tail.get(place) != Some(&new) {
            self.frames.insert(start + place, new);
        }
    }

    /// The numbers of a capture whose frames several have recorded and sealed.
    pub fn joined(all: Vec<Self>) -> Self {
        let overflow = all.iter().any(|one| one.overflow);
        let mut lists = all.into_iter().map(Self::into_list);
        let mut frames = lists.next().unwrap_or_default();
        lists.for_each(|list| frames.extend(list));
        // Stable sorting finds the parts that are in order, and merges them.
        frames.sort();
        frames.dedup();
        let overflow = overflow || frames.len() > NUMBERED;
        Self { settled: Vec::new(), frames, is_shuffled: false, overflow }
    }

    /// Ends recording. Must be called before [`FrameNumbers::number`].
    pub fn seal(&mut self) {
        if std::mem::take(&mut self.is_shuffled) {
            let overflow = self.overflow;
            *self = Self { frames: std::mem::take(self).into_list(), overflow, ..Self::default() };
            self.frames.sort_unstable();
            self.frames.dedup();
        }
    }

    /// The number of the first frame at `at`; `None` if there is none, or if the capture was too long.
    pub fn number(&self, at: Timestamp) -> Option<u64> {
        let wanted = Numbered::new(at, 0).instant();
        let before = |f: &Numbered| f.instant() < wanted;
        let list = self.settled.partition_point(|list| list.last().is_some_and(before));
        let frames = self.settled.get(list).unwrap_or(&self.frames);
        let rank = frames.partition_point(before);
        (!self.overflow && frames.get(rank).is_some_and(|f| f.instant() == wanted))
            .then_some((list * CHUNK + rank) as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(frames: impl Iterator<Item = (i64, u32)>) -> Vec<Option<u64>> {
        let mut numbers = FrameNumbers::default();
        frames.for_each(|(at, digest)| numbers.record(Timestamp(at), digest));
        numbers.seal();
        (-2..60).map(|at| numbers.number(Timestamp(at))).collect()
    }

    #[test]
    fn numbers_are_ranks_in_any_order_with_repetitions_and_many_frames_of_one_instant() {
        let frames: Vec<(i64, u32)> = (0..600_u32).map(|n| (i64::from(n) / 12, n * 7_919 % 12)).collect();
        let first = |at: i64| u64::try_from(at).ok().filter(|at| *at < 50).map(|at| at * 12 + 1);
        let expected: Vec<_> = (-2..60).map(first).collect();
        assert_eq!(numbers(frames.iter().copied()), expected);
        assert_eq!(numbers(frames.iter().rev().copied()), expected);
        assert_eq!(numbers(frames.iter().chain(&frames).copied()), expected);
        let shuffled = (0..600_usize).map(|n| frames[n * 7 % 600]).chain(frames.iter().copied());
        assert_eq!(numbers(shuffled), expected);
    }

    #[test]
    fn numbers_of_a_long_capture_are_ranks_too() {
        let frames = u32::try_from(CHUNK).unwrap() * 3 + 7;
        let of = |order: &mut dyn Iterator<Item = u32>| {
            let mut numbers = FrameNumbers::default();
            order.for_each(|n| numbers.record(Timestamp(i64::from(n) * 2), n));
            numbers.seal();
            numbers
        };
        // In order, with neighbours swapped, and from the end.
        let swapped = |n: u32| if n + 1 == frames { n } else { n ^ 1 };
        let halves = [0, 1].map(|half| of(&mut (half..frames).step_by(2)));
        for numbers in [
            of(&mut (0..frames)),
            of(&mut (0..frames).map(swapped)),
            of(&mut (0..frames).rev()),
            FrameNumbers::joined(halves.to_vec()),
        ] {
            for n in 0..frames {
                assert_eq!(numbers.number(Timestamp(i64::from(n) * 2)), Some(u64::from(n) + 1));
            }
            let missing = [-1, 1, i64::from(frames) * 2];
            assert!(missing.iter().all(|at| numbers.number(Timestamp(*at)).is_none()));
        }
    }
}
