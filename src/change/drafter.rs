//! Drafts changes from a survey, the decisions in force, and the mark of the person who makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::change_set::{Alteration, ChangeKind, Draft};
use super::limits::{DECISIONS, DEVICES, ENTRIES};
use super::patch::Patch;
use super::refusal::ChangeRefusal;
use super::request::ManagedEndpoint;
use super::sheet::{Sheet, has_room};
use super::zones::ensure_no_chain;
use crate::census::time::DAY;
use crate::census::{
    CouplingKey, Decisions, Device, DeviceDecisions, DeviceId, Inventory, MacAddr, ManagedKey, Mark, Object,
    Property, Ruling, Survey, Timestamp, Verdict,
};
use crate::classify::Taxonomy;

/// How long an entry without a MAC and without an end applies: 30 days, as long as a silent device counts.
const ADDRESS_HOLDS: i64 = 30 * DAY;
/// Characters of a source's name.
const SOURCE: usize = 100;
/// Characters of an entry's id in its source.
const EXTERNAL_ID: usize = 200;

/// Drafts changes.
#[derive(Debug)]
pub(crate) struct ChangeDrafter<'s, 'a> {
    survey: &'s Survey<'a>,
    pub(super) decisions: &'s Decisions,
    /// The facts by labels.
    pub(super) facts: &'s Inventory,
    mark: Arc<Mark>,
}

impl<'s, 'a> ChangeDrafter<'s, 'a> {
    /// A drafter for one change, which `mark` will record. `facts` are those of the survey, by labels.
    pub(crate) fn new(
        survey: &'s Survey<'a>,
        decisions: &'s Decisions,
        facts: &'s Inventory,
        mark: Mark,
    ) -> Self {
        Self { survey, decisions, facts, mark: Arc::new(mark) }
    }

    /// Sets properties on devices.
    ///
    /// # Errors
    /// If a device is unknown or a value is invalid.
    pub(crate) fn edit(&self, ids: &[String], patch: &Patch) -> Result<Draft, ChangeRefusal> {
        let wanted = patch.checked(Taxonomy::builtin())?;
        let devices = self.devices(ids)?;
        let mut sheet = self.sheet();
        for device in &devices {
            let Some(anchor) = device.anchor() else { continue };
            for (property, ruling) in &wanted {
                match ruling {
                    Some(ruling) => sheet.rule(self.property(device, anchor, *property), ruling.clone()),
                    None => {
                        for m in &device.couplings {
                            sheet.take_back(self.property(device, m.key, *property));
                        }
                    }
                }
            }
            if patch.alters_tags() {
                let tags = device.decided.as_deref().map(DeviceDecisions::tags).unwrap_or_default();
                match patch.altered_tags(tags)? {
                    Some(ruling) => sheet.rule(self.property(device, anchor, Property::Tags), ruling),
                    None => {
                        for m in &device.couplings {
                            sheet.take_back(self.property(device, m.key, Property::Tags));
                        }
                    }
                }
            }
            // Type and category belong together on one coupling: setting only the category keeps the type.
            let sets = |p| wanted.iter().any(|(property, ruling)| *property == p && ruling.is_some());
            let names_type = wanted.iter().any(|(property, _)| *property == Property::Type);
            if sets(Property::Category) && !names_type {
                let set = device.decided.as_deref().and_then(|d| d.properties.get(&Property::Type));
                if let Some(decision) = set {
                    sheet.keep(self.property(device, anchor, Property::Type), decision);
                }
            }
        }
        let mut names: Vec<&str> = wanted.iter().map(|(property, _)| property.key()).collect();
        if patch.alters_tags() {
            names.push(Property::Tags.key());
        }
        if names.is_empty() {
            names.push("nothing");
        }
        sheet.draft(ChangeKind::Edit, format!("set {} of {}", names.join(", "), listed(&devices)))
    }

    /// Deletes devices. A device returns with a frame newer than now and newer than its newest frame.
    ///
    /// # Errors
    /// If a device is unknown.
    pub(crate) fn delete(&self, ids: &[String]) -> Result<Draft, ChangeRefusal> {
        let devices = self.devices(ids)?;
        let mut sheet = self.sheet();
        for device in devices.iter().filter(|d| d.verdict != Verdict::Deleted) {
            let at = self.mark.at.max(device.last_seen);
            for m in &device.couplings {
                sheet.rule(Object::Deletion(device.zone.to_owned(), m.key), Ruling::Deleted { at });
            }
        }
        sheet.draft(ChangeKind::Delete, format!("deleted {}", listed(&devices)))
    }

