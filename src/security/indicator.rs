//! Indicators: addresses, networks and names that are known to be malicious, from lists that the operator imports.
//!
//! **Pure.** A sensor compares what stations open and ask for with them, and keeps which indicator was hit. What a list says
//! of addresses that many honest things use is left out, and counted.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
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

/// What a label begins with whose indicator only the plan service named.
///
/// Such an alert lasts as long as a feed of the service holds the indicator. The sensor says where an indicator is from
/// when it hits, so that nobody needs to remember which indicators the service once named.
pub const LISTED: &str = "feed:";

/// Who named an indicator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Origin {
    /// A feed of the sensor's own configuration, or a feed that is being read.
    Own,
    /// The plan service alone.
    Listed,
}

/// A set of indicators, for looking up.
#[derive(Clone, Debug, Default)]
pub struct Indicators {
    addresses: HashMap<IpAddr, Origin>,
    /// By length, so that a look-up asks once for each length that there is.
    networks: BTreeMap<u8, HashMap<IpAddr, Origin>>,
    names: HashMap<Box<str>, Origin>,
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
        self.put_from(word, Origin::Own)
    }

    /// Adds an indicator of the plan service by its label, such as `ip:203.0.113.7`. Returns whether it was added: it is not
    /// if it is known, would hit what is honest, or finds no room.
    pub fn put_listed(&mut self, label: &str) -> bool {
        let value = label.split_once(':').map_or(label, |(_, value)| value);
        self.put_from(value, Origin::Listed) == Put::Added
    }

    fn put_from(&mut self, word: &str, origin: Origin) -> Put {
        if let Ok(ip) = word.parse::<IpAddr>() {
            if !is_foreign(ip) || HONEST.iter().any(|honest| honest.parse() == Ok(ip)) {
                return Put::Guarded;
            }
            let is_full = self.is_full();
            return insert(&mut self.addresses, ip, origin, is_full);
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
            return insert(self.networks.entry(length).or_default(), prefix.address(), origin, is_full);
        }
        match name_of(word) {
            Some(name) => {
                let is_full = self.is_full();
                insert(&mut self.names, name.into(), origin, is_full)
            }
            None => Put::Unread,
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
        for (ip, origin) in other.addresses {
            let is_full = self.is_full();
            note(insert(&mut self.addresses, ip, origin, is_full));
        }
        for (length, networks) in other.networks {
            for (network, origin) in networks {
                let is_full = self.is_full();
                note(insert(self.networks.entry(length).or_default(), network, origin, is_full));
            }
        }
        for (name, origin) in other.names {
            let is_full = self.is_full();
            note(insert(&mut self.names, name, origin, is_full));
        }
        overlap
    }

    /// The labels of all indicators, sorted.
    pub fn into_labels(self) -> Vec<Box<str>> {
        let mut labels: Vec<Box<str>> = Vec::with_capacity(self.len());
        labels.extend(self.addresses.into_keys().map(|ip| format!("ip:{ip}").into_boxed_str()));
        for (length, networks) in self.networks {
            let networks = networks.into_keys().filter_map(|ip| Prefix::of(ip, length));
            labels.extend(networks.map(|prefix| format!("net:{prefix}").into_boxed_str()));
        }
        labels.extend(self.names.into_keys().map(|name| format!("name:{name}").into_boxed_str()));
        labels.sort_unstable();
        labels
    }

    /// Adds what only the plan service named in another set, as far as there is room.
    pub fn keep_listed(&mut self, of: &Self) {
        let is_listed = |origin: &Origin| *origin == Origin::Listed;
        for (ip, origin) in of.addresses.iter().filter(|(_, origin)| is_listed(origin)) {
            let is_full = self.is_full();
            insert(&mut self.addresses, *ip, *origin, is_full);
        }
        for (length, networks) in &of.networks {
            for (network, origin) in networks.iter().filter(|(_, origin)| is_listed(origin)) {
                let is_full = self.is_full();
                insert(self.networks.entry(*length).or_default(), *network, *origin, is_full);
            }
        }
        for (name, origin) in of.names.iter().filter(|(_, origin)| is_listed(origin)) {
            let is_full = self.is_full();
            insert(&mut self.names, name.clone(), *origin, is_full);
        }
    }

    /// How many only the plan service named.
    pub fn listed(&self) -> usize {
        let networks = self.networks.values().flat_map(HashMap::values);
        let all = self.addresses.values().chain(networks).chain(self.names.values());
        all.filter(|origin| **origin == Origin::Listed).count()
    }

    fn is_full(&self) -> bool {
        self.len() >= INDICATORS
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.addresses.len() + self.names.len() + self.networks.values().map(HashMap::len).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The indicator that an address is, or lies in: `ip:…` or `net:…`, with [`LISTED`] before it if only the plan service
    /// named one.
    pub fn address(&self, ip: IpAddr) -> Option<String> {
        let mut listed = None;
        match self.addresses.get(&ip) {
            Some(Origin::Own) => return Some(format!("ip:{ip}")),
            Some(Origin::Listed) => listed = Some(format!("{LISTED}ip:{ip}")),
            None => {}
        }
        for (length, networks) in self.networks.iter().rev() {
            let Some(prefix) = Prefix::of(ip, *length) else { continue };
            match networks.get(&prefix.address()) {
                Some(Origin::Own) => return Some(format!("net:{prefix}")),
                Some(Origin::Listed) if listed.is_none() => listed = Some(format!("{LISTED}net:{prefix}")),
                Some(Origin::Listed) | None => {}
            }
        }
        listed
    }

    /// The indicator that a name is, or lies under: `name:…`, with [`LISTED`] before it if only the plan service named one.
    pub fn name(&self, name: &str) -> Option<String> {
        if self.names.is_empty() {
            return None;
        }
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let mut rest = name.as_str();
        let mut listed = None;
        loop {
            match self.names.get(rest) {
                Some(Origin::Own) => return Some(format!("name:{rest}")),
                Some(Origin::Listed) if listed.is_none() => listed = Some(format!("{LISTED}name:{rest}")),
                Some(Origin::Listed) | None => {}
            }
            match rest.split_once('.') {
                Some((_, parent)) => rest = parent,
                None => return listed,
            }
        }
    }
}

/// A name of DNS in small letters, without a point at its end. A single label is a whole registry, or nothing; a name whose
/// last label is a number is a broken address.
fn name_of(word: &str) -> Option<String> {
    let name = word.trim_end_matches('.').to_ascii_lowercase();
    let is_label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let is_name = name.len() <= 253
        && name.contains('.')
        && name.split('.').all(is_label)
        && !name.bytes().rev().take_while(|b| *b != b'.').all(|b| b.is_ascii_digit());
    is_name.then_some(name)
}

/// The label of an address, a network or a name as people and feeds write it; `None` if the text is none of these.
pub fn label_of(text: &str) -> Option<String> {
    let text = text.trim();
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(format!("ip:{ip}"));
    }
    if let Some((ip, length)) = text.split_once('/') {
        let prefix = Prefix::of(ip.parse().ok()?, length.parse().ok()?)?;
        return Some(format!("net:{prefix}"));
    }
    name_of(text).map(|name| format!("name:{name}"))
}

