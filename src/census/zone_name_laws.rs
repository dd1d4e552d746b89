//! Zones with names that people decided: facts of two labels count as those of one, and nothing is lost when they part.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::decision_laws::{decision, rulings};
use super::laws::{ByEvidence, Event, cases, events, zone};
use super::time::MINUTE;
use super::*;

/// The facts of labels under names.
fn under(labels: &[(&str, &[Event])], names: &ZoneNames) -> Inventory {
    let zones = labels.iter().map(|(label, seen)| ((*label).to_owned(), Arc::new(zone(seen))));
    let stored = Inventory { zones: zones.collect() };
    stored.named(names, |_, parts| Arc::new(Zone::of_labels(parts)))
}

fn named(made: &[(&str, &str)]) -> Decisions {
    let mut decisions = Decisions::default();
    for (change, (label, name)) in (1..).zip(made) {
        let made = decision(change, Ruling::Zone((*name).to_owned()));
        decisions.set(&Object::Zone((*label).to_owned()), Some(made));
    }
    decisions
}

/// What a survey shows, without the ids of devices, which are made of labels.
fn shown(inventory: &Inventory, decisions: &Decisions) -> serde_json::Value {
    let policy = Policy { quarantine_rate: 2, ..Policy::default() };
    let survey = Survey::new(inventory, &policy, decisions, &ByEvidence, Timestamp(30 * MINUTE));
    let document = crate::wire::Document::new(&survey, Default::default(), None);
    let mut document = serde_json::to_value(document).unwrap();
    for device in document["devices"].as_array_mut().unwrap() {
        device["id"].take();
    }
    document
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn two_merged_labels_are_what_one_sensor_would_have_uploaded_under_one(
        a in vec(events(), 0..30), b in vec(events(), 0..30),
    ) {
        let merged = named(&[("a", "b")]);
        let inventory = under(&[("a", &a), ("b", &b)], merged.names());
        let both: Vec<Event> = b.iter().chain(&a).cloned().collect();
        let alone = Inventory::of("b", zone(&both));
        prop_assert_eq!(&inventory, &alone);
        prop_assert_eq!(shown(&inventory, &merged), shown(&alone, &Decisions::default()));
    }

    #[test]
    fn a_rename_changes_nothing_but_the_name(a in vec(events(), 0..30), made in vec(rulings(), 0..6)) {
        let decided = |mut decisions: Decisions| {
            for (change, (object, ruling)) in (10..).zip(&made) {
                decisions.set(object, Some(decision(change, ruling.clone())));
            }
            decisions
        };
        let (before, after) = (decided(Decisions::default()), decided(named(&[("default", "Zug")])));
        let ids = |inventory: &Inventory, decisions: &Decisions| -> Vec<(DeviceId, Verdict)> {
            let policy = Policy::default();
            let survey = Survey::new(inventory, &policy, decisions, &ByEvidence, Timestamp(30 * MINUTE));
            survey.devices.iter().map(|device| (device.id, device.verdict)).collect()
        };
        let stored = Inventory::of("default", zone(&a));
        let renamed = under(&[("default", &a)], after.names());
        prop_assert!(renamed.zones.keys().all(|name| name == "Zug"));
        prop_assert_eq!(ids(&renamed, &after), ids(&stored, &before));
    }

    #[test]
    fn decisions_are_joined_step_by_step_as_at_once_and_part_as_they_were(
        made in vec((any::<bool>(), rulings(), prop::bool::weighted(0.7)), 1..20), place in 0..20_usize,
    ) {
        let object = |first: bool, object: &Object| object.of_label(if first { "default" } else { "lab" });
        let (merge, ruling) = (Object::Zone("lab".into()), Ruling::Zone("default".into()));
        let (mut stepwise, mut apart) = (Decisions::default(), Decisions::default());
        for (change, (first, (of, ruled), stands)) in (1..).zip(&made) {
            if usize::try_from(change).unwrap() == place + 1 {
                stepwise.set(&merge, Some(decision(100, ruling.clone())));
            }
            let (of, ruled) = (object(*first, of), stands.then(|| decision(change, ruled.clone())));
            stepwise.set(&of, ruled.clone());
            apart.set(&of, ruled);
        }
        stepwise.set(&merge, Some(decision(100, ruling.clone())));
        let mut at_once = apart.clone();
        at_once.set(&merge, Some(decision(100, ruling)));
        prop_assert_eq!(&stepwise, &at_once);
        stepwise.set(&merge, None);
        prop_assert_eq!(&stepwise, &apart);
    }
}

#[test]
fn a_device_that_several_labels_have_is_listed_by_the_name_of_its_zone_and_keeps_the_id_of_that_label() {
    let key = |n| CouplingKey { mac: MacAddr([0, 0x40, 0x8c, 0, 0, n]), ip: [10, 0, 0, n].into() };
    let of = |numbers: &[u8]| {
        let mut zone = Zone::default();
        numbers.iter().for_each(|n| {
            zone.merge_coupling(key(*n), &Coupling::new(Timestamp(0), Sign::ArpAsked.into()));
        });
        zone
    };
    let zones = [("a", of(&[1, 2])), ("b", of(&[1, 3]))];
    let stored = Inventory { zones: zones.map(|(name, zone)| (name.to_owned(), Arc::new(zone))).into() };
    let ids = |decisions: &Decisions| -> Vec<(String, DeviceId)> {
        let inventory = stored.named(decisions.names(), |_, parts| Arc::new(Zone::of_labels(parts)));
        let policy = Policy::default();
        let survey = Survey::new(&inventory, &policy, decisions, &Unclassified, Timestamp(0));
        survey.devices.iter().map(|d| (format!("{} {}", d.zone, d.ip), d.id)).collect()
    };
    let apart: std::collections::BTreeMap<_, _> = ids(&Decisions::default()).into_iter().collect();
    let merged: std::collections::BTreeMap<_, _> = ids(&named(&[("a", "b")])).into_iter().collect();
    assert_eq!(merged.keys().collect::<Vec<_>>(), ["b 10.0.0.1", "b 10.0.0.2", "b 10.0.0.3"]);
    assert_eq!(merged["b 10.0.0.1"], apart["b 10.0.0.1"]);
    assert_eq!(merged["b 10.0.0.2"], apart["a 10.0.0.2"]);
    assert_eq!(merged["b 10.0.0.3"], apart["b 10.0.0.3"]);
}
