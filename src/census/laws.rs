//! The laws of the census, tested over generated histories: merging is a join, order and repetition do not matter, and
//! the ledger closes twice. `PROPTEST_CASES` sets the number of histories for each law; the default is 1,000.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::binding::Bindings;
use super::identity::Identities;
use super::quarantine::tentative;
use super::time::{DAY, HOUR, MINUTE};
use super::trust::Caution;
use super::*;

/// What one frame showed.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Sighted(CouplingKey, Timestamp, Signs, u16),
    Said(CouplingKey, Timestamp, Field, &'static str),
    /// The MAC of the key described the host with the address to others (I2).
    Described(CouplingKey, Timestamp, Field, &'static str),
    Spoke(MacAddr, Timestamp, Field, &'static str),
    Mask(Prefix),
    Router(IpAddr),
    Exchange(Ipv4Addr, Ipv4Addr, bool),
    Frame(Timestamp),
}

fn macs() -> impl Strategy<Value = MacAddr> {
    (0..5u8, 0..4u8).prop_map(|(head, n)| match head {
        0 => MacAddr([0, 0, 0x5e, 0, 1, n]),
        1 => MacAddr([2, 0, 0, 0, 0, n]),
        _ => MacAddr([0, 0x1b, 0xd4, 0, 0, n]),
    })
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        6 => (0..3u8, prop_oneof![1..6u8, Just(255)]).prop_map(|(c, d)| IpAddr::from([10, 0, c, d])),
        1 => (1..4u8).prop_map(|d| IpAddr::from([169, 254, 1, d])),
        1 => (1..4u8).prop_map(|d| IpAddr::from([8, 8, 8, d])),
        2 => (1..4u16).prop_map(|d| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, d).into()),
        1 => (1..4u16).prop_map(|d| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, d).into()),
    ]
}

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    (0..3u8, 1..6u8).prop_map(|(c, d)| Ipv4Addr::new(10, 0, c, d))
}

fn instants() -> impl Strategy<Value = Timestamp> {
    (0..40i64, 0..4i64).prop_map(|(minutes, rest)| Timestamp(minutes * MINUTE + rest))
}

fn keys() -> impl Strategy<Value = CouplingKey> {
    (macs(), addresses()).prop_map(|(mac, ip)| CouplingKey { mac, ip })
}

/// The signs of a frame: any, but more often one or two, because with many signs nearly every coupling is proven. A frame
/// that only describes others is [`Event::Described`].
fn signs() -> impl Strategy<Value = Signs> {
    let one = || select(&Sign::ALL[..]).prop_map(Signs::from);
    prop_oneof![
        1 => (1..1u32 << Sign::ALL.len()).prop_map(Signs),
        2 => one(),
        2 => (one(), one()).prop_map(|(a, b)| a.union(b)),
    ]
    .prop_map(|signs| signs.without(Sign::Described))
    .prop_map(|signs| if signs.is_empty() { Sign::Sourced.into() } else { signs })
}

