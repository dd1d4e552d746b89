//! What people changed of the inventory: the list, one change with what it altered, and undoing it.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::devices::with_reason;
use super::page::{Form, Frame, PageError, Parameters, Visitor, denial, render, render_with};
use super::show;
use crate::change::{AlterationEntry, ChangeSet, DecisionEntry};
use crate::plan::app::changes::{self, AlterationsQuery, ChangeDetail, ChangesQuery};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::{Path, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, EditDevices, View};
use crate::plan::store::audit::REASON;

/// Changes on a page.
const PAGE: usize = 50;
/// Alterations on a page.
const ALTERATIONS: usize = 100;

#[derive(Template)]
#[template(path = "changes.html")]
struct ListPage {
    frame: Frame,
    changes: Vec<ChangeSet>,
    before: Option<u64>,
    next: Option<u64>,
}

#[derive(Template)]
#[template(path = "change.html")]
struct Page {
    frame: Frame,
    detail: ChangeDetail,
    after: Option<u64>,
    /// The change that was just made by undoing this one, or made it.
    done: bool,
    refused: Option<Problem>,
    denial: String,
}

impl Page {
    fn may_edit(&self) -> bool {
        self.frame.may(Action::EditDevices)
    }
}

/// Which changes.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    before: Option<u64>,
}

/// Which alterations; `done` marks the page that follows a change.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct After {
    after: Option<u64>,
    done: Option<u8>,
}

/// Why a change is undone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UndoForm {
    reason: String,
}

/// The list.
pub(super) async fn list(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(Before { before }): Parameters<Before>,
) -> Result<Response, PageError> {
    let found = changes::list(&app, &may, ChangesQuery { before, limit: Some(PAGE) }).await?;
    let frame = Frame::new(&may, "changes", "Changes");
    Ok(render(&ListPage { frame, changes: found.changes, before, next: found.next }))
}

/// One change.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Segment(number): Segment<u64>,
    Parameters(After { after, done }): Parameters<After>,
) -> Result<Response, PageError> {
    page(&app, &may, number, after, done.is_some(), None).await
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path((sid, number)): Path<(String, u64)>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/changes/{number}"))
}

/// Undoes a change.
pub(super) async fn undo(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Segment(number): Segment<u64>,
    Form(form): Form<UndoForm>,
) -> Result<Response, PageError> {
    let may = with_reason(may, &form.reason);
    match changes::undo(&app, &may, number).await {
        Ok(answer) => {
            let made = answer.change.map_or(number, |set| set.number);
            let to = format!("/subscriptions/{}/changes/{made}?done=1", may.id());
            Ok(Redirect::to(&to).into_response())
        }
        Err(refused) => page(&app, &may.view(), number, None, false, Some(refused)).await,
    }
}

async fn page(
    app: &App,
    may: &May<View>,
    number: u64,
    after: Option<u64>,
    done: bool,
    refused: Option<Refusal>,
) -> Result<Response, PageError> {
    let query = AlterationsQuery { after, limit: Some(ALTERATIONS) };
    let detail = changes::show(app, may, number, query).await?;
    let refused = refused.map(Problem::from);
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let frame = Frame::new(may, "changes", &format!("Change {number}"));
    let denial = denial(Action::EditDevices);
    Ok(render_with(status, &Page { frame, detail, after, done, refused, denial }))
}

/// The object of a decision in words.
fn object(entry: &AlterationEntry) -> String {
    let object = &entry.object;
    let coupling = object.coupling.as_deref().unwrap_or_default();
    match object.kind {
        "property" => format!("{} of {coupling}", object.property.unwrap_or_default()),
        "merge" => format!("{coupling} merged with {}", object.with.as_deref().unwrap_or_default()),
        "managed" => format!(
            "{} of {}",
            object.external_id.as_deref().unwrap_or_default(),
            object.source.as_deref().unwrap_or_default()
        ),
        "zone" => format!("the zone of the label {}", object.zone.as_deref().unwrap_or_default()),
        kind => format!("{kind} of {coupling}"),
    }
}

/// A decision in words.
fn decision(entry: Option<&DecisionEntry>) -> String {
    let Some(entry) = entry else { return "–".to_owned() };
    let text = match &entry.value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(all) => {
            let words: Vec<&str> = all.iter().filter_map(|v| v.as_str()).collect();
            words.join(", ")
        }
        serde_json::Value::Bool(_) => "yes".to_owned(),
        _ => String::new(),
    };
    match (text.is_empty(), entry.from, entry.to) {
        (false, ..) => text,
        (true, Some(from), Some(to)) => format!("from {} to {}", show::instant(from), show::instant(to)),
        (true, Some(from), None) => format!("from {}", show::instant(from)),
        (true, None, _) => "yes".to_owned(),
    }
}
