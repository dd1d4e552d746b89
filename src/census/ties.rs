//! Joins of several cards by what they say: identifiers and DHCP clients (I8c), and names of randomised MACs (I12).

use std::collections::{BTreeMap, BTreeSet};

use super::cards::Cards;
use super::evidence::{Evidence, Field};
use super::graph::Graph;
use super::inventory::Zone;
use super::join::JoinReason;
use super::mac::MacAddr;
use super::stretches::Clock;
use super::time::{HOUR, Timestamp};
use super::trust::Caution;

/// Fields in which a host or system says its own name.
pub(super) const NAMES: [Field; 6] = [
    Field::LldpSysName,
    Field::CdpDeviceId,
    Field::SnmpSysName,
    Field::DhcpHostname,
    Field::MdnsHostname,
    Field::LlmnrName,
];
/// Fields in which a system says its name to its neighbours and managers.
const SYSTEM_NAMES: [Field; 3] = [Field::LldpSysName, Field::CdpDeviceId, Field::SnmpSysName];
/// Fields with the serial number of the device.
const SERIALS: [Field; 2] = [Field::LldpMedSerial, Field::EnipSerial];
/// Fields in whose text makers name the serial number.
const DESCRIPTIONS: [Field; 2] = [Field::SnmpSysDescr, Field::LldpSysDescr];
/// What stands before a serial number in a text.
const SERIAL_MARKS: [&str; 5] = ["sn:", "s/n", "serial number", "serial no", "serial:"];
/// An identifier that more MACs with addresses bear ties none of them: their words cannot all be compared.
const BEARERS: usize = 64;
/// So many MACs with leases in use at once under one client id are copies of one image, and not one device (I8c).
const CLONES: usize = 3;

/// The MACs that said each identifier, with the evidence.
type Identifiers<'z> = BTreeMap<(Field, &'z str), Bearers<'z>>;
type Bearers<'z> = BTreeMap<MacAddr, &'z Evidence>;

fn record<'z>(identifiers: &mut Identifiers<'z>, mac: MacAddr, said: impl Iterator<Item = &'z Evidence>) {
    for e in said {
        let best = identifiers.entry((e.field, &e.value)).or_default().entry(mac).or_insert(e);
        let rank = |e: &Evidence| (!e.windows.is_repeated(), e.at);
        if rank(e) < rank(best) {
            *best = e;
        }
    }
}

/// Whether the value names one chassis, device, engine or serial number (I8c).
pub(super) fn ties_cards(e: &Evidence) -> bool {
    matches!(e.field, Field::LldpChassisId | Field::CdpDeviceId | Field::SnmpEngineId | Field::EnipSerial)
        && !is_default_identifier(e.field, &e.value)
}

/// The MAC that a chassis id of subtype MAC names (I8c).
pub(super) fn named_chassis(e: &Evidence) -> Option<MacAddr> {
    let digits = e.value.strip_prefix("4:").filter(|_| e.field == Field::LldpChassisId)?;
    digits.parse().ok().filter(|mac: &MacAddr| mac.is_station())
}

/// I8(c): MACs with one identifier, and the MAC that a chassis id names, are one device with all their couplings.
pub(super) fn join_identifiers<'b, 'a: 'b>(
    graph: &mut Graph<'b, 'a>,
    zone: &Zone,
    cards: &Cards<'b, 'a>,
    caution: &Caution<'_>,
    told: &mut Vec<ToldJoin>,
) {
    let mut identifiers: Identifiers<'_> = BTreeMap::new();
    for (mac, station) in &zone.stations {
        let mut named = station.evidence.iter().filter(|e| ties_cards(e)).peekable();
        if named.peek().is_some() && !cards.of(*mac).is_empty() {
            record(&mut identifiers, *mac, named);
        }
    }
    for (_, c) in cards.bound() {
        record(&mut identifiers, c.key.mac, c.facts.evidence.iter().filter(|e| ties_cards(e)));
    }
    for ((field, value), mut said) in identifiers {
        let chassis = said.values().next().and_then(|e| Some((named_chassis(e)?, *e)));
        hold(field, value, &mut said, chassis.map(|(mac, _)| mac), cards, caution, told);
        if let Some((mac, e)) = chassis.filter(|(mac, _)| !cards.of(*mac).is_empty()) {
            said.entry(mac).or_insert(e);
        }
        if said.len() < 2 {
            continue;
        }
        if contradict(zone, cards, &said, caution) {
            told.extend(undone((field, value), zone, &said, cards, caution));
            continue;
        }
        for macs in makes(zone, cards, &said, caution) {
            graph.join_identified(&cards.of_all(macs.iter()), JoinReason::SharedIdentifier, &said);
            told.extend(late((field, value), &said, &macs, cards, caution));
        }
    }
}

