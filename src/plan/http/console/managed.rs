//! The managed list: its sources, and a form that previews a list before it replaces one.

use askama::Template;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{MethodRouter, post};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, denial, render_with};
use super::show;
use crate::estimate::{FILE_BYTES, Mapping};
use crate::plan::app::change_jobs::{self, WAIT, Waited};
use crate::plan::app::managed::{self, FileAnswer, FileImport, ManagedQuery, SourceEntry};
use crate::plan::app::{App, May, Refusal};
use crate::plan::http::api::jobs::problem;
use crate::plan::http::extract::Path;
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::permission::{Action, EditDevices, View};

/// Bytes of the form: a list, and some words.
const BODY_BYTES: usize = FILE_BYTES + (1 << 16);

#[derive(Template)]
#[template(path = "managed.html")]
struct Page {
    frame: Frame,
    sources: Vec<SourceEntry>,
    form: ImportForm,
    /// What the import did, or would do.
    answer: Option<FileAnswer>,
    refused: Option<Problem>,
    denial: String,
}

impl Page {
    fn may_edit(&self) -> bool {
        self.frame.may(Action::EditDevices)
    }
}

/// What the form sends. Boxes that are not ticked are not sent.
#[derive(Clone, Debug, Default)]
struct ImportForm {
    source: String,
    zone: String,
    all: bool,
    force: bool,
    /// Imports the list. Otherwise the form asks for a preview.
    import: bool,
    name: String,
    list: Vec<u8>,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<View>>,
) -> Result<Response, PageError> {
    page(&app, &may, ImportForm::default(), None).await
}

/// Takes the form.
pub(super) fn upload() -> MethodRouter<App> {
    post(import).layer(DefaultBodyLimit::max(BODY_BYTES))
}

async fn import(
    State(app): State<App>,
    Visitor(mut may): Visitor<May<EditDevices>>,
    request: Request,
) -> Result<Response, PageError> {
    let mut form = read(request).await?;
    may.by.dry_run = !form.import;
    let list = std::mem::take(&mut form.list);
    let outcome = if list.is_empty() {
        Err(Refusal::invalid("choose the file of a list"))
    } else {
        match replace(&app, &may, &form, list).await {
            Ok(Waited::Job(job)) => {
                let place = format!("/subscriptions/{}/jobs/{}", may.id(), job.id);
                return Ok(Redirect::to(&place).into_response());
            }
            Ok(Waited::Done(answer)) => Ok(answer),
            Err(refusal) => Err(refusal),
        }
    };
    page(&app, &may.view(), form, Some(outcome.map_err(Problem::from))).await
}

/// The source whose list is forgotten.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ForgetForm {
    source: String,
}

/// Answers a reload of the answer to a form.
pub(super) async fn back(Path(sid): Path<String>) -> Redirect {
    Redirect::to(&format!("/subscriptions/{sid}/managed"))
}

/// Forgets the list of a source, and leads to the change, which can be undone there.
pub(super) async fn forget(
    State(app): State<App>,
    Visitor(may): Visitor<May<EditDevices>>,
    Form(form): Form<ForgetForm>,
) -> Result<Response, PageError> {
    match managed::forget(&app, &may, form.source).await {
        Ok(done) => {
            let change = done.change.map_or_else(String::new, |set| format!("/{}?done=1", set.number));
            Ok(Redirect::to(&format!("/subscriptions/{}/changes{change}", may.id())).into_response())
        }
        Err(refused) => page(&app, &may.view(), ImportForm::default(), Some(Err(refused.into()))).await,
    }
}

async fn replace(
    app: &App,
    may: &May<EditDevices>,
    form: &ImportForm,
    list: Vec<u8>,
) -> Result<Waited<FileAnswer>, Refusal> {
    let asked = FileImport {
        source: form.source.trim().to_owned(),
        zone: Some(form.zone.trim().to_owned()).filter(|zone| !zone.is_empty()),
        all: Some(form.all),
        force: Some(form.force),
        ..FileImport::default()
    };
    let name = form.name.clone();
    let read = crate::plan::app::aside(move || asked.read(&name, &list, Mapping::default())).await??;
    let (service, caller) = (app.clone(), may.clone());
    let change = async move { managed::import_list(&service, &caller, read).await };
    change_jobs::run(app, may, "managed_import", WAIT, problem, change).await
}

async fn read(request: Request) -> Result<ImportForm, Problem> {
    let refused = |e: MultipartRejection| Problem::new(ProblemType::InvalidRequest, e.body_text());
    let mut parts = Multipart::from_request(request, &()).await.map_err(refused)?;
    let mut form = ImportForm::default();
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        let key = part.name().unwrap_or_default().to_owned();
        if key == "file" {
            form.name = part.file_name().unwrap_or("the list").chars().filter(|c| !c.is_control()).collect();
            form.list = part.bytes().await.map_err(broken)?.to_vec();
            continue;
        }
        let text = part.text().await.map_err(broken)?;
        match key.as_str() {
            "source" => form.source = text,
            "zone" => form.zone = text,
            "all" => form.all = true,
            "force" => form.force = true,
            "import" => form.import = true,
            _ => {}
        }
    }
    Ok(form)
}

fn broken(error: MultipartError) -> Problem {
    let detail = format!("a list has at most {} MiB", FILE_BYTES >> 20);
    Problem::of_form(error, Problem::new(ProblemType::TooLarge, detail))
}

async fn page(
    app: &App,
    may: &May<View>,
    form: ImportForm,
    outcome: Option<Result<FileAnswer, Problem>>,
) -> Result<Response, PageError> {
    let (answer, refused) = match outcome {
        Some(Ok(answer)) => (Some(answer), None),
        Some(Err(refused)) => (None, Some(refused)),
        None => (None, None),
    };
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let sources =
        managed::list(app, may, &ManagedQuery { limit: Some(1), ..ManagedQuery::default() }).await?.sources;
    let denial = denial(Action::EditDevices);
    let frame = Frame::new(may, "managed", "Managed elsewhere");
    Ok(render_with(status, &Page { frame, sources, form, answer, refused, denial }))
}
