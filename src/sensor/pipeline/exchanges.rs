//! The ARP exchanges of a worker: what is new of them goes to the segment, many at once.
//!
//! All workers share the segment behind a lock. Hosts repeat their questions for days, so a worker remembers which it has
//! passed on. A question that is answered at once is whole here, and needs no room among the segment's half exchanges.

use std::hash::BuildHasher;

use super::rows::Recorder;
use crate::census::Exchange;

/// Slots of the memory of recent exchanges; a power of two.
const SLOTS: usize = 2_048;
/// Exchanges that are passed on at once.
const BATCH: usize = 256;

#[derive(Debug)]
pub(super) struct Exchanges {
    recent: Vec<Option<Exchange>>,
    news: Vec<Exchange>,
}

impl Default for Exchanges {
    fn default() -> Self {
        Self { recent: vec![None; SLOTS], news: Vec::with_capacity(BATCH) }
    }
}

impl Exchanges {
    /// Adds one half of an exchange.
    pub(super) fn add(&mut self, half: Exchange, hasher: &impl BuildHasher, rows: Recorder<'_>) {
        #[expect(clippy::cast_possible_truncation, reason = "masked to the number of slots")]
        let place = hasher.hash_one(half.pair()) as usize & (SLOTS - 1);
        let Some(slot) = self.recent.get_mut(place) else { return };
        let known = match slot {
            Some(known) => known.join(&half),
            None => None,
        };
        match known {
            Some(false) => return,
            Some(true) => {}
            None => *slot = Some(half),
        }
        self.news.extend(*slot);
        if self.news.len() >= BATCH {
            self.merge_into(rows);
        }
    }

    /// Passes on what is new.
    pub(super) fn merge_into(&mut self, rows: Recorder<'_>) {
        if !self.news.is_empty() {
            rows.learn(|segment| {
                let mut changed = false;
                for new in self.news.drain(..) {
                    changed |= segment.record_exchange(new);
                }
                changed
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use foldhash::fast::RandomState;

    use super::*;
    use crate::census::{Segment, Zone};
    use crate::sensor::pipeline::table::Table;

    fn add(to: &mut Exchanges, half: (Ipv4Addr, Ipv4Addr, bool), hasher: &RandomState, table: &Table) {
        if let Some(half) = Exchange::heard(half.0, half.1, half.2) {
            to.add(half, hasher, table.on_link());
        }
    }

    #[test]
    fn the_segment_learns_the_same_as_from_each_half_alone() {
        let (table, mut exchanges, hasher) = (Table::new(9), Exchanges::default(), RandomState::default());
        let mut expected = Segment::default();
        let at = |n: u32| Ipv4Addr::from_bits(0x0a00_0000 + n);
        for n in 0..3_000 {
            let (a, b, answer) = (at(n / 7 * 64), at(n / 7 * 64 + n % 5), n % 3 == 0);
            for (sender, target) in [(a, b), (b, a), (a, b)] {
                add(&mut exchanges, (sender, target, answer), &hasher, &table);
                expected.exchange(sender, target, answer);
            }
        }
        exchanges.merge_into(table.on_link());
        assert_eq!(table.take_delta(), Zone { segment: expected, ..Zone::default() });
    }

    #[test]
    fn an_exchange_that_is_answered_at_once_teaches_though_no_half_finds_room() {
        let (table, mut exchanges, hasher) = (Table::new(9), Exchanges::default(), RandomState::default());
        // Questions that nobody answers: of each /20, as many as are kept.
        for n in 0..80_000_u32 {
            let block = 0x0a00_0000 + (n >> 9 << 12);
            let (a, b) = (Ipv4Addr::from_bits(block + 1), Ipv4Addr::from_bits(block + 2 + (n & 511)));
            add(&mut exchanges, (a, b, false), &hasher, &table);
        }
        let (a, b) = (Ipv4Addr::new(192, 168, 7, 5), Ipv4Addr::new(192, 168, 7, 9));
        add(&mut exchanges, (a, b, false), &hasher, &table);
        add(&mut exchanges, (b, a, true), &hasher, &table);
        exchanges.merge_into(table.on_link());
        let learned = table.take_delta().segment.exchanged;
        assert_eq!(learned.iter().map(ToString::to_string).collect::<Vec<_>>(), ["192.168.7.0/28"]);
        assert!(table.limit_hits().learned);
    }
}
