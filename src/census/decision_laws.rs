//! Tests of how decisions change devices and verdicts, and the laws of decisions.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::binding::Bindings;
use super::identity::Identities;
use super::laws::{ByEvidence, Event, cases, events, zone};
use super::rules::{A, B, C, Net, POLICY, RANDOM, RANDOM_2};
use super::time::MINUTE;
use super::trust::Caution;
use super::*;

const ZONE: &str = "default";

fn key(mac: MacAddr, ip: &str) -> CouplingKey {
    CouplingKey { mac, ip: ip.parse().unwrap() }
}

pub(crate) fn decision(change: u64, ruling: Ruling) -> Decision {
    let at = Timestamp::from_secs(i64::try_from(change).unwrap());
    Decision { ruling, mark: Arc::new(Mark { by: "anna".into(), at, change }) }
}

/// Decisions, numbered from 1 in their order.
fn decisions(made: &[(Object, Ruling)]) -> Decisions {
    let mut out = Decisions::default();
    for (change, (object, ruling)) in (1..).zip(made) {
        assert!(object.admits(ruling), "{object:?} {ruling:?}");
        out.set(object, Some(decision(change, ruling.clone())));
    }
    out
}

fn property(key: CouplingKey, ruling: Ruling) -> (Object, Ruling) {
    (Object::Property(ZONE.into(), key, ruling.property().unwrap()), ruling)
}

fn merged(a: CouplingKey, b: CouplingKey) -> (Object, Ruling) {
    (Object::merge(ZONE, a, b), Ruling::Merged)
}

fn split(key: CouplingKey) -> (Object, Ruling) {
    (Object::Split(ZONE.into(), key), Ruling::Split)
}

fn deleted(key: CouplingKey, at: i64) -> (Object, Ruling) {
    (Object::Deletion(ZONE.into(), key), Ruling::Deleted { at: Timestamp(at) })
}

fn managed(mac: Option<MacAddr>, ip: Option<&str>, from: i64, to: Option<i64>) -> (Object, Ruling) {
    let ip = ip.map(|ip| ip.parse().unwrap());
    let entry = ManagedKey { source: "mde".into(), external_id: "1".into(), zone: None, mac, ip };
    let (from, to) = (Timestamp::from_secs(from), to.map(Timestamp::from_secs));
    (Object::Managed(entry), Ruling::Managed { from, to })
}

/// The verdict of every device of a net at a second, in the order of their addresses.
fn verdicts(net: &Net, made: &[(Object, Ruling)], at: i64) -> Vec<Verdict> {
    let inventory = Inventory::of(ZONE, net.0.clone());
    let made = decisions(made);
    let survey = Survey::new(&inventory, &POLICY, &made, &Unclassified, Timestamp::from_secs(at));
    survey.devices.iter().map(|d| d.verdict).collect()
}

/// The devices as their addresses.
fn devices(net: &Net, made: &[(Object, Ruling)]) -> Vec<Vec<String>> {
    let inventory = Inventory::of(ZONE, net.0.clone());
    let survey = Survey::new(&inventory, &POLICY, &decisions(made), &Unclassified, Timestamp(0));
    let device = |d: &Device<'_>| d.couplings.iter().map(|m| m.key.ip.to_string()).collect();
    survey.devices.iter().map(device).collect()
}

#[test]
fn a_deleted_device_returns_with_a_frame_newer_than_the_deletion_and_no_other() {
    let net = Net::default().arp(A, "10.0.0.1");
    let made = |at| [deleted(key(A, "10.0.0.1"), at)];
    assert_eq!(
        verdicts(&net, &made(0), 0),
        [Verdict::Deleted],
        "the frame at that very instant is not newer"
    );
    assert_eq!(verdicts(&net, &made(-1), 0), [Verdict::Unclassified]);
    let heard = net.clone().seen(A, "fe80::1", 7, &[Sign::NeighborDiscovery]);
    assert_eq!(
        verdicts(&heard, &made(0), 7),
        [Verdict::Unclassified],
        "any coupling of the device brings it back"
    );
    let late = net.seen(A, "fe80::1", -7, &[Sign::NeighborDiscovery]);
    assert_eq!(verdicts(&late, &made(0), 0), [Verdict::Deleted], "an older frame that comes late does not");
}

