//! The couplings that a worker met since the last flush: a frame of a known one ends here, without a lock and without an
//! allocation.
//!
//! A row holds the frames of one coupling in one window of ten minutes that show the same signs and tags, so it merges
//! into the [`Table`](super::table::Table) as one sighting. Rows lie one after the other and grow with the couplings that
//! the network has; an index of four bytes a place finds them. Once there are too many, they leave for the table, a few
//! each time that as many couplings were new: no frame waits for all of them.
//!
//! Memory is far: a row that is not in the processor's cache costs as much as the rest of a frame. Frames therefore wait
//! for a few others, and the rows of all are looked up at once, so that the processor fetches them side by side.

use std::hash::{BuildHasher as _, Hash, Hasher};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::fast::RandomState;

use super::pairs::{Key, Pair};
use super::together::{Sighting, TOGETHER};
use super::tunnels::{LINK, Tunnels};
use crate::census::windows::Span;
use crate::census::{CouplingKey, MacAddr, Signs, Timestamp};
use crate::dissect::Tags;

/// Rows of each address family for which there is room at first, and at most; powers of two.
const FIRST: usize = 1_024;
const ROWS: usize = 65_536;
/// Frames that wait for each other.
pub(super) const BATCH: usize = 32;
/// The bits of an entry of the index that tell the row, counted from 1; the others are bits of the hash.
const NUMBER: u32 = 0x1_ffff;

/// What frames showed of couplings since the last flush.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    hasher: RandomState,
    four: Rows<u32>,
    six: Rows<u128>,
}

impl Sightings {
    /// Adds a frame at `at` through the tunnel with that number.
    #[inline]
    pub(super) fn add(
        &mut self,
        key: CouplingKey,
        signs: Signs,
        tags: Tags,
        tunnel: u16,
        at: Timestamp,
        tunnels: &Tunnels<'_>,
    ) {
        let [a, b, c, d, e, f] = key.mac.0;
        let [high, low] = tunnel.to_be_bytes();
        let sender = u64::from_be_bytes([high, low, a, b, c, d, e, f]);
        let tags = tags.bits();
        match key.ip {
            IpAddr::V4(ip) => {
                let row = Row { sender, tags, ip: ip.to_bits(), signs, first: at, last: at };
                self.four.add(row, &self.hasher, tunnels);
            }
            IpAddr::V6(ip) => {
                let row = Row { sender, tags, ip: ip.to_bits(), signs, first: at, last: at };
                self.six.add(row, &self.hasher, tunnels);
            }
        }
    }

    /// Adds the frames of a pair with IPv4 addresses.
    #[inline]
    pub(super) fn add_four(&mut self, pair: Pair<u32>, tunnels: &Tunnels<'_>) {
        self.four.add(pair.into(), &self.hasher, tunnels);
    }

    /// Adds the frames of a pair with IPv6 addresses.
    #[inline]
    pub(super) fn add_six(&mut self, pair: Pair<u128>, tunnels: &Tunnels<'_>) {
        self.six.add(pair.into(), &self.hasher, tunnels);
    }

    /// Merges everything into the table.
    pub(super) fn flush(&mut self, tunnels: &Tunnels<'_>) {
        self.four.flush(&self.hasher, tunnels);
        self.six.flush(&self.hasher, tunnels);
    }
}

/// Frames of a coupling between `first` and `last`, in one window of ten minutes, all with the same signs and tags. A
/// coupling records the windows in which it was proven, so a row must not span several.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Row<A> {
    /// The number of the tunnel that the frames came through, then the MAC.
    sender: u64,
    /// The bits of [`Tags`].
    tags: u64,
    first: Timestamp,
    ip: A,
    signs: Signs,
    last: Timestamp,
}

/// An address of one family: rows of IPv4 are much smaller.
trait Address: Copy + Eq {
    fn ip(self) -> IpAddr;
    /// Hashes the address, and signs beside it.
    fn hash_with<H: Hasher>(self, signs: Signs, state: &mut H);
}

