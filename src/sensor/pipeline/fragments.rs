//! Reassembly of fragmented discovery payloads. The result does not depend on the order or repetition of fragments.
//! Memory is limited by number and bytes, not by time: at the limit the oldest datagram is dropped and counted.

use std::collections::{BTreeMap, BTreeSet};

use crate::census::Timestamp;
use crate::dissect::{Fragment, FragmentKey};

/// Maximum number of incomplete datagrams.
const SETS: usize = 1_024;
/// Maximum bytes of a datagram: discovery payloads are small, and bulk data is not reassembled.
const BYTES: usize = 16 << 10;
/// Maximum fragments of a datagram.
const PARTS: usize = 64;

/// The datagrams in reassembly.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    sets: BTreeMap<FragmentKey, Set>,
    /// The same by their earliest fragments, so that the oldest is found at once.
    by_age: BTreeSet<(Timestamp, FragmentKey)>,
    /// Datagrams dropped at the limit.
    pub(super) dropped: u64,
}

/// The fragments of one datagram by offset.
#[derive(Debug)]
struct Set {
    first: Timestamp,
    parts: BTreeMap<usize, Box<[u8]>>,
    /// The datagram's length, once the last fragment has arrived.
    length: Option<usize>,
    /// Set if two fragments contradict each other or a limit was hit; the datagram is then never complete.
    broken: bool,
}

impl Fragments {
    /// Adds a fragment captured at `at`. Returns the payload and the time of its earliest fragment if the datagram is
    /// complete and the fragment changed something.
    pub(super) fn gather(&mut self, fragment: &Fragment<'_>, at: Timestamp) -> Option<(Vec<u8>, Timestamp)> {
        if !self.sets.contains_key(&fragment.key)
            && self.sets.len() >= SETS
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.sets.remove(&oldest);
            self.dropped += 1;
        }
        let set = self.sets.entry(fragment.key).or_insert_with(|| Set {
            first: at,
            parts: BTreeMap::new(),
            length: None,
            broken: false,
        });
        let before = set.first;
        let news = set.add(fragment, at);
        if set.first != before {
            self.by_age.remove(&(before, fragment.key));
        }
        self.by_age.insert((set.first, fragment.key));
        if news { set.whole().map(|payload| (payload, set.first)) } else { None }
    }
}

impl Set {
    fn add(&mut self, fragment: &Fragment<'_>, at: Timestamp) -> bool {
        let mut news = at < self.first;
        self.first = self.first.min(at);
        let end = fragment.offset + fragment.bytes.len();
        if !fragment.more {
            news |= self.length.is_none();
            self.broken |= self.length.is_some_and(|known| known != end);
            self.length = Some(end);
        }
        match self.parts.get(&fragment.offset) {
            Some(known) => self.broken |= **known != *fragment.bytes,
            None if self.parts.len() >= PARTS || end > BYTES => self.broken = true,
            None => {
                self.parts.insert(fragment.offset, fragment.bytes.into());
                news = true;
            }
        }
        if self.broken {
            self.parts.clear();
        }
        news
    }

    /// The payload, if the fragments fill it without gap or overlap.
    fn whole(&self) -> Option<Vec<u8>> {
        let length = self.length.filter(|_| !self.broken)?;
        let mut payload = Vec::with_capacity(length);
        for (offset, bytes) in &self.parts {
            if *offset != payload.len() {
                return None;
            }
            payload.extend_from_slice(bytes);
        }
        (payload.len() == length).then_some(payload)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::census::MacAddr;

    fn key(id: u32) -> FragmentKey {
        FragmentKey {
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            source: [10, 0, 0, 1].into(),
            destination: [224, 0, 0, 251].into(),
            id,
            tunnel: 0,
        }
    }

    fn part(id: u32, offset: usize, bytes: &[u8], more: bool) -> Fragment<'_> {
        Fragment { key: key(id), offset, more, bytes }
    }

    proptest! {
        #[test]
        fn any_order_and_repetition_gives_the_whole_payload_at_its_earliest_time(
            order in Just(vec![0usize, 1, 2, 3, 0, 2]).prop_shuffle()
        ) {
            let payload: Vec<u8> = (0..30).collect();
            let mut fragments = Fragments::default();
            let mut last = None;
            for i in order {
                let end = (i * 8 + 8).min(30);
                let f = part(1, i * 8, &payload[i * 8..end], end < 30);
                last = fragments.gather(&f, Timestamp(10 + i64::try_from(i).unwrap())).or(last);
            }
            prop_assert_eq!(last, Some((payload, Timestamp(10))));
        }
    }

    #[test]
    fn contradictions_gaps_and_floods_never_make_a_payload() {
        let mut fragments = Fragments::default();
        assert!(fragments.gather(&part(1, 0, b"abcdefgh", true), Timestamp(1)).is_none());
        assert!(fragments.gather(&part(1, 0, b"ABCDEFGH", true), Timestamp(1)).is_none());
        assert!(fragments.gather(&part(1, 8, b"x", false), Timestamp(1)).is_none());
        assert!(fragments.gather(&part(2, 16, b"x", false), Timestamp(1)).is_none());
        assert!(fragments.gather(&part(2, 0, b"abcdefgh", true), Timestamp(1)).is_none());
        for id in 10..3_000 {
            fragments.gather(&part(id, 0, b"abcdefgh", true), Timestamp(2));
        }
        assert_eq!((fragments.sets.len(), fragments.by_age.len()), (SETS, SETS));
        assert!(fragments.dropped > 0);
    }

    #[test]
    fn the_datagram_with_the_earliest_fragment_is_dropped_first() {
        let mut fragments = Fragments::default();
        for id in 0..1_024 {
            fragments.gather(&part(id, 0, b"abcdefgh", true), Timestamp(10 + i64::from(id)));
        }
        // An earlier part of the newest makes it the oldest.
        fragments.gather(&part(1_023, 8, b"abcdefgh", true), Timestamp(1));
        for id in [5_000, 5_001] {
            fragments.gather(&part(id, 0, b"abcdefgh", true), Timestamp(5_000));
        }
        let left: Vec<u32> = fragments.sets.keys().map(|key| key.id).collect();
        assert_eq!(
            (left.len(), left.contains(&1_023), left.contains(&0), left.contains(&1)),
            (SETS, false, false, true)
        );
    }
}