#[test]
fn a_managed_entry_with_a_mac_matches_by_it_alone_within_its_validity() {
    let net = Net::default().arp(A, "10.0.0.1").arp(B, "10.0.0.2");
    let entry = [managed(Some(A), Some("10.0.0.2"), 5, Some(9))];
    assert_eq!(verdicts(&net, &entry, 5), [Verdict::Managed, Verdict::Unclassified]);
    assert_eq!(verdicts(&net, &entry, 4), [Verdict::Unclassified; 2], "not yet");
    assert_eq!(verdicts(&net, &entry, 8), [Verdict::Managed, Verdict::Unclassified]);
    assert_eq!(verdicts(&net, &entry, 9), [Verdict::Unclassified; 2], "its end is open");
    let unknown = [managed(Some(C), Some("10.0.0.2"), 5, None)];
    assert_eq!(
        verdicts(&net, &unknown, 6),
        [Verdict::Unclassified; 2],
        "another MAC speaks against the address"
    );
}

#[test]
fn a_managed_entry_without_a_mac_matches_whoever_used_its_address_last() {
    let net = Net::default()
        .seen(A, "10.0.0.1", 1, &[Sign::ArpAsked])
        .seen(B, "10.0.0.1", 2, &[Sign::ArpAsked])
        .seen(C, "10.0.0.3", 3, &[Sign::ArpAsked]);
    let entry = [managed(None, Some("10.0.0.1"), 0, Some(9))];
    assert_eq!(verdicts(&net, &entry, 5), [Verdict::Unclassified, Verdict::Managed, Verdict::Unclassified]);
    assert_eq!(verdicts(&net, &entry, 9), [Verdict::Unclassified; 3]);
    let (Object::Managed(mut of_zone), ruling) = entry[0].clone() else { unreachable!() };
    of_zone.zone = Some("elsewhere".into());
    assert_eq!(verdicts(&net, &[(Object::Managed(of_zone), ruling)], 5), [Verdict::Unclassified; 3]);
}

#[test]
fn a_category_that_a_person_set_decides_the_verdict_and_a_type_brings_its_category() {
    let net = Net::default().arp(A, "10.0.0.1");
    let at = key(A, "10.0.0.1");
    let camera = property(at, Ruling::Type { kind: "camera".into(), category: Category::Iot });
    let network = property(at, Ruling::Category(Category::Network));
    let shown = |made: &[(Object, Ruling)]| {
        let inventory = Inventory::of(ZONE, net.0.clone());
        let survey = Survey::new(&inventory, &POLICY, &decisions(made), &Unclassified, Timestamp(0));
        let d = &survey.devices[0];
        (d.verdict, d.classification().kind.clone(), d.classification().confidence)
    };
    assert_eq!(shown(&[]), (Verdict::Unclassified, "unclassified".into(), 0));
    assert_eq!(shown(std::slice::from_ref(&camera)), (Verdict::CountedIot, "camera".into(), 100));
    assert_eq!(shown(std::slice::from_ref(&network)), (Verdict::CountedNetwork, "network_other".into(), 100));
    assert_eq!(shown(&[camera, network]), (Verdict::CountedNetwork, "camera".into(), 100));
    let name = property(at, Ruling::Name("Lobby".into()));
    assert_eq!(
        shown(&[name]),
        (Verdict::Unclassified, "unclassified".into(), 0),
        "a name does not set a category"
    );
}

#[test]
fn of_devices_that_became_one_the_earliest_couplings_edits_stand_and_none_is_lost() {
    let net = Net::default().seen(A, "10.0.0.1", 9, &[Sign::ArpAsked]).arp(B, "10.0.0.2");
    let (a, b) = (key(A, "10.0.0.1"), key(B, "10.0.0.2"));
    let made = [
        property(a, Ruling::Name("late".into())),
        property(a, Ruling::Location("roof".into())),
        property(a, Ruling::Category(Category::Network)),
        property(b, Ruling::Name("early".into())),
        property(b, Ruling::Type { kind: "camera".into(), category: Category::Iot }),
        merged(a, b),
    ];
    let of = |made: &[(Object, Ruling)]| {
        let inventory = Inventory::of(ZONE, net.0.clone());
        let survey = Survey::new(&inventory, &POLICY, &decisions(made), &Unclassified, Timestamp(0));
        let show = |d: &Device<'_>| {
            let decided = d.decided.as_deref().unwrap();
            (decided.name().map(str::to_owned), decided.location().map(str::to_owned), decided.category())
        };
        survey.devices.iter().map(show).collect::<Vec<_>>()
    };
    let one = (Some("early".to_owned()), Some("roof".to_owned()), Some(Category::Iot));
    assert_eq!(of(&made), [one]);
    let (late, early) = (Some("late".to_owned()), Some("early".to_owned()));
    let two = [(late, Some("roof".to_owned()), Some(Category::Network)), (early, None, Some(Category::Iot))];
    assert_eq!(of(&made[..5]), two);
}

