//! Indicators: addresses, networks and names that are known to be malicious, from lists that the operator imports.
//!
//! **Pure.** A sensor compares what stations open and ask for with them, and keeps which indicator was hit. What a list says
//! of addresses that many honest things use is left out, and counted.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use crate::census::Prefix;
use crate::census::address::{is_link_local, is_never_sender, is_private};

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
    /// Lines that were left out: what is not an indicator, or would hit what is honest.
    pub left_out: usize,
}

impl Indicators {
    /// Adds the lines of a list: an address, a network or a name a line, alone, as the last word of a line of a hosts file, or
    /// before a `;` or `,`. `#` and `;` begin comments. Returns how many were added.
    pub fn add(&mut self, text: &str) -> usize {
        let before = self.len();
        for line in text.lines() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let line = line.split(',').next().unwrap_or_default().trim().trim_matches('"');
            if line.is_empty() {
                continue;
            }
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            // A hosts file: the address that the name is to be sent to, then the name.
            let word = match (first.parse::<IpAddr>(), words.next()) {
                (Ok(_), Some(name)) => name,
                _ => first,
            };
            if self.len() >= INDICATORS || !self.put(word) {
                self.left_out += 1;
            }
        }
        self.len() - before
    }

    fn put(&mut self, word: &str) -> bool {
        if let Ok(ip) = word.parse::<IpAddr>() {
            let is_usable = is_foreign(ip) && !HONEST.contains(&word);
            if is_usable {
                self.addresses.insert(ip);
            }
            return is_usable;
        }
        if let Some((ip, length)) = word.split_once('/') {
            let shortest = if ip.contains(':') { SHORTEST_V6 } else { SHORTEST_V4 };
            let (Ok(ip), Ok(length)) = (ip.parse::<IpAddr>(), length.parse::<u8>()) else { return false };
            let Some(prefix) = Prefix::of(ip, length).filter(|_| length >= shortest && is_foreign(ip)) else {
                return false;
            };
            self.networks.entry(length).or_default().insert(prefix.address());
            return true;
        }
        let name = word.trim_end_matches('.').to_ascii_lowercase();
        let is_label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        // A single label is a whole registry, or nothing.
        let is_name = name.len() <= 253 && name.contains('.') && name.split('.').all(is_label);
        if is_name {
            self.names.insert(name.into());
        }
        is_name
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
