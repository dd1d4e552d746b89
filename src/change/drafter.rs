//! Drafts changes from a survey, the decisions that stand, and the mark of the person who makes them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::{ALTERATIONS, Action, Alteration, ChangeRefusal, DECISIONS, DEVICES, Draft, ENTRIES, Patch};
use crate::census::{
    CouplingKey, Decision, Decisions, Device, DeviceId, MacAddr, ManagedKey, Mark, Object, Property, Ruling,
    Survey, Timestamp, Verdict,
};
use crate::classify::Taxonomy;

/// How long an entry without a MAC and without an end holds: as long as a silent device counts, 30 days.
const ADDRESS_HOLDS: i64 = 30 * 86_400 * 1_000_000_000;
/// Characters of a source's name.
const SOURCE: usize = 100;
/// Characters of an entry's name in its source.
const EXTERNAL_ID: usize = 200;

/// An endpoint that another system manages, as an import brings it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ManagedEndpoint {
    /// Its name in that system.
    pub external_id: String,
    /// Its MAC.
    pub mac: Option<MacAddr>,
    /// Its address: looked at where there is no MAC.
    pub ip: Option<IpAddr>,
    /// The first instant at which it holds; the instant of the count where it is missing, or as before where the entry
    /// is known.
    pub from: Option<Timestamp>,
    /// The first instant at which it no longer holds; where it is missing, an entry with a MAC holds until it is
    /// imported anew or forgotten, and one without for 30 days.
    pub to: Option<Timestamp>,
}

/// Drafts changes.
#[derive(Debug)]
pub struct ChangeDrafter<'s, 'a> {
    survey: &'s Survey<'a>,
    decisions: &'s Decisions,
    mark: Arc<Mark>,
}

impl<'s, 'a> ChangeDrafter<'s, 'a> {
    /// A drafter for one change, which `mark` will record.
    pub fn new(survey: &'s Survey<'a>, decisions: &'s Decisions, mark: Mark) -> Self {
        Self { survey, decisions, mark: Arc::new(mark) }
    }

    /// Sets properties on devices.
    ///
    /// # Errors
    /// Where a device is not known, or a value cannot be set.
    pub fn edit(&self, ids: &[String], patch: &Patch) -> Result<Draft, ChangeRefusal> {
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
            // Type and category stand together, on one coupling: a category alone keeps the type that was set.
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
        if names.is_empty() {
            names.push("nothing");
        }
        sheet.draft(Action::Edit, format!("set {} of {}", names.join(", "), listed(&devices)))
    }

    /// Deletes devices: each returns with a frame newer than now, or than those it has sent, where they are newer.
    ///
    /// # Errors
    /// Where a device is not known.
    pub fn delete(&self, ids: &[String]) -> Result<Draft, ChangeRefusal> {
        let devices = self.devices(ids)?;
        let mut sheet = self.sheet();
        for device in devices.iter().filter(|d| d.verdict != Verdict::Deleted) {
            let at = self.mark.at.max(device.last_seen);
            for m in &device.couplings {
                sheet.rule(Object::Deletion(device.zone.to_owned(), m.key), Ruling::Deleted { at });
            }
        }
        sheet.draft(Action::Delete, format!("deleted {}", listed(&devices)))
    }

    /// Makes devices of one zone one device.
    ///
    /// # Errors
    /// Where there are fewer than two, they lie in different zones, or one is deleted or not known.
    pub fn merge(&self, ids: &[String]) -> Result<Draft, ChangeRefusal> {
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
        sheet.draft(Action::Merge, format!("merged {}", listed(&devices)))
    }

    /// Takes couplings out of a device. Joins by what cards say of themselves (I8c, I12) and by people (I8e) give way;
    /// what follows from a card being one (I8a, I8b, I8d) does not, and is to be named whole.
    ///
    /// # Errors
    /// Where the device or a coupling is not known, none or all are named, or a join stands in the way.
    pub fn split(&self, id: &str, couplings: &[CouplingKey]) -> Result<Draft, ChangeRefusal> {
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
        // The recorded joins of these kinds span what they tie, as they are made first.
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
        sheet.draft(Action::Split, summary)
    }

    /// Takes back the merges that a split goes through, and ties anew what they held together on either side.
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
    /// Where an entry is no good, or there are too many.
    pub fn import(
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
                return Err(bad("it names neither a MAC nor an address; give one of them".to_owned()));
            }
            if let Some(mac) = entry.mac.filter(|mac| !mac.is_station()) {
                return Err(bad(format!("{mac} is no card's MAC but a group's")));
            }
            // The address of an entry with a MAC says nothing.
            let ip = entry.ip.filter(|_| entry.mac.is_none());
            let (source, zone) = (source.clone(), zone.clone());
            let key = ManagedKey { source, external_id, zone, mac: entry.mac, ip };
            let from = entry.from.unwrap_or_else(|| self.holds_since(&key));
            let ends = || entry.mac.is_none().then(|| self.survey.as_of.plus(ADDRESS_HOLDS));
            let to = entry.to.or_else(ends);
            if to.is_some_and(|to| to <= from) {
                return Err(bad(format!(
                    "it ends before it begins at {from}; 'to' is the first instant after"
                )));
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
        sheet.draft(Action::Import, summary)
    }