    /// Takes the deletion of devices back.
    ///
    /// # Errors
    /// If a device is unknown.
    pub(crate) fn restore(&self, ids: &[String]) -> Result<Draft, ChangeRefusal> {
        let devices = self.devices(ids)?;
        let mut sheet = self.sheet();
        for device in &devices {
            for m in &device.couplings {
                sheet.take_back(Object::Deletion(device.zone.to_owned(), m.key));
            }
        }
        sheet.draft(ChangeKind::Edit, format!("restored {}", listed(&devices)))
    }

    /// Adds the MACs of devices to the managed list of a source, each in the zone of its device, until somebody takes them
    /// off again.
    ///
    /// # Errors
    /// If a device is unknown, or the name of the source is invalid.
    pub(crate) fn manage(&self, ids: &[String], source: &str) -> Result<Draft, ChangeRefusal> {
        let source = name("the source's name", source, SOURCE)
            .map_err(|why| ChangeRefusal::BadEntry { row: 0, why })?;
        let devices = self.devices(ids)?;
        let mut sheet = self.sheet();
        for device in &devices {
            let of_labels = device.couplings.iter().flat_map(|m| {
                self.labels(device.zone)
                    .filter(move |(_, facts)| facts.has_coupling(m.key))
                    .map(|(l, _)| (m.key.mac, l))
            });
            let of_labels: BTreeSet<(MacAddr, &str)> = of_labels.collect();
            for (mac, label) in of_labels {
                let (external_id, zone) = (mac.to_string(), Some(label.to_owned()));
                let key = ManagedKey { source: source.clone(), external_id, zone, mac: Some(mac), ip: None };
                let from = self.holds_since(&key);
                sheet.rule(Object::Managed(key), Ruling::Managed { from, to: None });
            }
        }
        sheet.draft(ChangeKind::Import, format!("marked {} as managed by {source}", listed(&devices)))
    }

    /// Merges devices of one zone into one.
    ///
    /// # Errors
    /// If there are fewer than two, if they are in different zones, or if one is deleted or unknown.
    pub(crate) fn merge(&self, ids: &[String]) -> Result<Draft, ChangeRefusal> {
        let devices = self.devices(ids)?;
        let [first, rest @ ..] = devices.as_slice() else { return Err(ChangeRefusal::NoDevices) };
        if rest.is_empty() {
            return Err(ChangeRefusal::OneDevice);
        }
        if let Some(other) = rest.iter().find(|d| d.zone != first.zone) {
            return Err(ChangeRefusal::CrossZone(first.zone.to_owned(), other.zone.to_owned()));
        }
        if let Some(deleted) = devices.iter().find(|d| d.verdict == Verdict::Deleted) {
            return Err(ChangeRefusal::Deleted(deleted.id.to_string()));
        }
        let mut sheet = self.sheet();
        for other in rest {
            if let (Some(a), Some(b)) = (first.anchor(), other.anchor()) {
                sheet.rule(Object::merge(first.zone, a, b), Ruling::Merged);
            }
        }
        sheet.draft(ChangeKind::Merge, format!("merged {}", listed(&devices)))
    }

    /// Splits couplings off a device. The split overrides joins by identity (I8c, I12) and by people (I8e). Couplings joined
    /// because they belong to one network card (I8a, I8b, I8d) cannot be separated.
    ///
    /// # Errors
    /// If the device or a coupling is unknown, if none or all are named, or if a join cannot be separated.
    pub(crate) fn split(&self, id: &str, couplings: &[CouplingKey]) -> Result<Draft, ChangeRefusal> {
        let devices = self.devices(std::slice::from_ref(&id.to_owned()))?;
        let [device] = devices.as_slice() else { return Err(ChangeRefusal::NoDevices) };
        let taken: BTreeSet<CouplingKey> = couplings.iter().copied().collect();
        let own: BTreeSet<CouplingKey> = device.couplings.iter().map(|m| m.key).collect();
        if let Some(foreign) = taken.difference(&own).next() {
            return Err(ChangeRefusal::NotOfDevice(*foreign));
        }
        if taken.is_empty() || taken.len() == own.len() {
            return Err(ChangeRefusal::NotASplit);
        }
        // Joins of these kinds are made first, so the recorded ones connect everything that they tie.
        for join in device.joins.iter().filter(|j| !j.reason.may_be_split()) {
            let (a, b) = (join.coupling, join.with);
            if taken.contains(&a) != taken.contains(&b) {
                let (coupling, with) = if taken.contains(&a) { (a, b) } else { (b, a) };
                return Err(ChangeRefusal::Indivisible { coupling, with, reason: join.reason });
            }
        }
        let mut sheet = self.sheet();
        for key in &taken {
            sheet.rule(Object::Split(device.zone.to_owned(), *key), Ruling::Split);
        }
        self.cut(&mut sheet, device, &taken, &own);
        let summary = format!("{} of {} couplings of {} split off", taken.len(), own.len(), listed(&devices));
        sheet.draft(ChangeKind::Split, summary)
    }

