//! The page that tells why a device counts, and its forms.

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::bulk::Banner;
use super::list_query::ListQuery;
use super::page::{AsOf, Form, Frame, PageError, Parameters, Visitor, denial, render_with};
use super::show;
use super::travel::Here;
use crate::census::{Category, CouplingKey, DeviceId, Property, RungOutcome, Timestamp, Verdict};
use crate::change::{ChangeSet, Patch};
use crate::plan::app::changes::{self, ChangeAnswer};
use crate::plan::app::devices::{self, tag};
use crate::plan::app::vulnerabilities::{self, DeviceVulnerabilities};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::{Path, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, EditDevices, View};
use crate::plan::store::Expected;
use crate::plan::store::audit::REASON;
use crate::wire::SubscriptionId;
use crate::wire::{CouplingAnswer, DeviceAnswer, DeviceEntry, SetEntry};

/// Changes of a device that its page lists.
const HISTORY: usize = 20;

#[derive(Template)]
#[template(path = "device.html")]
struct WhyPage {
    frame: Frame,
    why: DeviceAnswer,
    /// The tag of the device as the page shows it.
    tag: String,
    form: EditForm,
    /// The couplings that the form for a split has ticked.
    split: SplitForm,
    delete_reason: String,
    /// What the change in the form would do to the count.
    effect: Option<String>,
    refused: Option<Problem>,
    denial: String,
    history: Vec<ChangeSet>,
    changed: Option<Banner>,
    around: Option<Around>,
    /// `None` in the past, and if no plan is in effect (P7).
    vulnerabilities: Option<DeviceVulnerabilities>,
}

/// The device's place in the list from which the reader comes.
struct Around {
    place: usize,
    total: usize,
    list: String,
    previous: Option<String>,
    next: Option<String>,
}

impl WhyPage {
    fn may_edit(&self) -> bool {
        // A change is one of the present.
        self.frame.may(Action::EditDevices) && self.frame.past().is_none()
    }

    fn is_deleted(&self) -> bool {
        self.why.device.verdict == Verdict::Deleted
    }
}

/// What a page of a device is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WhyQuery {
    as_of: String,
    /// The change of which the page tells.
    changed: Option<u64>,
    /// The address of the list from which the reader comes, without its path.
    list: Option<String>,
}

/// The form for a split: the couplings to split off, each `mac ip`.
#[derive(Clone, Debug, Default)]
pub(super) struct SplitForm {
    couplings: Vec<String>,
    tag: String,
    reason: String,
    confirm: bool,
}

impl SplitForm {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (key, value) in fields {
            match key.as_str() {
                "coupling" => form.couplings.push(value),
                "tag" => form.tag = value,
                "reason" => form.reason = value,
                "step" => form.confirm = value == "confirm",
                _ => {}
            }
        }
        form
    }

    fn keys(&self) -> Option<Vec<CouplingKey>> {
        let key = |text: &String| {
            let (mac, ip) = text.split_once(' ')?;
            Some(CouplingKey { mac: mac.parse().ok()?, ip: ip.parse().ok()? })
        };
        self.couplings.iter().map(key).collect()
    }

    fn has(&self, c: &CouplingAnswer) -> bool {
        self.couplings.contains(&format!("{} {}", c.mac, c.ip))
    }
}

/// What a page of a device says beside the device.
#[derive(Default)]
struct Beside {
    form: Option<EditForm>,
    split: SplitForm,
    /// What was typed as the reason to delete the device.
    delete_reason: String,
    effect: Option<String>,
    refused: Option<Refusal>,
    changed: Option<u64>,
    list: Option<ListQuery>,
    here: Option<Here>,
}

/// The edit form: all properties of a device; an empty one is taken back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EditForm {
    tag: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
    category: String,
    location: String,
    tags: String,
    importance: String,
    reason: String,
    /// `preview` asks for the effect and changes nothing.
    step: String,
}