    /// From when an entry that says nothing of it holds: as it did where it still does, else from this count on. The
    /// count may be a minute back, as views serve for one.
    fn holds_since(&self, key: &ManagedKey) -> Timestamp {
        let now = self.survey.as_of;
        match self.decisions.managed().get(key).map(|d| &d.ruling) {
            Some(Ruling::Managed { from, to }) if *from <= now && to.is_none_or(|to| now < to) => *from,
            _ => now,
        }
    }

    /// Forgets the list of a source.
    ///
    /// # Errors
    /// Where there is none.
    pub fn forget(&self, source: &str) -> Result<Draft, ChangeRefusal> {
        let known = self.of_source(source);
        if known.is_empty() {
            return Err(ChangeRefusal::UnknownSource(source.chars().take(SOURCE).collect()));
        }
        let summary = format!("forgot {} entries managed by {source}", known.len());
        let mut sheet = self.sheet();
        for key in known {
            sheet.take_back(Object::Managed(key.clone()));
        }
        sheet.draft(Action::Forget, summary)
    }

    /// Sets back what a change altered. That no later change is in the way is for the caller to ask
    /// ([`super::ensure_undoable`]); what stands must be what the change left.
    ///
    /// # Errors
    /// Where it is not.
    pub fn undo(
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
        Ok(Draft { action: Action::Undo, summary, undoes: Some(change), alterations })
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

    fn sheet(&self) -> Sheet<'_> {
        Sheet { decisions: self.decisions, mark: &self.mark, alterations: BTreeMap::new() }
    }
}

/// What a draft alters so far.
struct Sheet<'d> {
    decisions: &'d Decisions,
    mark: &'d Arc<Mark>,
    alterations: BTreeMap<Object, Option<Decision>>,
}

impl Sheet<'_> {
    /// Lets a ruling stand on an object, unless it does already.
    fn rule(&mut self, object: Object, ruling: Ruling) {
        if self.decisions.get(&object).is_none_or(|known| known.ruling != ruling) {
            self.alterations.insert(object, Some(Decision { ruling, mark: Arc::clone(self.mark) }));
        }
    }

    /// Lets a decision stand on an object that has none, with the mark of who made it.
    fn keep(&mut self, object: Object, decision: &Decision) {
        if self.decisions.get(&object).is_none() {
            self.alterations.insert(object, Some(decision.clone()));
        }
    }

    /// Lets nothing stand on an object.
    fn take_back(&mut self, object: Object) {
        if self.decisions.get(&object).is_some() {
            self.alterations.insert(object, None);
        }
    }

    fn draft(self, action: Action, summary: String) -> Result<Draft, ChangeRefusal> {
        let Self { decisions, alterations, .. } = self;
        let imports = matches!(action, Action::Import | Action::Forget);
        if !imports && alterations.len() > ALTERATIONS {
            return Err(ChangeRefusal::TooManyAlterations(alterations.len()));
        }
        let altered = alterations.into_iter().map(|(object, after)| {
            let before = decisions.get(&object).cloned();
            Alteration { object, before, after }
        });
        let alterations: Vec<Alteration> = altered.collect();
        has_room(decisions.len(), &alterations, DECISIONS)?;
        Ok(Draft { action, summary, undoes: None, alterations })
    }
}

/// Refuses a change that lets more decisions stand than `most`, where `known` stand.
fn has_room(known: usize, alterations: &[Alteration], most: usize) -> Result<(), ChangeRefusal> {
    let added = alterations.iter().filter(|a| a.after.is_some()).count();
    let removed = alterations.iter().filter(|a| a.before.is_some()).count();
    let standing = (known + added).saturating_sub(removed);
    if added > removed && standing > most { Err(ChangeRefusal::Full(standing)) } else { Ok(()) }
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
        .ok_or_else(|| format!("{what} has 1 to {most} characters, none of them a control character"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_full_takes_replacements_and_removals_and_nothing_new() {
        let key = CouplingKey { mac: MacAddr([2, 0, 0, 0, 0, 1]), ip: [10, 0, 0, 1].into() };
        let mark = Mark { by: "anna".into(), at: Timestamp(0), change: 1 };
        let decision = Decision { ruling: Ruling::Split, mark: Arc::new(mark) };
        let alteration = |before: bool, after: bool| Alteration {
            object: Object::Split("a".into(), key),
            before: before.then(|| decision.clone()),
            after: after.then(|| decision.clone()),
        };
        assert_eq!(has_room(2, &[alteration(false, true)], 3), Ok(()));
        assert_eq!(has_room(3, &[alteration(false, true)], 3), Err(ChangeRefusal::Full(4)));
        assert_eq!(has_room(3, &[alteration(true, true)], 3), Ok(()));
        assert_eq!(has_room(4, &[alteration(true, false)], 3), Ok(()), "what is too much may become less");
    }
}