    /// Takes back the merges that cross a split, and merges again what they held together on either side.
    fn cut(
        &self,
        sheet: &mut Sheet<'_>,
        device: &Device<'_>,
        taken: &BTreeSet<CouplingKey>,
        own: &BTreeSet<CouplingKey>,
    ) {
        let Some(zone) = self.decisions.of_zone(device.zone) else { return };
        let (mut inside, mut outside) = (BTreeSet::new(), BTreeSet::new());
        for key in taken {
            for other in zone.merges_of(*key).filter(|k| own.contains(k) && !taken.contains(k)) {
                sheet.take_back(Object::merge(device.zone, *key, other));
                inside.insert(*key);
                outside.insert(other);
            }
        }
        for side in [inside, outside] {
            for (a, b) in side.iter().zip(side.iter().skip(1)) {
                sheet.rule(Object::merge(device.zone, *a, *b), Ruling::Merged);
            }
        }
    }

    /// Replaces the list of a source. `zone` limits all of its entries to one zone.
    ///
    /// # Errors
    /// If an entry is invalid, or there are too many.
    pub(crate) fn import(
        &self,
        source: &str,
        zone: Option<&str>,
        entries: &[ManagedEndpoint],
    ) -> Result<Draft, ChangeRefusal> {
        let source = name("the source's name", source, SOURCE)
            .map_err(|why| ChangeRefusal::BadEntry { row: 0, why })?;
        let zone = zone.map(|zone| name("the zone's name", zone, EXTERNAL_ID));
        let zone = zone.transpose().map_err(|why| ChangeRefusal::BadEntry { row: 0, why })?;
        if entries.len() > ENTRIES {
            return Err(ChangeRefusal::TooManyEntries(entries.len()));
        }
        let mut list: BTreeMap<ManagedKey, Ruling> = BTreeMap::new();
        for (row, entry) in (1..).zip(entries) {
            let bad = |why: String| ChangeRefusal::BadEntry { row, why };
            let external_id = name("its id", &entry.external_id, EXTERNAL_ID).map_err(bad)?;
            if entry.mac.is_none() && entry.ip.is_none() {
                return Err(bad("it has neither a MAC nor an IP address; give one of them".to_owned()));
            }
            if let Some(mac) = entry.mac.filter(|mac| !mac.is_station()) {
                return Err(bad(format!("{mac} is a group or zero address, not the MAC of a device")));
            }
            // The address of an entry with a MAC is ignored.
            let ip = entry.ip.filter(|_| entry.mac.is_none());
            let (source, zone) = (source.clone(), zone.clone());
            let key = ManagedKey { source, external_id, zone, mac: entry.mac, ip };
            let from = entry.from.unwrap_or_else(|| self.holds_since(&key));
            let ends = || entry.mac.is_none().then(|| self.survey.as_of.plus(ADDRESS_HOLDS));
            let to = entry.to.or_else(ends);
            if to.is_some_and(|to| to <= from) {
                return Err(bad(format!("'to' must be later than 'from', which is {from}")));
            }
            list.insert(key, Ruling::Managed { from, to });
        }
        let known = self.of_source(&source);
        let mut sheet = self.sheet();
        for key in known.into_iter().filter(|key| !list.contains_key(*key)) {
            sheet.take_back(Object::Managed(key.clone()));
        }
        let summary = format!("{} entries managed by {source}", list.len());
        for (key, ruling) in list {
            sheet.rule(Object::Managed(key), ruling);
        }
        sheet.draft(ChangeKind::Import, summary)
    }