#[test]
fn i8e_people_merge_devices_and_the_join_names_the_person() {
    let net = Net::default().arp(A, "10.0.0.1").arp(B, "10.0.0.2").arp(C, "10.0.0.3").arp(C, "10.0.0.4");
    let (a, b, c) = (key(A, "10.0.0.1"), key(B, "10.0.0.2"), key(C, "10.0.0.4"));
    assert_eq!(
        devices(&net, &[merged(a, c)]),
        [vec!["10.0.0.1", "10.0.0.4"], vec!["10.0.0.2"], vec!["10.0.0.3"]]
    );
    assert_eq!(devices(&net, &[merged(a, c), merged(c, b)]).len(), 2);
    assert_eq!(
        devices(&net, &[merged(a, key(RANDOM, "10.0.0.9"))]).len(),
        4,
        "a merge with an unknown coupling waits"
    );
    let bindings = Bindings::derive(&net.0, &POLICY, true);
    let made = decisions(&[merged(c, a)]);
    let clock = net.0.clock();
    let caution = Caution::new(&clock, &POLICY, &Unclassified);
    let joins = Identities::derive(&net.0, &bindings, made.of_zone(ZONE).unwrap(), &clock, &caution).joins;
    let join = joins.first().unwrap();
    assert_eq!((join.reason, join.decided.as_ref().unwrap().by.as_str()), (JoinReason::Person, "anna"));
}

#[test]
fn a_split_holds_against_identifiers_and_names_and_includes_later_couplings_of_the_card() {
    let tied = Net::default().arp(A, "10.0.0.1").arp(B, "10.0.0.2").arp(C, "10.0.0.3");
    let tied = [A, B, C].iter().fold(tied, |net, mac| net.spoke(*mac, Field::LldpChassisId, "7:7377"));
    assert_eq!(devices(&tied, &[]).len(), 1);
    let apart = [split(key(B, "10.0.0.2"))];
    assert_eq!(devices(&tied, &apart), [vec!["10.0.0.1", "10.0.0.3"], vec!["10.0.0.2"]]);
    let later = tied.clone().seen(B, "fe80::b", 5, &[Sign::NeighborDiscovery]);
    assert_eq!(devices(&later, &apart), [vec!["10.0.0.1", "10.0.0.3"], vec!["10.0.0.2", "fe80::b"]]);
    let each = [split(key(B, "10.0.0.2")), split(key(C, "10.0.0.3"))];
    assert_eq!(devices(&tied, &each).len(), 3, "couplings that different changes split stay apart");
    let again = [split(key(B, "10.0.0.2")), merged(key(A, "10.0.0.1"), key(B, "10.0.0.2"))];
    assert_eq!(devices(&tied, &again).len(), 1, "a merge by a person holds");

    let named = Net::default().seen(RANDOM, "10.0.0.1", 10, &[Sign::ArpAsked]);
    let named = named.seen(RANDOM_2, "10.0.0.2", 20, &[Sign::ArpAsked]);
    let named = [RANDOM, RANDOM_2]
        .iter()
        .fold(named, |net, mac| net.spoke(*mac, Field::DhcpHostname, "martas-phone"));
    assert_eq!(devices(&named, &[]).len(), 1);
    assert_eq!(devices(&named, &[split(key(RANDOM, "10.0.0.1"))]).len(), 2);
}

#[test]
fn a_decision_goes_with_its_coupling_into_another_device() {
    let net = Net::default().seen(A, "fe80::1", 3, &[Sign::NeighborDiscovery]);
    let made = [property(key(A, "fe80::1"), Ruling::Name("probe".into()))];
    let grown = net.clone().arp(A, "10.0.0.1");
    for net in [net, grown] {
        let inventory = Inventory::of(ZONE, net.0);
        let survey = Survey::new(&inventory, &POLICY, &decisions(&made), &Unclassified, Timestamp(0));
        assert_eq!(survey.devices.len(), 1);
        assert_eq!(survey.devices[0].classification().name.as_deref(), Some("probe"));
    }
}

/// An object and a ruling about couplings that histories also show.
pub(crate) fn rulings() -> impl Strategy<Value = (Object, Ruling)> {
    let mac = (0..2u8, 0..4u8).prop_map(|(head, n)| match head {
        0 => MacAddr([2, 0, 0, 0, 0, n]),
        _ => MacAddr([0, 0x1b, 0xd4, 0, 0, n]),
    });
    let ip = (0..3u8, 1..6u8).prop_map(|(c, d)| IpAddr::from([10, 0, c, d]));
    let key = (mac.clone(), ip.clone()).prop_map(|(mac, ip)| CouplingKey { mac, ip });
    let category = select(&Category::ALL[..]);
    let name = select(&["one", "two"][..]).prop_map(str::to_owned);
    let minutes = 0..60i64;
    prop_oneof![
        (key.clone(), category).prop_map(|(k, c)| property(k, Ruling::Category(c))),
        (key.clone(), name).prop_map(|(k, n)| property(k, Ruling::Name(n))),
        key.clone()
            .prop_map(|k| property(k, Ruling::Type { kind: "camera".into(), category: Category::Iot })),
        (key.clone(), minutes.clone()).prop_map(|(k, m)| deleted(k, m * MINUTE)),
        (key.clone(), key.clone()).prop_map(|(a, b)| merged(a, b)),
        key.prop_map(split),
        (mac, minutes.clone(), minutes.clone()).prop_map(|(m, f, t)| managed(
            Some(m),
            None,
            f * 60,
            Some(t * 60)
        )),
        (ip, minutes).prop_map(|(ip, t)| managed(None, Some(&ip.to_string()), 0, Some(t * 60))),
    ]
}

