//! The pairs of couplings that talk to each other: a frame of one that spoke a moment ago ends here, in one line of the
//! processor's cache. Most frames of a busy link belong to few conversations.
//!
//! A pair holds frames of one coupling to another in one window of ten minutes, with the same signs and tags. A pair that
//! takes its place sends it on to the [`Sightings`](super::sightings::Sightings).
//!
//! Frames wait for a few others, so that the processor fetches the lines of all of them side by side.

use std::hash::BuildHasher as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::fast::RandomState;

use super::sightings::BATCH;
use crate::census::windows::Span;
use crate::census::{CouplingKey, Signs, Timestamp};
use crate::dissect::card;

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
    fn ip(self) -> IpAddr;
}

impl Words for u32 {
    #[inline]
    fn word(self) -> u64 {
        self.into()
    }

    fn ip(self) -> IpAddr {
        Ipv4Addr::from_bits(self).into()
    }
}

impl Words for u128 {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves count")]
    fn word(self) -> u64 {
        (self >> 64) as u64 ^ self as u64
    }

    fn ip(self) -> IpAddr {
        Ipv6Addr::from_bits(self).into()
    }
}

/// A frame that waits for others.
#[derive(Clone, Copy, Debug)]
struct Waiting<A> {
    key: Key<A>,
    at: Timestamp,
    /// The number of its set.
    place: usize,
    is_addressed: bool,
}

/// What the first frame of a pair tells.
pub(super) struct New<A> {
    /// Its receiver, if the frame shows it (I15a), and when.
    pub(super) addressed: Option<(CouplingKey, Timestamp)>,
    /// The pair that gave its place, if that had frames.
    pub(super) old: Option<Pair<A>>,
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
    waiting: Vec<Waiting<A>>,
    /// Empty until the first frame.
    sets: Vec<[Pair<A>; WAYS]>,
    /// The window of the frame before.
    window: Span,
}

impl<A, const SETS: usize> Default for Pairs<A, SETS> {
    fn default() -> Self {
        let hasher = RandomState::default();
        let seeds = [hasher.hash_one(1_u8) | 1, hasher.hash_one(2_u8) | 1];
        Self { seeds, waiting: Vec::new(), sets: Vec::new(), window: Span::of(Timestamp::default()) }
    }
}

impl<A: Words, const SETS: usize> Pairs<A, SETS> {
    /// Adds a frame, which shows its receiver if `is_addressed`. Returns whether it is time to [`settle`](Self::settle).
    #[inline]
    pub(super) fn add(&mut self, key: Key<A>, is_addressed: bool, at: Timestamp) -> bool {
        let place = self.place(&key);
        self.waiting.push(Waiting { key, at, place, is_addressed });
        self.waiting.len() >= BATCH
    }

    /// Adds the frames that wait to their pairs. `each` gets what those tell whose pair is new.
    pub(super) fn settle(&mut self, mut each: impl FnMut(New<A>)) {
        if self.sets.is_empty() && !self.waiting.is_empty() {
            self.make_room();
        }
        // Loads that do not depend on each other run side by side.
        let sets = self.waiting.iter().map(|frame| self.sets.get(frame.place));
        black_box(sets.fold(0, |sum, set| sum ^ set.map_or(0, |[a, b]| a.key.source ^ b.key.source)));
        for Waiting { key, at, place, is_addressed } in self.waiting.drain(..) {
            if !self.window.holds(at) {
                self.window = Span::of(at);
            }
            let window = self.window;
            let Some(set) = self.sets.get_mut(place) else { continue };
            let is_own =
                |pair: &&mut Pair<A>| pair.key == key && (pair.is_empty() || window.holds(pair.first));
            if let Some(pair) = set.iter_mut().find(is_own) {
                pair.first = pair.first.min(at);
                pair.last = pair.last.max(at);
            } else {
                let to = CouplingKey { mac: card(key.destination), ip: key.to.ip() };
                each(New { addressed: is_addressed.then_some((to, at)), old: replace(set, key, at) });
            }
        }
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
    fn make_room(&mut self) {
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
    }

    /// Sends on all frames, none of which may wait. The pairs stay known.
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
            if pairs.add(key, true, at) || n % 50_000 == 0 {
                pairs.settle(|new| {
                    news += 1;
                    assert!(new.addressed.is_some());
                    spans.extend(new.old);
                });
            }
            if n % 50_000 == 0 {
                pairs.flush(|pair| spans.push(pair));
            }
        }
        pairs.settle(|new| spans.extend(new.old));
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
        let add = |pairs: &mut Pairs<_, 8_192>, at| {
            let mut news = 0;
            pairs.add(key(1), false, Timestamp(at));
            pairs.settle(|new| {
                news += 1;
                assert!(new.addressed.is_none() && new.old.is_none());
            });
            news
        };
        assert_eq!((add(&mut pairs, 5), add(&mut pairs, 6)), (1, 0));
        let mut spans = 0;
        pairs.flush(|_| spans += 1);
        assert_eq!(add(&mut pairs, 7), 0);
        pairs.flush(|pair| assert_eq!((pair.first, pair.last), (Timestamp(7), Timestamp(7))));
        pairs.flush(|_| spans += 1);
        assert_eq!(spans, 1);
    }
}
