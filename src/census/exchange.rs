//! ARP exchanges, which teach on-link prefixes (I5), and the halves of those that are not whole yet.
//!
//! A half costs the logarithm of their number, not the number: halves are ordered by the prefix that they would teach, so
//! that those that a learned prefix covers lie beside each other.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::address::Prefix;

/// The shortest prefix that an exchange teaches (I5).
pub(super) const SHORTEST: u8 = 20;
/// The most half exchanges of a zone.
const PENDING: usize = 65_536;
/// The most half exchanges of one /20, so that a scan of one network leaves room for the others.
const OF_BLOCK: usize = 512;

/// What two hosts, of which the first has the lower address, asked and answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exchange {
    pair: (Ipv4Addr, Ipv4Addr),
    /// 1: the lower asked, 2: the higher asked, 4: the lower answered, 8: the higher answered.
    halves: u8,
    prefix: Prefix,
}

impl Exchange {
    /// One half: `sender` asked for `target`, or answered it. `None` if the two are too far apart to teach a prefix (I5).
    pub fn heard(sender: Ipv4Addr, target: Ipv4Addr, answer: bool) -> Option<Self> {
        let halves = match (answer, sender < target) {
            (false, true) => 1,
            (false, false) => 2,
            (true, true) => 4,
            (true, false) => 8,
        };
        Self::of((sender.min(target), sender.max(target)), halves)
    }

    /// The two hosts, the lower address first.
    pub fn pair(&self) -> (Ipv4Addr, Ipv4Addr) {
        self.pair
    }

    fn of(pair: (Ipv4Addr, Ipv4Addr), halves: u8) -> Option<Self> {
        let prefix = Prefix::common(pair.0.into(), pair.1.into());
        let prefix = prefix.filter(|p| pair.0 != pair.1 && p.length() >= SHORTEST)?;
        Some(Self { pair, halves, prefix })
    }

    /// Adds the halves of the same two hosts. Returns `None` if `other` is of others, else whether it added some.
    pub fn join(&mut self, other: &Self) -> Option<bool> {
        let before = self.halves;
        (self.pair == other.pair).then(|| {
            self.halves |= other.halves;
            self.halves != before
        })
    }

    /// Whether one asked and the other answered.
    pub(super) const fn is_whole(&self) -> bool {
        self.halves & 0b1001 == 0b1001 || self.halves & 0b0110 == 0b0110
    }

    /// The smallest common prefix of the two.
    pub(super) const fn prefix(&self) -> Prefix {
        self.prefix
    }
}

/// Halves, by the prefix that they would teach and the two hosts.
type Halves = BTreeMap<(Prefix, (Ipv4Addr, Ipv4Addr)), u8>;

/// Half exchanges by their /20. At a bound the first in order stay, which does not depend on the order of arrival.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Pending {
    blocks: BTreeMap<Prefix, Halves>,
    /// The number of all.
    count: usize,
}

impl Pending {
    /// Adds the halves that are known of the same two hosts.
    pub(super) fn complete(&self, exchange: &mut Exchange) {
        let known = self.blocks.get(&block(&exchange.prefix)).and_then(|b| b.get(&key(exchange)));
        exchange.halves |= known.copied().unwrap_or(0);
    }

    /// Keeps the halves, if there is room; returns whether anything changed.
    pub(super) fn keep(&mut self, exchange: &Exchange) -> bool {
        let key = key(exchange);
        let halves = self.blocks.entry(block(&exchange.prefix)).or_default();
        if let Some(known) = halves.get_mut(&key) {
            let before = *known;
            *known |= exchange.halves;
            return *known != before;
        }
        halves.insert(key, exchange.halves);
        self.count += 1;
        let mut stays = true;
        if halves.len() > OF_BLOCK {
            stays = halves.pop_last().is_some_and(|(last, _)| last != key);
            self.count -= 1;
        }
        if self.count > PENDING
            && let Some(mut last) = self.blocks.last_entry()
        {
            stays &= last.get_mut().pop_last().is_some_and(|(last, _)| last != key);
            self.count -= 1;
            if last.get().is_empty() {
                last.remove();
            }
        }
        stays
    }