/// Whether a text is a label as sets write it: [`label_of`] what it names gives it again.
pub(super) fn is_label(label: &str) -> bool {
    label.split_once(':').and_then(|(_, value)| label_of(value)).is_some_and(|known| known == label)
}

/// Reads a text as an indicator, for the fuzzer and for tests: a set takes what has a label, writes it as that label, and
/// hits by it; what covers a label are labels.
///
/// # Errors
/// With the law that does not hold.
pub fn check_indicator(text: &str) -> Result<(), String> {
    let text = text.trim();
    let (label, mut set) = (label_of(text), Indicators::default());
    let put = set.put(text);
    if (put == Put::Unread) != label.is_none() {
        return Err(format!("{put:?}, but the label is {label:?}"));
    }
    let Some(label) = label else { return Ok(()) };
    if let Some(other) = covering(&label).iter().find(|other| !is_label(other)) {
        return Err(format!("{other} covers {label}, and is not a label"));
    }
    if put == Put::Added {
        let value = label.split_once(':').map_or("", |(_, value)| value);
        let address = value.split_once('/').map_or(value, |(address, _)| address).parse();
        let hit = address.map_or_else(|_| set.name(value), |ip| set.address(ip));
        if hit.as_deref() != Some(&label) {
            return Err(format!("{label} hits {hit:?}"));
        }
        if set.into_labels().iter().map(|l| &**l).ne([label.as_str()]) {
            return Err(format!("{label} is written otherwise"));
        }
    }
    Ok(())
}

/// The labels of all indicators that hit what a label names: itself, the networks that hold it, the names above it.
pub fn covering(label: &str) -> Vec<String> {
    let mut all = vec![label.to_owned()];
    match label.split_once(':') {
        Some(("name", name)) => {
            let above = name.match_indices('.').filter_map(|(dot, _)| name.get(dot + 1..));
            all.extend(above.filter(|name| name.contains('.')).map(|name| format!("name:{name}")));
        }
        Some(("ip", ip)) => all.extend(ip.parse().ok().map(|ip| networks(ip, u8::MAX)).into_iter().flatten()),
        Some(("net", net)) => {
            let parts = net.split_once('/').and_then(|(ip, len)| Some((ip.parse().ok()?, len.parse().ok()?)));
            all.extend(parts.map(|(ip, length)| networks(ip, length)).into_iter().flatten());
        }
        _ => {}
    }
    all
}

