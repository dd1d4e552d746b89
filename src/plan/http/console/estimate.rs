//! The estimate: a form for lists, the number with its arithmetic, and the outcome of each row. Stores nothing.

use askama::Template;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, post};

use super::page::{Frame, PageError, Visitor, render_with};
use super::show;
use crate::billing::forecast::Forecast;
use crate::estimate::{Estimate, Exclusion, RowOutcome, RowReport};
use crate::plan::app::estimates::{self, Asked};
use crate::plan::app::{App, May, aside, estimate_sheet};
use crate::plan::http::api::estimates::{BODY_BYTES, receive};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::Problem;
use crate::plan::permission::View;

/// Rows of each table on the page; the API and the command line give all.
const ROWS: usize = 200;

#[derive(Template)]
#[template(path = "estimate.html")]
struct Page {
    frame: Frame,
    estimate: Estimate,
    forecast: Forecast,
    refused: Option<Problem>,
    exclusions: Vec<(&'static str, &'static str, u64)>,
    unreadable: Vec<RowReport>,
    others: Vec<RowReport>,
    taken: Vec<RowReport>,
    left_out: usize,
}

/// The page with the inventory's estimate.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    let estimate = estimates::make(&app, &may, Asked::default()).await?;
    page(&app, &may, estimate, None).await
}

/// Takes the form of lists.
pub(super) fn upload() -> MethodRouter<App> {
    post(of_lists).layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path(sid): Path<String>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/estimate"))
}

/// Takes the form of lists, and gives the outcome of each row as a file.
pub(super) fn rows() -> MethodRouter<App> {
    post(file_of_rows).layer(DefaultBodyLimit::max(BODY_BYTES))
}

async fn file_of_rows(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    request: Request,
) -> Result<Response, PageError> {
    let estimate = match receive(&app, &may, request, |asked| asked).await {
        Ok(estimate) => estimate,
        Err(refused) => {
            let estimate = estimates::make(&app, &may, Asked::default()).await?;
            return page(&app, &may, estimate, Some(refused)).await;
        }
    };
    let file = aside(move || estimate_sheet::csv(&estimate)).await?;
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    let name = HeaderValue::from_static("attachment; filename=\"estimate.csv\"");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], file).into_response())
}

async fn of_lists(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    request: Request,
) -> Result<Response, PageError> {
    match receive(&app, &may, request, |asked| asked).await {
        Ok(estimate) => page(&app, &may, estimate, None).await,
        Err(refused) => {
            let estimate = estimates::make(&app, &may, Asked::default()).await?;
            page(&app, &may, estimate, Some(refused)).await
        }
    }
}

async fn page(
    app: &App,
    may: &May<View>,
    mut estimate: Estimate,
    refused: Option<Problem>,
) -> Result<Response, PageError> {
    let rows = std::mem::take(&mut estimate.rows);
    let (taken, rest): (Vec<RowReport>, Vec<RowReport>) =
        rows.into_iter().partition(|row| row.outcome == RowOutcome::Taken);
    let (unreadable, others): (Vec<RowReport>, Vec<RowReport>) =
        rest.into_iter().partition(|row| row.outcome == RowOutcome::Unreadable);
    let left_out = [&unreadable, &others, &taken].map(|rows| rows.len().saturating_sub(ROWS)).iter().sum();
    let first = |rows: Vec<RowReport>| rows.into_iter().take(ROWS).collect();
    let exclusions =
        Exclusion::ALL.iter().filter_map(|x| Some((x.id(), x.title(), *estimate.excluded.get(x.id())?)));
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let page = Page {
        frame: Frame::new(may, "estimate", "Estimate"),
        exclusions: exclusions.collect(),
        forecast: estimates::forecast(app, may, None).await?,
        refused,
        unreadable: first(unreadable),
        others: first(others),
        taken: first(taken),
        left_out,
        estimate,
    };
    Ok(render_with(status, &page))
}

impl Page {
    /// The number to commit to, for the form of the plan.
    fn use_number(&self) -> Option<u64> {
        self.estimate.commitment.filter(|n| *n > 0)
    }

    /// The tables of rows: what could not be read first.
    fn tables(&self) -> [(&'static str, &'static str, &[RowReport]); 3] {
        [
            ("unreadable", "What could not be read", &self.unreadable),
            ("others", "What is the same as another, or does not count", &self.others),
            ("taken", "What counted", &self.taken),
        ]
    }
}