    /// From when an entry without `from` applies: as before if it still applies, else from the instant of this count,
    /// which may be a minute ago.
    fn holds_since(&self, key: &ManagedKey) -> Timestamp {
        let now = self.survey.as_of;
        match self.decisions.managed().get(key).map(|d| &d.ruling) {
            Some(Ruling::Managed { from, to }) if *from <= now && to.is_none_or(|to| now < to) => *from,
            _ => now,
        }
    }

    /// Removes the list of a source.
    ///
    /// # Errors
    /// If the source is unknown.
    pub(crate) fn forget(&self, source: &str) -> Result<Draft, ChangeRefusal> {
        let known = self.of_source(source);
        if known.is_empty() {
            return Err(ChangeRefusal::UnknownSource(source.chars().take(SOURCE).collect()));
        }
        let summary = format!("forgot {} entries managed by {source}", known.len());
        let mut sheet = self.sheet();
        for key in known {
            sheet.take_back(Object::Managed(key.clone()));
        }
        sheet.draft(ChangeKind::Forget, summary)
    }

    /// Restores what a change altered. The caller checks with [`super::undo::ensure_undoable`] that no later change stands
    /// in the way.
    ///
    /// # Errors
    /// If the decisions in force are not those that the change left.
    pub(crate) fn undo(
        &self,
        change: u64,
        summary: &str,
        alterations: Vec<Alteration>,
    ) -> Result<Draft, ChangeRefusal> {
        for a in &alterations {
            let stands = self.decisions.get(&a.object);
            if stands != a.after.as_ref() {
                let later = stands.map_or(change, |d| d.mark.change);
                return Err(ChangeRefusal::Touched { change, later });
            }
        }
        let back = |a: Alteration| Alteration { object: a.object, before: a.after, after: a.before };
        let alterations: Vec<Alteration> = alterations.into_iter().map(back).collect();
        has_room(self.decisions.len(), &alterations, DECISIONS)?;
        let summary = format!("undid change {change}: {summary}");
        let draft = Draft { action: ChangeKind::Undo, summary, undoes: Some(change), alterations };
        ensure_no_chain(self.decisions, &draft)?;
        Ok(draft)
    }

    fn of_source(&self, source: &str) -> Vec<&'s ManagedKey> {
        self.decisions.managed().iter().map(|(key, _)| key).filter(|key| key.source == source).collect()
    }

    fn property(&self, device: &Device<'_>, key: CouplingKey, property: Property) -> Object {
        Object::Property(device.zone.to_owned(), key, property)
    }

    /// The devices of those ids, each once, in the order in which they were named first.
    fn devices(&self, ids: &[String]) -> Result<Vec<&'s Device<'a>>, ChangeRefusal> {
        match ids.len() {
            0 => return Err(ChangeRefusal::NoDevices),
            1..=DEVICES => {}
            more => return Err(ChangeRefusal::TooManyDevices(more)),
        }
        let mut wanted: BTreeMap<DeviceId, usize> = BTreeMap::new();
        for (place, id) in ids.iter().enumerate() {
            let unknown = || ChangeRefusal::UnknownDevice(id.chars().take(60).collect());
            wanted.entry(id.parse().map_err(|_| unknown())?).or_insert(place);
        }
        let found = self.survey.devices.iter().filter_map(|d| Some((wanted.remove(&d.id)?, d)));
        let mut found: Vec<(usize, &Device<'a>)> = found.collect();
        match wanted.into_keys().next() {
            Some(id) => Err(ChangeRefusal::UnknownDevice(id.to_string())),
            None => {
                found.sort_unstable_by_key(|(place, _)| *place);
                Ok(found.into_iter().map(|(_, d)| d).collect())
            }
        }
    }

    pub(super) fn sheet(&self) -> Sheet<'_> {
        Sheet::new(self.decisions, self.facts, &self.mark)
    }
}

/// The devices of a change, for its summary.
fn listed(devices: &[&Device<'_>]) -> String {
    match devices {
        [only] => format!("{} {}", only.ip, only.mac),
        [a, b] => format!("{} and {}", a.ip, b.ip),
        many => format!("{} devices", many.len()),
    }
}

fn name(what: &str, text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    let good = !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
        .ok_or_else(|| format!("{what} must have 1 to {most} characters without control characters"))
}
