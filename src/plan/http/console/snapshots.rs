//! The snapshots: sealed days, and the page of one with its numbers, a check in place and its files.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Frame, PageError, Parameters, Visitor, denial, render, render_with};
use super::show;
use crate::billing::statement::Month;
use crate::census::Verdict;
use crate::plan::app::snapshots::{self, SnapshotEntry};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::extract::{Path, Segment};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{Action, EditDevices, View};
use crate::proof::Day;
use crate::proof::verify::{BundleReport, VerifyError};

/// Snapshots on a page.
const PAGE: i64 = 62;

#[derive(Template)]
#[template(path = "snapshots.html")]
struct ListPage {
    frame: Frame,
    snapshots: Vec<SnapshotEntry>,
    before: Option<i64>,
    next: Option<u64>,
    /// The months of the listed days, the newest first.
    months: Vec<Month>,
}

#[derive(Template)]
#[template(path = "snapshot.html")]
struct Page {
    frame: Frame,
    entry: SnapshotEntry,
    /// The newest revision of the day.
    newest: u64,
    exclusions: Vec<(&'static str, &'static str, u64)>,
    checked: Option<Result<BundleReport, VerifyError>>,
    /// Whether the day was sealed just now; no if it counts as before.
    sealed: Option<bool>,
    refused: Option<Problem>,
    denial: String,
}

impl Page {
    fn may_seal(&self) -> bool {
        self.frame.may(Action::EditDevices)
    }

    fn month(&self) -> Month {
        Month::of(self.entry.header.day.start())
    }
}

/// Which snapshots.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Before {
    before: Option<i64>,
}

/// Which revision; `sealed` tells what a request to seal did.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    revision: Option<i64>,
    sealed: Option<u8>,
}

/// The list.
pub(super) async fn list(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(Before { before }): Parameters<Before>,
) -> Result<Response, PageError> {
    let found = snapshots::page(&app, &may, before, Some(PAGE)).await?;
    let mut months: Vec<Month> = found.snapshots.iter().map(|s| Month::of(s.header.day.start())).collect();
    months.sort_unstable();
    months.dedup();
    months.reverse();
    let frame = Frame::new(&may, "snapshots", "Snapshots");
    Ok(render(&ListPage { frame, snapshots: found.snapshots, before, next: found.next, months }))
}

/// The snapshot of a day.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Segment(day): Segment<Day>,
    Parameters(Asked { revision, sealed }): Parameters<Asked>,
) -> Result<Response, PageError> {
    page(&app, &may, day, revision, Outcome { sealed: sealed.map(|n| n > 0), ..Outcome::default() }).await
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path((sid, day)): Path<(String, String)>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/snapshots/{day}"))
}

/// Checks the newest snapshot of a day.
pub(super) async fn verify(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Segment(day): Segment<Day>,
) -> Result<Response, PageError> {
    let checked = Some(snapshots::check(&app, &may, day).await?);
    page(&app, &may, day, None, Outcome { checked, ..Outcome::default() }).await
}

/// Seals a day, or makes a new revision of it.
pub(super) async fn seal(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Segment(day): Segment<Day>,
) -> Result<Response, PageError> {
    match snapshots::seal(&app, &may, day).await {
        Ok(done) => {
            let sealed = u8::from(done.sealed);
            let to = format!("/subscriptions/{}/snapshots/{day}?sealed={sealed}", may.id());
            Ok(Redirect::to(&to).into_response())
        }
        Err(refused) => {
            let refused = Some(refused);
            page(&app, &may.view(), day, None, Outcome { refused, ..Outcome::default() }).await
        }
    }
}

/// What a form led to.
#[derive(Default)]
struct Outcome {
    checked: Option<Result<BundleReport, VerifyError>>,
    sealed: Option<bool>,
    refused: Option<Refusal>,
}

async fn page(
    app: &App,
    may: &May<View>,
    day: Day,
    revision: Option<i64>,
    outcome: Outcome,
) -> Result<Response, PageError> {
    let newest = snapshots::show(app, may, day, None).await?;
    let number = newest.header.revision;
    let entry = match revision {
        Some(revision) => snapshots::show(app, may, day, Some(revision)).await?,
        None => newest,
    };
    let excluded = &entry.header.census.excluded;
    let of = |v: Verdict| Some((v.id(), v.title(), *excluded.get(v.id())?));
    let exclusions = Verdict::ALL.into_iter().filter_map(of).collect();
    let refused = outcome.refused.map(Problem::from);
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let page = Page {
        frame: Frame::new(may, "snapshots", &format!("Snapshot of {day}")),
        entry,
        newest: number,
        exclusions,
        checked: outcome.checked,
        sealed: outcome.sealed,
        refused,
        denial: denial(Action::EditDevices),
    };
    Ok(render_with(status, &page))
}