/// A join that a person should look at (I15).
#[derive(Debug)]
pub(super) struct ToldJoin {
    pub(super) why: Told,
    pub(super) field: Field,
    pub(super) value: String,
    pub(super) macs: Vec<MacAddr>,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

/// Why a person should look at a join.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Told {
    /// The cards said the identifier too seldom to be joined by it.
    Held,
    /// It joins the cards, although they said it long after they were known.
    Late,
    /// It would join the cards, but for what contradicted it long after two of them had said it.
    Undone,
}

/// Leaves out the bearers that said an identifier in one minute only, without anything that confirms it (I15b), and notes
/// them if the identifier would join them to another card.
fn hold(
    field: Field,
    value: &str,
    said: &mut Bearers<'_>,
    named: Option<MacAddr>,
    cards: &Cards<'_, '_>,
    caution: &Caution<'_>,
    told: &mut Vec<ToldJoin>,
) {
    let others = named.filter(|mac| !said.contains_key(mac) && !cards.of(*mac).is_empty());
    let joins = said.len() + usize::from(others.is_some()) > 1;
    let mut once: Vec<(MacAddr, Timestamp)> = Vec::new();
    said.retain(|mac, e| {
        let trusted = caution.trusts(e, cards.facts(*mac).map(|c| c.facts));
        if !trusted && !cards.of(*mac).is_empty() {
            once.push((*mac, e.at));
        }
        trusted
    });
    let times = || once.iter().map(|(_, at)| *at);
    if let (true, Some(first), Some(last)) = (joins, times().min(), times().max()) {
        let macs = once.iter().map(|(mac, _)| *mac).collect();
        told.push(ToldJoin { why: Told::Held, field, value: value.to_owned(), macs, first, last });
    }
}

/// The cards of a group that said the identifier first when they had been known for the grace of I11.
fn late(
    (field, value): (Field, &str),
    said: &Bearers<'_>,
    macs: &[MacAddr],
    cards: &Cards<'_, '_>,
    caution: &Caution<'_>,
) -> Option<ToldJoin> {
    let known = |mac: &MacAddr| cards.facts(*mac).map(|c| c.facts.first_seen).min();
    let said = |mac: &MacAddr| Some((*mac, said.get(mac)?.at, known(mac)?));
    let late = macs.iter().filter_map(said).filter(|(_, at, known)| caution.is_late(*at, *known));
    let late: Vec<(MacAddr, Timestamp)> = late.map(|(mac, at, _)| (mac, at)).collect();
    let times = || late.iter().map(|(_, at)| *at);
    let (first, last) = times().min().zip(times().max())?;
    let macs = late.iter().map(|(mac, _)| *mac).collect();
    Some(ToldJoin { why: Told::Late, field, value: value.to_owned(), macs, first, last })
}

