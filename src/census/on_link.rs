//! The on-link prefixes of a zone, learned or configured (I5).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use foldhash::{HashSet, HashSetExt as _};

use super::address::{Prefix, is_link_local, is_public};
use super::exchange;
use super::policy::Policy;
use super::segment::Segment;
use super::taught::Taught;
use super::time::Timestamp;

/// The prefixes that count as on-link, and their broadcast addresses.
#[derive(Debug, Default)]
pub(super) struct OnLink {
    prefixes: HashSet<Prefix>,
    lengths: Vec<u8>,
    broadcasts: HashSet<Ipv4Addr>,
    /// The sent and configured prefixes that count, sorted.
    stated: Vec<Prefix>,
    /// Sent prefixes that do not count yet, sorted.
    pub(super) doubted: Vec<Prefix>,
    /// Prefixes that count, although they were only sent, in one minute.
    once: BTreeMap<Prefix, Timestamp>,
    grace: i64,
}

impl OnLink {
    /// Takes the configured prefixes, and those of the learned ones that count. `cards_in` tells how many MACs prove
    /// addresses in a prefix; two is enough. What is sent in one minute must not contradict what others teach, unless the
    /// zone `is_short` (I15b).
    pub(super) fn new(
        segment: &Segment,
        policy: &Policy,
        is_short: bool,
        cards_in: impl Fn(&Prefix) -> usize,
    ) -> Self {
        let known = |p: &Prefix| !is_public(p.address()) || cards_in(p) >= 2;
        let sent = segment.sent.iter().filter(|(p, _)| is_sent_length(p) && known(p));
        let (sent, doubted): (Vec<_>, Vec<_>) =
            sent.partition(|(p, t)| is_short || t.is_repeated() || is_undisputed(p, t, segment));
        let mut stated: Vec<Prefix> =
            sent.iter().map(|(p, _)| **p).chain(policy.on_link.iter().copied()).collect();
        stated.sort_unstable();
        stated.dedup();
        let exchanged = segment.exchanged.iter().filter(|p| known(p));
        let prefixes: HashSet<Prefix> = stated.iter().chain(exchanged).copied().collect();
        let mut lengths: Vec<u8> = prefixes.iter().map(Prefix::length).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let sent: BTreeMap<Prefix, &Taught> = sent.into_iter().map(|(p, t)| (*p, t)).collect();
        let is_lone = |p: &Prefix| !segment.exchanged.contains(p) && !policy.on_link.contains(p);
        let once = sent.iter().filter(|(p, t)| !is_short && !t.is_repeated() && is_lone(p));
        let once = once.map(|(p, t)| (*p, t.heard().0)).collect();
        let broadcasts = broadcasts(&stated, &lengths, &sent, policy);
        let doubted = doubted.into_iter().map(|(p, _)| *p).collect();
        let grace = policy.quarantine_grace;
        Self { prefixes, lengths, broadcasts, stated, doubted, once, grace }
    }

    /// Whether `ip` is on-link. Link-local addresses always are (I4).
    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        is_link_local(ip) || self.has(ip)
    }

    /// As [`Self::contains`], for an address that was known from `since` on: a prefix that was sent in one minute, long after
    /// that, does not tell that the address is on-link (I15b).
    pub(super) fn contained(&self, ip: IpAddr, since: Timestamp) -> bool {
        let is_early = |p: &Prefix| self.once.get(p).is_none_or(|at| at.since(since) < self.grace);
        let covering = self.lengths.iter().filter_map(|length| Prefix::of(ip, *length));
        is_link_local(ip) || covering.filter(is_early).any(|p| self.prefixes.contains(&p))
    }

    /// Whether a known prefix covers `ip`.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        self.lengths.iter().any(|length| Prefix::of(ip, *length).is_some_and(|p| self.prefixes.contains(&p)))
    }

    /// Whether `ip` is the broadcast address of a sent or configured prefix.
    pub(super) fn is_broadcast(&self, ip: Ipv4Addr) -> bool {
        self.broadcasts.contains(&ip)
    }

    /// Sent and configured prefixes of which one covers another, as (wider, narrower), sorted.
    pub(super) fn nested(&self) -> Vec<(Prefix, Prefix)> {
        let mut found = Vec::new();
        for narrow in &self.stated {
            let wider = self.lengths.iter().filter(|length| **length < narrow.length());
            let wider = wider.filter_map(|length| Prefix::of(narrow.address(), *length));
            found.extend(wider.filter(|p| self.stated.binary_search(p).is_ok()).map(|wide| (wide, *narrow)));
        }
        found.sort_unstable();
        found
    }
}

/// The broadcast addresses of the stated prefixes. A prefix gives none inside a wider one that is configured, or that
/// another source sends: nobody takes away addresses that another one gives out (I5).
fn broadcasts(
    stated: &[Prefix],
    lengths: &[u8],
    sent: &BTreeMap<Prefix, &Taught>,
    policy: &Policy,
) -> HashSet<Ipv4Addr> {
    let mut found = HashSet::new();
    for narrow in stated {
        let Some(ip) = narrow.broadcast() else { continue };
        let taken = lengths.iter().filter(|length| **length < narrow.length()).any(|length| {
            let Some(wide) = Prefix::of(ip.into(), *length).filter(|p| p.broadcast() != Some(ip)) else {
                return false;
            };
            policy.on_link.contains(&wide)
                || match (sent.get(&wide), sent.get(narrow)) {
                    (Some(wide), Some(narrow)) => wide.is_older_source(narrow),
                    _ => false,
                }
        });
        if !taken || policy.on_link.contains(narrow) {
            found.insert(ip);
        }
    }
    found
}

/// Whether a prefix that was sent in one minute only contradicts nothing: an ARP exchange could teach one as wide, none
/// shows a wider one, and no older source sends one that it nests in or that nests in it (I5, I15b).
fn is_undisputed(prefix: &Prefix, taught: &Taught, segment: &Segment) -> bool {
    let length = prefix.length();
    let narrow = if prefix.address().is_ipv4() { exchange::SHORTEST } else { 64 };
    let shorter = || (0..length).filter_map(|n| Prefix::of(prefix.address(), n));
    let is_other = |other: &Taught| other.is_older_source(taught);
    let mut nested = segment.sent.range(prefix..).skip(1).take_while(|(p, _)| prefix.covers(p));
    length >= narrow
        && !shorter().any(|wide| segment.exchanged.contains(&wide))
        && !shorter().any(|wide| segment.sent.get(&wide).is_some_and(is_other))
        && !nested.any(|(_, other)| is_other(other))
}

/// Whether a sent mask of this length counts: IPv4 /16 to /30, IPv6 /48 to /127 (I5).
fn is_sent_length(prefix: &Prefix) -> bool {
    match prefix.address() {
        IpAddr::V4(_) => (16..=30).contains(&prefix.length()),
        IpAddr::V6(_) => (48..=127).contains(&prefix.length()),
    }
}
