//! Addresses that several cards prove, and cards that are several devices: poisoning, gateways that changed, clones, and cards
//! that became another device.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::alert::{Proof, Severity};
use super::derive::{Found, View};
use crate::census::conduct::{Deed, DeedKey, DeedKind};
use crate::census::time::HOUR;
use crate::census::{Binding, Category, CouplingKey, CouplingState, MacAddr, Member, Part, Sign, Timestamp};

/// Adds what is found in a zone.
pub(super) fn find(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let claims = claims(view);
    let poisoners = poisoning(view, &claims, out);
    gateways(view, &claims, &poisoners, out);
    clones(view, out);
}

/// An address as a card proves it.
struct Claim {
    key: CouplingKey,
    device: usize,
    proved: Timestamp,
    first: Timestamp,
    last: Timestamp,
    /// Whether it told all hosts that the address is its own.
    announces: bool,
}

/// A card that proves an address soon after another did.
struct Contest<'c> {
    late: &'c Claim,
    early: &'c Claim,
}

impl Contest<'_> {
    /// Whether the earlier one still sends after the later one came.
    fn overlaps(&self) -> bool {
        self.early.last >= self.late.proved
    }
}

/// A router says little by its own address, so its silence of a quarter of an hour does not mean that it left.
const TOGETHER: i64 = HOUR / 4;

/// The addresses that cards prove.
fn claims(view: &View<'_, '_>) -> BTreeMap<IpAddr, Vec<Claim>> {
    let mut claims: BTreeMap<IpAddr, Vec<Claim>> = BTreeMap::new();
    let may_claim = |m: &&Member<'_>| {
        m.binding == Binding::Proven && m.state != CouplingState::Tentative && m.part != Part::Bridged
    };
    for (device, d) in view.devices.iter().enumerate() {
        for m in d.couplings.iter().filter(may_claim) {
            if let Some(proof) = m.facts.proof() {
                let announces = m.facts.signs.has(Sign::ArpAnnounced);
                let (first, last) = (m.facts.first_seen, m.facts.last_seen);
                let claim = Claim { key: m.key, device, proved: proof.at, first, last, announces };
                claims.entry(m.key.ip).or_default().push(claim);
            }
        }
    }
    claims.retain(|_, of_ip| of_ip.len() > 1);
    claims
}

/// Cards that prove addresses which others prove in the same time. Returns those cards.
fn poisoning(
    view: &View<'_, '_>,
    claims: &BTreeMap<IpAddr, Vec<Claim>>,
    out: &mut Vec<Found>,
) -> BTreeSet<MacAddr> {
    let mut poisoners = BTreeSet::new();
    let mut contested: BTreeMap<MacAddr, Vec<Contest<'_>>> = BTreeMap::new();
    for of_ip in claims.iter().filter(|(ip, _)| ip.is_ipv4()).map(|(_, of_ip)| of_ip) {
        for late in of_ip {
            let rivals = of_ip.iter().filter(|early| {
                early.key.mac != late.key.mac
                    && early.device != late.device
                    && (early.proved, early.key) < (late.proved, late.key)
                    && late.proved.since(early.last) <= TOGETHER
            });
            // The one that sends longest says most.
            if let Some(early) = rivals.max_by_key(|early| (early.last, early.key)) {
                contested.entry(late.key.mac).or_default().push(Contest { late, early });
            }
        }
    }
    for of_card in contested.into_values() {
        let is_router = |ip: &IpAddr| view.zone.segment.routers.contains_key(ip);
        let forwards = |claim: &Claim| view.device(claim.device).is_some_and(|d| d.forwards.is_some());
        let takes_router =
            |c: &&Contest<'_>| c.overlaps() && (is_router(&c.late.key.ip) || forwards(c.early));
        // A pair of hosts of which one stands in for the other moves one address, and both announce it.
        let is_pair = matches!(of_card.as_slice(), [one] if one.early.announces && one.late.announces);
        let routers = of_card.iter().any(|c| takes_router(&c));
        let is_taken = of_card.iter().any(Contest::overlaps) && of_card.len() >= 2 || routers;
        let Some(Contest { late, .. }) = of_card.first().filter(|_| is_taken && !is_pair) else { continue };
        poisoners.insert(late.key.mac);
        let proof = Proof {
            sentence: format!(
                "{} proved {}, which other cards prove in the same time",
                late.key.mac,
                if of_card.len() == 1 { "a router's address" } else { "addresses" }
            ),
            first: of_card.iter().map(|c| c.late.proved).min().unwrap_or_default(),
            last: of_card.iter().map(|c| c.late.last).max().unwrap_or_default(),
            sample: of_card
                .iter()
                .take(8)
                .map(|c| format!("{} of {}", c.late.key.ip, c.early.key.mac))
                .collect(),
        };
        // The card is what acts, and the earliest of its couplings bears it.
        let own = view.device(late.device).and_then(|d| {
            d.couplings
                .iter()
                .filter(|m| m.key.mac == late.key.mac)
                .min_by_key(|m| (m.facts.first_seen, m.key))
        });
        out.push(Found {
            rule: "A-ARP",
            device: late.device,
            doer: own.map_or(late.key, |m| m.key),
            object: late.key.mac.to_string(),
            sentence: "It takes the addresses of others".to_owned(),
            proof,
            severity: None,
        });
    }
    poisoners
}