pub(crate) fn events() -> impl Strategy<Value = Event> {
    // One of them names a chassis, a client and a serial number alike.
    let words = select(&["a", "1:00c0ffee", "lobby-cam", "reception"][..]);
    let said = select(&[Field::SnmpEngineId, Field::EnipSerial, Field::HttpServer, Field::MdnsService][..]);
    let described = select(&[Field::MdnsHostname, Field::MdnsService, Field::SsdpServer][..]);
    // Some of the MACs that chassis ids name are those of other events.
    let chassis =
        select(&["4:001bd4000001", "4:001bd4000003", "4:020000000002", "4:00005e000101", "7:a"][..]);
    let role = select(
        &[
            (Field::DhcpBoot, "discover"),
            (Field::DhcpBoot, "init_reboot"),
            (Field::RouterProtocol, "ospf"),
            (Field::RouterProtocol, "carp"),
            (Field::RouterTask, "rip"),
        ][..],
    );
    let spoke = select(
        &[
            Field::LldpChassisId,
            Field::CdpDeviceId,
            Field::DhcpClientId,
            Field::StpBridge,
            Field::RaSender,
            Field::LldpSysName,
            Field::DhcpHostname,
        ][..],
    );
    prop_oneof![
        8 => (keys(), instants(), signs(), 0..3u16).prop_map(|(k, t, s, v)| Event::Sighted(k, t, s, v)),
        3 => (keys(), instants(), said, words.clone()).prop_map(|(k, t, f, v)| Event::Said(k, t, f, v)),
        2 => (keys(), instants(), described, words.clone()).prop_map(|(k, t, f, v)| Event::Described(k, t, f, v)),
        3 => (macs(), instants(), spoke, words).prop_map(|(m, t, f, v)| Event::Spoke(m, t, f, v)),
        1 => (macs(), instants(), chassis)
            .prop_map(|(m, t, v)| Event::Spoke(m, t, Field::LldpChassisId, v)),
        1 => (macs(), instants(), role).prop_map(|(m, t, (f, v))| Event::Spoke(m, t, f, v)),
        1 => (v4(), 20..31u8).prop_filter_map("length", |(a, n)| Prefix::of(a.into(), n)).prop_map(Event::Mask),
        1 => addresses().prop_map(Event::Router),
        3 => (v4(), v4(), any::<bool>()).prop_map(|(a, b, answer)| Event::Exchange(a, b, answer)),
        1 => instants().prop_map(Event::Frame),
    ]
}

/// The event at another instant.
fn moved(event: Event, to: impl Fn(Timestamp) -> Timestamp) -> Event {
    match event {
        Event::Sighted(key, at, signs, vlan) => Event::Sighted(key, to(at), signs, vlan),
        Event::Said(key, at, field, value) => Event::Said(key, to(at), field, value),
        Event::Described(key, at, field, value) => Event::Described(key, to(at), field, value),
        Event::Spoke(mac, at, field, value) => Event::Spoke(mac, to(at), field, value),
        Event::Frame(at) => Event::Frame(to(at)),
        timeless @ (Event::Mask(_) | Event::Router(_) | Event::Exchange(..)) => timeless,
    }
}

/// The event with its instant multiplied by `factor`.
pub(crate) fn stretch(event: &Event, factor: i64) -> Event {
    moved(event.clone(), |at| Timestamp(at.0 * factor))
}

/// 2026-11-01T00:00:00Z.
const NOVEMBER: i64 = 20_758 * DAY;