/// The labels of the networks shorter than `below` that hold an address.
fn networks(ip: IpAddr, below: u8) -> impl Iterator<Item = String> {
    let (shortest, longest) = if ip.is_ipv6() { (SHORTEST_V6, 128) } else { (SHORTEST_V4, 32) };
    let lengths = shortest..=longest;
    let prefixes = lengths.filter(move |length| *length < below).filter_map(move |l| Prefix::of(ip, l));
    prefixes.map(|prefix| format!("net:{prefix}"))
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

fn insert<T: Eq + std::hash::Hash>(
    set: &mut HashMap<T, Origin>,
    one: T,
    origin: Origin,
    is_full: bool,
) -> Put {
    if is_full {
        return if set.contains_key(&one) { Put::Known } else { Put::Full };
    }
    match set.entry(one) {
        Entry::Vacant(place) => {
            place.insert(origin);
            Put::Added
        }
        Entry::Occupied(mut known) => {
            // What the sensor's own feeds name stands, whatever the service says.
            if origin == Origin::Own {
                known.insert(origin);
            }
            Put::Known
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

    #[test]
    fn a_hit_says_whether_only_the_service_named_its_indicator() {
        let mut all = Indicators::default();
        all.add("198.51.100.0/24\nevil.example\n");
        for label in ["ip:198.51.100.7", "ip:203.0.113.7", "net:203.0.113.0/24", "name:c2.evil.example"] {
            assert!(all.put_listed(label), "{label}");
        }
        assert!(all.put_listed("name:bad.example"));
        assert!(!all.put_listed("name:evil.example"), "it is known");
        assert!(!all.put_listed("ip:10.0.0.1"), "it would hit what is honest");
        let address = |ip: &str| all.address(ip.parse().unwrap());
        assert_eq!(
            address("198.51.100.7").as_deref(),
            Some("net:198.51.100.0/24"),
            "its own network holds it"
        );
        assert_eq!(address("203.0.113.7").as_deref(), Some("feed:ip:203.0.113.7"));
        assert_eq!(address("203.0.113.8").as_deref(), Some("feed:net:203.0.113.0/24"));
        assert_eq!(all.name("c2.evil.example").as_deref(), Some("name:evil.example"));
        assert_eq!(all.name("www.bad.example").as_deref(), Some("feed:name:bad.example"));
        all.add("bad.example");
        assert_eq!(all.name("bad.example").as_deref(), Some("name:bad.example"), "now it is its own, too");
    }

    #[test]
    fn whatever_order_indicators_come_in_a_hit_is_the_same() {
        let (own, listed) = ("203.0.113.7", "ip:203.0.113.7");
        let mut first = Indicators::default();
        first.add(own);
        first.put_listed(listed);
        let mut last = Indicators::default();
        last.put_listed(listed);
        last.add(own);
        let ip = own.parse().unwrap();
        assert_eq!(first.address(ip), last.address(ip));
    }

    #[test]
    fn what_covers_a_label_are_the_networks_around_it_and_the_names_above_it() {
        let mut all = Indicators::default();
        all.add("198.51.100.0/22\nexample.org\n2001:db8:1::/48\n203.0.113.7\n");
        for (value, hit) in [
            ("198.51.101.9", "net:198.51.100.0/22"),
            ("a.b.example.org", "name:example.org"),
            ("2001:db8:1::5", "net:2001:db8:1::/48"),
            ("203.0.113.7", "ip:203.0.113.7"),
        ] {
            let label = label_of(value).unwrap();
            assert!(covering(&label).contains(&hit.to_owned()), "{value}: {:?}", covering(&label));
        }
        let of_network = covering("net:198.51.100.0/24");
        assert!(of_network.contains(&"net:198.51.100.0/22".to_owned()));
        assert!(!of_network.contains(&"net:198.51.100.0/25".to_owned()));
        assert_eq!(covering("name:evil.example"), ["name:evil.example"]);
        assert_eq!(label_of("not a name"), None);
        assert!(is_label("ip:2001:db8::1") && !is_label("ip:2001:DB8::1") && !is_label("net:1.2.3.4/24"));
        assert!(!is_label("name:1.2.3.4") && !is_label("ip:evil.example") && !is_label(""));
    }
}
