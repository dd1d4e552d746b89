//! Changes of an inventory: drafted on the present facts and decisions, counted before and after in the same way, and
//! recorded unless somebody else decided something meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::super::Refusal;
use super::super::change_jobs::{self as progress, Progress, Stage};
use super::{Facts, Inventories, Revision, SubscriptionState, View, ZoneLabels, zone_labels};
use crate::census::{
    CouplingKey, Decisions, DeviceId, Inventory, Mark, Object, Survey, Timestamp, ZoneNames,
};
use crate::change::{
    Alteration, ChangeDrafter, ChangeRefusal, ChangeRequest, ChangeSet, CountDelta, Draft, ENTRIES,
    ensure_undoable,
};
use crate::plan::store::audit::Actor;
use crate::plan::store::{By, JoinedZones, Recording, StoreError};
use crate::wire::{DeviceEntry, DeviceRow, SubscriptionId};

/// How often a change is drafted, if others decide something meanwhile.
const TRIES: usize = 5;
/// The most devices in an answer.
const SHOWN: usize = 1_000;

/// Checks the devices that a change names, as they are before it, in the order in which it names them, and the zones with
/// their labels.
pub type Check = dyn Fn(&[DeviceEntry], &ZoneLabels) -> Result<(), StoreError> + Send + Sync;

/// What a change did, or would do.
#[derive(Clone, Debug)]
pub struct Changed {
    /// `None` if everything was as asked for already.
    pub set: Option<ChangeSet>,
    /// Billable devices before and after.
    pub count: CountDelta,
    pub alterations: Vec<Alteration>,
    /// The devices that it touched, as they are after it: the first 1,000 in the order of the list.
    pub devices: Vec<DeviceEntry>,
    /// The devices that it names, as they were before it; of a change of zones, those that it alters.
    pub named: Vec<DeviceEntry>,
    /// The zones before it.
    pub zones: ZoneLabels,
}

/// A change that is drafted and counted.
struct Drafted {
    draft: Draft,
    mark: Mark,
    count: CountDelta,
    revision: i64,
    after: Arc<Decisions>,
    devices: Vec<DeviceEntry>,
    named: Vec<DeviceEntry>,
    zones: ZoneLabels,
}

/// What a change is drafted from.
struct Ground {
    ask: ChangeRequest,
    mark: Mark,
    revision: i64,
    decisions: Arc<Decisions>,
    /// The change to undo: its summary and what it altered.
    undone: Option<(String, Vec<Alteration>)>,
    at: Timestamp,
}

impl Inventories {
    /// Makes a change, or tries it if `by` says so. `check` sees the devices that the change names first.
    ///
    /// # Errors
    /// The check's, [`StoreError::Change`] if the change is refused, [`StoreError::NotFound`] if the change to undo does not
    /// exist, or the store's.
    pub async fn change(
        &self,
        subscription: &SubscriptionId,
        ask: ChangeRequest,
        by: &By,
        check: Option<Box<Check>>,
        now: Timestamp,
    ) -> Result<Changed, Refusal> {
        let check = check.map(Arc::new);
        let state = self.state(subscription);
        let _one = state.drafting.lock().await;
        for _ in 0..TRIES {
            progress::note(Stage::Waiting);
            let state = self.current(subscription).await?;
            let ground = self.ground(&state, subscription, ask.clone(), by, now).await?;
            let (inventories, counted, look) = (self.clone(), Arc::clone(&state), check.clone());
            let progress = Progress::current();
            let work = move || {
                progress.note(Stage::Counting);
                let facts = counted.replica.facts();
                draft(&inventories, &counted, &facts, ground, look.as_deref().map(|check| &**check))
            };
            let drafted = self.surveys.run(&state.line, work).await??;
            let recording = Recording {
                draft: &drafted.draft,
                mark: &drafted.mark,
                count: drafted.count,
                revision: drafted.revision,
            };
            let turn = state.turn.lock().await;
            progress::note(Stage::Writing);
            let Some(set) = self.store.record_change(subscription, by, &recording).await? else { continue };
            let Drafted { draft, count, revision, after, devices, named, zones, .. } = drafted;
            let changes = !draft.alterations.is_empty();
            if changes && !by.dry_run {
                state.decide(revision.saturating_add(1), after);
                state.tell();
            }
            drop(turn);
            let set = changes.then_some(set);
            return Ok(Changed { set, count, alterations: draft.alterations, devices, named, zones });
        }
        Err(StoreError::from(ChangeRefusal::Busy).into())
    }