/// The bearers of an identifier that contradict each other, if they did so long after two of them had said it.
fn undone(
    (field, value): (Field, &str),
    zone: &Zone,
    said: &Bearers<'_>,
    cards: &Cards<'_, '_>,
    caution: &Caution<'_>,
) -> Option<ToldJoin> {
    let mut times: Vec<Timestamp> = said.values().map(|e| e.at).collect();
    times.sort_unstable();
    let joined = times.get(1).copied()?;
    for mac in said.keys().take(BEARERS) {
        let voice = Voice::of(zone, cards, *mac, caution);
        times.extend(voice.said.values().flat_map(BTreeMap::values));
        times.extend(voice.leases.iter().map(|(began, _)| *began));
    }
    let last = times.into_iter().max().filter(|at| caution.is_late(*at, joined))?;
    let macs = said.keys().copied().collect();
    Some(ToldJoin { why: Told::Undone, field, value: value.to_owned(), macs, first: joined, last })
}

/// The bearers of an identifier in groups that it joins: cards of two makers need a second identifier, for which a name
/// suffices (I15b).
fn makes(zone: &Zone, cards: &Cards<'_, '_>, said: &Bearers<'_>, caution: &Caution<'_>) -> Vec<Vec<MacAddr>> {
    let mut groups: Vec<Vec<MacAddr>> = Vec::new();
    let mut known: BTreeMap<MacAddr, BTreeSet<(Field, String)>> = BTreeMap::new();
    for (mac, by) in said {
        let mut others = |mac: MacAddr| {
            let words = || identities(zone, cards, mac, caution, by);
            known.entry(mac).or_insert_with(words).clone()
        };
        let mut is_one = |other: &MacAddr| {
            caution.may_be_one_make(*mac, *other) || !others(*mac).is_disjoint(&others(*other))
        };
        let (joined, mut apart): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(&mut is_one));
        let mut group = joined.concat();
        group.push(*mac);
        apart.push(group);
        groups = apart;
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// What else identifies a card, beside the words `by`: its identifiers, and its names whatever protocol says them.
fn identities(
    zone: &Zone,
    cards: &Cards<'_, '_>,
    mac: MacAddr,
    caution: &Caution<'_>,
    by: &Evidence,
) -> BTreeSet<(Field, String)> {
    let trusted = |e: &&Evidence| caution.trusts(e, cards.facts(mac).map(|c| c.facts));
    let own = cards.words(zone, mac).filter(|e| (e.field, &e.value) != (by.field, &by.value)).filter(trusted);
    let identity = |e: &Evidence| {
        let named = NAMES.contains(&e.field) && is_specific(&e.value);
        let tied = ties_cards(e) || ties_leases(e);
        let name = || (Field::LldpSysName, e.value.to_ascii_lowercase());
        named.then(name).or_else(|| tied.then(|| (e.field, e.value.to_string())))
    };
    own.filter_map(identity).collect()
}

/// Whether the value names one DHCP client (I8c).
fn ties_leases(e: &Evidence) -> bool {
    matches!(e.field, Field::DhcpClientId | Field::DhcpDuid) && !is_default_identifier(e.field, &e.value)
}

/// I8(c): couplings of different MACs leased under one client id or DUID are one device.
pub(super) fn join_leases<'b, 'a: 'b>(
    graph: &mut Graph<'b, 'a>,
    zone: &Zone,
    cards: &Cards<'b, 'a>,
    caution: &Caution<'_>,
    told: &mut Vec<ToldJoin>,
) {
    let mut identifiers: Identifiers<'_> = BTreeMap::new();
    for (mac, station) in &zone.stations {
        record(&mut identifiers, *mac, station.evidence.iter().filter(|e| ties_leases(e)));
    }
    for ((field, value), mut said) in identifiers {
        hold(field, value, &mut said, None, cards, caution, told);
        if said.len() < 2 {
            continue;
        }
        if leases_at_once(cards, said.keys()) >= CLONES || contradict(zone, cards, &said, caution) {
            told.extend(undone((field, value), zone, &said, cards, caution));
            continue;
        }
        for macs in makes(zone, cards, &said, caution) {
            let mut leased = cards.of_all(macs.iter());
            leased.retain(|i| cards.get(*i).is_some_and(|c| c.facts.leased_at().is_some()));
            graph.join_identified(&leased, JoinReason::SharedLease, &said);
            told.extend(late((field, value), &said, &macs, cards, caution));
        }
    }
}