fn document(history: &[Event], decisions: &Decisions) -> String {
    document_keeping(usize::MAX, history, decisions)
}

fn document_keeping(kept: usize, history: &[Event], decisions: &Decisions) -> String {
    let inventory = Inventory::of(ZONE, zone(history));
    let policy = Policy { quarantine_rate: 2, ..Policy::default() };
    let at = Timestamp::from_secs(1_800);
    let survey = Survey::keeping(kept, &inventory, &policy, decisions, &ByEvidence, at);
    serde_json::to_string(&crate::wire::Document::new(&survey, Default::default(), None)).unwrap()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_decision_that_is_set_back_leaves_no_trace(
        known in vec(rulings(), 0..12), made in vec((rulings(), any::<bool>()), 1..12),
    ) {
        let start = decisions(&known);
        let mut now = start.clone();
        let mut before = Vec::new();
        for (change, ((object, ruling), stands)) in (100..).zip(&made) {
            let after = stands.then(|| decision(change, ruling.clone()));
            prop_assert_eq!(now.get(object).cloned(), now.clone().set(object, after.clone()));
            before.push((object, now.set(object, after.clone())));
            prop_assert_eq!(now.get(object), after.as_ref());
        }
        for (object, decision) in before.into_iter().rev() {
            now.set(object, decision);
        }
        prop_assert_eq!(now.len(), start.len());
        prop_assert_eq!(now, start);
    }

    #[test]
    fn the_order_of_decisions_on_different_objects_does_not_matter(
        history in vec(events(), 1..40), made in vec(rulings(), 1..12),
    ) {
        let mut distinct: Vec<(Object, Decision)> = Vec::new();
        for (change, (object, ruling)) in (1..).zip(made) {
            if distinct.iter().all(|(o, _)| *o != object) {
                distinct.push((object, decision(change, ruling)));
            }
        }
        let (mut forth, mut back) = (Decisions::default(), Decisions::default());
        for (object, decision) in &distinct {
            forth.set(object, Some(decision.clone()));
        }
        for (object, decision) in distinct.iter().rev() {
            back.set(object, Some(decision.clone()));
        }
        prop_assert_eq!(&forth, &back);
        prop_assert_eq!(document(&history, &forth), document(&history, &back));
    }

    #[test]
    fn a_large_zone_gives_the_same_document(
        history in vec(events(), 1..80), made in vec(rulings(), 0..12),
    ) {
        let made = decisions(&made);
        prop_assert_eq!(document_keeping(0, &history, &made), document(&history, &made));
    }

    #[test]
    fn the_ledger_closes_whatever_people_decide(history in vec(events(), 1..80), made in vec(rulings(), 0..12)) {
        let inventory = Inventory::of(ZONE, zone(&history));
        let policy = Policy { quarantine_rate: 2, ..Policy::default() };
        let made = decisions(&made);
        let survey = Survey::new(&inventory, &policy, &made, &ByEvidence, Timestamp::from_secs(1_800));
        let members: u64 = survey.devices.iter().map(|d| d.couplings.len() as u64).sum();
        prop_assert!(survey.census.closes(survey.devices.len() as u64, members));
        let strict = Survey::new(&inventory, &policy, &Decisions::default(), &ByEvidence, Timestamp(0));
        prop_assert_eq!(survey.census.strict_couplings, strict.census.strict_couplings);
        // Merged couplings are in one device, if both belong to devices.
        for (a, b) in made.of_zone(ZONE).into_iter().flat_map(|z| z.merges.keys()) {
            let place = |k: &CouplingKey| {
                survey.devices.iter().position(|d| d.couplings.iter().any(|m| m.key == *k))
            };
            if let (Some(a), Some(b)) = (place(a), place(b)) {
                prop_assert_eq!(a, b);
            }
        }
        // A category that a person set is the one that is shown.
        for device in &survey.devices {
            if let Some(category) = device.decided.as_deref().and_then(DeviceDecisions::category) {
                prop_assert_eq!(device.category, category);
            }
        }
    }
}