impl EditForm {
    /// The form with the properties that people have set.
    fn of(device: &DeviceEntry) -> Self {
        let set: &[SetEntry] = device.decided.as_ref().map(|d| d.set.as_slice()).unwrap_or_default();
        let is_set = |property| set.iter().any(|s| s.property == property);
        let shown = |property, text: Option<&str>| match text {
            Some(text) if is_set(property) => text.to_owned(),
            _ => String::new(),
        };
        Self {
            name: shown(Property::Name, device.name.as_deref()),
            kind: shown(Property::Type, Some(&device.kind)),
            category: shown(Property::Category, Some(device.category.key())),
            location: device.location.clone().unwrap_or_default(),
            tags: device.tags.join(", "),
            importance: device.importance.map(|i| i.key().to_owned()).unwrap_or_default(),
            ..Self::default()
        }
    }

    fn patch(&self) -> Patch {
        let text = |text: &str| Some(Some(text.trim().to_owned()).filter(|t| !t.is_empty()));
        let tags = self.tags.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
        let tags: Vec<String> = tags.collect();
        Patch {
            name: text(&self.name),
            kind: text(&self.kind),
            category: text(&self.category),
            location: text(&self.location),
            tags: Some(Some(tags).filter(|t| !t.is_empty())),
            importance: text(&self.importance),
            ..Patch::default()
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeleteForm {
    tag: String,
    reason: String,
}

/// Why one device counts, or does not, and forms to change it.
pub(super) async fn why(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Segment(id): Segment<String>,
    here: Here,
    headers: HeaderMap,
    Parameters(asked): Parameters<WhyQuery>,
) -> Result<Response, PageError> {
    let WhyQuery { as_of, changed, list } = asked;
    let base = format!("/subscriptions/{}", may.id());
    let list = match list {
        Some(list) => ListQuery::read(&list).ok(),
        None => ListQuery::of_referrer(&headers, &base),
    };
    let beside = Beside { changed, list, here: Some(here), ..Beside::default() };
    page(&app, &may, &id, AsOf { as_of }.instant()?, beside).await
}

/// Sends a person who reloads the answer to a form back to the device.
pub(super) async fn back(Path((sid, id)): Path<(SubscriptionId, String)>) -> Redirect {
    to_device(&sid, &id, None)
}

fn to_device(sid: &SubscriptionId, id: &str, done: Option<&ChangeAnswer>) -> Redirect {
    let number = |done: &ChangeAnswer| done.change.as_ref().map_or(0, |change| change.number);
    let told = done.map_or_else(String::new, |done| format!("?changed={}", number(done)));
    Redirect::to(&format!("/subscriptions/{sid}/devices/{id}{told}"))
}

/// Sets the properties in the form, or tells what that would do. If they are refused, shows the form again with the reason.
pub(super) async fn edit(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Segment(id): Segment<String>,
    Form(form): Form<EditForm>,
) -> Result<Response, PageError> {
    let mut by = with_reason(may.clone(), &form.reason);
    by.by.dry_run |= form.step == "preview";
    let done = devices::edit(&app, &by, id.clone(), form.patch(), Expected::Tags(form.tag.clone())).await;
    answer(&app, &may, by.by.dry_run, &id, done, Beside { form: Some(form), ..Beside::default() }).await
}

/// Deletes the device until it sends again.
pub(super) async fn delete(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Segment(id): Segment<String>,
    Form(form): Form<DeleteForm>,
) -> Result<Response, PageError> {
    let by = with_reason(may.clone(), &form.reason);
    let done = devices::delete(&app, &by, id.clone(), Expected::Tags(form.tag)).await;
    let beside = Beside { delete_reason: form.reason, ..Beside::default() };
    answer(&app, &may, by.by.dry_run, &id, done, beside).await
}

/// Splits the ticked couplings off the device, or tells what that would do.
pub(super) async fn split(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Segment(id): Segment<String>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let form = SplitForm::read(fields);
    let mut by = with_reason(may.clone(), &form.reason);
    by.by.dry_run |= !form.confirm;
    let done = match form.keys() {
        Some(keys) => devices::split(&app, &by, id.clone(), keys, Expected::Tags(form.tag.clone())).await,
        None => Err(Refusal::invalid("a coupling is a MAC and an address; tick those of this page")),
    };
    answer(&app, &may, by.by.dry_run, &id, done, Beside { split: form, ..Beside::default() }).await
}

/// Leads back to the device, or shows it with the effect of a dry run or with the reason of a refusal.
async fn answer(
    app: &App,
    may: &May<EditDevices>,
    is_tried: bool,
    id: &str,
    done: Result<ChangeAnswer, Refusal>,
    mut beside: Beside,
) -> Result<Response, PageError> {
    match done {
        Ok(done) if !is_tried => return Ok(to_device(may.id(), id, Some(&done)).into_response()),
        Ok(done) => beside.effect = Some(show::effect(done.count)),
        Err(refused) => beside.refused = Some(refused),
    }
    page(app, &may.view(), id, None, beside).await
}

/// The proof with the reason that the form gives, for the audit trail.
pub(super) fn with_reason(mut may: May<EditDevices>, reason: &str) -> May<EditDevices> {
    let reason: String = reason.trim().chars().filter(|c| !c.is_control()).take(REASON).collect();
    may.by.reason = Some(reason).filter(|r| !r.is_empty());
    may
}

async fn page(
    app: &App,
    may: &May<View>,
    id: &str,
    as_of: Option<Timestamp>,
    beside: Beside,
) -> Result<Response, PageError> {
    let Beside { form, split, delete_reason, effect, refused, changed, list, here } = beside;
    let here = here.unwrap_or_else(|| Here::device(id));
    let refused = refused.map(Problem::from);
    let why = devices::why(app, may, id, as_of).await?;
    let title = format!("{} · why", show::label(&why.device));
    let frame = Frame { title, ..Frame::new(may, "devices", "").travelling(app, may, &here).await? };
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let denial = denial(Action::EditDevices);
    let form = form.unwrap_or_else(|| EditForm::of(&why.device));
    let history = changes::of_device(app, may, &why.device, HISTORY).await?;
    let changed = match changed {
        Some(number) => Banner::new(app, may, number, &frame, "").await?,
        None => None,
    };
    let changed = changed.map(|banner| Banner { device: why.device.id.clone(), ..banner });
    let around = match list {
        Some(list) => around(app, may, &frame.base(), &list, &why.device.id).await?,
        None => None,
    };
    let tag = tag(&why.device);
    let vulnerabilities = match as_of {
        Some(_) => None,
        None => match vulnerabilities::of_device(app, may, id).await {
            Ok(found) => Some(found),
            Err(Refusal::Withheld(_)) => None,
            Err(error) => return Err(error.into()),
        },
    };
    let page = WhyPage {
        frame,
        tag,
        form,
        split,
        delete_reason,
        effect,
        why,
        refused,
        denial,
        history,
        changed,
        around,
        vulnerabilities,
    };
    Ok(render_with(status, &page))
}

async fn around(
    app: &App,
    may: &May<View>,
    base: &str,
    list: &ListQuery,
    id: &str,
) -> Result<Option<Around>, Refusal> {
    let filter = list.filter.whole();
    // A list that cannot be read any more leads nowhere.
    let Ok(Some(found)) = devices::neighbours(app, may, &filter, id).await else { return Ok(None) };
    let query = list.query(&filter);
    let beside = |id: Option<DeviceId>| {
        let list = serde_urlencoded::to_string([("list", &query)]).unwrap_or_default();
        let as_of = filter.as_of.as_ref().map(|at| format!("&as_of={at}")).unwrap_or_default();
        id.map(|id| format!("{base}/devices/{id}?{list}{as_of}"))
    };
    Ok(Some(Around {
        place: found.place,
        total: found.total,
        list: list.link(&format!("{base}/devices"), &filter),
        previous: beside(found.previous),
        next: beside(found.next),
    }))
}
