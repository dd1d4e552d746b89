//! Changes of many devices: the chosen ones, a page, or all that match. A preview names the devices and says what the change
//! does to the count; then a person confirms.
//!
//! The form carries the ids that the preview showed, and the tag of the devices as they were. So the change touches these
//! devices and no others, and only if they still are what the person saw.

use std::collections::HashMap;
use std::fmt::Write as _;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::devices::with_reason;
use super::list_query::ListQuery;
use super::page::{Form, Frame, PageError, Visitor, render_with};
use super::show;
use crate::census::{Category, DeviceId};
use crate::change::{ChangeRefusal, ChangeSet, DEVICES, Patch};
use crate::plan::app::devices::{self, Bulk, BulkAnswer, Edits};
use crate::plan::app::{App, May, Refusal, changes};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::Problem;
use crate::plan::permission::{EditDevices, View};
use crate::plan::store::{Expected, StoreError};
use crate::wire::{DeviceEntry, Subject, SubscriptionId};

/// Devices that a preview shows.
const SHOWN: usize = 100;
/// The source of devices that a person marks as managed without naming a system.
const BY_HAND: &str = "by hand";

/// What to do with the devices.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Action {
    #[default]
    Edit,
    Delete,
    Restore,
    Merge,
    Split,
    Manage,
}

impl Action {
    const ALL: [Self; 6] = [Self::Edit, Self::Delete, Self::Restore, Self::Merge, Self::Split, Self::Manage];

    const fn key(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Delete => "delete",
            Self::Restore => "restore",
            Self::Merge => "merge",
            Self::Split => "split",
            Self::Manage => "manage",
        }
    }

    /// What the page is about.
    const fn title(self) -> &'static str {
        match self {
            Self::Edit => "Edit",
            Self::Delete => "Delete",
            Self::Restore => "Restore",
            Self::Merge => "Merge",
            Self::Split => "Split",
            Self::Manage => "Mark as managed elsewhere",
        }
    }
}

/// The form: which devices, what to do with them, and how far the person is.
#[derive(Clone, Debug, Default)]
struct BulkForm {
    /// The chosen devices.
    ids: Vec<String>,
    /// The devices of the page.
    page: Vec<String>,
    /// `chosen`, `page` or `all`; empty once the ids are frozen.
    scope: String,
    /// The address of the list, without its path.
    list: String,
    /// Further devices, by address, MAC or id.
    with: String,
    action: Action,
    kind: String,
    category: String,
    location: String,
    clear_location: bool,
    add_tags: String,
    remove_tags: String,
    importance: String,
    source: String,
    reason: String,
    /// The tag of the devices that the preview showed.
    seen: String,
    confirm: bool,
}

impl BulkForm {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (key, value) in fields {
            let ids = || value.split_whitespace().map(str::to_owned);
            match key.as_str() {
                "id" => form.ids.extend(ids()),
                "page" => form.page.extend(ids()),
                "action" => {
                    let known = Action::ALL.into_iter().find(|action| action.key() == value);
                    form.action = known.unwrap_or_default();
                }
                "clear_location" => form.clear_location = true,
                "step" => form.confirm = value == "confirm",
                "scope" => form.scope = value,
                "list" => form.list = value,
                "with" => form.with = value,
                "type" => form.kind = value,
                "category" => form.category = value,
                "location" => form.location = value,
                "add_tags" => form.add_tags = value,
                "remove_tags" => form.remove_tags = value,
                "importance" => form.importance = value,
                "source" => form.source = value,
                "reason" => form.reason = value,
                "seen" => form.seen = value,
                _ => {}
            }
        }
        form
    }

    /// What to set: an empty field leaves the property, `-` takes it back.
    fn patch(&self) -> Patch {
        let choice = |text: &str| match text {
            "" => None,
            "-" => Some(None),
            other => Some(Some(other.to_owned())),
        };
        let tags = |text: &str| {
            text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect()
        };
        let location = Some(self.location.trim().to_owned()).filter(|text| !text.is_empty());
        Patch {
            kind: choice(&self.kind),
            category: choice(&self.category),
            importance: choice(&self.importance),
            location: if self.clear_location { Some(None) } else { location.map(Some) },
            add_tags: tags(&self.add_tags),
            remove_tags: tags(&self.remove_tags),
            ..Patch::default()
        }
    }

    fn bulk(&self) -> Bulk {
        let ids = self.ids.clone();
        Bulk::Edits(Box::new(match self.action {
            Action::Merge => return Bulk::Merge { ids },
            Action::Delete => Edits { ids, delete: true, ..Edits::default() },
            Action::Restore => Edits { ids, restore: true, ..Edits::default() },
            Action::Manage => Edits { ids, managed_by: Some(self.source()), ..Edits::default() },
            Action::Edit | Action::Split => Edits { ids, set: self.patch(), ..Edits::default() },
        }))
    }

    fn source(&self) -> String {
        let source = self.source.trim();
        if source.is_empty() { BY_HAND } else { source }.to_owned()
    }

    /// Whether there is something to preview: an edit must set something.
    fn is_complete(&self) -> bool {
        self.action != Action::Edit || self.patch() != Patch::default()
    }

    /// The ids as one field, which lets a form carry a thousand.
    fn joined(&self) -> String {
        self.ids.join(" ")
    }

    /// The fields that a confirmation repeats.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let clear = if self.clear_location { "yes" } else { "" };
        let all = [
            ("action", self.action.key()),
            ("list", &*self.list),
            ("type", &*self.kind),
            ("category", &*self.category),
            ("location", &*self.location),
            ("clear_location", clear),
            ("add_tags", &*self.add_tags),
            ("remove_tags", &*self.remove_tags),
            ("importance", &*self.importance),
            ("source", &*self.source),
        ];
        let given = all.into_iter().filter(|(_, value)| !value.is_empty());
        given.map(|(key, value)| (key, value.to_owned())).collect()
    }
}

