//! Changes of an inventory: drafted on the present facts and decisions, counted before and after in the same way, and
//! recorded unless somebody else decided something meanwhile.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::Refusal;
use super::{Inventories, SubscriptionState};
use crate::census::{CouplingKey, Decisions, Device, DeviceId, Mark, Object, Survey, Timestamp};
use crate::change::{
    Alteration, ChangeDrafter, ChangeRefusal, ChangeRequest, ChangeSet, CountDelta, Draft, ENTRIES,
    ensure_undoable,
};
use crate::plan::store::audit::Actor;
use crate::plan::store::{By, Recording, StoreError};
use crate::wire::DeviceEntry;
use crate::wire::SubscriptionId;

/// How often a change is drafted, if others decide something meanwhile.
const TRIES: usize = 5;
/// The most devices in an answer.
const SHOWN: usize = 1_000;

/// Checks the only device of a change before the change.
pub type Check = dyn Fn(&DeviceEntry) -> Result<(), StoreError> + Send + Sync;

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
}

/// A change that is drafted and counted.
struct Drafted {
    draft: Draft,
    mark: Mark,
    count: CountDelta,
    revision: i64,
    after: Decisions,
    devices: Vec<DeviceEntry>,
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
    /// Makes a change, or tries it if `by` says so. If the change names a single device, `check` sees that device first.
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
            let state = self.current(subscription).await?;
            let ground = self.ground(&state, subscription, ask.clone(), by, now).await?;
            let (inventories, counted, look) = (self.clone(), Arc::clone(&state), check.clone());
            let at = ground.at;
            let work = move || {
                let policy = &*inventories.policy;
                let facts = counted.replica.facts();
                let inventory = facts.inventory.admitted(policy);
                let survey = |decisions: &Decisions| {
                    Survey::new(&inventory, policy, decisions, &*inventories.classifier, at)
                };
                draft(ground, survey, look.as_deref().map(|check| &**check))
            };
            let drafted = self.surveys.run(&state.line, work).await??;
            let recording = Recording {
                draft: &drafted.draft,
                mark: &drafted.mark,
                count: drafted.count,
                revision: drafted.revision,
            };
            let turn = state.turn.lock().await;
            let Some(set) = self.store.record_change(subscription, by, &recording).await? else { continue };
            let Drafted { draft, count, revision, after, devices, .. } = drafted;
            let changes = !draft.alterations.is_empty();
            if changes && !by.dry_run {
                state.decide(revision.saturating_add(1), after);
                state.tell();
            }
            drop(turn);
            let set = changes.then_some(set);
            return Ok(Changed { set, count, alterations: draft.alterations, devices });
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
fn draft<'a>(
    ground: Ground,
    survey: impl Fn(&Decisions) -> Survey<'a>,
    check: Option<&Check>,
) -> Result<Drafted, StoreError> {
    let Ground { ask, mark, revision, decisions, undone, .. } = ground;
    let before = survey(&decisions);
    if let (Some(check), Some(id)) = (check, alone(&ask)) {
        let wanted: Option<DeviceId> = id.parse().ok();
        let device = before.devices.iter().find(|d| Some(d.id) == wanted);
        let unknown = || StoreError::NotFound { what: "device", id: id.chars().take(60).collect() };
        check(&DeviceEntry::new(device.ok_or_else(unknown)?, None))?;
    }
    let drafter = ChangeDrafter::new(&before, &decisions, mark.clone());
    let draft = match (ask, undone) {
        (ChangeRequest::Edit { ids, patch }, _) => drafter.edit(&ids, &patch),
        (ChangeRequest::Delete { ids }, _) => drafter.delete(&ids),
        (ChangeRequest::Merge { ids }, _) => drafter.merge(&ids),
        (ChangeRequest::Split { id, couplings }, _) => drafter.split(&id, &couplings),
        (ChangeRequest::Import { source, zone, entries }, _) => {
            drafter.import(&source, zone.as_deref(), &entries)
        }
        (ChangeRequest::Forget { source }, _) => drafter.forget(&source),
        (ChangeRequest::Undo { change }, Some((summary, alterations))) => {
            drafter.undo(change, &summary, alterations)
        }
        (ChangeRequest::Undo { .. }, None) => Err(ChangeRefusal::Busy),
    };
    let draft = draft.map_err(StoreError::from)?;
    let billable = before.census.billable;
    let touched = Touched::new(&draft, &before);
    drop(before);
    let mut after = (*decisions).clone();
    draft.apply(&mut after);
    let survey = survey(&after);
    let count = CountDelta::new(billable, survey.census.billable);
    let devices = survey.devices.iter().filter(|d| touched.has(d)).take(SHOWN);
    let devices = devices.map(|d| DeviceEntry::new(d, None)).collect();
    drop(survey);
    Ok(Drafted { draft, mark, count, revision, after, devices })
}

/// The id of the device, if the change names a single one.
fn alone(ask: &ChangeRequest) -> Option<&str> {
    match ask {
        ChangeRequest::Split { id, .. } => Some(id),
        ChangeRequest::Edit { ids, .. } | ChangeRequest::Delete { ids } => match ids.as_slice() {
            [id] => Some(id),
            _ => None,
        },
        _ => None,
    }
}

/// What a change touches: couplings by zone, and the managed devices.
struct Touched {
    couplings: HashMap<String, HashSet<CouplingKey>>,
    /// The devices that were managed before, if the change alters the managed list.
    managed: Option<HashSet<DeviceId>>,
}

impl Touched {
    fn new(draft: &Draft, before: &Survey<'_>) -> Self {
        let mut couplings: HashMap<String, HashSet<CouplingKey>> = HashMap::new();
        let mut managed = None;
        for a in &draft.alterations {
            let (zone, keys) = match &a.object {
                Object::Property(zone, key, _) | Object::Deletion(zone, key) | Object::Split(zone, key) => {
                    (zone, [*key, *key])
                }
                Object::Merge(zone, a, b) => (zone, [*a, *b]),
                Object::Managed(_) => {
                    let known = || before.devices.iter().filter(|d| is_managed(d)).map(|d| d.id).collect();
                    managed.get_or_insert_with(known);
                    continue;
                }
            };
            couplings.entry(zone.clone()).or_default().extend(keys);
        }
        Self { couplings, managed }
    }

    fn has(&self, device: &Device<'_>) -> bool {
        // A list touches the devices that it makes managed, or no longer managed.
        let listed = self.managed.as_ref().is_some_and(|m| m.contains(&device.id) != is_managed(device));
        let of_zone = self.couplings.get(device.zone);
        listed || of_zone.is_some_and(|keys| device.couplings.iter().any(|m| keys.contains(&m.key)))
    }
}

fn is_managed(device: &Device<'_>) -> bool {
    device.decided.as_deref().is_some_and(|d| d.managed.is_some())
}
