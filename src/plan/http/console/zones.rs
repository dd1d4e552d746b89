//! The zones: devices, the count, and the sensors that report each; forms that rename and merge zones, with a preview.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::bulk::Banner;
use super::devices::with_reason;
use super::page::{AsOf, Form, Frame, PageError, Parameters, Visitor, denial, render_with};
use super::show;
use super::travel::Here;
use crate::census::Timestamp;
use crate::plan::app::inventory::ZoneSummary;
use crate::plan::app::sensor_state::SensorState;
use crate::plan::app::zones::{self, ZoneAnswer, ZoneMerge, ZoneRename, Zones};
use crate::plan::app::{App, May, Refusal, changes, sensors};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, EditDevices, View};
use crate::plan::store::audit::REASON;
use crate::plan::store::{Expected, Sensor};
use crate::wire::{DeviceEntry, SubscriptionId};

/// Devices that a preview shows.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "zones.html")]
struct Page {
    frame: Frame,
    zones: Zones,
    sensors: Vec<Sensor>,
    now: Timestamp,
    changed: Option<Banner>,
    form: ZoneForm,
    preview: Option<Preview>,
    refused: Option<Problem>,
    denial: String,
}

impl Page {
    /// The sensors whose newest upload was for a zone.
    fn sensors_of(&self, zone: &ZoneSummary) -> Vec<&Sensor> {
        let uploads = |s: &&Sensor| zone.labels.iter().any(|label| s.zone.as_deref() == Some(&*label.label));
        self.sensors.iter().filter(|s| s.revoked_at.is_none()).filter(uploads).collect()
    }

    /// Whether the page has forms: changes are of the present.
    fn may_edit(&self) -> bool {
        self.frame.may(Action::EditDevices) && self.zones.basis.is_none()
    }
}

/// What a change would do.
struct Preview {
    effect: String,
    tag: String,
    /// What it does, in a few words; empty if nothing has to change.
    summary: String,
    /// The devices that are gone or otherwise after it.
    before: Vec<DeviceEntry>,
    /// Those that are new or otherwise after it.
    after: Vec<DeviceEntry>,
    more: usize,
}

impl Preview {
    fn new(tried: ZoneAnswer) -> Self {
        let ZoneAnswer { answer, mut before, tag } = tried;
        let mut after = answer.devices;
        let more = before.len().saturating_sub(SHOWN) + after.len().saturating_sub(SHOWN);
        before.truncate(SHOWN);
        after.truncate(SHOWN);
        let summary = answer.change.map(|change| change.summary).unwrap_or_default();
        Self { effect: show::effect(answer.count), tag, summary, before, after, more }
    }

    /// What a device is, whether it counts, and how many couplings it has.
    fn words(device: &DeviceEntry) -> String {
        let couplings = device.couplings.len();
        let number = show::number(couplings);
        let couplings = format!("{number} {}", if couplings == 1 { "coupling" } else { "couplings" });
        format!("{} · {} · {couplings}", device.category.title(), device.verdict.id())
    }
}

/// The forms: what to do with which zone, and how far the person is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ZoneForm {
    /// `rename` or `merge`.
    action: String,
    zone: String,
    /// The name that it gets.
    name: String,
    /// The zone into which it is merged.
    into: String,
    reason: String,
    /// The tag of the zones that the preview showed.
    seen: String,
    /// `confirm` makes the change.
    step: String,
}

impl ZoneForm {
    fn is_merge(&self) -> bool {
        self.action == "merge"
    }

    async fn make(
        &self,
        app: &App,
        may: &May<EditDevices>,
        expected: Expected,
    ) -> Result<ZoneAnswer, Refusal> {
        let zone = self.zone.clone();
        if self.is_merge() {
            return zones::merge(app, may, ZoneMerge { zone, into: self.into.clone() }, expected).await;
        }
        zones::rename(app, may, ZoneRename { zone, name: self.name.clone() }, expected).await
    }
}

/// The change of which the page tells.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    changed: Option<u64>,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    here: Here,
    Parameters(asked): Parameters<AsOf>,
    Parameters(told): Parameters<Told>,
) -> Result<Response, PageError> {
    let zones = zones::list(&app, &may, asked.instant()?).await?;
    let frame = Frame::new(&may, "zones", "Zones").travelling(&app, &may, &here).await?;
    let changed = match told.changed {
        Some(number) => banner(&app, &may, number, &frame).await?,
        None => None,
    };
    page(&app, &may, frame, Shown { zones, changed, ..Shown::new(ZoneForm::default()) }).await
}

async fn banner(app: &App, may: &May<View>, number: u64, frame: &Frame) -> Result<Option<Banner>, Refusal> {
    let banner = Banner::new(app, may, number, frame, "").await?;
    Ok(banner.map(|banner| Banner { action: format!("{}/zones/undo", frame.base()), ..banner }))
}

/// Sends a person who reloads the answer to a form back to the page.
pub(super) async fn back(Path(sid): Path<SubscriptionId>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/zones"))
}

/// Previews a change of zones, or makes it.
pub(super) async fn change(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Form(form): Form<ZoneForm>,
) -> Result<Response, PageError> {
    let mut shown = Shown::new(form);
    if shown.form.step == "confirm" {
        let by = with_reason(may.clone(), &shown.form.reason);
        match shown.form.make(&app, &by, Expected::Tags(shown.form.seen.clone())).await {
            Ok(made) => {
                let number = made.answer.change.map_or(0, |change| change.number);
                let to = format!("/subscriptions/{}/zones?changed={number}", may.id());
                return Ok(Redirect::to(&to).into_response());
            }
            Err(refused) => shown.refused = Some(refused.into()),
        }
    }
    let mut tried = may.clone();
    tried.by.dry_run = true;
    match shown.form.make(&app, &tried, Expected::Any).await {
        Ok(tried) => shown.preview = Some(Preview::new(tried)),
        Err(refused) => shown.refused = shown.refused.or_else(|| Some(refused.into())),
    }
    let view = may.view();
    shown.zones = zones::list(&app, &view, None).await?;
    page(&app, &view, Frame::new(&view, "zones", "Zones"), shown).await
}

/// The form of the banner.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UndoForm {
    change: u64,
}

/// Undoes a change, and leads back to the page.
pub(super) async fn undo(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Form(form): Form<UndoForm>,
) -> Result<Response, PageError> {
    let done = changes::undo(&app, &may, form.change).await?;
    let number = done.change.map_or(0, |change| change.number);
    Ok(Redirect::to(&format!("/subscriptions/{}/zones?changed={number}", may.id())).into_response())
}

/// What a page shows.
struct Shown {
    zones: Zones,
    changed: Option<Banner>,
    form: ZoneForm,
    preview: Option<Preview>,
    refused: Option<Problem>,
}

impl Shown {
    fn new(form: ZoneForm) -> Self {
        let zones = Zones { as_of: Timestamp::default(), basis: None, zones: Vec::new() };
        Self { zones, changed: None, form, preview: None, refused: None }
    }
}

async fn page(app: &App, may: &May<View>, frame: Frame, shown: Shown) -> Result<Response, PageError> {
    let Shown { zones, changed, form, preview, refused } = shown;
    let sensors = sensors::list(app, may).await?.sensors;
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let (now, denial) = (app.now(), denial(Action::EditDevices));
    let page = Page { frame, zones, sensors, now, changed, form, preview, refused, denial };
    Ok(render_with(status, &page))
}
