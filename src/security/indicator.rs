//! Indicators: addresses, networks and names that are known to be malicious, from lists that the operator imports.
//!
//! **Pure.** A sensor compares what stations open and ask for with them, and keeps which indicator was hit. What a list says
//! of addresses that many honest things use is left out, and counted.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use crate::census::address::{is_link_local, is_never_sender, is_private};
use crate::census::{Prefix, Timestamp};

/// The most indicators.
pub const INDICATORS: usize = 2_000_000;
/// The shortest networks that are taken: shorter ones hold too much that is honest.
const SHORTEST_V4: u8 = 16;
const SHORTEST_V6: u8 = 32;
/// Resolvers and time servers that everybody uses: lists of malicious addresses hold them by mistake.
const HONEST: [&str; 12] = [
    "1.1.1.1",
    "1.0.0.1",
    "8.8.8.8",
    "8.8.4.4",
    "9.9.9.9",
    "149.112.112.112",
    "208.67.222.222",
    "208.67.220.220",
    "2606:4700:4700::1111",
    "2001:4860:4860::8888",
    "2620:fe::fe",
    "94.140.14.14",
];

/// A set of indicators, for looking up.
#[derive(Clone, Debug, Default)]
pub struct Indicators {
    addresses: HashSet<IpAddr>,
    /// By length, so that a look-up asks once for each length that there is.
    networks: BTreeMap<u8, HashSet<IpAddr>>,
    names: HashSet<Box<str>>,
    /// How many things of feeds were left out: what is not an indicator, has no room, or would hit what is honest.
    pub left_out: usize,
}

impl Indicators {
    /// Adds the lines of a text. Returns how many indicators were added.
    pub fn add(&mut self, text: &str) -> usize {
        // Memory does not fail, and lines have no faults.
        self.read_feed(text.as_bytes(), Timestamp::default()).map_or(0, |report| report.added)
    }

    pub(super) fn put(&mut self, word: &str) -> Put {
        if let Ok(ip) = word.parse::<IpAddr>() {
            if !is_foreign(ip) || HONEST.iter().any(|honest| honest.parse() == Ok(ip)) {
                return Put::Guarded;
            }
            let is_full = self.is_full();
            return insert(&mut self.addresses, ip, is_full);
        }
        if let Some((ip, length)) = word.split_once('/')
            && let (Ok(ip), Ok(length)) = (ip.parse::<IpAddr>(), length.parse::<u8>())
        {
            let shortest = if ip.is_ipv6() { SHORTEST_V6 } else { SHORTEST_V4 };
            let Some(prefix) = Prefix::of(ip, length) else { return Put::Unread };
            if length < shortest || !is_foreign(prefix.address()) {
                return Put::Guarded;
            }
            let is_full = self.is_full();
            return insert(self.networks.entry(length).or_default(), prefix.address(), is_full);
        }
        let name = word.trim_end_matches('.').to_ascii_lowercase();
        let is_label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        // A single label is a whole registry, or nothing. A name whose last label is a number is a broken address.
        let is_name = name.len() <= 253
            && name.contains('.')
            && name.split('.').all(is_label)
            && !name.bytes().rev().take_while(|b| *b != b'.').all(|b| b.is_ascii_digit());
        if is_name {
            let is_full = self.is_full();
            insert(&mut self.names, name.into(), is_full)
        } else {
            Put::Unread
        }
    }

    /// Adds another set. Returns what it did not add.
    pub(super) fn join(&mut self, other: Self) -> Overlap {
        let mut overlap = Overlap::default();
        let mut note = |put| match put {
            Put::Known => overlap.known += 1,
            Put::Full => overlap.full += 1,
            Put::Added | Put::Guarded | Put::Unread => {}
        };
        for ip in other.addresses {
            let is_full = self.is_full();
            note(insert(&mut self.addresses, ip, is_full));
        }
        for (length, networks) in other.networks {
            for network in networks {
                let is_full = self.is_full();
                note(insert(self.networks.entry(length).or_default(), network, is_full));
            }
        }
        for name in other.names {
            let is_full = self.is_full();
            note(insert(&mut self.names, name, is_full));
        }
        overlap
    }

    fn is_full(&self) -> bool {
        self.len() >= INDICATORS
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.addresses.len() + self.names.len() + self.networks.values().map(HashSet::len).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The indicator that an address is, or lies in: `ip:…` or `net:…`.
    pub fn address(&self, ip: IpAddr) -> Option<String> {
        if self.addresses.contains(&ip) {
            return Some(format!("ip:{ip}"));
        }
        self.networks.iter().rev().find_map(|(length, networks)| {
            let prefix = Prefix::of(ip, *length)?;
            networks.contains(&prefix.address()).then(|| format!("net:{prefix}"))
        })
    }

    /// The indicator that a name is, or lies under: `name:…`.
    pub fn name(&self, name: &str) -> Option<String> {
        if self.names.is_empty() {
            return None;
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut rest = name.as_str();
        loop {
            if self.names.contains(rest) {
                return Some(format!("name:{rest}"));
            }
            rest = rest.split_once('.')?.1;
        }
    }
}

/// What became of a text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Put {
    Added,
    /// It was there already.
    Known,
    /// It would hit what is honest.
    Guarded,
    /// There is no room.
    Full,
    /// It is not an indicator.
    Unread,
}

/// What a set did not add of another.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Overlap {
    pub(super) known: usize,
    pub(super) full: usize,
}

fn insert<T: Eq + std::hash::Hash>(set: &mut HashSet<T>, one: T, is_full: bool) -> Put {
    if is_full {
        return if set.contains(&one) { Put::Known } else { Put::Full };
    }
    if set.insert(one) { Put::Added } else { Put::Known }
}

/// Whether an address is one of another network by its form.
fn is_foreign(ip: IpAddr) -> bool {
    !is_private(ip) && !is_link_local(ip) && !is_never_sender(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_several_forms_are_read_and_what_is_honest_is_left_out() {
        let mut all = Indicators::default();
        let list = "# a list\n203.0.113.7\n198.51.100.0/24 ; SBL1\n0.0.0.0 evil.example\n\"bad.example\",high\n\
                    8.8.8.8\n10.0.0.1\n0.0.0.0/0\ncom\n1.2.3.4/8\nnot a name!\nEvil.Example.\n";
        assert_eq!(all.add(list), 4);
        assert_eq!(all.left_out, 6);
        assert_eq!(all.address("203.0.113.7".parse().unwrap()).as_deref(), Some("ip:203.0.113.7"));
        assert_eq!(all.address("198.51.100.9".parse().unwrap()).as_deref(), Some("net:198.51.100.0/24"));
        assert_eq!(all.address("198.51.101.9".parse().unwrap()), None);
        assert_eq!(all.name("c2.EVIL.example.").as_deref(), Some("name:evil.example"));
        assert_eq!(all.name("notevil.example"), None);
        // The longest name fits a deed's label.
        let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        assert_eq!(all.add(&long), 1);
        assert!(all.name(&long).unwrap().len() <= crate::census::conduct::LABEL_BYTES);
    }
}