/// I12: randomised MACs with one host name, which is not a default name, are one device if their times from first to
/// last frame do not overlap.
pub(super) fn join_names<'b, 'a: 'b>(
    graph: &mut Graph<'b, 'a>,
    zone: &Zone,
    cards: &Cards<'b, 'a>,
    clock: &Clock,
    caution: &Caution<'_>,
    told: &mut Vec<ToldJoin>,
) {
    let mut identifiers: BTreeMap<String, Bearers<'_>> = BTreeMap::new();
    for (mac, _) in cards.iter().filter(|(mac, _)| mac.is_locally_administered()) {
        for e in cards.words(zone, mac) {
            let names = matches!(e.field, Field::DhcpHostname | Field::MdnsHostname) && is_specific(&e.value);
            if names && caution.trusts(e, cards.facts(mac).map(|c| c.facts)) {
                identifiers.entry(e.value.to_ascii_lowercase()).or_default().entry(mac).or_insert(e);
            }
        }
    }
    for said in identifiers.into_values().filter(|said| said.len() > 1) {
        let mut spans: Vec<(Timestamp, Timestamp)> =
            said.keys().filter_map(|mac| cards.span(*mac, clock)).collect();
        spans.sort_unstable();
        if spans.iter().zip(spans.iter().skip(1)).all(|(a, b)| a.1 < b.0) {
            graph.join_identified(&cards.of_all(said.keys()), JoinReason::SharedName, &said);
        } else if let (Some((first, _)), Some((last, _)), Some(e)) =
            (spans.first(), spans.last(), said.values().next())
            && caution.is_late(*last, *first)
        {
            let (field, value, macs) = (e.field, e.value.to_string(), said.keys().copied().collect());
            told.push(ToldJoin { why: Told::Undone, field, value, macs, first: *first, last: *last });
        }
    }
}

/// Whether the bearers of an identifier contradict each other, so that it ties none of them (I8c): they say different
/// serial numbers, different system names in the same hour, or different host names with leases in use at once.
fn contradict(zone: &Zone, cards: &Cards<'_, '_>, said: &Bearers<'_>, caution: &Caution<'_>) -> bool {
    if said.len() > BEARERS {
        return true;
    }
    let all: Vec<Voice> = said.keys().map(|mac| Voice::of(zone, cards, *mac, caution)).collect();
    let fields = || SERIALS.iter().chain(&SYSTEM_NAMES).chain([&Field::DhcpHostname]);
    fields().any(|field| {
        let heard: Vec<(&Voice, &BTreeMap<String, Timestamp>)> =
            all.iter().filter_map(|voice| Some((voice, voice.said.get(field)?))).collect();
        heard.iter().enumerate().any(|(i, (a, x))| {
            heard.iter().skip(i + 1).any(|(b, y)| {
                x.keys().all(|name| !y.contains_key(name))
                    && match field {
                        Field::DhcpHostname => {
                            a.leases.iter().any(|l| b.leases.iter().any(|m| l.0 <= m.1 && m.0 <= l.1))
                        }
                        field if SERIALS.contains(field) => true,
                        _ => a.hears_in_one_hour(x, b, y),
                    }
            })
        })
    })
}

/// What a card says of itself, for comparison with others.
struct Voice {
    /// By field: the values in lower case, each with the first time.
    said: BTreeMap<Field, BTreeMap<String, Timestamp>>,
    /// The newest frame with words.
    last: Timestamp,
    /// The times in which its leases were in use.
    leases: Vec<(Timestamp, Timestamp)>,
}