#[derive(Template)]
#[template(path = "bulk.html")]
struct BulkPage {
    frame: Frame,
    form: BulkForm,
    preview: Option<Preview>,
    refused: Option<Problem>,
    back: String,
}

/// What a change would do.
struct Preview {
    effect: String,
    tag: String,
    /// Whether anything changes.
    alters: bool,
    rows: Vec<PreviewRow>,
    more: usize,
}

struct PreviewRow {
    before: DeviceEntry,
    after: Option<DeviceEntry>,
}

impl Preview {
    fn new(tried: BulkAnswer) -> Self {
        let BulkAnswer { answer, before, tag } = tried;
        let mut after: HashMap<String, DeviceEntry> =
            answer.devices.into_iter().map(|device| (device.id.clone(), device)).collect();
        let more = before.len().saturating_sub(SHOWN);
        let row = |before: DeviceEntry| PreviewRow { after: after.remove(&before.id), before };
        let rows = before.into_iter().take(SHOWN).map(row).collect();
        let (effect, alters) = (show::effect(answer.count), answer.change.is_some());
        Self { effect, tag, alters, rows, more }
    }
}

impl PreviewRow {
    /// What a device is and whether it counts, and what people said about it.
    fn words(device: &DeviceEntry) -> String {
        let mut text = format!(
            "{} · {} · {}",
            device.kind.replace('_', " "),
            device.category.title(),
            device.verdict.id()
        );
        // Writing to memory does not fail.
        if let Some(location) = &device.location {
            write!(text, " · {location}").ok();
        }
        if let Some(importance) = device.importance {
            write!(text, " · {}", importance.key()).ok();
        }
        for tag in &device.tags {
            write!(text, " #{tag}").ok();
        }
        text
    }
}

/// A change of which a page tells, with a way to undo it.
pub(super) struct Banner {
    pub(super) change: Option<ChangeSet>,
    pub(super) effect: String,
    /// Where the form sends the undo.
    pub(super) action: String,
    /// The list to return to.
    pub(super) list: String,
    /// The device to return to instead.
    pub(super) device: String,
    pub(super) may_undo: bool,
}

impl Banner {
    /// The banner of a change; none for a change that does not exist. Zero tells that nothing had to change.
    pub(super) async fn new(
        app: &App,
        may: &May<View>,
        number: u64,
        frame: &Frame,
        list: &str,
    ) -> Result<Option<Self>, Refusal> {
        let change = match number {
            0 => None,
            number => match changes::set(app, may, number).await {
                Err(Refusal::Store(StoreError::NotFound { .. })) => return Ok(None),
                found => Some(found?),
            },
        };
        Ok(Some(Self {
            effect: change.as_ref().map(|change| show::effect(change.count)).unwrap_or_default(),
            action: format!("{}/devices/undo", frame.base()),
            list: list.to_owned(),
            device: String::new(),
            may_undo: frame.may(crate::plan::permission::Action::EditDevices),
            change,
        }))
    }
}

/// Sends a person who reloads the answer to a form back to the list.
pub(super) async fn back(Path(sid): Path<SubscriptionId>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/devices"))
}

