//! The laws of changes over generated histories, and what each kind of change does.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::census::laws::{ByEvidence, Event, cases, events, zone};
use crate::census::{
    Classifier, Coupling, CouplingKey, Decisions, Device, Field, Inventory, MacAddr, Mark, Policy, Sign,
    Station, Survey, Timestamp, Unclassified, Verdict, Zone,
};

const AS_OF: Timestamp = Timestamp::from_secs(1_800);

fn mark(change: u64) -> Mark {
    Mark { by: "anna".into(), at: AS_OF, change }
}

fn ids(devices: &[&Device<'_>]) -> Vec<String> {
    devices.iter().map(|d| d.id.to_string()).collect()
}

fn keys(device: &Device<'_>) -> Vec<CouplingKey> {
    device.couplings.iter().map(|m| m.key).collect()
}

fn patch(json: &str) -> Patch {
    serde_json::from_str(json).unwrap()
}

/// A tenant: facts, and what people decided one after the other.
struct Tenant {
    inventory: Inventory,
    policy: Policy,
    classifier: Box<dyn Classifier>,
    decisions: Decisions,
    made: Vec<Draft>,
}

impl Tenant {
    fn new(zones: &[(&str, Zone)], classifier: impl Classifier + 'static) -> Self {
        let zones = zones.iter().map(|(name, zone)| ((*name).to_owned(), Arc::new(zone.clone()))).collect();
        let policy = Policy { quarantine_rate: 2, ..Policy::default() };
        let (classifier, decisions) = (Box::new(classifier), Decisions::default());
        Self { inventory: Inventory { zones }, policy, classifier, decisions, made: Vec::new() }
    }

    fn survey(&self) -> Survey<'_> {
        Survey::new(&self.inventory, &self.policy, &self.decisions, &*self.classifier, AS_OF)
    }

    fn document(&self) -> String {
        serde_json::to_string(&crate::wire::Document::new(&self.survey(), Default::default(), None)).unwrap()
    }

    fn draft(
        &self,
        ask: impl FnOnce(&ChangeDrafter<'_, '_>) -> Result<Draft, ChangeRefusal>,
    ) -> Result<Draft, ChangeRefusal> {
        let survey = self.survey();
        ask(&ChangeDrafter::new(&survey, &self.decisions, &self.inventory, mark(self.made.len() as u64 + 1)))
    }

    fn make(
        &mut self,
        ask: impl FnOnce(&ChangeDrafter<'_, '_>) -> Result<Draft, ChangeRefusal>,
    ) -> Result<(), ChangeRefusal> {
        let draft = self.draft(ask)?;
        draft.apply(&mut self.decisions);
        self.made.push(draft);
        Ok(())
    }

    /// Undoes the change of that number.
    fn undo(&mut self, number: u64) -> Result<(), ChangeRefusal> {
        let draft = self.made[usize::try_from(number).unwrap() - 1].clone();
        self.make(|drafter| drafter.undo(number, &draft.summary, draft.alterations.clone()))
    }

    fn id(&self, ip: &str) -> String {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        let survey = self.survey();
        let of = |d: &&Device<'_>| d.couplings.iter().any(|m| m.key.ip == ip);
        survey.devices.iter().find(of).unwrap().id.to_string()
    }

    fn devices(&self) -> Vec<Vec<String>> {
        let device = |d: &Device<'_>| d.couplings.iter().map(|m| m.key.ip.to_string()).collect();
        self.survey().devices.iter().map(device).collect()
    }
}

fn at(mac: u8, ip: &str) -> CouplingKey {
    CouplingKey { mac: MacAddr([0, 0x40, 0x8c, 0, 0, mac]), ip: ip.parse().unwrap() }
}

fn proven(couplings: &[(u8, &str)]) -> Zone {
    let mut zone = Zone::default();
    for (mac, ip) in couplings {
        let sign = if ip.contains(':') { Sign::NeighborDiscovery } else { Sign::ArpAsked };
        zone.merge_coupling(at(*mac, ip), &Coupling::new(Timestamp(0), sign.into()));
    }
    zone
}