impl Voice {
    /// What is said too seldom to count cannot contradict either.
    fn of(zone: &Zone, cards: &Cards<'_, '_>, mac: MacAddr, caution: &Caution<'_>) -> Self {
        let mut said: BTreeMap<Field, BTreeMap<String, Timestamp>> = BTreeMap::new();
        let trusted = |e: &&Evidence| caution.trusts(e, cards.facts(mac).map(|c| c.facts));
        for e in cards.words(zone, mac).filter(trusted) {
            let value = e.value.to_ascii_lowercase();
            let told = if DESCRIPTIONS.contains(&e.field) {
                serial_in(&value).map(|serial| (Field::LldpMedSerial, serial.to_owned()))
            } else {
                let compared = SERIALS.contains(&e.field) || SYSTEM_NAMES.contains(&e.field);
                (compared || e.field == Field::DhcpHostname).then_some((e.field, value))
            };
            if let Some((field, value)) = told {
                let first = said.entry(field).or_default().entry(value).or_insert(e.at);
                *first = e.at.min(*first);
            }
        }
        let newest = cards.facts(mac).map(|c| c.facts.last_seen);
        let last = newest.chain(zone.stations.get(&mac).map(|s| s.last_seen)).max().unwrap_or_default();
        Self { said, last, leases: leases(cards, mac).collect() }
    }

    /// Whether two cards were heard with these names in the same hour.
    fn hears_in_one_hour(
        &self,
        own: &BTreeMap<String, Timestamp>,
        other: &Self,
        others: &BTreeMap<String, Timestamp>,
    ) -> bool {
        let first = |names: &BTreeMap<String, Timestamp>| names.values().min().copied().unwrap_or_default();
        let (a, b) = ((first(own), self.last), (first(others), other.last));
        a.0.since(b.1) < HOUR && b.0.since(a.1) < HOUR
    }
}

/// The serial number that a description in lower case names.
fn serial_in(text: &str) -> Option<&str> {
    SERIAL_MARKS.iter().find_map(|mark| {
        let (before, rest) = text.split_once(mark)?;
        let apart = !before.ends_with(|c: char| c.is_alphanumeric());
        let rest = rest.trim_start_matches([' ', ':', '#', '=', '.']);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        rest.get(..end).filter(|serial| apart && serial.len() >= 4)
    })
}

/// The times in which the leases of a card were in use.
fn leases(cards: &Cards<'_, '_>, mac: MacAddr) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    cards.facts(mac).filter_map(|c| Some((c.facts.lease_began()?, c.facts.last_seen)))
}

/// The largest number of cards whose leases were in use at one time.
fn leases_at_once<'m>(cards: &Cards<'_, '_>, macs: impl Iterator<Item = &'m MacAddr>) -> usize {
    let mut ends: Vec<(Timestamp, bool, MacAddr)> = Vec::new();
    for mac in macs {
        for (first, last) in leases(cards, *mac) {
            ends.extend([(first, false, *mac), (last.max(first), true, *mac)]);
        }
    }
    ends.sort_unstable();
    let (mut open, mut most): (Vec<MacAddr>, usize) = (Vec::new(), 0);
    for (_, ends, mac) in ends {
        if ends {
            if let Some(i) = open.iter().position(|m| *m == mac) {
                open.swap_remove(i);
            }
        } else {
            open.push(mac);
            if open.len() > most {
                most = most.max(open.iter().collect::<BTreeSet<_>>().len());
            }
        }
        if most >= CLONES {
            break;
        }
    }
    most
}

/// Names that makers give every unit, one per line; a trailing `*` matches anything.
const DEFAULT_NAMES: &str = include_str!("../../config/default-names.txt");
/// Identifiers that makers give every unit, one per line.
const DEFAULT_IDENTIFIERS: &str = include_str!("../../config/default-identifiers.txt");

fn listed(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'))
}

/// Whether a host name identifies a unit: it is not a default name (I12).
fn is_specific(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let default = |pattern: &str| match pattern.strip_suffix('*') {
        Some(head) => name.starts_with(head),
        None => name == pattern,
    };
    name.len() > 2 && !listed(DEFAULT_NAMES).any(default)
}