impl Address for u32 {
    fn ip(self) -> IpAddr {
        Ipv4Addr::from_bits(self).into()
    }

    #[inline]
    fn hash_with<H: Hasher>(self, signs: Signs, state: &mut H) {
        state.write_u64(u64::from(self) << 32 | u64::from(signs.0));
    }
}

impl Address for u128 {
    fn ip(self) -> IpAddr {
        Ipv6Addr::from_bits(self).into()
    }

    #[inline]
    fn hash_with<H: Hasher>(self, signs: Signs, state: &mut H) {
        state.write_u128(self);
        state.write_u32(signs.0);
    }
}

impl<A: Address> Hash for Row<A> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from(self.sender) << 64 | u128::from(self.tags));
        self.ip.hash_with(self.signs, state);
    }
}

/// The sender's part of a pair, which the link itself showed.
impl<A> From<Pair<A>> for Row<A> {
    fn from(Pair { key, first, last }: Pair<A>) -> Self {
        let Key { source, tags, from, signs, .. } = key;
        Self { sender: u64::from(LINK) << 48 | source, tags, first, ip: from, signs, last }
    }
}

impl<A: Address> Row<A> {
    /// Whether frames of both belong together, in the same window.
    #[inline]
    fn is_like(&self, other: &Self) -> bool {
        self.sender == other.sender
            && self.ip == other.ip
            && self.signs == other.signs
            && self.tags == other.tags
    }

    /// The number of its tunnel, and the sighting.
    fn sighting(self) -> (u16, Sighting) {
        let [high, low, a, b, c, d, e, f] = self.sender.to_be_bytes();
        let key = CouplingKey { mac: MacAddr([a, b, c, d, e, f]), ip: self.ip.ip() };
        let Self { first, last, signs, tags, .. } = self;
        let sighting = Sighting { key, first, last, signs, tags: Tags::of_bits(tags) };
        (u16::from_be_bytes([high, low]), sighting)
    }

    fn merge_into(self, tunnels: &Tunnels<'_>) {
        let (tunnel, Sighting { key, first, last, signs, tags }) = self.sighting();
        if let Some(recorder) = tunnels.recorder(tunnel) {
            recorder.sight(key, first, last, signs, tags);
        }
    }
}

/// Merges many rows into the table.
fn merge_all<A: Address>(rows: impl Iterator<Item = Row<A>>, tunnels: &Tunnels<'_>) {
    let mut together = Vec::with_capacity(TOGETHER);
    for row in rows {
        let (tunnel, sighting) = row.sighting();
        if tunnel != LINK {
            row.merge_into(tunnels);
            continue;
        }
        together.push(sighting);
        if together.len() >= TOGETHER
            && let Some(recorder) = tunnels.recorder(LINK)
        {
            recorder.sight_all(&mut together);
        }
    }
    if let Some(recorder) = tunnels.recorder(LINK) {
        recorder.sight_all(&mut together);
    }
}

/// Rows of one address family.
#[derive(Debug)]
struct Rows<A> {
    /// New frames, each with its hash.
    waiting: Vec<(u64, Row<A>)>,
    rows: Vec<Row<A>>,
    /// Open addressing, at most half full. 0 is an empty place. Empty until the first row.
    index: Vec<u32>,
    /// Rows that leave for the table, as many as come, and how many came since some left.
    leaving: Vec<Row<A>>,
    came: usize,
    /// The window of the frame before.
    window: Span,
}

impl<A> Default for Rows<A> {
    fn default() -> Self {
        let waiting = Vec::with_capacity(BATCH);
        let window = Span::of(Timestamp::default());
        Self { waiting, rows: Vec::new(), index: Vec::new(), leaving: Vec::new(), came: 0, window }
    }
}

impl<A: Address> Rows<A> {
    #[inline]
    fn add(&mut self, new: Row<A>, hasher: &RandomState, tunnels: &Tunnels<'_>) {
        self.waiting.push((hasher.hash_one(new), new));
        if self.waiting.len() >= BATCH {
            self.settle(hasher, tunnels);
        }
    }

