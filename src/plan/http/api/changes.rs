//! Change sets: what people changed, from what to what, and undoing it.

#![expect(unused_qualifications, reason = "the attributes that describe the API expand to qualified names")]

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::devices::Trial;
use crate::change::{AlterationEntry, ChangeRequest, ChangeSet, CountDelta};
use crate::plan::app::App;
use crate::plan::app::Caller;
use crate::plan::app::inventory::Changed;
use crate::plan::http::extract::{Parameters, Path};
use crate::plan::http::problem::Problem;
use crate::plan::permission::Action;
use crate::plan::store::{By, Store, StoreError};
use crate::wire::DeviceEntry;

/// Change sets, or alterations, on a page where nothing else is asked.
const PAGE: usize = 100;
/// On a page at most, and in the answer to a change.
const PAGE_MAX: usize = 1_000;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(undo))
}

/// What a change did, or would do.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangeAnswer {
    /// The change set; null where everything stood as it should, so that nothing was changed.
    pub change: Option<ChangeSet>,
    /// Whether nothing was stored.
    pub dry_run: bool,
    /// Billable devices before and after.
    pub count: CountDelta,
    /// How many objects it altered.
    pub altered_total: usize,
    /// The first 1000 of them, each with what stood before and what stands after.
    pub altered: Vec<AlterationEntry>,
    /// The devices that it touched, as they are after it: at most 1000.
    #[schema(value_type = Vec<Object>)]
    pub devices: Vec<DeviceEntry>,
}

impl ChangeAnswer {
    /// The answer to a change that `by` made or tried.
    pub fn new(changed: Changed, by: &By) -> Self {
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

pub(super) fn answer(changed: Changed, by: &By) -> Response {
    axum::Json(ChangeAnswer::new(changed, by)).into_response()
}

/// Which change sets.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// The `next` of the page before: those with a lower number.
    pub before: Option<u64>,
    /// On the page, at most 1000; 100 where it is missing.
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

/// What people changed, the newest first.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/changes", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ChangesQuery), responses((status = 200, body = Changes)))]
pub async fn list(
    State(service): State<App>,
    Path(sid): Path<String>,
    caller: Caller,
    Parameters(query): Parameters<ChangesQuery>,
) -> Result<axum::Json<Changes>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    Ok(axum::Json(changes(&service.store, &sid, query).await?))
}

/// A page of change sets.
///
/// # Errors
/// The store's.
pub async fn changes(store: &Store, sid: &str, query: ChangesQuery) -> Result<Changes, StoreError> {
    let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let mut changes = store.changes(sid, query.before, limit + 1).await?;
    let more = changes.len() > limit;
    changes.truncate(limit);
    Ok(Changes { next: changes.last().filter(|_| more).map(|c| c.number), changes })
}

/// Which of a change's alterations.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AlterationsQuery {
    /// The `next` of the page before: those behind that place.
    pub after: Option<u64>,
    /// On the page, at most 1000; 100 where it is missing.
    pub limit: Option<usize>,
}

/// A change set with what it altered.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChangeDetail {
    /// The change set.
    #[serde(flatten)]
    pub set: ChangeSet,
    /// What it altered, each object with what stood before and after.
    pub altered: Vec<AlterationEntry>,
    /// What to send as `after` for the next page of `altered`; null on the last one.
    pub next: Option<u64>,
}

/// One change set, with what stood before and after on each object.
#[utoipa::path(get, path = "/api/v1/subscriptions/{sid}/changes/{number}", extensions(("x-netcensus-action" = json!("view"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ("number" = u64, Path, description = "change"), AlterationsQuery),
    responses((status = 200, body = ChangeDetail), (status = 404, description = "problem")))]
pub async fn show(
    State(service): State<App>,
    Path((sid, number)): Path<(String, u64)>,
    caller: Caller,
    Parameters(query): Parameters<AlterationsQuery>,
) -> Result<axum::Json<ChangeDetail>, Problem> {
    caller.may_do(&service, Action::View, &sid).await?;
    Ok(axum::Json(change(&service.store, &sid, number, query).await?))
}

/// One change set.
///
/// # Errors
/// Not found, or the store's.
pub async fn change(
    store: &Store,
    sid: &str,
    number: u64,
    query: AlterationsQuery,
) -> Result<ChangeDetail, StoreError> {
    let set = store.change_set(sid, number).await?;
    let (after, limit) = (query.after.unwrap_or(0), query.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX));
    let altered = store.alterations(sid, number, after, limit).await?;
    let reached = after.saturating_add(altered.len() as u64);
    let next = Some(reached).filter(|_| reached < set.objects && !altered.is_empty());
    Ok(ChangeDetail { set, altered: altered.iter().map(AlterationEntry::from).collect(), next })
}

/// Undoes a change: sets every object of it back to what stood before, as a change of its own. Refused where a later
/// change altered one of the objects.
#[utoipa::path(post, path = "/api/v1/subscriptions/{sid}/changes/{number}/undo", extensions(("x-netcensus-action" = json!("edit-devices"))), tag = "inventory",
    params(("sid" = String, Path, description = "subscription"), ("number" = u64, Path, description = "change"), Trial),
    responses((status = 200, body = ChangeAnswer), (status = 404, description = "problem"), (status = 409, description = "problem")))]
pub async fn undo(
    State(service): State<App>,
    Path((sid, number)): Path<(String, u64)>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.may_do(&service, Action::EditDevices, &sid).await?;
    let ask = ChangeRequest::Undo { change: number };
    Ok(answer(service.change(&sid, ask, &caller.by, None).await?, &caller.by))
}
