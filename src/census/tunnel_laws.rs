//! I13: facts in tunnels merge as other facts do, and only those of trusted tunnels count.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::laws::{ByEvidence, Event, cases, events, zone};
use super::*;

const ROUTER: MacAddr = MacAddr([0, 0x1b, 0xd4, 0, 0, 0xee]);
const SWITCH: MacAddr = MacAddr([0, 0x1b, 0xd4, 0, 0, 0xdd]);

fn key(mac: MacAddr, ip: [u8; 4]) -> TunnelKey {
    CouplingKey { mac, ip: ip.into() }
}

/// A source behind the router, of which nothing is known.
fn strange() -> TunnelKey {
    key(ROUTER, [203, 0, 113, 9])
}

fn device() -> TunnelKey {
    key(SWITCH, [10, 0, 0, 250])
}

fn seen(signs: impl Into<Signs>) -> Coupling {
    Coupling::new(Timestamp(5), signs.into())
}

/// A zone with a switch that proves its address, and a tunnel from `source` with one coupling.
fn with_tunnel(source: TunnelKey, marks: TunnelMarks) -> Zone {
    let mut out = Zone::default();
    out.merge_coupling(device(), &seen(Sign::ArpAsked));
    out.merge_coupling(strange(), &seen(Signs::from(Sign::Sourced).with(Sign::Far)));
    let tunnel = out.tunnels.entry(source).or_default();
    tunnel.marks = marks;
    tunnel.facts.segment.span(Timestamp(4), Timestamp(6));
    tunnel.facts.merge_coupling(key(MacAddr([2; 6]), [10, 0, 7, 7]), &seen(Sign::ArpAsked));
    out
}

fn admitted(zone: Zone) -> Zone {
    let mut zone = zone;
    zone.admit(&Policy::default());
    zone
}

#[test]
fn i13_a_tunnel_counts_if_its_source_is_a_device_or_if_a_sensor_trusts_it() {
    let plain = TunnelMarks::default();
    let counts = |source, marks| admitted(with_tunnel(source, marks)).tunnels.is_empty();
    assert!(counts(device(), plain));
    assert!(!counts(strange(), plain));
    assert!(!counts(key(SWITCH, [10, 0, 0, 9]), plain), "the switch's MAC, but not its address");
    assert!(!counts(key(ROUTER, [10, 0, 0, 250]), plain), "the switch's address from behind the router");
    assert!(counts(strange(), TunnelMarks { configured: true, ..plain }));
    assert!(counts(strange(), TunnelMarks { majority: true, ..plain }));
}

#[test]
fn i13_a_device_seen_only_in_an_admitted_tunnel_lets_further_tunnels_in() {
    // The switch mirrors a link on which another switch mirrors a third one.
    let mut zone = with_tunnel(device(), TunnelMarks::default());
    let inner = key(MacAddr([2; 6]), [10, 0, 7, 7]);
    let facts = &mut zone.tunnels.get_mut(&device()).unwrap().facts;
    let third = key(MacAddr([4; 6]), [10, 0, 8, 8]);
    facts.tunnels.entry(inner).or_default().facts.merge_coupling(third, &seen(Sign::ArpAsked));
    let admitted = admitted(zone);
    assert!(admitted.couplings.contains_key(&third) && admitted.tunnels.is_empty());
}

#[test]
fn i13_a_tunnel_in_a_tunnel_that_does_not_count_cannot_pass_for_a_device() {
    // A stranger wraps a tunnel from the switch into a tunnel of its own; even its configured name does not help.
    let mut zone = with_tunnel(strange(), TunnelMarks::default());
    let facts = &mut zone.tunnels.get_mut(&strange()).unwrap().facts;
    let inner = facts.tunnels.entry(device()).or_default();
    inner.marks.configured = true;
    inner.facts.merge_coupling(key(MacAddr([4; 6]), [10, 0, 8, 8]), &seen(Sign::ArpAsked));
    assert_eq!(admitted(zone.clone()), zone);
}

#[test]
fn i13_what_does_not_count_is_told_with_the_line_that_lets_it_in() {
    let inventory = Inventory::of("hq", with_tunnel(strange(), TunnelMarks::default()));
    let policy = Policy::default();
    let counted = inventory.admitted(&policy);
    let survey = Survey::new(&counted, &policy, &Decisions::default(), &Unclassified, Timestamp(9));
    assert_eq!((survey.devices.len(), survey.census.strict_couplings), (1, 2));
    let found: Vec<&Finding> = survey.findings.iter().collect();
    let [finding] = found[..] else { panic!("{found:?}") };
    assert_eq!((finding.kind, finding.count), (FindingKind::TunnelHeld, Some(1)));
    assert_eq!((finding.first, finding.last), (Some(Timestamp(4)), Some(Timestamp(6))));
    assert!(finding.advice.contains("tunnels = [\"203.0.113.9\"]"), "{}", finding.advice);
}