/// Histories of one or several times, as clocks without a battery, long gaps and wrong times of single frames make them
/// (I11, I16).
pub(crate) fn histories(size: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Event>> {
    let era = prop_oneof![
        2 => Just(0),
        6 => Just(NOVEMBER),
        2 => Just(NOVEMBER + 3 * HOUR),
        1 => Just(NOVEMBER + 40 * DAY),
        1 => Just(NOVEMBER + 4_000 * DAY),
    ];
    (vec((events(), era), size), any::<bool>()).prop_map(|(history, eras)| {
        let later = |(event, era): (Event, i64)| moved(event, |at| at.plus(if eras { era } else { 0 }));
        history.into_iter().map(later).collect()
    })
}

/// The events in an order that `seed` draws, so that a failure can shrink.
fn shuffled(mut events: Vec<Event>, seed: u64) -> Vec<Event> {
    let mut state = seed;
    for i in (1..events.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        events.swap(i, (state >> 33) as usize % (i + 1));
    }
    events
}

/// The zone of several sensors that took turns with the events, merged from the last to the first.
fn shared_out(events: &[Event], sensors: usize) -> Zone {
    let part = |n| events.iter().skip(n).step_by(sensors).cloned().collect::<Vec<_>>();
    let mut joined = Zone::default();
    for n in (0..sensors).rev() {
        joined.merge(&zone(&part(n)));
    }
    joined
}

/// Stretch a history of 40 minutes to 40 minutes, 27 days or 80 days.
const FACTORS: [i64; 3] = [1, 960, 2_880];

fn stretched(events: &[Event], length: usize) -> Vec<Event> {
    events.iter().map(|e| stretch(e, FACTORS[length])).collect()
}

/// When the event's frame came; `None` for facts without a time.
pub(crate) fn instant(event: &Event) -> Option<Timestamp> {
    match event {
        Event::Sighted(_, at, ..)
        | Event::Said(_, at, ..)
        | Event::Described(_, at, ..)
        | Event::Spoke(_, at, ..)
        | Event::Frame(at) => Some(*at),
        Event::Mask(_) | Event::Router(_) | Event::Exchange(..) => None,
    }
}

fn is_before(event: &Event, as_of: Timestamp) -> bool {
    instant(event).is_none_or(|at| at < as_of)
}

fn until(zone: &Zone, as_of: Timestamp) -> Zone {
    zone.until(as_of, Undated::KEPT, &|_| None)
}

/// Whether `more` contains everything that `less` says, except for the days, and for descriptions of addresses that their
/// MAC sends from in `facts`: only its own frames give such a coupling its times.
fn is_within(less: &Zone, more: &Zone, facts: &Zone) -> bool {
    let sent = |key: &CouplingKey| facts.couplings.get(key).is_some_and(|c| !c.signs.is_only_by_others());
    let shown = |zone: &Zone| {
        let mut zone = zone.clone();
        zone.couplings.retain(|key, c| !(c.signs.is_only_by_others() && sent(key)));
        for c in zone.couplings.values_mut() {
            *c = c.clone().without_days();
        }
        zone
    };
    let (less, mut joined) = (shown(less), shown(more));
    joined.merge(&less);
    shown(&joined) == shown(more)
}

pub(crate) fn apply(zone: &mut Zone, event: &Event) {
    if let Some(at) = instant(event) {
        zone.segment.span(at, at);
    }
    match event {
        Event::Sighted(key, at, signs, vlan) => {
            let mut facts = Coupling::new(*at, *signs);
            // What others show has no tags of its own.
            if !signs.is_only_by_others() {
                facts.tag(*vlan);
            }
            zone.merge_coupling(*key, &facts);
        }
        Event::Said(key, at, field, value) => {
            let mut facts = Coupling::new(*at, Sign::Sourced.into());
            facts.evidence.add(*field, value, *at);
            zone.merge_coupling(*key, &facts);
        }
        Event::Described(key, at, field, value) => {
            let mut facts = Coupling::new(*at, Sign::Described.into());
            facts.evidence.add(*field, value, *at);
            zone.merge_coupling(*key, &facts);
        }
        Event::Spoke(mac, at, field, value) => {
            let mut facts = Station::new(*at);
            facts.evidence.add(*field, value, *at);
            zone.merge_station(*mac, &facts);
        }
        Event::Mask(prefix) => {
            zone.segment.learn_sent(*prefix, &Taught::new(Timestamp(0), MacAddr([2, 0, 0, 0, 0, 1])));
        }
        Event::Router(ip) => {
            zone.segment.learn_router(*ip, &Taught::new(Timestamp(0), MacAddr([2, 0, 0, 0, 0, 1])));
        }
        Event::Exchange(a, b, answer) => {
            zone.segment.exchange(*a, *b, *answer);
        }
        Event::Frame(_) => {}
    }
}

pub(crate) fn zone(events: &[Event]) -> Zone {
    let mut out = Zone::default();
    for event in events {
        apply(&mut out, event);
    }
    out
}

/// Inventories of one or two zones, from random histories of 40 minutes.
pub(crate) fn inventories() -> impl Strategy<Value = Inventory> {
    (vec(events(), 0..60), vec(events(), 0..10)).prop_map(|(one, other)| {
        let mut inventory = Inventory::of("default", zone(&one));
        inventory.merge_zone("lab \u{202e}\"2\"", &zone(&other));
        inventory
    })
}

/// A classifier that depends on the evidence, so that different evidence gives a different document.
pub(crate) struct ByEvidence;

impl Classifier for ByEvidence {
    fn classify(&self, subject: &ClassifierInput<'_>) -> Classification {
        let category = Category::ALL[subject.evidence.len() % 4];
        let reasons = subject.evidence.iter().map(|e| Reason {
            field: e.field,
            value: e.value.into(),
            rule: "law".into(),
            title: "".into(),
            says: "".into(),
            weight: 1,
            proves: false,
            at: Some(e.at),
        });
        Classification {
            category,
            kind: category.key().into(),
            reasons: reasons.collect(),
            ..Default::default()
        }
    }
}

/// A policy under which a few newcomers are a flood.
fn strict_policy() -> Policy {
    Policy { quarantine_rate: 2, ..Policy::default() }
}

fn document(zone: Zone) -> String {
    let inventory = Inventory::of("default", zone);
    let policy = strict_policy();
    let as_of = inventory.believed_end().unwrap_or_default();
    let survey = Survey::new(&inventory, &policy, &Decisions::default(), &ByEvidence, as_of);
    serde_json::to_string(&crate::wire::Document::new(&survey, Default::default(), None)).unwrap()
}

/// Everything that is concluded from a zone before anybody classifies: bindings with the MACs that forward, devices with
/// their joins, parts and states, and the clock.
pub(crate) fn conclusions(zone: &Zone) -> String {
    let policy = strict_policy();
    let clock = zone.clock();
    let caution = Caution::new(&clock, &policy, &ByEvidence);
    let bindings = Bindings::derive(zone, &policy, caution.is_short);
    let identities = Identities::derive(zone, &bindings, &ZoneDecisions::default(), &clock, &caution);
    let bound: Vec<_> = bindings.couplings.iter().map(|c| (c.key, c.binding)).collect();
    let places = || (0u32..).take(bound.len());
    let parts: Vec<_> = places().map(|i| (identities.is_superseded(i), identities.part(i))).collect();
    let devices: Vec<_> = identities.groups().collect();
    let held = tentative(&bindings.couplings, &clock, &policy);
    format!(
        "{bound:?} {:?} {:?} {devices:?} {:?} {:?} {parts:?} {held:?} {clock:?}",
        bindings.forwarding, bindings.doubted, identities.joins, identities.told
    )
}

/// What was said, and when first. Of windows far from the first, an earlier inventory does not know when they were.
fn said(evidence: &EvidenceSet) -> impl Iterator<Item = (Field, &str, Timestamp)> {
    evidence.iter().map(|e| (e.field, &*e.value, e.at))
}

/// Proptest's own default is 256.
pub(crate) fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(1_000), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        a in histories(0..30), b in histories(0..30), c in histories(0..30),
    ) {
        let (a, b, c) = (zone(&a), zone(&b), zone(&c));
        let join = |x: &Zone, y: &Zone| { let mut out = x.clone(); out.merge(y); out };
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(&join(&a, &a), &a);
        let joined = join(&a, &b);
        prop_assert_eq!(&join(&joined, &b), &joined);
        let mut again = joined;
        prop_assert!(!again.merge(&a), "a merge that changes nothing says so");
    }

    #[test]
    fn any_order_repetition_and_partition_of_a_history_gives_the_same_document(
        history in histories(1..80), order in any::<u64>(), repeated in vec(any::<Index>(), 0..20),
        sensors in 1..5usize,
    ) {
        let straight = document(zone(&history));
        let mut other: Vec<Event> = history.clone();
        other.extend(repeated.iter().map(|i| i.get(&history).clone()));
        prop_assert_eq!(document(shared_out(&shuffled(other, order), sensors)), straight);
    }

    #[test]
    fn bindings_devices_quarantine_and_clock_are_functions_of_the_merged_facts(
        history in histories(1..80), order in any::<u64>(), sensors in 1..5usize, cut in any::<Index>(),
    ) {
        let whole = zone(&history);
        let straight = conclusions(&whole);
        prop_assert_eq!(&conclusions(&shared_out(&shuffled(history, order), sensors)), &straight);
        // Halves of the facts, as two sensors upload them.
        let (mut left, mut right) = (whole.clone(), whole.clone());
        if let Some(middle) = (!whole.couplings.is_empty()).then(|| cut.index(whole.couplings.len())) {
            let middle = *whole.couplings.keys().nth(middle).unwrap();
            left.couplings.retain(|key, _| *key < middle);
            right.couplings.retain(|key, _| *key >= middle);
        }
        left.stations.clear();
        right.segment = Segment::default();
        left.merge(&right);
        prop_assert_eq!(conclusions(&left), straight);
    }

    #[test]
    fn who_only_describes_an_address_is_no_coupling_no_device_and_no_router(history in histories(1..80)) {
        let own = |key: &CouplingKey| {
            history.iter().any(|e| matches!(e, Event::Sighted(k, ..) | Event::Said(k, ..) if k == key))
        };
        let is_foreign = |e: &Event| matches!(e, Event::Described(key, ..) if !own(key));
        let without: Vec<Event> = history
            .iter()
            .map(|e| if is_foreign(e) { Event::Frame(instant(e).unwrap()) } else { e.clone() })
            .collect();
        let (with, without) = (zone(&history), zone(&without));
        prop_assert_eq!(conclusions(&with), conclusions(&without));
        let described: Vec<CouplingKey> = history
            .iter()
            .filter_map(|e| match e { Event::Described(key, ..) if is_foreign(e) => Some(*key), _ => None })
            .collect();
        let numbers = |zone: Zone| {
            let inventory = Inventory::of("default", zone);
            let (policy, as_of) = (strict_policy(), inventory.believed_end().unwrap_or_default());
            let survey = Survey::new(&inventory, &policy, &Decisions::default(), &Unclassified, as_of);
            let members = survey.devices.iter().flat_map(|d| d.couplings.iter().map(|m| m.key));
            let mut shown: Vec<CouplingKey> = members.chain(survey.lines.iter().map(|l| l.key)).collect();
            shown.sort_unstable();
            let unaddressed: Vec<MacAddr> = survey.unaddressed.iter().map(|u| u.mac).collect();
            (shown, survey.census.clone(), unaddressed)
        };
        let counted = numbers(with);
        prop_assert!(counted.0.iter().all(|key| !described.contains(key)));
        prop_assert_eq!(counted, numbers(without));
    }

    #[test]
    fn the_ledger_closes_twice_and_every_coupling_lies_in_one_place(history in histories(1..80), days in 0..40i64) {
        let inventory = Inventory::of("default", zone(&history));
        let policy = strict_policy();
        let as_of = inventory.believed_end().unwrap_or_default().plus(days * DAY);
        let survey = Survey::new(&inventory, &policy, &Decisions::default(), &ByEvidence, as_of);
        let members: u64 = survey.devices.iter().map(|d| d.couplings.len() as u64).sum();
        prop_assert!(survey.census.closes(survey.devices.len() as u64, members));
        for verdict in Verdict::ALL.into_iter().filter(|v| v.is_line()) {
            let lines = survey.lines.iter().filter(|l| l.verdict == verdict).count() as u64;
            prop_assert_eq!(survey.census.excluded.get(verdict.id()).copied().unwrap_or(0), lines);
        }
        let mut all: Vec<CouplingKey> = survey.devices.iter().flat_map(|d| &d.couplings).map(|m| m.key).collect();
        all.extend(survey.lines.iter().map(|l| l.key));
        let total = all.len();
        all.sort();
        all.dedup();
        prop_assert_eq!(all.len(), total);
        let sent = inventory.zones["default"].couplings.iter().filter(|(_, c)| !c.signs.is_only_by_others());
        prop_assert!(sent.map(|(key, _)| *key).eq(all), "the strict couplings are what MACs sent from");
        let mut ids: Vec<DeviceId> = survey.devices.iter().map(|d| d.id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), survey.devices.len());
    }

    #[test]
    fn identity_follows_its_rules_in_every_history(history in histories(1..80)) {
        let zone = zone(&history);
        let policy = Policy::default();
        let clock = zone.clock();
        let caution = Caution::new(&clock, &policy, &ByEvidence);
        let bindings = Bindings::derive(&zone, &policy, caution.is_short);
        let identities = Identities::derive(&zone, &bindings, &ZoneDecisions::default(), &clock, &caution);
        let devices: Vec<Vec<CouplingKey>> = identities
            .groups()
            .map(|g| g.iter().map(|i| bindings.couplings[*i as usize].key).collect())
            .collect();
        let device_of = |key: &CouplingKey| devices.iter().position(|d| d.contains(key));
        // Each join is within one device, and a device of n couplings has n - 1 joins.
        for join in &identities.joins {
            prop_assert!(device_of(&join.coupling).is_some() && device_of(&join.coupling) == device_of(&join.with));
        }
        let local = bindings.local().count();
        prop_assert_eq!(identities.joins.len(), local - devices.len());
        // The addresses of clients whose frames a card passes on as its own are the clients' (I8g).
        let bridged: Vec<CouplingKey> = identities.bridged().map(|i| bindings.couplings[i as usize].key).collect();
        for device in &devices {
            let own = || device.iter().filter(|key| !bridged.contains(key));
            let v4 = |mac: MacAddr| own().any(|k| k.mac == mac && k.ip.is_ipv4());
            for key in own() {
                prop_assert!(!key.mac.is_virtual_router(), "I7");
                // I8(a): an IPv6 address belongs to the lowest IPv4 address of its card, if the card has one.
                let mut all = bindings.local().map(|c| c.key).filter(|k| !bridged.contains(k));
                let lowest = all.find(|k| k.mac == key.mac);
                prop_assert!(lowest.is_none_or(|k| key.ip.is_ipv4() || v4(key.mac) == k.ip.is_ipv4()), "I8a");
            }
        }
        for mac in bindings.forwarding.keys() {
            // I8(d): a forwarding MAC is in one device at most.
            let own = |key: &CouplingKey| key.mac == *mac && !bridged.contains(key);
            let of_mac = devices.iter().filter(|d| d.iter().any(own)).count();
            prop_assert!(of_mac <= 1, "I8d");
        }
        for c in &bindings.couplings {
            let off_link = !bindings.on_link.contains(c.key.ip);
            let unproven = c.facts.proof().is_none();
            let near = c.facts.signs.any(Signs::from(Sign::Near).with(Sign::Sixty));
            let shown = near || c.facts.signs.has(Sign::Announced);
            prop_assert!(!(c.binding.is_local() && off_link && unproven && address::is_public(c.key.ip)) || shown, "X-PUB");
            let forwards = bindings.forwarding.contains_key(&c.key.mac);
            let own = address::is_private(c.key.ip) && near;
            prop_assert!(c.binding != Binding::Inferred || !forwards || own, "I4, I6");
        }
    }

    #[test]
    fn tags_change_no_device_and_a_second_zone_doubles_them(history in vec(events(), 1..60)) {
        let tagged = zone(&history);
        let plain: Vec<Event> = history
            .into_iter()
            .map(|e| match e {
                Event::Sighted(key, at, signs, _) => Event::Sighted(key, at, signs, 0),
                other => other,
            })
            .collect();
        let plain = zone(&plain);
        let count = |inventory: &Inventory| {
            let (policy, decisions) = (Policy::default(), Decisions::default());
            let survey = Survey::new(inventory, &policy, &decisions, &ByEvidence, Timestamp(0));
            (survey.devices.len(), survey.census.billable, survey.census.strict_couplings)
        };
        let one = count(&Inventory::of("a", plain));
        prop_assert_eq!(count(&Inventory::of("a", tagged.clone())), one);
        let mut two = Inventory::of("a", tagged.clone());
        two.merge_zone("b", &tagged);
        prop_assert_eq!(count(&two), (one.0 * 2, one.1 * 2, one.2 * 2));
    }

    #[test]
    fn a_verdict_is_the_first_rule_that_applies_and_silence_only_ever_ends_it(
        category in select(&Category::ALL[..]), seen in 0..100i64, tentative: bool, managed: bool,
        deleted in proptest::option::of(0..100i64), first in 0..100i64, later in 0..100i64,
    ) {
        let at = |days: i64| Timestamp(days * DAY);
        let policy = Policy::default();
        let device = Standing { category, last_seen: at(seen), tentative, managed, deleted_at: deleted.map(at) };
        // The table of verdicts of docs/rules.md, as data.
        let table = |as_of: Timestamp| {
            [
                (deleted.is_some_and(|d| d >= seen), Verdict::Deleted),
                (tentative, Verdict::Tentative),
                (category == Category::ComputerMobile, Verdict::ComputerMobile),
                (managed, Verdict::Managed),
                (as_of.0 - at(seen).0 > 30 * DAY, Verdict::Idle),
                (category == Category::Unclassified, Verdict::Unclassified),
                (category == Category::Network, Verdict::CountedNetwork),
                (true, Verdict::CountedIot),
            ]
            .into_iter()
            .find(|(applies, _)| *applies)
            .unwrap()
            .1
        };
        let (before, after) = (at(first.min(later)), at(first.max(later)));
        prop_assert_eq!(verdict(&device, &policy, before), table(before));
        // A device that does not count needs a new frame to count again.
        if !verdict(&device, &policy, before).is_counted() {
            prop_assert!(!verdict(&device, &policy, after).is_counted());
        }
    }

    #[test]
    fn an_earlier_inventory_is_that_of_the_earlier_frames_wherever_nothing_was_seen_again(
        history in vec(events(), 1..80), cut in instants(), length in 0..3usize, midnight: bool,
    ) {
        let history = stretched(&history, length);
        let as_of = Timestamp(cut.0 * FACTORS[length]);
        let as_of = if midnight { as_of.day_start() } else { as_of };
        let whole = zone(&history);
        let earlier: Vec<Event> = history.into_iter().filter(|e| is_before(e, as_of)).collect();
        let (earlier, found) = (zone(&earlier), until(&whole, as_of));
        let least = whole.until(as_of, Undated::DROPPED, &|_| None);
        prop_assert!(least.couplings.keys().eq(found.couplings.keys()));
        // Of an address that its MAC sends from later, earlier descriptions are not kept.
        let sends_later = |key: &CouplingKey, c: &Coupling| {
            c.signs.is_only_by_others() && !whole.couplings[key].signs.is_only_by_others()
        };
        let expected = || earlier.couplings.iter().filter(|(key, c)| !sends_later(key, c));
        prop_assert!(found.couplings.keys().eq(expected().map(|(key, _)| key)), "a device not yet seen is not there");
        prop_assert!(found.stations.keys().eq(earlier.stations.keys()));
        for (key, truth) in expected() {
            let c = &found.couplings[key];
            if whole.couplings[key].last_seen < as_of {
                // What others show has no time of its own beside own frames.
                let signs = c.signs.difference(Sign::BY_OTHERS);
                prop_assert_eq!(signs, truth.signs.difference(Sign::BY_OTHERS));
                let mut rest = c.clone();
                rest.signs = truth.signs;
                rest.evidence = truth.evidence.clone();
                prop_assert_eq!(&rest, truth);
            }
            prop_assert_eq!(c.first_seen, truth.first_seen);
            prop_assert_eq!(c.proof(), truth.proof());
            prop_assert_eq!(c.announced_at(), truth.announced_at());
            prop_assert!(said(&c.evidence).eq(said(&truth.evidence)));
            prop_assert!(truth.last_seen <= c.last_seen && c.last_seen < as_of);
            // With what is dated alone, less is known than was known then.
            let sure = &least.couplings[key];
            prop_assert_eq!((sure.first_seen, sure.proof()), (truth.first_seen, truth.proof()));
            prop_assert!(sure.last_seen <= truth.last_seen);
            let invented = sure.signs.difference(truth.signs).difference(Sign::BY_OTHERS);
            prop_assert!(invented.is_empty() || invented == Sign::Sourced.into(), "{:?}", invented);
            if !midnight {
                continue;
            }
            // The day is right if it is among the days that are kept.
            let newest = whole.couplings[key].last_seen.day();
            let days = i64::from(DAYS);
            if newest - as_of.plus(-1).day() <= days && newest - c.last_seen.day() <= days {
                prop_assert_eq!(c.last_seen.day(), truth.last_seen.day());
            }
            // What an earlier snapshot recorded is kept if nothing came between.
            let again = whole.couplings[key].until(as_of, Some(truth.last_seen)).unwrap();
            prop_assert_eq!(again.last_seen, truth.last_seen);
        }
        for (mac, truth) in &earlier.stations {
            let s = &found.stations[mac];
            prop_assert_eq!(s.first_seen, truth.first_seen);
            prop_assert!(said(&s.evidence).eq(said(&truth.evidence)));
            if whole.stations[mac].last_seen < as_of {
                prop_assert_eq!(s, truth);
            }
        }
    }

    #[test]
    fn an_earlier_inventory_grows_with_its_instant_and_with_the_facts(
        first in instants(), history in vec(events(), 0..40), more in vec(events(), 0..40), a in instants(),
        b in instants(), length in 0..3usize,
    ) {
        let factor = FACTORS[length];
        let (early, late) = (Timestamp(a.min(b).0 * factor), Timestamp(a.max(b).0 * factor));
        let mut history = stretched(&history, length);
        history.push(Event::Frame(Timestamp(first.0 * factor)));
        let facts = zone(&history);
        history.extend(stretched(&more, length));
        let grown = zone(&history);
        prop_assert!(is_within(&until(&facts, early), &until(&facts, late), &facts), "monotone in the instant");
        prop_assert!(is_within(&until(&facts, late), &facts, &facts), "nothing is made up");
        prop_assert!(is_within(&until(&facts, late), &until(&grown, late), &grown), "monotone in the facts");
        let once = until(&facts, late);
        prop_assert_eq!(&until(&once, late), &once, "idempotent");
        let twice = until(&once, early);
        prop_assert!(is_within(&twice, &until(&facts, early), &facts), "an earlier instant of an earlier inventory");
        if length < 2 {
            prop_assert_eq!(twice.couplings, until(&facts, early).couplings, "within the days that are kept");
        }
    }

    #[test]
    fn news_reach_back_to_every_instant_whose_earlier_inventory_they_change(
        history in vec(events(), 0..40), more in vec(events(), 1..20), as_of in instants(),
    ) {
        // Without events that have no time.
        let timed = |e: &&Event| !matches!(e, Event::Mask(_) | Event::Router(_) | Event::Exchange(..));
        let history: Vec<Event> = history.iter().filter(timed).map(|e| stretch(e, 960)).collect();
        let more: Vec<Event> = more.iter().filter(timed).map(|e| stretch(e, 960)).collect();
        let as_of = Timestamp(as_of.0 * 960).day_start();
        let (before, delta) = (zone(&history), zone(&more));
        let mut after = before.clone();
        after.merge(&delta);
        for (key, c) in &after.couplings {
            let known = before.couplings.get(key);
            let is_described = |c: &Coupling| c.signs.is_only_by_others();
            let truth = |events: &[Event]| {
                let earlier: Vec<Event> = events.iter().filter(|e| is_before(e, as_of)).cloned().collect();
                let earlier = zone(&earlier);
                // Of an address that its MAC sends from later, earlier descriptions are not kept.
                let known = earlier.couplings.get(key).filter(|e| !is_described(e) || is_described(c));
                known.map(|c| (c.first_seen, c.proof(), c.announced_at(), c.evidence.clone(), c.last_seen.day()))
            };
            let both: Vec<Event> = history.iter().chain(&more).cloned().collect();
            if truth(&history) != truth(&both) {
                let seen = delta.couplings[key].last_seen;
                prop_assert!(c.news(known, seen).is_some_and(|at| at < as_of), "{key:?}: {known:?} {c:?}");
            }
        }
    }

    #[test]
    fn facts_survive_the_wire(history in histories(0..40)) {
        let sent = zone(&history);
        let mut received: Zone = serde_json::from_str(&serde_json::to_string(&sent).unwrap()).unwrap();
        prop_assert_eq!(&received, &sent);
        received.normalise();
        let mut expected = sent;
        expected.couplings.retain(|k, _| !address::is_never_sender(k.ip));
        prop_assert_eq!(received, expected);
    }
}
