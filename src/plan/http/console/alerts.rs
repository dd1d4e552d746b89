//! The pages of alerts and recommendations.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Parameters, Visitor, denial, render, render_with};
use super::show;
use crate::plan::alert_life::{AlertState, CloseReason, DecisionScope};
use crate::plan::app::alert_changes::{self, AlertVerdict};
use crate::plan::app::alert_record::{self, AlertHistory, LedgerPage, LedgerQuery, WithdrawnList};
use crate::plan::app::alerts::{self, AlertFilter, AlertList, RecommendationList};
use crate::plan::app::{App, May, Refusal};
use crate::plan::finding_ledger::NOTE;
use crate::plan::http::extract::{Path, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, UpdateFindings, View};
use crate::plan::store::Expected;
use crate::security::Ruleset;

/// The most alerts on the page.
const ALERTS: usize = 100;
/// The most proofs of one alert on the page.
const PROOFS: usize = 3;
/// The most devices of one recommendation on the page.
const DEVICES: usize = 50;
/// The most withdrawn alerts, and lines of the ledger, on a page.
const LINES: usize = 100;
const TABS: &[(&str, &str)] = &[
    ("open", "Open"),
    ("active", "Active"),
    ("reopened", "Reopened"),
    ("muted", "Muted"),
    ("resolved", "Resolved"),
    ("closed", "Closed"),
    ("accepted", "Accepted"),
    ("all", "All"),
];

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    frame: Frame,
    list: AlertList,
    state: String,
    rules: Arc<Ruleset>,
    refused: Option<Problem>,
    denial: String,
}

impl AlertsPage {
    fn may_update(&self) -> bool {
        self.frame.may(Action::UpdateFindings)
    }
}

#[derive(Template)]
#[template(path = "alert_history.html")]
struct HistoryPage {
    frame: Frame,
    history: AlertHistory,
}

#[derive(Template)]
#[template(path = "alert_ledger.html")]
struct LedgerTemplate {
    frame: Frame,
    withdrawn: WithdrawnList,
    page: LedgerPage,
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "recommendations.html")]
struct RecommendationsPage {
    frame: Frame,
    list: RecommendationList,
}

/// Which alerts the page shows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Selection {
    state: String,
    /// The id of a device.
    device: String,
}

/// What a person decides, and which alerts the page showed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VerdictForm {
    pub(super) state: String,
    pub(super) reason: String,
    pub(super) until: String,
    pub(super) note: String,
    /// Who works on it; of the form of many alerts, empty for those who did before.
    pub(super) assignee: String,
    /// `object`, if the object is accepted.
    pub(super) scope: String,
    pub(super) shown: String,
}

impl VerdictForm {
    /// What the person decides. A reason or an end that does not fit the state is left out: the form shows both.
    pub(super) fn verdict(&self) -> Result<AlertVerdict, Refusal> {
        let state = AlertState::from_key(&self.state).unwrap_or_default();
        let reason = CloseReason::from_key(&self.reason).filter(|_| state == AlertState::Closed);
        let until = match state {
            AlertState::Accepted => end_of_day(&self.until)?,
            _ => None,
        };
        let is_object = self.scope == "object" && state == AlertState::Accepted;
        let scope = if is_object { DecisionScope::Object } else { DecisionScope::Alert };
        let (state, note) = (Some(state), Some(self.note.clone()));
        Ok(AlertVerdict {
            state,
            reason,
            until,
            note,
            assignee: Some(self.assignee.trim().to_owned()),
            scope,
        })
    }
}

/// The end of a UTC day, as a field for a date gives it; `None` for an empty field.
pub(super) fn end_of_day(text: &str) -> Result<Option<crate::census::Timestamp>, Refusal> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let day: crate::proof::Day = text.parse().map_err(|_| Refusal::invalid("write a day as 2026-11-22"))?;
    Ok(Some(day.end()))
}

/// Where a page of the ledger begins.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    before: Option<u64>,
}

/// The page of alerts.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(Selection { state, device }): Parameters<Selection>,
) -> Result<Response, PageError> {
    page(&app, &may, (&state, &device), None).await
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path((sid, _)): Path<(String, String)>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/alerts"))
}

/// Decides about an alert.
pub(super) async fn decide(
    State(app): State<App>,
    Visitor(may): Visitor<May<UpdateFindings>>,
    Segment(id): Segment<String>,
    Form(form): Form<VerdictForm>,
) -> Result<Response, PageError> {
    let done = match form.verdict() {
        Ok(verdict) => alert_changes::decide(&app, &may, &id, verdict, Expected::Any).await,
        Err(refused) => Err(refused),
    };
    match done {
        Ok(_) => {
            let shown = known(&form.shown);
            Ok(Redirect::to(&format!("/subscriptions/{}/alerts?state={shown}", may.id())).into_response())
        }
        Err(refused) => page(&app, &may.view(), (&form.shown, ""), Some(refused.into())).await,
    }
}

/// The history of an alert.
pub(super) async fn history(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Segment(id): Segment<String>,
) -> Result<Response, PageError> {
    let history = alert_record::history(&app, &may, &id).await?;
    Ok(render(&HistoryPage { frame: Frame::new(&may, "alerts", "History of an alert"), history }))
}

/// What was shown, told and withdrawn.
pub(super) async fn ledger(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(Before { before }): Parameters<Before>,
) -> Result<Response, PageError> {
    let withdrawn = alert_record::withdrawn(&app, &may).await?;
    let page = alert_record::ledger(&app, &may, LedgerQuery { before, limit: Some(LINES) }).await?;
    let frame = Frame::new(&may, "alerts", "Ledger of alerts");
    Ok(render(&LedgerTemplate { frame, withdrawn, page, before }))
}

/// The key of a tab; that of the first for what is none.
pub(super) fn known(state: &str) -> &'static str {
    TABS.iter().map(|(key, _)| *key).find(|key| *key == state).unwrap_or("open")
}

pub(super) async fn page(
    app: &App,
    may: &May<View>,
    (state, device): (&str, &str),
    refused: Option<Problem>,
) -> Result<Response, PageError> {
    let state = known(state);
    let filter = AlertFilter {
        state: AlertState::from_key(state),
        all: state == "all",
        device: (!device.is_empty()).then(|| device.to_owned()),
        ..AlertFilter::default()
    };
    let list = alerts::list(app, may, &filter).await?;
    let rules = app.alert_rules()?;
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let frame = Frame::new(may, "alerts", "Alerts");
    let denial = denial(Action::UpdateFindings);
    let state = state.to_owned();
    Ok(render_with(status, &AlertsPage { frame, list, state, rules, refused, denial }))
}

/// The page of recommendations.
pub(super) async fn recommendations(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    let list = alerts::recommendations(&app, &may).await?;
    Ok(render(&RecommendationsPage { frame: Frame::new(&may, "recommendations", "Recommendations"), list }))
}
