//! The pages of alerts and recommendations.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Parameters, Visitor, denial, render, render_with};
use super::show;
use crate::plan::app::alerts::{self, AlertFilter, AlertList, RecommendationList};
use crate::plan::app::{App, May};
use crate::plan::finding_ledger::NOTE;
use crate::plan::http::extract::{Path, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, UpdateFindings, View};
use crate::plan::store::AlertState;
use crate::security::Ruleset;

/// The most alerts on the page.
const ALERTS: usize = 100;
/// The most proofs of one alert on the page.
const PROOFS: usize = 3;
/// The most devices of one recommendation on the page.
const DEVICES: usize = 50;
const TABS: &[(&str, &str)] =
    &[("open", "Open"), ("active", "Active"), ("closed", "Closed"), ("accepted", "Accepted"), ("all", "All")];

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
    state: String,
    note: String,
    shown: String,
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
    Form(VerdictForm { state, note, shown }): Form<VerdictForm>,
) -> Result<Response, PageError> {
    let state = AlertState::from_key(&state).unwrap_or_default();
    match alerts::decide(&app, &may, &id, state, Some(&note)).await {
        Ok(_) => {
            let shown = known(&shown);
            Ok(Redirect::to(&format!("/subscriptions/{}/alerts?state={shown}", may.id())).into_response())
        }
        Err(refused) => page(&app, &may.view(), (&shown, ""), Some(refused.into())).await,
    }
}

/// The key of a tab; that of the first for what is none.
fn known(state: &str) -> &'static str {
    TABS.iter().map(|(key, _)| *key).find(|key| *key == state).unwrap_or("open")
}

async fn page(
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