/// Whether an identifier is one that a make gives every unit (I8c): on the list, or without any digit but 0 and f.
fn is_default_identifier(field: Field, value: &str) -> bool {
    let listed = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        let name = text.split_once('.').map_or(&*text, |(name, _)| name);
        name.is_empty() || listed(DEFAULT_IDENTIFIERS).any(|known| known == text || known == name)
    };
    let blank =
        |hex: &str| hex.bytes().all(|b| b == b'0') || hex.bytes().all(|b| b.eq_ignore_ascii_case(&b'f'));
    match field {
        Field::LldpChassisId => {
            let Some((_, id)) = value.split_once(':') else { return true };
            // Subtype 5 is a network address, which changes hands; subtype 6 is an interface's name, such as `eth0`.
            blank(id)
                || value.starts_with(['5', '6'])
                || value.starts_with(['1', '2', '3', '7']) && text_of(id).is_some_and(|text| listed(&text))
        }
        // An engine id starts with the maker's number and a kind (RFC 3411); what follows must tell units apart.
        Field::SnmpEngineId => listed(value) || value.get(10..).is_some_and(blank) || blank(value),
        Field::EnipSerial => value.split_once(':').is_none_or(|(_, serial)| blank(serial)),
        Field::DhcpClientId | Field::DhcpDuid => {
            listed(value)
                || value.get(2..).is_none_or(blank)
                || text_of(value).is_some_and(|text| listed(&text))
        }
        _ => listed(value),
    }
}

/// The text that hexadecimal digits stand for.
fn text_of(digits: &str) -> Option<String> {
    String::from_utf8(hex::decode(digits).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i12_a_default_name_is_not_specific() {
        for name in ["iPhone", "iPhone-2", "android-4f1c", "Galaxy-S21", "localhost", "ESP_4A21B0", "x"] {
            assert!(!is_specific(name), "{name}");
        }
        for name in ["marta-kowalska", "reception-desk-2", "anna-iphone", "build-server-01"] {
            assert!(is_specific(name), "{name}");
        }
    }

    #[test]
    fn i8c_a_serial_number_is_found_in_a_description() {
        for (text, serial) in [
            ("apc web/snmp card (mn:ap8941 hr:02 sn: 5a1000)", Some("5a1000")),
            ("switch, s/n fox1234, rev 2", Some("fox1234")),
            ("camera serial number: ab-12-34", Some("ab-12-34")),
            ("dns: resolver", None),
            ("sn: 1", None),
        ] {
            assert_eq!(serial_in(text), serial, "{text}");
        }
    }

    #[test]
    fn i8c_an_identifier_that_a_make_gives_every_unit_ties_nobody() {
        let default = [
            (Field::CdpDeviceId, "Switch"),
            (Field::CdpDeviceId, "Router.example.com"),
            (Field::LldpChassisId, "7:537769746368"),
            (Field::LldpChassisId, "4:000000000000"),
            (Field::SnmpEngineId, "80001f880300000000"),
            (Field::EnipSerial, "1:00000000"),
            (Field::DhcpClientId, "01000000000000"),
            (Field::DhcpClientId, "0000020003000400050006000700080009"),
            (Field::DhcpDuid, "000403000200040005000006000700080009"),
        ];
        for (field, value) in default {
            assert!(is_default_identifier(field, value), "{field}={value}");
        }
        let specific = [
            (Field::CdpDeviceId, "Switch-4f.example.com"),
            (Field::CdpDeviceId, "Switch(FOC1234X0YZ)"),
            (Field::LldpChassisId, "7:73772d31"),
            (Field::LldpChassisId, "4:0040aa010203"),
            (Field::SnmpEngineId, "80001f88030040aa010203"),
            (Field::EnipSerial, "1:00c0ffee"),
            (Field::DhcpClientId, "010040aa010203"),
        ];
        for (field, value) in specific {
            assert!(!is_default_identifier(field, value), "{field}={value}");
        }
    }
}
