//! Devices: list, show, tell why they count, and change them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::changes::{ChangeAnswer, make};
use super::inventory::{Check, View as Inventory, ZoneLabels};
use super::{App, May, Refusal, aside};
use crate::census::{CouplingKey, Timestamp};
use crate::change::{ChangeRequest, Patch};
use crate::listing::{DevicePage, Facet, Facets, Filter, Neighbours, places};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::{self, Expected};
use crate::wire::{Basis, DeviceAnswer, DeviceEntry, DeviceRow, Explanation, Subject};

/// Devices to edit or to delete at once.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edits {
    /// Their ids, at most 1000.
    pub ids: Vec<String>,
    /// What to set on each of them.
    #[serde(default)]
    pub set: Patch,
    /// Deletes them instead.
    #[serde(default)]
    pub delete: bool,
    /// Takes their deletion back instead.
    #[serde(default)]
    pub restore: bool,
    /// Adds their MACs to the managed list of this source instead.
    #[serde(default)]
    pub managed_by: Option<String>,
}

impl Edits {
    fn ask(self) -> Result<ChangeRequest, Refusal> {
        let Self { ids, set, delete, restore, managed_by } = self;
        let wishes = [set != Patch::default(), delete, restore, managed_by.is_some()];
        if wishes.into_iter().filter(|wish| *wish).count() > 1 {
            let advice = "'set', 'delete', 'restore' and 'managed_by' exclude each other; send one of them";
            return Err(Refusal::invalid(advice));
        }
        Ok(match managed_by {
            Some(source) => ChangeRequest::Manage { ids, source },
            None if delete => ChangeRequest::Delete { ids },
            None if restore => ChangeRequest::Restore { ids },
            None => ChangeRequest::Edit { ids, patch: set },
        })
    }
}

/// What to do with the devices that a person chose.
#[derive(Clone, Debug)]
pub enum Bulk {
    /// Edits or deletes them, restores them, or marks them as managed.
    Edits(Box<Edits>),
    /// Makes them one device.
    Merge { ids: Vec<String> },
}

/// What a change of chosen devices did, or would do.
#[derive(Debug)]
pub struct BulkAnswer {
    pub answer: ChangeAnswer,
    /// The devices as they were before, in the order in which they were named.
    pub before: Vec<DeviceEntry>,
    /// The tag of the devices as they were before.
    pub tag: String,
}

/// All devices that match a filter, in its order.
#[derive(Debug)]
pub struct Matching {
    inventory: Arc<Inventory>,
    /// Zones, and the devices in them.
    places: Vec<(u32, u32)>,
}

impl Matching {
    /// The instant of the verdicts.
    pub fn as_of(&self) -> Timestamp {
        self.inventory.as_of
    }

    /// From what the count of a past instant is made.
    pub fn basis(&self) -> Option<&Basis> {
        self.inventory.basis.as_ref()
    }

    /// The name of the policy of the count.
    pub fn policy(&self) -> &str {
        &self.inventory.policy.name
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// At most `number` devices, from the place `first` on.
    pub fn devices(&self, first: usize, number: usize) -> impl Iterator<Item = DeviceEntry> {
        let places = self.places.iter().skip(first).take(number);
        let row = |(zone, place): &(u32, u32)| self.inventory.rows_of(*zone as usize)?.get(*place as usize);
        places.filter_map(row).map(|row| row.entry(None))
    }

    pub fn iter(&self) -> impl Iterator<Item = DeviceEntry> {
        self.devices(0, usize::MAX)
    }
}

/// A page of the devices that match a filter.
pub(crate) async fn list(app: &App, may: &May<View>, filter: &Filter) -> Result<DevicePage, Refusal> {
    let inventory = app.view_of(may.id(), filter).await?;
    let filter = inventory.by_name(filter);
    let page = move || {
        let page = DevicePage::new(inventory.by_zone(), inventory.tabs, inventory.as_of, &filter)?;
        Ok(DevicePage { basis: inventory.basis.clone(), ..page })
    };
    aside(page).await?
}

/// As [`list`], with how all devices that match divide by fields, at most `most` values each.
pub(crate) async fn faceted(
    app: &App,
    may: &May<View>,
    filter: &Filter,
    most: usize,
) -> Result<(DevicePage, Vec<Facet>), Refusal> {
    let inventory = app.view_of(may.id(), filter).await?;
    let filter = inventory.by_name(filter);
    let both = move || {
        let mut facets = Facets::default();
        let (zones, visit) = (inventory.by_zone(), |device| facets.add(device));
        let page = DevicePage::visiting(zones, inventory.tabs, inventory.as_of, &filter, visit)?;
        Ok((DevicePage { basis: inventory.basis.clone(), ..page }, facets.finish(most)))
    };
    aside(both).await?
}

/// The devices beside one in a list; `None` if the list does not have it.
pub(crate) async fn neighbours(
    app: &App,
    may: &May<View>,
    filter: &Filter,
    id: &str,
) -> Result<Option<Neighbours>, Refusal> {
    let Ok(id) = id.parse() else { return Ok(None) };
    let inventory = app.view_of(may.id(), filter).await?;
    let filter = inventory.by_name(filter);
    let found = move || {
        let zones: Vec<_> = inventory.by_zone().collect();
        Neighbours::new(zones.iter().copied(), inventory.as_of, &filter, id)
    };
    Ok(aside(found).await??)
}

/// All devices that match a filter, however many.
pub(crate) async fn matching(app: &App, may: &May<View>, filter: &Filter) -> Result<Matching, Refusal> {
    let inventory = app.view_of(may.id(), filter).await?;
    let filter = inventory.by_name(filter);
    let matching = move || {
        let places = places(inventory.by_zone(), inventory.as_of, &filter)?;
        Ok(Matching { inventory, places })
    };
    aside(matching).await?
}

/// The devices that have an address or a MAC, at the service's default instant if `as_of` is `None`.
pub async fn find(
    app: &App,
    may: &May<View>,
    subject: Subject,
    as_of: Option<Timestamp>,
) -> Result<Vec<DeviceEntry>, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    let found = move || {
        let has = |d: &&DeviceRow| d.couplings.iter().any(|c| subject.is(c.key.mac, c.key.ip));
        inventory.rows().filter(has).map(|row| row.entry(None)).collect()
    };
    aside(found).await
}

