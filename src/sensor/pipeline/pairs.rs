//! The pairs of couplings that talk to each other: a frame of one that spoke a moment ago ends here, in one line of the
//! processor's cache. Most frames of a busy link belong to few conversations.
//!
//! A pair holds frames of one coupling to another in one window of ten minutes, with the same signs and tags. A pair that
//! takes its place sends it on to the [`Sightings`](super::sightings::Sightings).

use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;

use crate::census::windows::Span;
use crate::census::{Signs, Timestamp};

/// The pairs of a set.
const WAYS: usize = 2;

/// Frames of a pair. Empty if no frame came since it was sent on.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Pair<A> {
    pub(super) key: Key<A>,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// What the frames of a pair have in common. Cards are numbers; only the link itself has pairs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key<A> {
    pub(super) source: u64,
    pub(super) destination: u64,
    pub(super) tags: u64,
    pub(super) from: A,
    pub(super) to: A,
    pub(super) signs: Signs,
}

/// An address as one or two words.
pub(super) trait Words: Copy + Eq + Default {
    fn word(self) -> u64;
}

impl Words for u32 {
    #[inline]
    fn word(self) -> u64 {
        self.into()
    }
}

impl Words for u128 {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves count")]
    fn word(self) -> u64 {
        (self >> 64) as u64 ^ self as u64
    }
}

impl<A> Pair<A> {
    const fn is_empty(&self) -> bool {
        self.first.0 > self.last.0
    }

    const fn clear(&mut self) {
        (self.first, self.last) = (Timestamp(i64::MAX), Timestamp(i64::MIN));
    }
}

/// The pairs of one address family, in `SETS` sets: a power of two.
#[derive(Debug)]
pub(super) struct Pairs<A, const SETS: usize> {
    /// Nobody should choose which pairs share a set.
    seeds: [u64; 2],
    /// Empty until the first frame.
    sets: Vec<[Pair<A>; WAYS]>,
    /// The window of the frame before.
    window: Span,
}

impl<A, const SETS: usize> Default for Pairs<A, SETS> {
    fn default() -> Self {
        let hasher = RandomState::default();
        let seeds = [hasher.hash_one(1_u8) | 1, hasher.hash_one(2_u8) | 1];
        Self { seeds, sets: Vec::new(), window: Span::of(Timestamp::default()) }
    }
}

/// What became of a frame.
pub(super) enum Added<A> {
    /// Its pair is known.
    Known,
    /// Its pair is new. It took the place of another, if that had frames.
    New(Option<Pair<A>>),
}

impl<A: Words, const SETS: usize> Pairs<A, SETS> {
    /// Adds a frame.
    #[inline]
    pub(super) fn add(&mut self, key: Key<A>, at: Timestamp) -> Added<A> {
        if !self.window.holds(at) {
            self.window = Span::of(at);
        }
        let place = self.place(&key);
        let window = self.window;
        let Some(set) = self.sets.get_mut(place) else { return self.first(key, at) };
        for pair in &mut *set {
            if pair.key == key && (pair.is_empty() || window.holds(pair.first)) {
                pair.first = pair.first.min(at);
                pair.last = pair.last.max(at);
                return Added::Known;
            }
        }
        Added::New(replace(set, key, at))
    }

    #[inline]
    fn place(&self, key: &Key<A>) -> usize {
        let [a, b] = self.seeds;
        let cards = key.source ^ key.destination.rotate_left(20);
        let ends = key.from.word() ^ key.to.word().rotate_left(32) ^ key.tags.rotate_left(16);
        let product = u128::from(cards ^ a).wrapping_mul(u128::from(ends ^ b));
        #[expect(clippy::cast_possible_truncation, reason = "masked to the number of sets")]
        let place = ((product >> 64) as u64 ^ product as u64 ^ u64::from(key.signs.0)) as usize;
        place & (SETS - 1)
    }

    #[cold]
    fn first(&mut self, key: Key<A>, at: Timestamp) -> Added<A> {
        let none = Key {
            source: 0,
            destination: 0,
            tags: 0,
            from: A::default(),
            to: A::default(),
            signs: Signs::default(),
        };
        let empty = Pair { key: none, first: Timestamp(i64::MAX), last: Timestamp(i64::MIN) };
        self.sets = vec![[empty; WAYS]; SETS];
        let place = self.place(&key);
        Added::New(self.sets.get_mut(place).and_then(|set| replace(set, key, at)))
    }

    /// Sends on all frames. The pairs stay known.
    pub(super) fn flush(&mut self, mut each: impl FnMut(Pair<A>)) {
        for pair in self.sets.iter_mut().flatten().filter(|pair| !pair.is_empty()) {
            each(*pair);
            pair.clear();
        }
    }
}

/// Puts a new pair into the place of the one that spoke least recently, or that has another window.
#[inline]
fn replace<A: Words>(set: &mut [Pair<A>; WAYS], key: Key<A>, at: Timestamp) -> Option<Pair<A>> {
    let new = Pair { key, first: at, last: at };
    let place = match set {
        [a, _] if a.key == key => a,
        [_, b] if b.key == key => b,
        [a, b] if a.last <= b.last => a,
        [_, b] => b,
    };
    Some(std::mem::replace(place, new)).filter(|old| !old.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> Key<u32> {
        Key { source: u64::from(n) | 2 << 40, destination: 7, tags: 0, from: n, to: 9, signs: Signs(n % 3) }
    }

    #[test]
    fn every_frame_is_in_one_span_of_its_pair_and_a_span_stays_in_its_window() {
        let mut pairs = Pairs::<_, 8_192>::default();
        let (mut frames, mut spans, mut news) = (Vec::new(), Vec::new(), 0);
        for n in 0..200_000_u32 {
            // Through several windows, and back.
            let at = Timestamp(i64::from(n * 37 % 200_003) * 5_000_000);
            let key = key(n * 7 % 12_011);
            frames.push((key, at));
            match pairs.add(key, at) {
                Added::Known => {}
                Added::New(old) => {
                    news += 1;
                    spans.extend(old);
                }
            }
            if n % 50_000 == 0 {
                pairs.flush(|pair| spans.push(pair));
            }
        }
        pairs.flush(|pair| spans.push(pair));
        assert!(spans.len() < frames.len() && news < frames.len());
        assert!(spans.iter().all(|pair| Span::of(pair.first).holds(pair.last)));
        let ends = |key: Key<u32>| {
            let own = |(k, at): &(Key<u32>, Timestamp)| (*k == key).then_some(*at);
            let times = || frames.iter().filter_map(own);
            let first = spans.iter().filter(|pair| pair.key == key).map(|pair| pair.first).min();
            let last = spans.iter().filter(|pair| pair.key == key).map(|pair| pair.last).max();
            assert_eq!((first, last), (times().min(), times().max()));
        };
        (0..100).map(|n| key(n * 7 % 12_011)).for_each(ends);
    }

    #[test]
    fn a_pair_that_was_sent_on_is_still_known() {
        let mut pairs = Pairs::<_, 8_192>::default();
        assert!(matches!(pairs.add(key(1), Timestamp(5)), Added::New(None)));
        assert!(matches!(pairs.add(key(1), Timestamp(6)), Added::Known));
        let mut spans = 0;
        pairs.flush(|_| spans += 1);
        assert!(matches!(pairs.add(key(1), Timestamp(7)), Added::Known));
        pairs.flush(|pair| assert_eq!((pair.first, pair.last), (Timestamp(7), Timestamp(7))));
        pairs.flush(|_| spans += 1);
        assert_eq!(spans, 1);
    }
}