/// Routers' addresses that another device proves now.
fn gateways(
    view: &View<'_, '_>,
    claims: &BTreeMap<IpAddr, Vec<Claim>>,
    poisoners: &BTreeSet<MacAddr>,
    out: &mut Vec<Found>,
) {
    let soon = view.number("A-GW", "hours") * HOUR;
    let is_router = |ip: &IpAddr| view.zone.segment.routers.contains_key(ip);
    for (ip, of_ip) in claims.iter().filter(|(ip, _)| is_router(ip)) {
        for late in of_ip.iter().filter(|late| !poisoners.contains(&late.key.mac)) {
            let known = of_ip.iter().filter(|early| {
                early.device != late.device
                    && early.key.mac != late.key.mac
                    && early.proved < late.proved
                    && late.proved.since(early.first) >= view.baseline
            });
            let Some(early) = known.max_by_key(|early| (early.last, early.key)) else { continue };
            let overlaps = early.last >= late.proved;
            if !overlaps && late.proved.since(early.last) > soon {
                continue;
            }
            // A pair of routers of one maker, or a router that was renewed, is the plan of somebody.
            let (severity, sentence) = match (overlaps, is_pair(view, early, late)) {
                (true, false) => {
                    (Severity::Medium, "It took the gateway's address while the gateway is there")
                }
                (true, true) => (Severity::Informational, "It took over the gateway's address from its pair"),
                (false, _) => (Severity::Informational, "It replaced the gateway"),
            };
            let proof = Proof {
                sentence: format!("{} proved {ip}, which {} proved before", late.key.mac, early.key.mac),
                first: late.proved,
                last: late.last,
                sample: Vec::new(),
            };
            out.push(Found {
                rule: "A-GW",
                device: late.device,
                doer: late.key,
                object: ip.to_string(),
                sentence: sentence.to_owned(),
                proof,
                severity: Some(severity),
            });
        }
    }
}

/// Whether two cards stand in for each other: both are network gear of one maker, or both announce the address and nobody
/// knows what they are.
fn is_pair(view: &View<'_, '_>, early: &Claim, late: &Claim) -> bool {
    let what = |claim: &Claim| {
        let device = view.device(claim.device)?;
        Some((device.category, device.classification().vendor.clone()))
    };
    let (Some((early_is, early_maker)), Some((late_is, late_maker))) = (what(early), what(late)) else {
        return false;
    };
    let is_gear = early_is == Category::Network && late_is == Category::Network;
    is_gear && early_maker == late_maker
        || early.announces
            && late.announces
            && late_is != Category::ComputerMobile
            && late_is != Category::Iot
}

