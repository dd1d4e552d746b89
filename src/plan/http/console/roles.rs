//! Who has which role on the subscription.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Form, Frame, PageError, Visitor, render_with};
use super::show;
use crate::plan::app::{App, May, Refusal, roles};
use crate::plan::http::problem::Problem;
use crate::plan::permission::{BindRoles, Role};
use crate::plan::store::{AdminGrant, Expected, RoleBinding};

#[derive(Template)]
#[template(path = "roles.html")]
struct Page {
    frame: Frame,
    bindings: Vec<RoleBinding>,
    grants: Vec<AdminGrant>,
    refused: Option<Problem>,
}

/// What the form to bind a role sends.
#[derive(Debug, Deserialize)]
pub(super) struct BindForm {
    person: String,
    role: String,
}

/// What the form to take a role away sends.
#[derive(Debug, Deserialize)]
pub(super) struct UnbindForm {
    person: String,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    Visitor(may): Visitor<May<BindRoles>>,
) -> Result<Response, PageError> {
    page(&app, &may, None).await
}

/// Binds a role.
pub(super) async fn bind(
    State(app): State<App>,
    Visitor(may): Visitor<May<BindRoles>>,
    Form(form): Form<BindForm>,
) -> Result<Response, PageError> {
    let unknown = |_| Refusal::invalid("choose a role: R, SA, C or O");
    let role: Role = form.role.parse().map_err(unknown)?;
    let outcome = roles::bind(&app, &may, form.person.trim(), role, &Expected::Any).await;
    after(&app, &may, outcome.map(drop)).await
}

/// Takes a role away.
pub(super) async fn unbind(
    State(app): State<App>,
    Visitor(may): Visitor<May<BindRoles>>,
    Form(form): Form<UnbindForm>,
) -> Result<Response, PageError> {
    let outcome = roles::unbind(&app, &may, &form.person, &Expected::Any).await;
    after(&app, &may, outcome).await
}

/// Confirms that an owner has seen the roles that global admins gave.
pub(super) async fn seen(
    State(app): State<App>,
    Visitor(may): Visitor<May<BindRoles>>,
) -> Result<Response, PageError> {
    let outcome = roles::see_admin_grants(&app, &may).await;
    after(&app, &may, outcome).await
}

async fn after(app: &App, may: &May<BindRoles>, outcome: Result<(), Refusal>) -> Result<Response, PageError> {
    match outcome {
        Ok(()) => Ok(Redirect::to(&format!("/subscriptions/{}/roles", may.id())).into_response()),
        Err(refused) => page(app, may, Some(refused.into())).await,
    }
}

async fn page(app: &App, may: &May<BindRoles>, refused: Option<Problem>) -> Result<Response, PageError> {
    let frame = Frame::new(&may.view(), "roles", "Roles");
    let status = refused.as_ref().map_or(StatusCode::OK, Problem::status);
    let grants = roles::admin_grants(app, may).await?.grants;
    let page = Page { bindings: roles::list(app, may).await?.roles, grants, refused, frame };
    Ok(render_with(status, &page))
}