/// Shows the form for the chosen devices, previews a change, or makes it.
pub(super) async fn change(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let mut form = BulkForm::read(fields);
    let base = format!("/subscriptions/{}/devices", may.id());
    let list = ListQuery::read(&form.list).unwrap_or_default();
    if let Err(refused) = freeze(&app, &may.view(), &mut form, &list).await {
        form.ids.clear();
        return Ok(page(&may, form, None, Some(refused.into()), &list));
    }
    if let (Action::Split, [id]) = (form.action, form.ids.as_slice()) {
        return Ok(Redirect::to(&format!("{base}/{id}#split")).into_response());
    }
    if form.action == Action::Split {
        let advice = "choose one device to split, and then its couplings";
        return Ok(page(&may, form, None, Some(Refusal::invalid(advice).into()), &list));
    }
    if !form.is_complete() {
        return Ok(page(&may, form, None, None, &list));
    }
    let mut refused = None;
    if form.confirm {
        let by = with_reason(may.clone(), &form.reason);
        let seen = Expected::Tags(form.seen.clone());
        match devices::change_many(&app, &by, form.bulk(), seen).await {
            Ok(made) => {
                let number = made.answer.change.map_or(0, |change| change.number);
                return Ok(Redirect::to(&with_change(&list, &base, number)).into_response());
            }
            Err(error) => refused = Some(Problem::from(error)),
        }
    }
    let mut tried = may.clone();
    tried.by.dry_run = true;
    match devices::change_many(&app, &tried, form.bulk(), Expected::Any).await {
        Ok(tried) => Ok(page(&may, form, Some(Preview::new(tried)), refused, &list)),
        Err(error) => Ok(page(&may, form, None, refused.or_else(|| Some(error.into())), &list)),
    }
}

/// The list, with the change of which it tells.
fn with_change(list: &ListQuery, base: &str, change: u64) -> String {
    let link = list.link(base, &list.filter.whole());
    format!("{link}{}changed={change}", if link.contains('?') { '&' } else { '?' })
}

/// Turns the choice into a set of ids, which the form carries from now on.
async fn freeze(app: &App, may: &May<View>, form: &mut BulkForm, list: &ListQuery) -> Result<(), Refusal> {
    match std::mem::take(&mut form.scope).as_str() {
        "page" => form.ids = std::mem::take(&mut form.page),
        "all" => {
            let matching = devices::matching(app, may, &list.filter.whole()).await?;
            if matching.len() > DEVICES {
                return Err(StoreError::from(ChangeRefusal::TooManyDevices(matching.len())).into());
            }
            form.ids = matching.iter().map(|device| device.id).collect();
        }
        _ => {}
    }
    for word in form.with.split([',', ' ', '\n']).map(str::trim).filter(|word| !word.is_empty()) {
        let ids = match word.parse::<Subject>() {
            Ok(subject) if word.parse::<DeviceId>().is_err() => {
                let found = devices::find(app, may, subject, None).await?;
                found.into_iter().map(|device| device.id).collect()
            }
            _ => vec![word.to_owned()],
        };
        let [id] = <[String; 1]>::try_from(ids).map_err(|ids| {
            let word: String = word.chars().take(60).collect();
            Refusal::invalid(format!(
                "{} devices have {word}; name one device by an address, a MAC or an id that it alone has",
                ids.len()
            ))
        })?;
        form.ids.push(id);
    }
    form.with.clear();
    if form.ids.is_empty() {
        return Err(Refusal::invalid("no device is chosen; tick rows, or take the page or the whole list"));
    }
    Ok(())
}

fn page(
    may: &May<EditDevices>,
    form: BulkForm,
    preview: Option<Preview>,
    refused: Option<Problem>,
    list: &ListQuery,
) -> Response {
    let frame = Frame::new(&may.view(), "devices", "Change devices");
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let back = list.link(&format!("{}/devices", frame.base()), &list.filter.whole());
    render_with(status, &BulkPage { frame, form, preview, refused, back })
}

/// The form of a banner.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UndoForm {
    change: u64,
    list: String,
    device: String,
}

/// Undoes a change, and leads back to where its banner was.
pub(super) async fn undo(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Form(form): Form<UndoForm>,
) -> Result<Response, PageError> {
    let done = changes::undo(&app, &may, form.change).await?;
    let number = done.change.map_or(0, |change| change.number);
    let base = format!("/subscriptions/{}/devices", may.id());
    let is_id = form.device.parse::<DeviceId>().is_ok();
    let to = if is_id {
        format!("{base}/{}?changed={number}", form.device)
    } else {
        with_change(&ListQuery::read(&form.list).unwrap_or_default(), &base, number)
    };
    Ok(Redirect::to(&to).into_response())
}
