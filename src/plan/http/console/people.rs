//! People of the installation, for global admins: invite, link to another subject of the identity provider, disable, enable.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, render_with};
use super::show;
use crate::plan::app::people::{self, Invitation, NewPerson, Relink};
use crate::plan::app::{App, MayHere, Refusal};
use crate::plan::http::extract::Path;
use crate::plan::http::problem::Problem;
use crate::plan::permission::ManageTenant;
use crate::plan::store::PersonEntry;

#[derive(Template)]
#[template(path = "people.html")]
struct Page {
    frame: Frame,
    people: Vec<PersonEntry>,
    /// Whether people have passwords here, so that they can be invited.
    passwords: bool,
    /// The issuer of the identity provider, if there is one.
    issuer: Option<String>,
    invited: Option<(String, Invitation)>,
    refused: Option<Problem>,
}

/// The name of a new person. A ticked box sends a value.
#[derive(Debug, Deserialize)]
pub(super) struct InviteForm {
    name: String,
    #[serde(default)]
    global_admin: String,
}

/// The subject to which a person is linked.
#[derive(Debug, Deserialize)]
pub(super) struct RelinkForm {
    subject: String,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<MayHere<ManageTenant>>,
) -> Result<Response, PageError> {
    page(&app, &may, None, None).await
}

/// Creates a person, and shows the link by which they choose a password, once.
pub(super) async fn invite(
    State(app): State<App>,
    Visitor(may): Visitor<MayHere<ManageTenant>>,
    Form(form): Form<InviteForm>,
) -> Result<Response, PageError> {
    let new = NewPerson { name: form.name, password: None, global_admin: !form.global_admin.is_empty() };
    match people::create(&app, &may, &new).await {
        Ok(person) => invited(&app, &may, person.name).await,
        Err(refused) => page(&app, &may, None, Some(refused)).await,
    }
}

/// Shows a new link to a person who exists.
pub(super) async fn invite_again(
    State(app): State<App>,
    Path(person): Path<String>,
    Visitor(may): Visitor<MayHere<ManageTenant>>,
) -> Result<Response, PageError> {
    invited(&app, &may, person).await
}

/// Links a person to another subject of the configured identity provider.
pub(super) async fn relink(
    State(app): State<App>,
    Path(person): Path<String>,
    Visitor(may): Visitor<MayHere<ManageTenant>>,
    Form(form): Form<RelinkForm>,
) -> Result<Response, PageError> {
    let to = Relink { subject: form.subject.trim().to_owned(), issuer: None };
    let outcome = people::relink(&app, &may, &person, &to).await;
    after(&app, &may, outcome.map(drop)).await
}

/// Disables a person.
pub(super) async fn disable(
    State(app): State<App>,
    Path(person): Path<String>,
    Visitor(may): Visitor<MayHere<ManageTenant>>,
) -> Result<Response, PageError> {
    let outcome = people::set_disabled(&app, &may, &person, true).await;
    after(&app, &may, outcome.map(drop)).await
}

/// Enables a person.
pub(super) async fn enable(
    State(app): State<App>,
    Path(person): Path<String>,
    Visitor(may): Visitor<MayHere<ManageTenant>>,
) -> Result<Response, PageError> {
    let outcome = people::set_disabled(&app, &may, &person, false).await;
    after(&app, &may, outcome.map(drop)).await
}

async fn invited(app: &App, may: &MayHere<ManageTenant>, name: String) -> Result<Response, PageError> {
    match people::invite(app, may, &name).await {
        Ok(invitation) => page(app, may, Some((name, invitation)), None).await,
        Err(refused) => page(app, may, None, Some(refused)).await,
    }
}

async fn after(
    app: &App,
    may: &MayHere<ManageTenant>,
    outcome: Result<(), Refusal>,
) -> Result<Response, PageError> {
    match outcome {
        Ok(()) => Ok(Redirect::to("/people").into_response()),
        Err(refused) => page(app, may, None, Some(refused)).await,
    }
}

async fn page(
    app: &App,
    may: &MayHere<ManageTenant>,
    invited: Option<(String, Invitation)>,
    refused: Option<Refusal>,
) -> Result<Response, PageError> {
    let refused = refused.map(Problem::from);
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let access = &app.settings.access;
    let page = Page {
        frame: Frame::plain("People", may.by.person_name()),
        people: people::list(app, may).await?.people,
        passwords: access.local_passwords,
        issuer: access.provider.as_ref().map(|provider| provider.settings().issuer.clone()),
        invited,
        refused,
    };
    Ok(render_with(status, &page))
}