/// Cards 1 to 3, tied by one chassis, the first with an IPv6 address; and card 4.
fn tied() -> Zone {
    let mut zone =
        proven(&[(1, "10.0.0.1"), (1, "fe80::1"), (2, "10.0.0.2"), (3, "10.0.0.3"), (4, "10.0.0.4")]);
    for mac in 1..4 {
        let mut station = Station::new(Timestamp(0));
        station.evidence.add(Field::LldpChassisId, "7:6d64662d31", Timestamp(0));
        zone.merge_station(at(mac, "::").mac, &station);
    }
    zone
}

#[test]
fn a_merge_takes_two_devices_of_one_zone_that_are_not_deleted() {
    let zones = [("a", proven(&[(1, "10.0.0.1"), (2, "10.0.0.2")])), ("b", proven(&[(3, "10.0.0.3")]))];
    let mut tenant = Tenant::new(&zones, Unclassified);
    let [one, two, far] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|ip| tenant.id(ip));
    let merge = |tenant: &Tenant, ids: &[&String]| {
        let ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        tenant.draft(|drafter| drafter.merge(&ids))
    };
    assert_eq!(merge(&tenant, &[&one, &one]), Err(ChangeRefusal::OneDevice));
    assert_eq!(merge(&tenant, &[]), Err(ChangeRefusal::NoDevices));
    assert_eq!(merge(&tenant, &[&one, &far]), Err(ChangeRefusal::CrossZone("a".into(), "b".into())));
    let unknown = "0123456789abcdef".to_owned();
    assert_eq!(merge(&tenant, &[&one, &unknown]), Err(ChangeRefusal::UnknownDevice(unknown.clone())));
    tenant.make(|drafter| drafter.delete(std::slice::from_ref(&two))).unwrap();
    assert_eq!(merge(&tenant, &[&one, &two]), Err(ChangeRefusal::Deleted(two.clone())));
    tenant.undo(1).unwrap();
    assert!(merge(&tenant, &[&one, &two]).is_ok());
}

#[test]
fn a_split_takes_out_what_cards_say_and_not_what_one_card_is() {
    let mut tenant = Tenant::new(&[("a", tied())], Unclassified);
    let id = tenant.id("10.0.0.1");
    let split =
        |tenant: &Tenant, couplings: &[CouplingKey]| tenant.draft(|drafter| drafter.split(&id, couplings));
    assert_eq!(split(&tenant, &[]), Err(ChangeRefusal::NotASplit));
    assert_eq!(split(&tenant, &[at(4, "10.0.0.4")]), Err(ChangeRefusal::NotOfDevice(at(4, "10.0.0.4"))));
    let half = split(&tenant, &[at(1, "fe80::1")]).unwrap_err();
    assert!(
        half.to_string().contains("an IPv6 address of the same card (I8a); name both or neither"),
        "{half}"
    );
    let all = [at(1, "10.0.0.1"), at(1, "fe80::1"), at(2, "10.0.0.2"), at(3, "10.0.0.3")];
    assert_eq!(split(&tenant, &all), Err(ChangeRefusal::NotASplit));
    tenant.make(|drafter| drafter.split(&id, &all[..2])).unwrap();
    let apart = [vec!["10.0.0.1", "fe80::1"], vec!["10.0.0.2", "10.0.0.3"], vec!["10.0.0.4"]];
    assert_eq!(tenant.devices(), apart);
    tenant.undo(1).unwrap();
    assert_eq!(tenant.devices().len(), 2);
}

#[test]
fn what_one_merge_held_together_stays_so_when_its_middle_is_split_off() {
    let zone = proven(&[(1, "10.0.0.1"), (2, "10.0.0.2"), (3, "10.0.0.3"), (4, "10.0.0.4")]);
    let mut tenant = Tenant::new(&[("a", zone)], Unclassified);
    let merged = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|ip| tenant.id(ip));
    tenant.make(|drafter| drafter.merge(&merged)).unwrap();
    assert_eq!(tenant.devices().len(), 2);
    let id = tenant.id("10.0.0.1");
    tenant.make(|drafter| drafter.split(&id, &[at(1, "10.0.0.1")])).unwrap();
    assert_eq!(tenant.devices(), [vec!["10.0.0.1"], vec!["10.0.0.2", "10.0.0.3"], vec!["10.0.0.4"]]);
    tenant.undo(2).unwrap();
    tenant.undo(1).unwrap();
    assert_eq!(tenant.devices().len(), 4);
    assert!(tenant.decisions.is_empty());
}