    /// Adds the frames that wait to their rows.
    fn settle(&mut self, hasher: &RandomState, tunnels: &Tunnels<'_>) {
        let mut waiting = std::mem::take(&mut self.waiting);
        self.fetch(&waiting);
        for (hash, new) in waiting.drain(..) {
            if !self.window.holds(new.first) {
                self.window = Span::of(new.first);
            }
            let window = self.window;
            if let Some(known) = self.find(hash, &new) {
                if window.holds(known.first) {
                    known.first = known.first.min(new.first);
                    known.last = known.last.max(new.last);
                } else {
                    std::mem::replace(known, new).merge_into(tunnels);
                }
            } else {
                self.insert(new, hash, hasher, tunnels);
            }
        }
        self.waiting = waiting;
    }

    /// Reads what will be needed: loads that do not depend on each other run side by side.
    fn fetch(&self, waiting: &[(u64, Row<A>)]) {
        let mut entries = [0; BATCH];
        for ((hash, _), entry) in waiting.iter().zip(&mut entries) {
            let place = places(*hash, self.index.len()).next();
            *entry = place.and_then(|place| self.index.get(place)).copied().unwrap_or_default();
        }
        let rows = entries.iter().map(|entry| self.rows.get(((entry & NUMBER) as usize).wrapping_sub(1)));
        // Both ends, because a row may lie in two lines of the cache.
        black_box(
            rows.fold(0, |sum, row| sum ^ row.map_or(0, |row| row.sender ^ row.last.0.cast_unsigned())),
        );
    }

    #[inline]
    fn find(&mut self, hash: u64, new: &Row<A>) -> Option<&mut Row<A>> {
        for place in places(hash, self.index.len()) {
            let entry = self.index.get(place).filter(|entry| **entry != 0)?;
            let number = (entry & NUMBER) as usize - 1;
            if entry & !NUMBER == mark(hash) && self.rows.get(number)?.is_like(new) {
                return self.rows.get_mut(number);
            }
        }
        None
    }

    #[inline(never)]
    fn insert(&mut self, new: Row<A>, hash: u64, hasher: &RandomState, tunnels: &Tunnels<'_>) {
        self.came = (self.came + 1) % TOGETHER;
        if self.came == 0 && !self.leaving.is_empty() {
            let start = self.leaving.len().saturating_sub(TOGETHER);
            merge_all(self.leaving.drain(start..), tunnels);
        }
        if self.rows.len() * 2 >= self.index.len() {
            self.make_room(hasher, tunnels);
        }
        self.rows.push(new);
        self.enter(hash, self.rows.len());
    }

    /// Doubles the room, or lets all rows leave.
    fn make_room(&mut self, hasher: &RandomState, tunnels: &Tunnels<'_>) {
        let places = (self.index.len() * 2).max(FIRST * 2);
        // As many rows may leave at the same time.
        let bytes = (places - self.index.len()) * (size_of::<Row<A>>() + size_of::<u32>());
        if places == FIRST * 2 || places <= ROWS * 2 && tunnels.lend(bytes) {
            self.index.clear();
            self.index.resize(places, 0);
            for number in 1..=self.rows.len() {
                if let Some(row) = self.rows.get(number - 1) {
                    self.enter(hasher.hash_one(row), number);
                }
            }
        } else {
            std::mem::swap(&mut self.rows, &mut self.leaving);
            // Of those that left before, only the last few can be here, because as many came since.
            merge_all(self.rows.drain(..), tunnels);
            self.index.fill(0);
        }
    }

    /// Enters the row with that number, counted from 1, into the index, which has room.
    fn enter(&mut self, hash: u64, number: usize) {
        let Ok(number) = u32::try_from(number) else { return };
        for place in places(hash, self.index.len()) {
            if let Some(entry) = self.index.get_mut(place)
                && *entry == 0
            {
                *entry = mark(hash) | number;
                return;
            }
        }
    }

