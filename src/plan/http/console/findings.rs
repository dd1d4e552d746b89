//! The page of findings: what a person should check, the next step, and closing it.

use std::net::IpAddr;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::device_list::query_string;
use super::page::{AsOf, Form, Frame, PageError, Parameters, Visitor, denial, render_with};
use super::show;
use super::travel::Here;
use crate::census::{FindingKind, Timestamp, Verdict};
use crate::listing::Filter;
use crate::plan::app::findings::{self, FindingFilter, FindingList};
use crate::plan::app::{App, May, Refusal};
use crate::plan::finding_ledger::{FindingRecord, NOTE, StateFilter};
use crate::plan::http::extract::{Path, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, UpdateFindings, View};

/// The most findings on the page.
const FINDINGS: usize = 200;
/// The most subjects of one finding on a page.
const SUBJECTS: usize = 5;

#[derive(Template)]
#[template(path = "findings.html")]
struct Page {
    frame: Frame,
    list: FindingList,
    /// The first [`FINDINGS`].
    findings: Vec<Shown>,
    state: StateFilter,
    refused: Option<Problem>,
    denial: String,
}

impl Page {
    fn may_update(&self) -> bool {
        self.frame.may(Action::UpdateFindings)
    }
}

/// A finding as pages show it.
pub(super) struct Shown {
    pub(super) record: FindingRecord,
    pub(super) links: Vec<Link>,
}

/// A link to the devices of a finding.
pub(super) struct Link {
    pub(super) text: String,
    /// Below the subscription's pages.
    pub(super) path: String,
}

impl From<&FindingRecord> for Shown {
    fn from(record: &FindingRecord) -> Self {
        let finding = &record.finding;
        let page = |text: String| Link { path: format!("/explain?subject={text}"), text };
        let links = if finding.kind == FindingKind::NewcomersHeld {
            let filter = Filter {
                verdict: Some(Verdict::Tentative.id().to_owned()),
                zone: Some(finding.zone.clone()),
                ..Filter::default()
            };
            vec![Link { text: "devices held".to_owned(), path: query_string("/devices", &filter) }]
        } else {
            let addresses = finding.subjects.addresses.iter().map(IpAddr::to_string);
            let macs = finding.subjects.macs.iter().map(ToString::to_string);
            addresses.chain(macs).take(SUBJECTS).map(page).collect()
        };
        Self { record: record.clone(), links }
    }
}

impl Shown {
    /// What happened to it since it was found.
    fn steps(&self) -> Vec<String> {
        let FindingRecord { gone_since, closed_at, closed_by, reopened_at, reopened_by, .. } = &self.record;
        let gone = gone_since.filter(|_| self.record.is_open());
        let gone = gone.map(|at| format!("no longer seen since {}", show::instant(at)));
        let step = |at: &Option<Timestamp>, by: &Option<String>, alone: &str, done: &str| {
            let (at, by) = (show::instant(at.as_ref()?), by.as_deref()?);
            Some(match by {
                "service" => format!("{alone} at {at}"),
                by => format!("{done} by {} at {at}", by.strip_prefix("person:").unwrap_or(by)),
            })
        };
        let closed = step(closed_at, closed_by, "closed by itself", "closed");
        let reopened = step(reopened_at, reopened_by, "reopened, as it was seen again,", "reopened");
        [closed, reopened, gone].into_iter().flatten().collect()
    }
}

/// Which findings the page shows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Selection {
    state: StateFilter,
    #[serde(flatten)]
    as_of: AsOf,
}

/// A note, and which findings the page showed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NoteForm {
    note: String,
    state: StateFilter,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    here: Here,
    Parameters(Selection { state, as_of }): Parameters<Selection>,
) -> Result<Response, PageError> {
    page(&app, &may, state, (as_of.instant()?, here), None).await
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path((sid, _)): Path<(String, String)>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/findings"))
}

/// Closes a finding.
pub(super) async fn close(
    State(app): State<App>,
    Visitor(may): Visitor<May<UpdateFindings>>,
    Segment(id): Segment<String>,
    Form(form): Form<NoteForm>,
) -> Result<Response, PageError> {
    let outcome = findings::close(&app, &may, &id, Some(&form.note)).await;
    after(&app, &may.view(), form.state, outcome).await
}

/// Opens a closed finding again.
pub(super) async fn reopen(
    State(app): State<App>,
    Visitor(may): Visitor<May<UpdateFindings>>,
    Segment(id): Segment<String>,
    Form(form): Form<NoteForm>,
) -> Result<Response, PageError> {
    let outcome = findings::reopen(&app, &may, &id, Some(&form.note)).await;
    after(&app, &may.view(), form.state, outcome).await
}

async fn after(
    app: &App,
    may: &May<View>,
    state: StateFilter,
    outcome: Result<FindingRecord, Refusal>,
) -> Result<Response, PageError> {
    match outcome {
        Ok(_) => {
            let page = format!("/subscriptions/{}/findings?state={state}", may.id());
            Ok(Redirect::to(&page).into_response())
        }
        Err(refused) => {
            let here = Here::findings(&state.to_string());
            page(app, may, state, (None, here), Some(refused.into())).await
        }
    }
}

async fn page(
    app: &App,
    may: &May<View>,
    state: StateFilter,
    (as_of, here): (Option<Timestamp>, Here),
    refused: Option<Problem>,
) -> Result<Response, PageError> {
    let filter = FindingFilter { state, ..FindingFilter::default() };
    let list = findings::list(app, may, &filter, as_of).await?;
    let findings = list.findings.iter().take(FINDINGS).map(Shown::from).collect();
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let frame = Frame::new(may, "findings", "Findings").travelling(app, may, &here).await?;
    let denial = denial(Action::UpdateFindings);
    Ok(render_with(status, &Page { frame, list, findings, state, refused, denial }))
}