    /// Drops the halves whose hosts are both in `prefix`.
    pub(super) fn drop_within(&mut self, prefix: &Prefix) {
        let block = block(prefix);
        let Some(halves) = self.blocks.get_mut(&block) else { return };
        let covered: Vec<_> = halves
            .range((*prefix, (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED))..)
            .map(|(key, _)| *key)
            .take_while(|(teaches, _)| prefix.covers(teaches))
            .collect();
        self.count -= covered.len();
        for key in covered {
            halves.remove(&key);
        }
        if halves.is_empty() {
            self.blocks.remove(&block);
        }
    }

    /// Every half exchange.
    pub(super) fn iter(&self) -> impl Iterator<Item = Exchange> {
        let all = self.blocks.values().flatten();
        all.map(|((prefix, pair), halves)| Exchange { pair: *pair, halves: *halves, prefix: *prefix })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether halves of new networks push others out.
    pub(super) fn is_full(&self) -> bool {
        self.count >= PENDING
    }
}

const fn key(exchange: &Exchange) -> (Prefix, (Ipv4Addr, Ipv4Addr)) {
    (exchange.prefix, exchange.pair)
}

/// The /20 of a prefix that is not shorter.
fn block(prefix: &Prefix) -> Prefix {
    Prefix::of(prefix.address(), SHORTEST).unwrap_or(*prefix)
}

impl Serialize for Pending {
    /// As a list, because JSON keys must be strings.
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_seq(self.iter().map(|Exchange { pair: (a, b), halves, .. }| (a, b, halves)))
    }
}

impl<'de> Deserialize<'de> for Pending {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let list = Vec::<(Ipv4Addr, Ipv4Addr, u8)>::deserialize(input)?;
        let mut all = Self::default();
        for exchange in
            list.into_iter().filter_map(|(a, b, halves)| Exchange::of((a.min(b), a.max(b)), halves))
        {
            all.keep(&exchange);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(a: u32, b: u32) -> Exchange {
        Exchange::heard(Ipv4Addr::from_bits(a), Ipv4Addr::from_bits(b), false).unwrap()
    }

    /// Half exchanges of the first host of each /20 with others of it.
    fn flood(blocks: u32, of_each: u32) -> impl Iterator<Item = Exchange> {
        (0..blocks).flat_map(move |block| {
            (0..of_each).map(move |n| half((block << 12) | 1, (block << 12) | (2 + n)))
        })
    }

    #[test]
    fn the_same_halves_stay_at_a_bound_in_any_order() {
        for (blocks, of_each, expected) in [(3, 700, 3 * OF_BLOCK), (140, 500, PENDING)] {
            let all: Vec<_> = flood(blocks, of_each).collect();
            let mut forward = Pending::default();
            all.iter().for_each(|e| {
                forward.keep(e);
            });
            let mut backward = Pending::default();
            all.iter().rev().for_each(|e| {
                backward.keep(e);
            });
            assert_eq!((forward.count, forward.iter().count()), (expected, expected));
            assert_eq!(forward, backward);
        }
    }

    #[test]
    fn a_half_that_finds_no_room_changes_nothing() {
        let mut pending = Pending::default();
        flood(1, 512).for_each(|e| assert!(pending.keep(&e)));
        let before = pending.clone();
        assert!(!pending.keep(&half(0xff0, 0xff1)));
        assert_eq!(pending, before);
    }

    #[test]
    fn a_prefix_drops_its_own_halves_alone() {
        let mut pending = Pending::default();
        flood(2, 300).for_each(|e| {
            pending.keep(&e);
        });
        let prefix: Prefix = "0.0.0.0/28".parse().unwrap();
        pending.drop_within(&prefix);
        assert_eq!(pending.iter().filter(|e| prefix.covers(&e.prefix())).count(), 0);
        assert_eq!((pending.count, pending.iter().count()), (600 - 14, 600 - 14));
        pending.drop_within(&"0.0.0.0/20".parse().unwrap());
        pending.drop_within(&"0.0.16.0/20".parse().unwrap());
        assert_eq!(pending, Pending::default());
    }
}