/// One device.
pub async fn show(
    app: &App,
    may: &May<View>,
    id: &str,
    as_of: Option<Timestamp>,
) -> Result<DeviceEntry, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    let device = inventory.device(id).ok_or_else(|| Refusal::hidden("device", id))?;
    Ok(device.entry(None))
}

/// Why a device counts, or does not.
pub async fn why(
    app: &App,
    may: &May<View>,
    id: &str,
    as_of: Option<Timestamp>,
) -> Result<DeviceAnswer, Refusal> {
    let inventory = app.view(may.id(), as_of).await?;
    inventory.why(id).ok_or_else(|| Refusal::hidden("device", id))
}

/// Everything that is known of an address or a MAC: devices, and couplings that do not belong to a device. Refused if
/// nothing is known.
pub async fn explain(
    app: &App,
    may: &May<View>,
    subject: Subject,
    as_of: Option<Timestamp>,
) -> Result<Explanation, Refusal> {
    let explanation = look_up(app, may, subject, as_of).await?;
    if explanation.is_empty() {
        return Err(Refusal::Unknown(subject));
    }
    Ok(explanation)
}

/// As [`explain`]; the answer is empty if nothing is known.
pub async fn look_up(
    app: &App,
    may: &May<View>,
    subject: Subject,
    as_of: Option<Timestamp>,
) -> Result<Explanation, Refusal> {
    app.explain(may.id(), subject, as_of).await
}

/// Sets properties of a device that is as `expected`, or takes them back.
pub async fn edit(
    app: &App,
    may: &May<EditDevices>,
    id: String,
    patch: Patch,
    expected: Expected,
) -> Result<ChangeAnswer, Refusal> {
    make(app, may, ChangeRequest::Edit { ids: vec![id], patch }, Some(check(expected))).await
}

/// Deletes a device that is as `expected`. It returns with a frame that is newer than now (X-DEL).
pub async fn delete(
    app: &App,
    may: &May<EditDevices>,
    id: String,
    expected: Expected,
) -> Result<ChangeAnswer, Refusal> {
    make(app, may, ChangeRequest::Delete { ids: vec![id] }, Some(check(expected))).await
}

/// Edits, deletes or restores many devices, or marks them as managed. If one is refused, none is changed.
pub async fn edit_many(app: &App, may: &May<EditDevices>, edits: Edits) -> Result<ChangeAnswer, Refusal> {
    make(app, may, edits.ask()?, None).await
}

/// Changes devices that are as `expected`, or tries it: the tag of a dry run says what devices it saw.
pub async fn change_many(
    app: &App,
    may: &May<EditDevices>,
    bulk: Bulk,
    expected: Expected,
) -> Result<BulkAnswer, Refusal> {
    let ask = match bulk {
        Bulk::Edits(edits) => edits.ask()?,
        Bulk::Merge { ids } => ChangeRequest::Merge { ids },
    };
    let check = Box::new(move |named: &[DeviceEntry], _: &ZoneLabels| expected.check(&all_editable(named)));
    let mut changed = app.change(may.id(), ask, &may.by, Some(check)).await?;
    let before = std::mem::take(&mut changed.named);
    let tag = store::tag(&all_editable(&before));
    Ok(BulkAnswer { answer: ChangeAnswer::new(changed, &may.by), before, tag })
}

fn all_editable(devices: &[DeviceEntry]) -> impl Serialize {
    devices.iter().map(editable).collect::<Vec<_>>()
}

/// Makes devices of one zone one device (I8e).
pub async fn merge(app: &App, may: &May<EditDevices>, ids: Vec<String>) -> Result<ChangeAnswer, Refusal> {
    make(app, may, ChangeRequest::Merge { ids }, None).await
}

/// Takes couplings out of a device. A caller may leave `expected` unsaid: a split names the couplings that it is about.
pub async fn split(
    app: &App,
    may: &May<EditDevices>,
    id: String,
    couplings: Vec<CouplingKey>,
    expected: Expected,
) -> Result<ChangeAnswer, Refusal> {
    let expected = if expected == Expected::Unsaid { Expected::Any } else { expected };
    make(app, may, ChangeRequest::Split { id, couplings }, Some(check(expected))).await
}

/// The part of a device that its entity tag covers: what people change, and what the change is based on. Traffic alters
/// it only if it alters what the device is or which couplings it has.
pub fn editable(d: &DeviceEntry) -> impl Serialize {
    let couplings: Vec<_> = d.couplings.iter().map(|c| (c.mac, c.ip)).collect();
    let is = (d.category, &d.kind, &d.name, &d.vendor, &d.model);
    (&d.id, &d.zone, couplings, is, &d.location, &d.tags, d.importance, &d.decided)
}

/// The entity tag of a device.
pub fn tag(device: &DeviceEntry) -> String {
    store::tag(&editable(device))
}

/// Refuses a change of a device that is not as the caller saw it.
fn check(expected: Expected) -> Box<Check> {
    Box::new(move |named, _| match named {
        [device] => expected.check(&editable(device)),
        _ => Ok(()),
    })
}