    async fn ground(
        &self,
        state: &SubscriptionState,
        subscription: &SubscriptionId,
        ask: ChangeRequest,
        by: &By,
        now: Timestamp,
    ) -> Result<Ground, StoreError> {
        let (revision, decisions) = state.decisions();
        let undone = match &ask {
            ChangeRequest::Undo { change } => {
                let set = self.store.change_set(subscription, *change).await?;
                ensure_undoable(*change, &self.store.later_changes(subscription, *change).await?)?;
                // A list that replaced another altered the entries of both.
                let alterations = self.store.alterations(subscription, *change, 0, 2 * ENTRIES).await?;
                Some((set.summary, alterations))
            }
            _ => None,
        };
        let by = match &by.actor {
            Actor::Person(name) => name.clone(),
            other => other.to_string(),
        };
        let mark = Mark { by, at: now, change: self.store.next_change(subscription).await? };
        let at = state.replica.read(|facts| self.instant(facts, None, now));
        Ok(Ground { ask, mark, revision, decisions, undone, at })
    }
}

/// Drafts a change and counts before and after it.
fn draft(
    inventories: &Inventories,
    state: &SubscriptionState,
    stored: &Arc<Facts>,
    ground: Ground,
    check: Option<&Check>,
) -> Result<Drafted, StoreError> {
    let Ground { ask, mark, revision, decisions, undone, at } = ground;
    let facts = state.named(stored, &decisions);
    let zones = zone_labels(&stored.inventory, &decisions);
    let counted = Revision { facts: facts.revision.unwrap_or_default(), decisions: revision };
    let before = Arc::new(inventories.count(state, &facts, &decisions, counted, at));
    // If there are more, the draft is refused.
    let rows: Vec<&DeviceRow> = ids(&ask).iter().take(SHOWN).filter_map(|id| before.device(id)).collect();
    let named: Vec<DeviceEntry> = rows.iter().map(|row| row.entry(None)).collect();
    if let Some(check) = check {
        if let (Some(id), []) = (alone(&ask), named.as_slice()) {
            return Err(StoreError::NotFound { what: "device", id: id.chars().take(60).collect() });
        }
        check(&named, &zones)?;
    }
    // A draft needs the facts of the devices that it names, and of no others.
    let of_rows: BTreeSet<&str> = rows.iter().map(|device| &*device.zone).collect();
    let of_rows = of_rows.into_iter().filter_map(|name| facts.inventory.zones.get_key_value(name));
    let inventory =
        Inventory { zones: of_rows.map(|(name, zone)| (name.clone(), Arc::clone(zone))).collect() };
    let inventory = inventory.admitted(&inventories.policy);
    let survey = Survey::new(&inventory, &inventories.policy, &decisions, &*inventories.classifier, at);
    let drafter = ChangeDrafter::new(&survey, &decisions, &stored.inventory, mark.clone());
    let draft = match (ask, undone) {
        (ChangeRequest::Edit { ids, patch }, _) => drafter.edit(&ids, &patch),
        (ChangeRequest::Delete { ids }, _) => drafter.delete(&ids),
        (ChangeRequest::Restore { ids }, _) => drafter.restore(&ids),
        (ChangeRequest::Manage { ids, source }, _) => drafter.manage(&ids, &source),
        (ChangeRequest::Merge { ids }, _) => drafter.merge(&ids),
        (ChangeRequest::Split { id, couplings }, _) => drafter.split(&id, &couplings),
        (ChangeRequest::Import { source, zone, entries }, _) => {
            drafter.import(&source, zone.as_deref(), &entries)
        }
        (ChangeRequest::Forget { source }, _) => drafter.forget(&source),
        (ChangeRequest::Undo { change }, Some((summary, alterations))) => {
            drafter.undo(change, &summary, alterations)
        }
        (ChangeRequest::Zone(ask), _) => drafter.zone(&ask),
        (ChangeRequest::Undo { .. }, None) => Err(ChangeRefusal::Busy),
    };
    let draft = draft.map_err(StoreError::from)?;
    let mut decided = (*decisions).clone();
    draft.apply(&mut decided);
    let decided = Arc::new(decided);
    let then = match decided.names() == decisions.names() {
        true => facts,
        // What is joined now may be dropped by an undo, or not be made at all.
        false => stored.named(decided.names(), &JoinedZones::default()),
    };
    let after = inventories.count_under(&before, &then, &decided);
    let count = CountDelta::new(before.census.billable, after.census.billable);
    let touched = Touched::new(&draft, &before, &after, decided.names());
    let touched_after = after.rows().filter(|row| touched.has(row)).take(SHOWN);
    let devices = touched_after.map(|row| row.entry(None)).collect();
    let named = match &touched.regrouped {
        Some((gone, _)) => {
            gone.iter().filter_map(|id| before.row(*id)).take(SHOWN).map(|r| r.entry(None)).collect()
        }
        None => named,
    };
    Ok(Drafted { draft, mark, count, revision, after: decided, devices, named, zones })
}

