//! Feeds of indicators: their list, a form that previews a feed before it replaces one, and looking indicators up.

use askama::Template;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{MethodRouter, post};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, denial, render_with};
use super::show;
use crate::census::Timestamp;
use crate::plan::app::change_jobs::{self, WAIT, Waited};
use crate::plan::app::feeds::{self, FeedAnswer, FeedList, IndicatorAnswer};
use crate::plan::app::{App, FeedSpool, May, Refusal, SpooledFeed};
use crate::plan::feed::{BadFeedName, Feed};
use crate::plan::http::api::jobs::problem;
use crate::plan::http::extract::{Parameters, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::{Action, UpdateFindings, View};
use crate::security::FEED_BYTES;

/// Bytes of the form: a feed, and some words.
const BODY_BYTES: usize = (256 << 20) + (1 << 16);
const _: () = assert!(BODY_BYTES as u64 > FEED_BYTES, "the largest feed fits the form");

#[derive(Template)]
#[template(path = "feeds.html")]
struct Page {
    frame: Frame,
    list: FeedList,
    now: Timestamp,
    /// The name in the form.
    name: String,
    /// What a change did, or would do.
    answer: Option<FeedAnswer>,
    /// The text that was looked up, and what it hits.
    value: String,
    tested: Option<IndicatorAnswer>,
    refused: Option<Problem>,
    denial: String,
}

impl Page {
    fn may_edit(&self) -> bool {
        self.frame.may(Action::UpdateFindings)
    }

    /// What a feed left out, in words for people; empty if nothing.
    #[expect(clippy::unused_self, reason = "templates ask the page")]
    fn left_out(&self, feed: &Feed) -> String {
        let guarded = (feed.guarded > 0).then(|| format!("guarded {}", show::number(feed.guarded)));
        let others = feed.not_understood.iter().map(|(kind, n)| format!("{kind} {}", show::number(*n)));
        guarded.into_iter().chain(others).collect::<Vec<_>>().join(", ")
    }
}

/// What a page shows beside the list.
#[derive(Debug, Default)]
struct Shown {
    name: String,
    answer: Option<FeedAnswer>,
    value: String,
    tested: Option<IndicatorAnswer>,
    refused: Option<Problem>,
}

/// The value to look up.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TestForm {
    value: String,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
    Parameters(form): Parameters<TestForm>,
) -> Result<Response, PageError> {
    let value = form.value.trim().to_owned();
    let mut shown = Shown { value: value.clone(), ..Shown::default() };
    if !value.is_empty() {
        match feeds::test(&app, &may, &value).await {
            Ok(tested) => shown.tested = Some(tested),
            Err(refused) => shown.refused = Some(refused.into()),
        }
    }
    page(&app, &may, shown).await
}

/// Takes the form of an import.
pub(super) fn upload() -> MethodRouter<App> {
    post(import).layer(DefaultBodyLimit::max(BODY_BYTES))
}

/// What the form of an import sends.
#[derive(Debug, Default)]
struct ImportForm {
    name: String,
    file: Option<SpooledFeed>,
    /// Imports the feed. Otherwise the form asks for a preview.
    import: bool,
}

async fn import(
    State(app): State<App>,
    Visitor(mut may): Visitor<May<UpdateFindings>>,
    request: Request,
) -> Result<Response, PageError> {
    let spool = feeds::spool(&app, &may).await?;
    let form = read(spool, request).await?;
    may.by.dry_run = !form.import;
    let name = form.name.trim().parse().map_err(|e: BadFeedName| Refusal::invalid(e.to_string()));
    let file = form.file.ok_or_else(|| Refusal::invalid("choose the file of a feed"));
    let changed = match (name, file) {
        (Ok(name), Ok(file)) => {
            let (service, caller) = (app.clone(), may.clone());
            let change = async move { feeds::import(&service, &caller, name, file).await };
            change_jobs::run(&app, &may, "feed_import", WAIT, problem, change).await
        }
        (Err(refused), _) | (_, Err(refused)) => Err(refused),
    };
    answered(&app, &may, form.name, changed).await
}

/// The feed to delete.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeleteForm {
    name: String,
    step: String,
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path(sid): Path<String>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/feeds"))
}

/// Previews or makes the deletion of a feed.
pub(super) async fn delete(
    State(app): State<App>,
    Visitor(mut may): Visitor<May<UpdateFindings>>,
    Form(form): Form<DeleteForm>,
) -> Result<Response, PageError> {
    may.by.dry_run = form.step != "confirm";
    let (service, caller, name) = (app.clone(), may.clone(), form.name.clone());
    let change = async move { feeds::delete(&service, &caller, &name).await };
    let changed = change_jobs::run(&app, &may, "feed_delete", WAIT, problem, change).await;
    answered(&app, &may, form.name, changed).await
}

/// The page after a change or a preview; the page of its job if it goes on.
async fn answered(
    app: &App,
    may: &May<UpdateFindings>,
    name: String,
    changed: Result<Waited<FeedAnswer>, Refusal>,
) -> Result<Response, PageError> {
    match changed {
        Ok(Waited::Job(job)) => {
            Ok(Redirect::to(&format!("/subscriptions/{}/jobs/{}", may.id(), job.id)).into_response())
        }
        Ok(Waited::Done(answer)) if answer.dry_run => {
            page(app, &may.view(), Shown { name, answer: Some(answer), ..Shown::default() }).await
        }
        Ok(Waited::Done(_)) => {
            Ok(Redirect::to(&format!("/subscriptions/{}/feeds", may.id())).into_response())
        }
        Err(refused) => {
            page(app, &may.view(), Shown { name, refused: Some(refused.into()), ..Shown::default() }).await
        }
    }
}

async fn read(spool: FeedSpool, request: Request) -> Result<ImportForm, Problem> {
    let refused = |e: MultipartRejection| Problem::new(ProblemType::InvalidRequest, e.body_text());
    let mut parts = Multipart::from_request(request, &()).await.map_err(refused)?;
    let mut form = ImportForm::default();
    let mut spool = Some(spool);
    while let Some(mut part) = parts.next_field().await.map_err(broken)? {
        let key = part.name().unwrap_or_default().to_owned();
        if key == "file" {
            let second = || Problem::new(ProblemType::InvalidRequest, "send one file");
            let mut spool = spool.take().ok_or_else(second)?;
            let has_name = part.file_name().is_some_and(|name| !name.is_empty());
            while let Some(piece) = part.chunk().await.map_err(broken)? {
                spool.put(&piece).await?;
            }
            form.file = if has_name { Some(spool.finish().await?) } else { None };
            continue;
        }
        let text = part.text().await.map_err(broken)?;
        match key.as_str() {
            "name" => form.name = text.chars().take(200).collect(),
            "import" => form.import = true,
            _ => {}
        }
    }
    Ok(form)
}

fn broken(error: MultipartError) -> Problem {
    let detail = format!("a feed has at most {} MiB", FEED_BYTES >> 20);
    Problem::of_form(error, Problem::new(ProblemType::TooLarge, detail))
}

async fn page(app: &App, may: &May<View>, shown: Shown) -> Result<Response, PageError> {
    let list = feeds::list(app, may).await?;
    let Shown { name, answer, value, tested, refused } = shown;
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let (frame, denial) = (Frame::new(may, "alerts", "Feeds"), denial(Action::UpdateFindings));
    let page = Page { frame, list, now: app.now(), name, answer, value, tested, refused, denial };
    Ok(render_with(status, &page))
}
