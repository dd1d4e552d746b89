//! Changes of many alerts, undoing changes, and mute rules.
//!
//! A preview freezes the selection: its form carries the ids and the tag of the decisions that the person saw. So the change
//! touches these alerts and no others, and only if nobody decided about them since.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::alerts::{VerdictForm, end_of_day, known, page};
use super::page::{Form, Frame, PageError, Visitor, denial, render, render_with};
use super::show;
use crate::plan::app::alert_changes::{
    self, AlertChangeAnswer, AlertChanges, AlertChangesQuery, AlertVerdict, ManyAlertsVerdict,
};
use crate::plan::app::mutes::{self, MuteAnswer, MuteList, NewMute};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::{Path, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::mute::MuteFilter;
use crate::plan::permission::{Action, UpdateFindings, View};
use crate::plan::store::Expected;
use crate::security::Severity;

/// Alerts that a preview lists, and changes on the page.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "alert_bulk.html")]
struct BulkPage {
    frame: Frame,
    form: VerdictForm,
    ids: String,
    seen: String,
    answer: AlertChangeAnswer,
    refused: Option<Problem>,
}

impl BulkPage {
    fn number(&self) -> u64 {
        self.answer.altered.len() as u64
    }
}

#[derive(Template)]
#[template(path = "alert_changes.html")]
struct ChangesPage {
    frame: Frame,
    list: AlertChanges,
    refused: Option<Problem>,
    denial: String,
}

#[derive(Template)]
#[template(path = "mutes.html")]
struct MutesPage {
    frame: Frame,
    list: MuteList,
    form: MuteForm,
    preview: Option<MuteAnswer>,
    refused: Option<Problem>,
    denial: String,
}

/// The form of a change of many alerts.
#[derive(Clone, Debug, Default)]
struct BulkForm {
    ids: Vec<String>,
    seen: String,
    confirm: bool,
    verdict: VerdictForm,
}

impl BulkForm {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (key, value) in fields {
            match key.as_str() {
                "id" => form.ids.extend(value.split_whitespace().map(str::to_owned)),
                "seen" => form.seen = value,
                "step" => form.confirm = value == "confirm",
                "state" => form.verdict.state = value,
                "reason" => form.verdict.reason = value,
                "until" => form.verdict.until = value,
                "note" => form.verdict.note = value,
                "assignee" => form.verdict.assignee = value,
                "scope" => form.verdict.scope = value,
                "shown" => form.verdict.shown = value,
                _ => {}
            }
        }
        form
    }
}

/// A mute rule as the form has it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MuteForm {
    rule: String,
    severity: String,
    zone: String,
    device: String,
    category: String,
    vendor: String,
    #[serde(rename = "type")]
    kind: String,
    object: String,
    technique: String,
    reason: String,
    until: String,
    step: String,
}

impl MuteForm {
    /// The fields of text, each with its name and its label.
    fn fields(&self) -> [(&'static str, &'static str, &str); 8] {
        [
            ("rule", "Rule, such as A-SCAN-P", &self.rule),
            ("zone", "Zone", &self.zone),
            ("device", "Device: its address, MAC or id", &self.device),
            ("category", "Category: network, iot, computer_mobile", &self.category),
            ("vendor", "Vendor (* for any characters)", &self.vendor),
            ("type", "Type (* for any characters)", &self.kind),
            ("object", "Object (* for any characters)", &self.object),
            ("technique", "ATT&CK technique, such as T1046", &self.technique),
        ]
    }

    fn new_mute(&self) -> Result<NewMute, Refusal> {
        let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let filter = MuteFilter {
            rule: text(&self.rule),
            severity: Severity::from_key(&self.severity),
            zone: text(&self.zone),
            device: text(&self.device),
            category: text(&self.category),
            vendor: text(&self.vendor),
            kind: text(&self.kind),
            object: text(&self.object),
            technique: text(&self.technique),
        };
        let until = end_of_day(&self.until)?.ok_or_else(|| Refusal::invalid("a mute rule needs an end"))?;
        Ok(NewMute { filter, reason: self.reason.clone(), until })
    }
}

/// Answers a reload of the answer to the form of many alerts.
pub(super) async fn back(Path(sid): Path<String>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/alerts"))
}

