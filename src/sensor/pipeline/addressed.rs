//! The couplings to which a worker saw others send packets, so that the table hears of each once.

use std::hash::BuildHasher as _;
use std::hint::black_box;

use foldhash::fast::RandomState;

use super::sightings::BATCH;
use super::tunnels::Tunnels;
use crate::census::{CouplingKey, Sign, Timestamp};
use crate::dissect::Tags;

/// Lines of hashes at first, and at most; powers of two. A line is one of the processor's cache.
const FIRST: usize = 256;
const LINES: usize = 16_384;
/// Hashes of a line.
const LINE: usize = 8;

/// Hashes of couplings, by their lines, the newest of a line first. It grows with the couplings that others address; a full
/// line forgets the oldest.
#[derive(Debug)]
pub(super) struct Addressed {
    hasher: RandomState,
    /// Packets that wait to be looked up at once.
    waiting: Vec<Packet>,
    lines: Vec<[u64; LINE]>,
    /// Hashes that were added.
    held: usize,
}

/// A packet to a coupling.
#[derive(Clone, Copy, Debug)]
struct Packet {
    hash: u64,
    to: CouplingKey,
    /// The number of the tunnel that it came through.
    tunnel: u16,
    at: Timestamp,
}

impl Default for Addressed {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            waiting: Vec::with_capacity(BATCH),
            lines: vec![[0; LINE]; FIRST],
            held: 0,
        }
    }
}

impl Addressed {
    /// Adds a packet to `to` at `at`, through the tunnel with that number.
    #[inline]
    pub(super) fn add(&mut self, to: CouplingKey, tunnel: u16, at: Timestamp, tunnels: &Tunnels<'_>) {
        let hash = self.hasher.hash_one((to, tunnel));
        self.waiting.push(Packet { hash, to, tunnel, at });
        if self.waiting.len() >= BATCH {
            self.flush(tunnels);
        }
    }

    /// Passes on the couplings among those that wait which are not known; they are from now on.
    pub(super) fn flush(&mut self, tunnels: &Tunnels<'_>) {
        let mut waiting = std::mem::take(&mut self.waiting);
        // Loads that do not depend on each other run side by side.
        let lines = waiting.iter().map(|packet| self.lines.get(self.place(packet.hash)));
        black_box(lines.fold(0, |sum, line| sum ^ line.map_or(0, |line| line[0])));
        for Packet { hash, to, tunnel, at } in waiting.drain(..) {
            let line = self.lines.get(self.place(hash));
            if line.is_none_or(|line| !line.contains(&hash)) {
                self.remember(hash);
                if let Some(recorder) = tunnels.recorder(tunnel) {
                    recorder.sight(to, at, at, Sign::Addressed.into(), Tags::default());
                }
            }
        }
        self.waiting = waiting;
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        #[expect(clippy::cast_possible_truncation, reason = "masked to the number of lines")]
        let place = hash as usize;
        place & (self.lines.len() - 1)
    }

    fn remember(&mut self, hash: u64) {
        // At a quarter, hardly any line is full.
        if self.held >= self.lines.len() * LINE / 4 && self.lines.len() < LINES {
            let more = vec![[0; LINE]; self.lines.len() * 2];
            let known = std::mem::replace(&mut self.lines, more);
            // The oldest first, so that the newest stay first.
            known.iter().flat_map(|line| line.iter().rev()).filter(|h| **h != 0).for_each(|h| self.put(*h));
        }
        self.held += 1;
        self.put(hash);
    }

    fn put(&mut self, hash: u64) {
        let place = self.place(hash);
        if let Some(line) = self.lines.get_mut(place) {
            line.rotate_right(1);
            line[0] = hash;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::MacAddr;
    use crate::sensor::pipeline::table::Table;
    use crate::sensor::pipeline::tunnels::LINK;

    #[test]
    fn the_table_hears_of_hardly_any_coupling_twice_however_many_there_are() {
        let table = Table::new(1_000_000);
        let (mut addressed, tunnels) = (Addressed::default(), Tunnels::alone(&table));
        for at in [7, 8] {
            for n in 0..9_000_u16 {
                let [a, b] = n.to_be_bytes();
                let to = CouplingKey { mac: MacAddr([2, 0, 0, 0, a, b]), ip: [10, 0, a, b].into() };
                addressed.add(to, LINK, Timestamp(at), &tunnels);
            }
            addressed.flush(&tunnels);
            assert_eq!(table.len(), 9_000);
        }
        assert!(addressed.lines.len() > FIRST);
        let twice = table.snapshot().couplings.values().filter(|c| c.last_seen != Timestamp(7)).count();
        assert!(twice < 90, "{twice}");
    }
}
