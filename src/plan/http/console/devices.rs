//! The page that tells why a device counts, and its forms.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{AsOf, Form, Frame, PageError, Parameters, Visitor, denial, render_with};
use super::show;
use super::travel::{CHANGED, Here};
use crate::census::{Category, Property, RungOutcome, Timestamp};
use crate::change::Patch;
use crate::classify::Taxonomy;
use crate::plan::app::changes::ChangeAnswer;
use crate::plan::app::devices::{self, tag};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::{Path, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, EditDevices, View};
use crate::plan::store::Expected;
use crate::plan::store::audit::REASON;
use crate::wire::SubscriptionId;
use crate::wire::{DeviceAnswer, DeviceEntry, SetEntry};

#[derive(Template)]
#[template(path = "device.html")]
struct WhyPage {
    frame: Frame,
    why: DeviceAnswer,
    /// The tag of the device as the page shows it.
    tag: String,
    form: EditForm,
    refused: Option<Problem>,
    denial: String,
}

impl WhyPage {
    fn may_edit(&self) -> bool {
        // A change is one of the present.
        self.frame.may(Action::EditDevices) && self.frame.past().is_none()
    }

    /// Types to choose from: key and title.
    fn types(&self) -> Vec<(&'static str, &'static str)> {
        let nodes = Taxonomy::builtin().nodes().iter();
        let mut types: Vec<(&str, &str)> = nodes
            .filter_map(|n| Taxonomy::builtin().device_type(&n.key))
            .map(|n| (&*n.key, &*n.title))
            .collect();
        types.sort_unstable_by_key(|(_, title)| *title);
        types
    }
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
    Parameters(asked): Parameters<AsOf>,
) -> Result<Response, PageError> {
    page(&app, &may, &id, (asked.instant()?, here), None, None).await
}

/// Sends a person who reloads the answer to a form back to the device.
pub(super) async fn back(Path((sid, id)): Path<(SubscriptionId, String)>) -> Redirect {
    to_device(&sid, &id)
}

fn to_device(sid: &SubscriptionId, id: &str) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/devices/{id}"))
}

/// Leads to the device after a change, where a banner offers to undo it.
fn to_changed(sid: &SubscriptionId, id: &str, done: &ChangeAnswer) -> Redirect {
    match &done.change {
        Some(set) => Redirect::to(&format!("/subscriptions/{sid}/devices/{id}?{CHANGED}={}", set.number)),
        None => to_device(sid, id),
    }
}

/// Sets the properties in the form. If they are refused, shows the form again with the reason.
pub(super) async fn edit(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Segment(id): Segment<String>,
    Form(form): Form<EditForm>,
) -> Result<Response, PageError> {
    let may = with_reason(may, &form.reason);
    let seen = Expected::Tags(form.tag.clone());
    match devices::edit(&app, &may, id.clone(), form.patch(), seen).await {
        Ok(done) => Ok(to_changed(may.id(), &id, &done).into_response()),
        Err(refused) => {
            page(&app, &may.view(), &id, (None, Here::device(&id)), Some(form), Some(refused)).await
        }
    }
}

/// Deletes the device until it sends again.
pub(super) async fn delete(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Segment(id): Segment<String>,
    Form(form): Form<DeleteForm>,
) -> Result<Response, PageError> {
    let may = with_reason(may, &form.reason);
    match devices::delete(&app, &may, id.clone(), Expected::Tags(form.tag)).await {
        Ok(done) => Ok(to_changed(may.id(), &id, &done).into_response()),
        Err(refused) => page(&app, &may.view(), &id, (None, Here::device(&id)), None, Some(refused)).await,
    }
}

/// The proof with the reason that the form gives, for the audit trail.
fn with_reason(mut may: May<EditDevices>, reason: &str) -> May<EditDevices> {
    let reason: String = reason.trim().chars().filter(|c| !c.is_control()).take(REASON).collect();
    may.by.reason = Some(reason).filter(|r| !r.is_empty());
    may
}

async fn page(
    app: &App,
    may: &May<View>,
    id: &str,
    (as_of, here): (Option<Timestamp>, Here),
    form: Option<EditForm>,
    refused: Option<Refusal>,
) -> Result<Response, PageError> {
    let refused = refused.map(Problem::from);
    let why = devices::why(app, may, id, as_of).await?;
    let title = format!("{} · why", show::label(&why.device));
    let frame = Frame { title, ..Frame::new(may, "devices", "").travelling(app, may, &here).await? };
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let denial = denial(Action::EditDevices);
    let form = form.unwrap_or_else(|| EditForm::of(&why.device));
    let page = WhyPage { frame, tag: tag(&why.device), form, why, refused, denial };
    Ok(render_with(status, &page))
}