/// Previews or makes a change of many alerts.
pub(super) async fn change(
    State(app): State<App>,
    Visitor(may): Visitor<May<UpdateFindings>>,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, PageError> {
    let form = BulkForm::read(fields);
    let shown = known(&form.verdict.shown);
    let decide = match form.verdict.verdict() {
        // Of many, those who work on them stay unless somebody is named.
        Ok(decide) => AlertVerdict { assignee: decide.assignee.filter(|name| !name.is_empty()), ..decide },
        Err(refused) => return page(&app, &may.view(), (shown, ""), Some(refused.into())).await,
    };
    let verdict = ManyAlertsVerdict { alerts: form.ids.clone(), decide };
    let mut refused = None;
    if form.confirm {
        let expected = Expected::Tags(form.seen.clone());
        match alert_changes::decide_many(&app, &may, &verdict, expected).await {
            Ok(_) => {
                let to = format!("/subscriptions/{}/alerts/changes", may.id());
                return Ok(Redirect::to(&to).into_response());
            }
            Err(error) => refused = Some(Problem::from(error)),
        }
    }
    let mut tried = may.clone();
    tried.by.dry_run = true;
    let (answer, seen) = match alert_changes::decide_many(&app, &tried, &verdict, Expected::Any).await {
        Ok(tried) => tried,
        Err(error) => return page(&app, &may.view(), (shown, ""), Some(error.into())).await,
    };
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let frame = Frame::new(&may.view(), "alerts", "Change alerts");
    let (ids, form) = (form.ids.join(" "), form.verdict);
    Ok(render_with(status, &BulkPage { frame, form, ids, seen, answer, refused }))
}

/// The changes of alerts.
pub(super) async fn changes(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    changes_page(&app, &may, None).await
}

/// Answers a reload of the answer to an undo.
pub(super) async fn back_to_changes(Path((sid, _)): Path<(String, String)>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/alerts/changes"))
}

/// Undoes a change of alerts.
pub(super) async fn undo(
    State(app): State<App>,
    Visitor(may): Visitor<May<UpdateFindings>>,
    Segment(number): Segment<u64>,
) -> Result<Response, PageError> {
    match alert_changes::undo(&app, &may, number).await {
        Ok(_) => Ok(Redirect::to(&format!("/subscriptions/{}/alerts/changes", may.id())).into_response()),
        Err(refused) => changes_page(&app, &may.view(), Some(refused.into())).await,
    }
}

async fn changes_page(app: &App, may: &May<View>, refused: Option<Problem>) -> Result<Response, PageError> {
    let query = AlertChangesQuery { before: None, limit: Some(SHOWN) };
    let list = alert_changes::list(app, may, query).await?;
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let (frame, denial) = (Frame::new(may, "alerts", "Changes of alerts"), denial(Action::UpdateFindings));
    Ok(render_with(status, &ChangesPage { frame, list, refused, denial }))
}

/// The mute rules.
pub(super) async fn mute_rules(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    mutes_page(&app, &may, MuteForm::default(), None, None).await
}

/// Previews or makes a mute rule.
pub(super) async fn mute(
    State(app): State<App>,
    Visitor(may): Visitor<May<UpdateFindings>>,
    Form(form): Form<MuteForm>,
) -> Result<Response, PageError> {
    let mut tried = may.clone();
    tried.by.dry_run = form.step != "confirm";
    let done = match form.new_mute() {
        Ok(new) => mutes::make(&app, &tried, new).await,
        Err(refused) => Err(refused),
    };
    match done {
        Ok(_) if !tried.by.dry_run => {
            Ok(Redirect::to(&format!("/subscriptions/{}/mutes", may.id())).into_response())
        }
        Ok(preview) => mutes_page(&app, &may.view(), form, Some(preview), None).await,
        Err(refused) => mutes_page(&app, &may.view(), form, None, Some(refused.into())).await,
    }
}

/// Answers a reload of the answer to the end of a mute rule.
pub(super) async fn back_to_mutes(Path((sid, _)): Path<(String, String)>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/mutes"))
}

/// Ends a mute rule.
pub(super) async fn unmute(
    State(app): State<App>,
    Visitor(may): Visitor<May<UpdateFindings>>,
    Segment(number): Segment<u64>,
) -> Result<Response, PageError> {
    match mutes::end(&app, &may, number).await {
        Ok(_) => Ok(Redirect::to(&format!("/subscriptions/{}/mutes", may.id())).into_response()),
        Err(refused) => mutes_page(&app, &may.view(), MuteForm::default(), None, Some(refused.into())).await,
    }
}

async fn mutes_page(
    app: &App,
    may: &May<View>,
    form: MuteForm,
    preview: Option<MuteAnswer>,
    refused: Option<Problem>,
) -> Result<Response, PageError> {
    let list = mutes::list(app, may).await?;
    let (frame, denial) = (Frame::new(may, "alerts", "Mute rules"), denial(Action::UpdateFindings));
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let page = MutesPage { frame, list, form, preview, refused, denial };
    Ok(if status == StatusCode::OK { render(&page) } else { render_with(status, &page) })
}