/// What a DHCP client is, by the name that its program gives itself.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Program<'k> {
    /// Of a computer or a phone.
    Person(&'k str),
    Thing(&'k str),
}

/// Programs of computers and phones.
const PERSONS: [&str; 5] = ["msft", "android-dhcp-", "dhcpcd", "anyconnect", "googlewifi"];
/// What loads the program of a device before its own starts.
const LOADERS: [&str; 7] =
    ["pxeclient", "httpclient", "u-boot", "ipxe", "etherboot", "arubainstantap", "bsdpc"];

/// Cards that ask for leases as two kinds of devices on the same days.
fn clones(view: &View<'_, '_>, out: &mut Vec<Found>) {
    let mut cards: BTreeMap<MacAddr, Vec<(&DeedKey, &Deed)>> = BTreeMap::new();
    for (key, deed) in view.conduct.of(DeedKind::Leases) {
        cards.entry(key.doer.mac).or_default().push((key, deed));
    }
    cards.retain(|_, clients| clients.len() > 1);
    if cards.is_empty() {
        return;
    }
    let days = view.number("A-CLONE", "days");
    // A card with several addresses may be several devices. It is told once, of the earliest.
    let mut earliest: BTreeMap<MacAddr, (Timestamp, CouplingKey, usize)> = BTreeMap::new();
    for (place, device) in view.devices.iter().enumerate() {
        for m in device.couplings.iter().filter(|m| cards.contains_key(&m.key.mac)) {
            let found = (m.facts.first_seen, m.key, place);
            let known = earliest.entry(m.key.mac).or_insert(found);
            *known = found.min(*known);
        }
    }
    for (mac, (_, doer, place)) in earliest {
        let Some(clients) = cards.get(&mac) else { continue };
        let (rule, sentence, found) = match cloned(clients, days) {
            Some(found) => ("A-CLONE", "Two devices use its MAC", found),
            // Any device may have drawn a random MAC.
            None if mac.is_locally_administered() => continue,
            None => match became(clients, view.number("A-TYPE", "days")) {
                Some(found) => ("A-TYPE", "It became something else", found),
                None => continue,
            },
        };
        let (severity, first, last, said) = found;
        out.push(Found {
            rule,
            device: place,
            doer,
            object: mac.to_string(),
            sentence: sentence.to_owned(),
            proof: Proof { sentence: said, first, last, sample: Vec::new() },
            severity: Some(severity),
        });
    }
}

/// The worst pair of DHCP clients of a card that both asked on enough days.
fn cloned(clients: &[(&DeedKey, &Deed)], days: i64) -> Option<(Severity, Timestamp, Timestamp, String)> {
    let mut worst = None;
    for (n, (key, deed)) in clients.iter().enumerate() {
        for (other, known) in clients.iter().skip(n + 1) {
            let ((a, host), (b, other_host)) = (client(key), client(other));
            let (Some(a), Some(b)) = (a, b) else { continue };
            let is_other_kind = matches!(
                (a, b),
                (Program::Person(_), Program::Thing(_)) | (Program::Thing(_), Program::Person(_))
            );
            if !is_other_kind || i64::from(deed.common_days(known)) < days {
                continue;
            }
            // One machine that starts two systems keeps its name.
            let is_one = host.is_empty() || other_host.is_empty() || host == other_host;
            let severity = if is_one { Severity::Informational } else { Severity::Medium };
            let said =
                format!("on the same days it asked for leases as {} and as {}", shown(key), shown(other));
            let found = (severity, deed.first.max(known.first), deed.last.min(known.last), said);
            worst = worst.max(Some(found));
        }
    }
    worst
}

/// A card of which all clients of one kind fell silent before the first one of the other kind came, each on enough days.
fn became(clients: &[(&DeedKey, &Deed)], days: i64) -> Option<(Severity, Timestamp, Timestamp, String)> {
    let of = |is_person: bool| {
        let is_kind = move |(key, _): &&(&DeedKey, &Deed)| match client(key).0 {
            Some(Program::Person(_)) => is_person,
            Some(Program::Thing(_)) => !is_person,
            None => false,
        };
        clients.iter().filter(is_kind)
    };
    let first = |is_person| of(is_person).map(|(_, deed)| deed.first).min();
    let last = |is_person| of(is_person).map(|(_, deed)| deed.last).max();
    // What came later.
    let is_person = first(true)? > first(false)?;
    if last(!is_person)? >= first(is_person)? {
        return None;
    }
    // The one that was heard on most days speaks for its kind.
    let best = |is_person| of(is_person).max_by_key(|(key, deed)| (deed.days(), *key));
    let ((before, early), (after, late)) = (best(!is_person)?, best(is_person)?);
    if i64::from(early.days().min(late.days())) < days {
        return None;
    }
    // A device that was set up anew keeps its name.
    let (old, new) = (client(before).1, client(after).1);
    let severity = if !old.is_empty() && old == new { Severity::Informational } else { Severity::Low };
    let said = format!("it asked for leases as {}, and as {} since", shown(before), shown(after));
    Some((severity, late.first, late.last, said))
}

/// The program and the host name of a client; no program if it loads another one, or does not name itself.
fn client(key: &DeedKey) -> (Option<Program<'_>>, &str) {
    let (program, host) = key.label.split_once('\t').unwrap_or((&key.label, ""));
    let is = |start: &&str| program.starts_with(*start);
    let program = match program {
        "" => None,
        _ if LOADERS.iter().any(is) => None,
        _ if PERSONS.iter().any(is) => Some(Program::Person(program)),
        _ => Some(Program::Thing(program)),
    };
    (program, host)
}

fn shown(key: &DeedKey) -> String {
    let (program, host) = key.label.split_once('\t').unwrap_or((&key.label, ""));
    if host.is_empty() { format!("'{program}'") } else { format!("'{program}' named '{host}'") }
}
