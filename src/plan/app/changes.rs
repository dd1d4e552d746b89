//! Change sets: what people changed of an inventory, from what to what, and undoing it.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::inventory::{Changed, Check};
use super::{App, May, Refusal};
use crate::census::CouplingKey;
use crate::change::{AlterationEntry, ChangeRequest, ChangeSet, CountDelta};
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::By;
use crate::wire::DeviceEntry;

/// Change sets, or alterations, on a page if the caller names no limit.
const PAGE: usize = 100;
/// The most on a page, and in the answer to a change.
const PAGE_MAX: usize = 1_000;

/// What a change did, or would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangeAnswer {
    /// The change set; null if everything was as asked for already, so that nothing was changed.
    pub change: Option<ChangeSet>,
    /// Whether nothing was stored.
    pub dry_run: bool,
    /// Billable devices before and after.
    pub count: CountDelta,
    /// How many objects it altered.
    pub altered_total: usize,
    /// The first 1000 of them, each with its decision before and after.
    pub altered: Vec<AlterationEntry>,
    /// The devices that it touched, as they are after it: at most 1000.
    pub devices: Vec<DeviceEntry>,
}

impl ChangeAnswer {
    pub(super) fn new(changed: Changed, by: &By) -> Self {
        Self {
            change: changed.set,
            dry_run: by.dry_run,
            count: changed.count,
            altered_total: changed.alterations.len(),
            altered: changed.alterations.iter().take(PAGE_MAX).map(AlterationEntry::from).collect(),
            devices: changed.devices,
        }
    }
}

/// Which change sets.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct ChangesQuery {
    /// The `next` of the page before: those with a lower number.
    pub before: Option<u64>,
    /// On the page, at most 1000; 100 if it is missing.
    pub limit: Option<usize>,
}

/// One page of change sets.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Changes {
    /// The change sets, the newest first.
    pub changes: Vec<ChangeSet>,
    /// What to send as `before` for the next page; null on the last one.
    pub next: Option<u64>,
}

/// Which of a change's alterations.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub struct AlterationsQuery {
    /// The `next` of the page before: those behind that place.
    pub after: Option<u64>,
    /// On the page, at most 1000; 100 if it is missing.
    pub limit: Option<usize>,
}

/// A change set with what it altered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangeDetail {
    /// The change set.
    #[serde(flatten)]
    pub set: ChangeSet,
    /// What it altered, each object with its decision before and after.
    pub altered: Vec<AlterationEntry>,
    /// What to send as `after` for the next page of `altered`; null on the last one.
    pub next: Option<u64>,
}

/// A page of change sets.
pub async fn list(app: &App, may: &May<View>, query: ChangesQuery) -> Result<Changes, Refusal> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let mut changes = app.store.changes(may.id(), query.before, limit + 1).await?;
    let more = changes.len() > limit;
    changes.truncate(limit);
    Ok(Changes { next: changes.last().filter(|_| more).map(|c| c.number), changes })
}

/// A change set with one page of what it altered.
pub async fn show(
    app: &App,
    may: &May<View>,
    number: u64,
    query: AlterationsQuery,
) -> Result<ChangeDetail, Refusal> {
    let set = app.store.change_set(may.id(), number).await?;
    let (after, limit) = (query.after.unwrap_or(0), query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX));
    let altered = app.store.alterations(may.id(), number, after, limit).await?;
    let reached = after.saturating_add(altered.len() as u64);
    let next = Some(reached).filter(|_| reached < set.objects && !altered.is_empty());
    Ok(ChangeDetail { set, altered: altered.iter().map(AlterationEntry::from).collect(), next })
}

/// A change set without what it altered.
pub async fn set(app: &App, may: &May<View>, number: u64) -> Result<ChangeSet, Refusal> {
    Ok(app.store.change_set(may.id(), number).await?)
}

/// The newest changes that altered a device: one of its couplings, or an entry of the managed list with one of its MACs.
pub async fn of_device(
    app: &App,
    may: &May<View>,
    device: &DeviceEntry,
    limit: usize,
) -> Result<Vec<ChangeSet>, Refusal> {
    let couplings: Vec<CouplingKey> =
        device.couplings.iter().map(|c| CouplingKey { mac: c.mac, ip: c.ip }).collect();
    let decisions = app.decisions(may.id()).await?;
    let labels: Vec<&str> = decisions.names().labels(&device.zone).collect();
    Ok(app.store.changes_of(may.id(), &labels, &couplings, limit).await?)
}

/// A change set with everything that it altered.
pub async fn show_whole(app: &App, may: &May<View>, number: u64) -> Result<ChangeDetail, Refusal> {
    let mut query = AlterationsQuery { after: None, limit: Some(PAGE_MAX) };
    let mut detail = show(app, may, number, query).await?;
    while let Some(after) = detail.next {
        query.after = Some(after);
        let page = show(app, may, number, query).await?;
        detail.altered.extend(page.altered);
        detail.next = page.next;
    }
    Ok(detail)
}

/// Undoes a change by a new one that sets each of its objects back to the decision before. Refused if a later change
/// altered one of the objects.
pub async fn undo(app: &App, may: &May<EditDevices>, number: u64) -> Result<ChangeAnswer, Refusal> {
    make(app, may, ChangeRequest::Undo { change: number }, None).await
}

/// Makes a change, or tries it.
pub(super) async fn make(
    app: &App,
    may: &May<EditDevices>,
    ask: ChangeRequest,
    check: Option<Box<Check>>,
) -> Result<ChangeAnswer, Refusal> {
    Ok(ChangeAnswer::new(app.change(may.id(), ask, &may.by, check).await?, &may.by))
}