#[test]
fn an_edit_that_changes_nothing_alters_nothing_and_one_that_another_followed_cannot_be_undone() {
    let mut tenant = Tenant::new(&[("a", proven(&[(1, "10.0.0.1")]))], Unclassified);
    let id = [tenant.id("10.0.0.1")];
    tenant.make(|drafter| drafter.edit(&id, &patch(r#"{"name": "one", "type": "camera"}"#))).unwrap();
    assert!(tenant.draft(|d| d.edit(&id, &patch(r#"{"name": "one"}"#))).unwrap().alterations.is_empty());
    tenant.make(|drafter| drafter.edit(&id, &patch(r#"{"name": "two", "category": "network"}"#))).unwrap();
    let shown = |tenant: &Tenant| {
        let survey = tenant.survey();
        (survey.devices[0].classification().kind.clone(), survey.devices[0].verdict)
    };
    assert_eq!(shown(&tenant), ("camera".into(), Verdict::CountedNetwork));
    assert_eq!(tenant.undo(1), Err(ChangeRefusal::Touched { change: 1, later: 2 }));
    tenant.make(|drafter| drafter.edit(&id, &patch(r#"{"type": "printer"}"#))).unwrap();
    assert_eq!(shown(&tenant), ("printer".into(), Verdict::CountedIot), "the new type brings its category");
    tenant.undo(3).unwrap();
    tenant.undo(2).unwrap();
    tenant.undo(1).unwrap();
    assert!(tenant.decisions.is_empty());
}

#[test]
fn a_device_whose_newest_frame_lies_ahead_of_the_clock_is_deleted_all_the_same() {
    let mut zone = proven(&[(1, "10.0.0.1")]);
    let ahead = AS_OF.plus(1);
    zone.merge_coupling(at(1, "10.0.0.1"), &Coupling::new(ahead, Sign::ArpAsked.into()));
    let mut tenant = Tenant::new(&[("a", zone)], Unclassified);
    let id = [tenant.id("10.0.0.1")];
    tenant.make(|drafter| drafter.delete(&id)).unwrap();
    assert_eq!(tenant.survey().devices[0].verdict, Verdict::Deleted);
    assert!(
        tenant.draft(|drafter| drafter.delete(&id)).unwrap().alterations.is_empty(),
        "it is deleted already"
    );
    let newer = Coupling::new(ahead.plus(1), Sign::ArpAsked.into());
    tenant.inventory.zone_mut("a").merge_coupling(at(1, "10.0.0.1"), &newer);
    assert_eq!(tenant.survey().devices[0].verdict, Verdict::Unclassified);
}

#[test]
fn an_import_replaces_the_list_of_its_source_and_no_other() {
    let zone = proven(&[(1, "10.0.0.1"), (2, "10.0.0.2"), (3, "10.0.0.3")]);
    let mut tenant = Tenant::new(&[("a", zone)], Unclassified);
    let entry = |mac: u8| ManagedEndpoint {
        external_id: format!("m{mac}"),
        mac: Some(at(mac, "::").mac),
        ..ManagedEndpoint::default()
    };
    let managed = |tenant: &Tenant| {
        tenant.survey().devices.iter().map(|d| d.verdict == Verdict::Managed).collect::<Vec<_>>()
    };
    tenant.make(|drafter| drafter.import("mde", None, &[entry(1), entry(2)])).unwrap();
    tenant.make(|drafter| drafter.import("other", None, &[entry(3)])).unwrap();
    assert_eq!(managed(&tenant), [true, true, true]);
    tenant.make(|drafter| drafter.import("mde", None, &[entry(2)])).unwrap();
    assert_eq!(managed(&tenant), [false, true, true]);
    assert!(tenant.draft(|d| d.import("mde", None, &[entry(2)])).unwrap().alterations.is_empty());
    tenant.make(|drafter| drafter.forget("other")).unwrap();
    assert_eq!(managed(&tenant), [false, true, false]);
    assert_eq!(
        tenant.draft(|drafter| drafter.forget("other")),
        Err(ChangeRefusal::UnknownSource("other".into()))
    );
    for number in [4, 3, 2, 1] {
        tenant.undo(number).unwrap();
    }
    assert!(tenant.decisions.is_empty());
    let neither = ManagedEndpoint { external_id: "x".into(), ..ManagedEndpoint::default() };
    let refused = tenant.draft(|drafter| drafter.import("mde", None, &[entry(1), neither])).unwrap_err();
    assert!(refused.to_string().starts_with("entry 2 of the list: it has neither"), "{refused}");
    let ended = ManagedEndpoint { from: Some(AS_OF), to: Some(AS_OF), ..entry(1) };
    assert!(matches!(
        tenant.draft(|d| d.import("mde", None, &[ended])),
        Err(ChangeRefusal::BadEntry { row: 1, .. })
    ));
}

/// What a person does next, to devices chosen by chance.
#[derive(Clone, Debug)]
enum Step {
    Edit(Vec<Index>, &'static str),
    Delete(Vec<Index>),
    Restore(Vec<Index>),
    Manage(Vec<Index>),
    Merge(Vec<Index>),
    Split(Index, Vec<bool>),
    Import(Vec<Index>),
    Frames(Vec<Event>),
}

fn steps() -> impl Strategy<Value = Step> {
    let some = || vec(any::<Index>(), 1..4);
    let patches = proptest::sample::select(
        &[
            r#"{"name": "one"}"#,
            r#"{"type": "camera", "name": null}"#,
            r#"{"category": "network"}"#,
            r#"{"type": null, "category": null, "tags": ["a", "b"]}"#,
            r#"{"importance": "high", "location": "roof"}"#,
            r#"{"add_tags": ["c"], "remove_tags": ["a"]}"#,
        ][..],
    );
    prop_oneof![
        (some(), patches).prop_map(|(d, p)| Step::Edit(d, p)),
        some().prop_map(Step::Delete),
        some().prop_map(Step::Restore),
        some().prop_map(Step::Manage),
        some().prop_map(Step::Merge),
        (any::<Index>(), vec(any::<bool>(), 8)).prop_map(|(d, c)| Step::Split(d, c)),
        some().prop_map(Step::Import),
        vec(events(), 1..4).prop_map(Step::Frames),
    ]
}

impl Tenant {
    fn chosen(&self, places: &[Index]) -> Vec<String> {
        let survey = self.survey();
        ids(&places.iter().map(|i| i.get(&survey.devices)).collect::<Vec<_>>())
    }

    fn step(&mut self, step: &Step) -> Result<(), ChangeRefusal> {
        match step {
            Step::Frames(events) => {
                self.inventory.zone_mut("a").merge(&zone(events));
                Ok(())
            }
            _ if self.survey().devices.is_empty() => Ok(()),
            Step::Edit(places, json) => {
                let ids = self.chosen(places);
                self.make(|drafter| drafter.edit(&ids, &patch(json)))
            }
            Step::Delete(places) => {
                let ids = self.chosen(places);
                self.make(|drafter| drafter.delete(&ids))
            }
            Step::Restore(places) => {
                let ids = self.chosen(places);
                self.make(|drafter| drafter.restore(&ids))
            }
            Step::Manage(places) => {
                let ids = self.chosen(places);
                self.make(|drafter| drafter.manage(&ids, "by hand"))
            }
            Step::Merge(places) => {
                let ids = self.chosen(places);
                self.make(|drafter| drafter.merge(&ids))
            }
            Step::Split(place, picks) => {
                let chosen = self.survey();
                let device = place.get(&chosen.devices);
                let couplings = keys(device).into_iter().zip(picks).filter(|(_, p)| **p).map(|(k, _)| k);
                let (id, couplings) = (device.id.to_string(), couplings.collect::<Vec<_>>());
                drop(chosen);
                self.make(|drafter| drafter.split(&id, &couplings))
            }
            Step::Import(places) => {
                let survey = self.survey();
                let entry = |i: &Index| {
                    let d = i.get(&survey.devices);
                    ManagedEndpoint {
                        external_id: d.id.to_string(),
                        ip: Some(d.ip),
                        ..ManagedEndpoint::default()
                    }
                };
                let entries: Vec<ManagedEndpoint> = places.iter().map(entry).collect();
                drop(survey);
                self.make(|drafter| drafter.import("mde", None, &entries))
            }
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn undoing_all_changes_backwards_leaves_no_trace(
        history in vec(events(), 5..40), wanted in vec(steps(), 1..8),
    ) {
        let mut tenant = Tenant::new(&[("a", zone(&history))], ByEvidence);
        for step in &wanted {
            // What is refused changes nothing.
            tenant.step(step).ok();
        }
        let made = tenant.made.len() as u64;
        for number in (1..=made).rev() {
            tenant.undo(number).unwrap();
        }
        prop_assert!(tenant.decisions.is_empty());
        prop_assert_eq!(&tenant.decisions, &Decisions::default());
    }

    #[test]
    fn a_merge_makes_one_device_of_its_devices_and_undoing_it_gives_the_same_document(
        history in vec(events(), 5..60), places in vec(any::<Index>(), 2..4),
    ) {
        let mut tenant = Tenant::new(&[("a", zone(&history))], ByEvidence);
        let before = tenant.document();
        let survey = tenant.survey();
        if survey.devices.is_empty() {
            return Ok(());
        }
        let chosen: Vec<&Device<'_>> = places.iter().map(|i| i.get(&survey.devices)).collect();
        let (named, mut wanted) = (ids(&chosen), chosen.iter().flat_map(|d| keys(d)).collect::<Vec<_>>());
        wanted.sort();
        wanted.dedup();
        let mut distinct = named.clone();
        distinct.sort();
        distinct.dedup();
        let count = survey.devices.len();
        drop(survey);
        if tenant.make(|drafter| drafter.merge(&named)).is_ok() {
            let survey = tenant.survey();
            prop_assert_eq!(survey.devices.len(), count + 1 - distinct.len());
            prop_assert!(survey.devices.iter().any(|d| keys(d) == wanted));
            drop(survey);
            tenant.undo(1).unwrap();
        } else {
            prop_assert_eq!(distinct.len(), 1);
        }
        prop_assert_eq!(tenant.document(), before);
    }

    #[test]
    fn a_split_parts_what_it_names_from_the_rest_and_every_other_device_stays(
        history in vec(events(), 20..80), merges in vec(vec(any::<Index>(), 2..4), 0..3),
        place in any::<Index>(), picks in vec(any::<bool>(), 12),
    ) {
        let mut tenant = Tenant::new(&[("a", zone(&history))], ByEvidence);
        for places in merges {
            tenant.step(&Step::Merge(places)).ok();
        }
        let before = tenant.document();
        let survey = tenant.survey();
        let many: Vec<&Device<'_>> = survey.devices.iter().filter(|d| d.couplings.len() > 1).collect();
        if many.is_empty() {
            return Ok(());
        }
        let device = place.get(&many);
        let (id, own) = (device.id.to_string(), keys(device));
        let taken: Vec<CouplingKey> = own.iter().zip(&picks).filter(|(_, p)| **p).map(|(k, _)| *k).collect();
        let others: Vec<Vec<CouplingKey>> = survey.devices.iter().filter(|d| d.id != device.id).map(keys).collect();
        drop(survey);
        if tenant.make(|drafter| drafter.split(&id, &taken)).is_err() {
            return Ok(());
        }
        let survey = tenant.survey();
        for now in survey.devices.iter().map(keys) {
            let inside = now.iter().filter(|k| taken.contains(k)).count();
            prop_assert!(inside == 0 || inside == now.len(), "{now:?}");
            if !own.contains(&now[0]) {
                prop_assert!(others.contains(&now));
            }
        }
        drop(survey);
        let last = tenant.made.len() as u64;
        tenant.undo(last).unwrap();
        prop_assert_eq!(tenant.document(), before);
    }
}