#[test]
fn without_tunnels_that_count_nothing_is_copied() {
    let inventory = Inventory::of("hq", with_tunnel(strange(), TunnelMarks::default()));
    assert!(matches!(inventory.admitted(&Policy::default()), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn facts_from_outside_nest_no_deeper_than_the_bound() {
    let path: Vec<TunnelKey> = (0..20).map(|n| key(SWITCH, [10, 0, 0, n])).collect();
    let mut zone = Zone::default();
    zone.within(&path).merge_coupling(device(), &seen(Sign::ArpAsked));
    zone.normalise();
    let mut depth = 0;
    zone.each_tunnel(&mut |path, _| depth = depth.max(path.len()));
    assert_eq!(depth, usize::from(TUNNEL_DEPTH));
}

/// Events on the link and in some tunnels.
type History = (Vec<Event>, Vec<(Vec<TunnelKey>, TunnelMarks, Vec<Event>)>);

fn histories() -> impl Strategy<Value = History> {
    // Among the sources are couplings of other events.
    let source = select(vec![
        strange(),
        device(),
        key(MacAddr([0, 0x1b, 0xd4, 0, 0, 1]), [10, 0, 0, 1]),
        key(SWITCH, [10, 0, 1, 2]),
    ]);
    let marks = (0..4u16, prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    let marks = marks.prop_map(|(k, configured, majority)| TunnelMarks {
        kinds: TunnelKinds(k),
        configured,
        majority,
    });
    (vec(events(), 0..40), vec((vec(source, 1..3), marks, vec(events(), 0..20)), 0..4))
}

fn tunnelled((own, inner): &History) -> Zone {
    let mut out = zone(own);
    for (path, marks, events) in inner {
        let (key, around) = path.split_last().unwrap();
        let tunnel = out.within(around).tunnels.entry(*key).or_default();
        tunnel.marks.merge(*marks);
        tunnel.facts.merge(&zone(events));
    }
    out
}

fn document(zone: Zone) -> String {
    let mut inventory = Inventory::of("default", zone);
    let policy = Policy { quarantine_rate: 2, ..Policy::default() };
    inventory.admit(&policy);
    let as_of = inventory.believed_end().unwrap_or_default();
    let survey = Survey::new(&inventory, &policy, &Decisions::default(), &ByEvidence, as_of);
    serde_json::to_string(&crate::wire::Document::new(&survey, Default::default(), None)).unwrap()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn merging_tunnels_is_commutative_associative_and_idempotent(
        a in histories(), b in histories(), c in histories(),
    ) {
        let (a, b, c) = (tunnelled(&a), tunnelled(&b), tunnelled(&c));
        let join = |x: &Zone, y: &Zone| { let mut out = x.clone(); out.merge(y); out };
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        let joined = join(&a, &b);
        let mut again = joined.clone();
        prop_assert!(!again.merge(&a), "a merge that changes nothing says so");
        prop_assert_eq!(&again, &joined);
        prop_assert_eq!(document(join(&a, &b)), document(join(&b, &a)));
        let received: Zone = serde_json::from_str(&serde_json::to_string(&joined).unwrap()).unwrap();
        prop_assert_eq!(received, joined);
    }

    #[test]
    fn what_tunnels_carry_counts_as_on_the_link_or_not_at_all(history in histories()) {
        let whole = tunnelled(&history);
        let mut counted = whole.clone();
        counted.admit(&Policy::default());
        // What is left does not count: the document says the same without it, but for the findings.
        let mut bare = counted.clone();
        bare.tunnels.clear();
        let plain = |zone: Zone| {
            let mut document: serde_json::Value = serde_json::from_str(&document(zone)).unwrap();
            document.as_object_mut().unwrap().remove("findings");
            document
        };
        prop_assert_eq!(plain(counted.clone()), plain(bare));
        prop_assert_eq!(whole.rows() >= counted.rows(), true);
        let mut again = counted.clone();
        again.admit(&Policy::default());
        prop_assert_eq!(again, counted);
    }

    #[test]
    fn an_earlier_inventory_holds_the_earlier_facts_of_each_tunnel(history in histories(), minutes in 0..40i64) {
        let as_of = Timestamp(minutes * time::MINUTE);
        let whole = tunnelled(&history);
        let earlier = whole.until(as_of, Undated::KEPT, &|_| None);
        whole.each_tunnel(&mut |path, tunnel| {
            let alone = Zone { tunnels: Default::default(), ..tunnel.facts.clone() }.until(as_of, Undated::KEPT, &|_| None);
            let mut found = earlier.inside(path).cloned().unwrap_or_default();
            found.tunnels.clear();
            assert_eq!(found, alone, "{path:?}");
        });
    }
}