/// The ids of the devices that a change names.
fn ids(ask: &ChangeRequest) -> &[String] {
    match ask {
        ChangeRequest::Split { id, .. } => std::slice::from_ref(id),
        ChangeRequest::Edit { ids, .. }
        | ChangeRequest::Delete { ids }
        | ChangeRequest::Restore { ids }
        | ChangeRequest::Manage { ids, .. }
        | ChangeRequest::Merge { ids } => ids,
        _ => &[],
    }
}

/// The id of the device, if the change names a single one.
fn alone(ask: &ChangeRequest) -> Option<&str> {
    match ask {
        ChangeRequest::Split { id, .. } => Some(id),
        ChangeRequest::Edit { ids, .. } | ChangeRequest::Delete { ids } | ChangeRequest::Restore { ids } => {
            match ids.as_slice() {
                [id] => Some(id),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What a change touches: couplings by zone, the managed devices, and what zones of other labels make of devices.
struct Touched {
    couplings: HashMap<String, HashSet<CouplingKey>>,
    /// The devices that were managed before, if the change alters the managed list.
    managed: Option<HashSet<DeviceId>>,
    /// The devices before that are otherwise or gone after, in their order, and those after that are otherwise or new, if
    /// the change alters zones.
    regrouped: Option<(Vec<DeviceId>, HashSet<DeviceId>)>,
}

impl Touched {
    fn new(draft: &Draft, before: &View, after: &View, names: &ZoneNames) -> Self {
        let mut couplings: HashMap<String, HashSet<CouplingKey>> = HashMap::new();
        let mut managed = None;
        let mut regrouped = None;
        for a in &draft.alterations {
            let (label, keys) = match &a.object {
                Object::Property(label, key, _)
                | Object::Deletion(label, key)
                | Object::Split(label, key) => (label, [*key, *key]),
                Object::Merge(label, a, b) => (label, [*a, *b]),
                Object::Managed(_) => {
                    let known = || before.rows().filter(|d| is_managed(d)).map(|d| d.id).collect();
                    managed.get_or_insert_with(known);
                    continue;
                }
                Object::Zone(_) => {
                    regrouped.get_or_insert_with(|| (differing(before, after), differing(after, before)));
                    continue;
                }
            };
            couplings.entry(names.name(label).to_owned()).or_default().extend(keys);
        }
        let regrouped = regrouped.map(|(gone, new)| (gone, new.into_iter().collect()));
        Self { couplings, managed, regrouped }
    }

    fn has(&self, device: &DeviceRow) -> bool {
        // A list touches the devices that it makes managed, or no longer managed.
        let listed = self.managed.as_ref().is_some_and(|m| m.contains(&device.id) != is_managed(device));
        let regrouped = self.regrouped.as_ref().is_some_and(|(_, new)| new.contains(&device.id));
        let of_zone = self.couplings.get(&*device.zone);
        listed
            || regrouped
            || of_zone.is_some_and(|keys| device.couplings.iter().any(|m| keys.contains(&m.key)))
    }
}

/// The devices of a view that another view does not have, or that have other couplings or another verdict there.
fn differing(view: &View, other: &View) -> Vec<DeviceId> {
    let known: HashMap<DeviceId, &DeviceRow> = other.rows().map(|row| (row.id, row)).collect();
    let keys = |row: &DeviceRow| row.couplings.iter().map(|c| c.key).collect::<Vec<_>>();
    let same = |row: &&DeviceRow| {
        let is_same = |other: &&DeviceRow| other.verdict == row.verdict && keys(other) == keys(row);
        known.get(&row.id).is_some_and(is_same)
    };
    view.rows().filter(|row| !same(row)).map(|row| row.id).collect()
}

fn is_managed(device: &DeviceRow) -> bool {
    device.decided.as_deref().is_some_and(|d| d.managed.is_some())
}