    fn flush(&mut self, hasher: &RandomState, tunnels: &Tunnels<'_>) {
        self.settle(hasher, tunnels);
        merge_all(self.leaving.drain(..).chain(self.rows.drain(..)), tunnels);
        self.index.fill(0);
    }
}

/// The places in which a row with that hash may be entered, of a power of two or of none.
#[inline]
fn places(hash: u64, places: usize) -> impl Iterator<Item = usize> {
    #[expect(clippy::cast_possible_truncation, reason = "masked to the number of places")]
    let first = hash as usize;
    (0..places).map(move |n| first.wrapping_add(n) & (places - 1))
}

/// The bits of the hash that an entry holds.
#[inline]
const fn mark(hash: u64) -> u32 {
    (hash >> 32) as u32 & !NUMBER
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::census::Sign;
    use crate::census::time::MINUTE;
    use crate::sensor::pipeline::table::Table;

    fn coupling(n: u32) -> CouplingKey {
        let [_, b, c, d] = n.to_be_bytes();
        let ip = if n.is_multiple_of(3) {
            Ipv6Addr::from_bits(n.into()).into()
        } else {
            Ipv4Addr::from_bits(n).into()
        };
        CouplingKey { mac: MacAddr([2, 0, 0, b, c, d]), ip }
    }

    fn tags(n: u32) -> Tags {
        Tags::of_bits(u64::from(n % 2) << 48)
    }

    #[test]
    fn the_table_is_the_same_as_after_each_frame_alone() {
        let (alone, together) = (Table::new(1_000_000), Table::new(1_000_000));
        let (mut sightings, tunnels) = (Sightings::default(), Tunnels::alone(&together));
        for n in 0..20_000_u32 {
            let (key, tags) = (coupling(n % 77), tags(n / 5));
            let signs = [Sign::ArpAsked, Sign::Near, Sign::Announced].map(Signs::from)[n as usize / 7 % 3];
            // Through several windows, and back.
            let at = Timestamp(i64::from(n * 37 % 20_011) * MINUTE / 500);
            alone.sight(key, at, at, signs, tags);
            sightings.add(key, signs, tags, LINK, at, &tunnels);
            if n == 9_999 {
                sightings.flush(&tunnels);
            }
        }
        assert!(together.len() <= 77);
        sightings.flush(&tunnels);
        assert_eq!(alone.take_delta(), together.take_delta());
    }

    #[test]
    fn rows_beyond_the_bound_leave_little_by_little_and_none_is_lost() {
        let table = Table::new(1_000_000);
        let (mut sightings, tunnels) = (Sightings::default(), Tunnels::alone(&table));
        let most = u32::try_from(ROWS).unwrap();
        let mut add = |n: u32| {
            let key = CouplingKey { ip: Ipv4Addr::from_bits(n).into(), ..coupling(n) };
            sightings.add(key, Sign::Near.into(), Tags::default(), LINK, Timestamp(1), &tunnels);
        };
        (0..most).for_each(&mut add);
        assert_eq!(table.len(), 0);
        (most..most + 999).for_each(&mut add);
        assert!((999 - TOGETHER..=999).contains(&table.len()), "{}", table.len());
        sightings.flush(&tunnels);
        assert_eq!(table.len(), ROWS + 999);
    }

    #[test]
    fn rows_take_no_memory_that_the_table_does_not_have() {
        let table = Table::with_memory(1_000_000, 1 << 20);
        let (mut sightings, tunnels) = (Sightings::default(), Tunnels::alone(&table));
        for n in 0..100_000 {
            sightings.add(coupling(n), Sign::Near.into(), Tags::default(), LINK, Timestamp(1), &tunnels);
        }
        assert!(sightings.four.rows.capacity().max(sightings.six.rows.capacity()) <= FIRST);
        assert!(!table.is_empty() && table.limit_hits().memory > 0);
    }
}
