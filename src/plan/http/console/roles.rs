//! Who has which role on the subscription.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::page::{Frame, PageError, Visitor, render_with};
use crate::plan::app::permission::{Action, Role};
use crate::plan::app::service::Service;
use crate::plan::http::auth::Caller;
use crate::plan::http::extract::{Form, Path};
use crate::plan::http::problem::{Problem, ProblemType};
use crate::plan::store::{RoleBinding, StoreError};

#[derive(Template)]
#[template(path = "roles.html")]
struct Page {
    frame: Frame,
    bindings: Vec<RoleBinding>,
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
    State(service): State<Service>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
) -> Result<Response, PageError> {
    page(&service, &caller, &sid, None).await
}

/// Binds a role.
pub(super) async fn bind(
    State(service): State<Service>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
    Form(form): Form<BindForm>,
) -> Result<Response, PageError> {
    caller.may(&service, Action::BindRoles, &sid).await?;
    let unknown = |_| Problem::new(ProblemType::InvalidRequest, "choose a role: R, SA, C or O");
    let role: Role = form.role.parse().map_err(unknown)?;
    let unchecked = |_: Option<&RoleBinding>| Ok::<(), StoreError>(());
    let person = form.person.trim();
    let outcome = service.store.bind_role(&sid, person, role, unchecked, &caller.by, service.now()).await;
    after(&service, &caller, &sid, outcome.map(drop)).await
}

/// Takes a role away.
pub(super) async fn unbind(
    State(service): State<Service>,
    Path(sid): Path<String>,
    Visitor(caller): Visitor,
    Form(form): Form<UnbindForm>,
) -> Result<Response, PageError> {
    caller.may(&service, Action::BindRoles, &sid).await?;
    let unchecked = |_: &RoleBinding| Ok::<(), StoreError>(());
    let outcome = service.store.unbind_role(&sid, &form.person, unchecked, &caller.by, service.now()).await;
    after(&service, &caller, &sid, outcome).await
}

async fn after(
    service: &Service,
    caller: &Caller,
    sid: &str,
    outcome: Result<(), StoreError>,
) -> Result<Response, PageError> {
    match outcome {
        Ok(()) => Ok(Redirect::to(&format!("/subscriptions/{sid}/roles")).into_response()),
        Err(error) => page(service, caller, sid, Some(error.into())).await,
    }
}

async fn page(
    service: &Service,
    caller: &Caller,
    sid: &str,
    refused: Option<Problem>,
) -> Result<Response, PageError> {
    caller.may(service, Action::BindRoles, sid).await?;
    let frame = Frame::of(service, caller, sid, "roles", "Roles").await?;
    let status = refused.as_ref().map_or(axum::http::StatusCode::OK, Problem::status);
    let page = Page { bindings: service.store.role_bindings(sid).await?, refused, frame };
    Ok(render_with(status, &page))
}
